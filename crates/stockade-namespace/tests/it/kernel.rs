//! Doors of the kernel that stay closed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use stockade_conformance::{Job, Scratch};
use stockade_core::{Control, Mount, SyscallProfile, Verdict};
use stockade_guests as guests;

use crate::machine::subject;
use crate::view::printed;

const REFUSED: Verdict = Verdict::Exited { code: 3 };

/// System calls, with arguments to which the kernel itself would answer something else than
/// `EPERM` or `ENOSYS` wherever an unprivileged caller gets that far.
const CALLS: [(&str, i64, &[&str]); 29] = [
    ("mount", libc::SYS_mount, &[]),
    ("umount2", libc::SYS_umount2, &[]),
    ("pivot_root", libc::SYS_pivot_root, &[]),
    ("fsopen", libc::SYS_fsopen, &[]),
    ("move_mount", libc::SYS_move_mount, &[]),
    ("open_tree", libc::SYS_open_tree, &[]),
    ("setns", libc::SYS_setns, &["0", "0"]),
    ("unshare", libc::SYS_unshare, &["0x10000000"]),
    ("clone3", libc::SYS_clone3, &["0", "0"]),
    ("ptrace", libc::SYS_ptrace, &["0", "0", "0", "0"]),
    ("process_vm_readv", libc::SYS_process_vm_readv, &["1", "0", "0", "0", "0", "0"]),
    ("process_vm_writev", libc::SYS_process_vm_writev, &["1", "0", "0", "0", "0", "0"]),
    ("bpf", libc::SYS_bpf, &["0", "0", "0"]),
    ("userfaultfd", libc::SYS_userfaultfd, &["1"]),
    ("perf_event_open", libc::SYS_perf_event_open, &["0", "0", "0xffffffff", "0xffffffff", "0"]),
    ("keyctl", libc::SYS_keyctl, &["0", "0xfffffffd", "0"]),
    ("add_key", libc::SYS_add_key, &["0", "0", "0", "0", "0"]),
    ("request_key", libc::SYS_request_key, &["0", "0", "0", "0"]),
    ("open_by_handle_at", libc::SYS_open_by_handle_at, &["0", "0", "0"]),
    ("io_uring_setup", libc::SYS_io_uring_setup, &["1", "0"]),
    ("fanotify_init", libc::SYS_fanotify_init, &["0", "0"]),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, &["0", "0", "0"]),
    ("kexec_load", libc::SYS_kexec_load, &["0", "0", "0", "0"]),
    ("init_module", libc::SYS_init_module, &["0", "0", "0"]),
    ("quotactl", libc::SYS_quotactl, &["0", "0", "0", "0"]),
    ("swapon", libc::SYS_swapon, &["0", "0"]),
    ("acct", libc::SYS_acct, &["0"]),
    ("reboot", libc::SYS_reboot, &["0", "0", "0", "0"]),
    ("chroot", libc::SYS_chroot, &["0"]),
];

#[test]
fn calls_that_only_attackers_make_are_refused() {
    let Some(subject) = subject() else { return };
    for (name, call, args) in CALLS {
        let report =
            Job::new(&subject, &guests::TRY_SYSCALL).args([call.to_string()]).args(args).run();
        let said = printed(&report);
        assert_eq!(report.verdict, REFUSED, "{name}: {said}");
        let errno = said.trim().rsplit(' ').next().and_then(|errno| errno.parse::<i32>().ok());
        assert!(matches!(errno, Some(libc::EPERM | libc::ENOSYS)), "{name}: {said}");
    }
}

#[test]
fn a_user_namespace_is_refused() {
    let Some(subject) = subject() else { return };
    assert_eq!(Job::new(&subject, &guests::UNSHARE_USER).run().verdict, REFUSED);
}

#[test]
fn the_32_bit_entry_is_denied() {
    let Some(subject) = subject() else { return };
    for profile in [SyscallProfile::Default, SyscallProfile::Strict] {
        let report = Job::new(&subject, &guests::INT80)
            .policy(|policy| policy.syscalls.profile = profile)
            .run();
        if cfg!(target_arch = "x86_64") {
            let denied = matches!(
                report.verdict,
                Verdict::Denied { control: Control::Syscalls, .. } | REFUSED
            );
            assert!(denied, "{:?}: {}", report.verdict, printed(&report));
        }
    }
}

#[test]
fn the_kernels_switches_do_not_open() {
    let Some(subject) = subject() else { return };
    let report = Job::new(&subject, &guests::PROC_WRITE).run();
    assert_eq!(report.verdict, REFUSED, "{}", printed(&report));
}

#[test]
fn nothing_is_typed_into_a_terminal() {
    let Some(subject) = subject() else { return };
    assert_eq!(Job::new(&subject, &guests::TIOCSTI).run().verdict, REFUSED);
}

#[test]
fn no_setuid_file_reaches_the_host() {
    let Some(subject) = subject() else { return };
    let scratch = Scratch::new();
    let report = Job::new(&subject, &guests::SETUID_FILE)
        .args(["/data/file"])
        .mount(Mount::read_write(scratch.path(), "/data"))
        .run();
    assert_eq!(report.verdict, REFUSED, "{}", printed(&report));
    let made = fs::metadata(scratch.path().join("file")).expect("the file itself was allowed");
    assert_eq!(made.permissions().mode() & 0o7000, 0);
}
