//! The attacks of `stockade-attacks` in containers that Docker makes with the runtime.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use stockade_attacks::{Attack, Finding};
use stockade_core::Policy;

use super::docker::Docker;
use super::sandbox::DockerSandbox;
use crate::runtime::is_not_ours;

/// What Docker has no word for, so that nobody tells the runtime of it.
const NOT_DOCKERS: &[(&str, &str)] = &[
    ("endless_wait", "Docker has no limit on time"),
    ("output_flood", "Docker has no limit on output"),
    ("spinning", "Docker has no limit on processor time"),
    ("swapped_source", "Docker looks for the source of a bind when it starts, by its path"),
    ("symlink_targets", "Docker's roots are images; the tests of hostile bundles do the same"),
    ("mount_target_race", "Docker's roots are images; the tests of hostile bundles do the same"),
];

/// What gets through in every container of Docker's, with just these words, and is no harm.
const HARMLESS: &[(&str, &str, &str)] = &[
    ("foreign_limits", "prlimit64 works", "the first process has no parent, and asks for itself"),
    ("host_devices", "/dev/ptmx is open", "the container has terminals of its own"),
    ("host_files", "/sys is open", "Docker mounts it, read-only, for programs that look there"),
];

/// What Docker's own configuration leaves open besides, where nothing more is asked of the runtime: its
/// programs are root's, with fourteen capabilities, and it filters and masks less.
const LEFT_OPEN: &[(&str, &str, &str)] = &[
    ("become_root", "setresuid is answered by the kernel", "they are root"),
    ("change_root", "chroot is answered by the kernel", "they have CAP_SYS_CHROOT"),
    ("core_dump", "its core is dumped", "Docker does not limit cores"),
    ("io_ports", "modify_ldt is answered by the kernel", "Docker's filter allows it"),
    ("machine_socket", "AF_VSOCK is answered by the kernel", "Docker's filter allows it"),
    ("packet_socket", "AF_PACKET is answered by the kernel", "they have CAP_NET_RAW"),
    ("rare_sockets", "AF_NETLINK is answered by the kernel", "Docker's filter allows it"),
    ("ring", "io_uring_setup is answered by the kernel", "Docker's filter allows it"),
    ("setuid_file", "\"node\" has the bit", "Docker's filter allows it"),
    ("terminal_injection", "TIOCSTI is answered by the kernel", "Docker's filter allows it"),
    ("trace", "ptrace works", "Docker's filter allows it"),
    ("capabilities", "capabilities 0xa80425fb", "Docker gives them"),
    ("device_node", "a device of the host works", "Docker does not ask for `nodev`"),
    ("file_capability", "setxattr is answered by the kernel", "they have CAP_SETFCAP"),
    ("host_files", "/root is open", "it is the image's, and root's"),
    ("launcher_overwrite", "the launcher is open to whoever outlives it", "it is what was bound"),
    ("masked_proc", "/proc/interrupts tells something", "Docker does not mask it"),
    ("new_privileges", "privileges can be gained", "Docker does not ask for no_new_privs"),
    ("overwrite_system", "a directory of the system takes files", "root writes to /dev"),
];

/// A user who is nobody.
const NOBODY: u32 = 65_534;

/// Within which time a container of Docker's must be over after its first process, on a busy machine.
/// That nothing of it is alive then is looked at before.
const MOST: Duration = Duration::from_secs(15);

/// Tries all attacks, a few at once; gives what was not held, but for what Docker has no word for.
fn breaches(runtime: &'static str, user: Option<u32>) -> Option<BTreeMap<String, Finding>> {
    let docker = Docker::new()?;
    let sandbox = DockerSandbox::new(&docker, runtime, user);
    let not_dockers = |attack: &Attack| NOT_DOCKERS.iter().any(|(name, _)| *name == attack.name);
    let attacks = stockade_attacks::against(&sandbox).filter(|attack| !not_dockers(attack));
    let queue: Mutex<Vec<&Attack>> = Mutex::new(attacks.collect());
    let next = || queue.lock().expect("no panic").pop();
    let found = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(attack) = next() {
            let finding = tried(attack, &sandbox);
            if !matches!(finding, Finding::Held(_)) {
                found.lock().expect("no panic").insert(attack.name.to_owned(), finding);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    Some(found.into_inner().expect("no panic"))
}

/// Tries one. What measures its own end measures Docker's, too.
fn tried(attack: &'static Attack, sandbox: &DockerSandbox<'_>) -> Finding {
    let outcome = stockade_attacks::play(attack, sandbox, &Policy::default());
    let late = |how: &str| how.strip_prefix("its end took ")?.strip_suffix(" ms")?.parse().ok();
    match outcome.finding {
        Finding::Breached(how)
            if late(&how).is_some_and(|millis: u128| millis < MOST.as_millis()) =>
        {
            Finding::Held(format!("nothing of it is alive, though {how}"))
        }
        finding => finding,
    }
}

/// What is not in a list in just its words.
fn without(
    mut breaches: BTreeMap<String, Finding>,
    list: &[(&str, &str, &str)],
) -> BTreeMap<String, Finding> {
    for (name, how, _) in list {
        if breaches.get(*name) == Some(&Finding::Breached((*how).to_owned())) {
            breaches.remove(*name);
        }
    }
    breaches
}

#[test]
fn every_attack_is_held_in_a_container_with_all_walls_and_a_user() {
    if is_not_ours() {
        return;
    }
    let Some(breaches) = breaches("walled", Some(NOBODY)) else { return };
    let breaches = without(breaches, HARMLESS);
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn what_gets_through_with_dockers_own_walls_is_known() {
    if is_not_ours() {
        return;
    }
    let Some(breaches) = breaches("stockade", None) else { return };
    let breaches = without(without(breaches, HARMLESS), LEFT_OPEN);
    assert!(breaches.is_empty(), "{breaches:#?}");
}
