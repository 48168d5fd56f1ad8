//! What other namespaces see, and what one with fewer rights may do.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::process::Stdio;
use std::sync::atomic::Ordering;

use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use serde_json::json;

use super::{
    Bundle, OLD_KERNEL, again, dev_mount, isolated, mount_at, mounts, proc_mount, situation, spec,
};
use crate::rootfs::{Rootfs, Situation, sources};

/// Where this is in the environment, the test is in the inner of two mount namespaces, and what it
/// is to do there is the value.
const INNER: &str = "STOCKADE_TEST_INNER";

/// The descriptors that the outer one took.
const SOURCES: &str = "STOCKADE_TEST_SOURCES";

/// A container in a user namespace. With `hidden`, one bind shows what only the host may see.
fn user_spec(bundle: &Bundle, hidden: bool) -> Spec {
    let locked = bundle.dir.join("locked");
    let maps = json!([{ "containerID": 0, "hostID": 7, "size": 1 }]);
    let secret = bundle.dir.join("hidden/secret");
    let mut mounts = vec![
        proc_mount(),
        dev_mount(),
        json!({ "destination": "/locked", "type": "bind", "source": locked,
                "options": ["rbind", "rw", "exec", "dev", "noatime"] }),
        json!({ "destination": "/sealed", "type": "bind", "source": locked,
                "options": ["rbind", "ro"] }),
    ];
    if hidden {
        mounts.push(json!({ "destination": "/secret", "type": "bind", "source": secret,
                            "options": ["bind", "nosuid"],
                            "uidMappings": maps, "gidMappings": maps }));
    }
    let linux = json!({
        "maskedPaths": ["/proc/interrupts", "/proc/sys/kernel"], "readonlyPaths": ["/proc/sys"],
        "uidMappings": [{ "containerID": 0, "hostID": 0, "size": 1 }],
    });
    let mut spec = spec(json!(mounts), linux);
    spec.root_mut().as_mut().expect("a root").set_readonly(Some(true));
    spec
}

#[test]
fn a_user_namespace_shows_the_hosts_devices() {
    let name = "a_user_namespace_shows_the_hosts_devices";
    if !isolated(module_path!(), name, &[]) {
        return;
    }
    if env::var_os(INNER).is_some() {
        let bundle = Bundle::there();
        in_user_namespace(&bundle, Vec::new());
        return;
    }
    let bundle = Bundle::new();
    lock(&bundle);
    inner(module_path!(), name, &["--user", "--map-root-user"]);
    bundle.assert_untouched();
}

#[test]
fn sources_may_be_taken_before() {
    let name = "sources_may_be_taken_before";
    if !isolated(module_path!(), name, &[]) {
        return;
    }
    if env::var_os(INNER).is_some() {
        let bundle = Bundle::there();
        let text = env::var(SOURCES).expect("sources");
        let open = |number: &str| -> Option<OwnedFd> {
            // A mount that is nowhere is opened again by its descriptor.
            let path = format!("/proc/self/fd/{}", number.parse::<i32>().ok()?);
            Some(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("a mount"))
        };
        in_user_namespace(&bundle, text.split(',').map(open).collect());
        let secret = fs::metadata("/secret").expect("what only the outer namespace could see");
        assert_eq!(secret.uid(), 65534, "an id that is not in this namespace");
        assert_eq!(fs::read_to_string("/secret").expect("it can be read"), "hidden");
        mount_at("/secret").assert_options(&["nosuid"]);
        return;
    }
    let bundle = Bundle::new();
    lock(&bundle);
    let secret = bundle.dir.join("hidden/secret");
    fs::create_dir(bundle.dir.join("hidden")).expect("a directory");
    fs::write(&secret, "hidden").expect("a file");
    let spec = user_spec(&bundle, true);
    let taken = match sources(&spec, &bundle.dir) {
        Err(failure) if failure.to_string().contains("Invalid argument") => {
            println!("SKIP: {name}: no tmpfs with mapped owners: {failure}");
            return;
        }
        taken => taken.expect("sources"),
    };
    let kinds: Vec<bool> = taken.iter().map(Option::is_some).collect();
    assert_eq!(kinds, [false, false, true, true, true]);
    let numbers: Vec<String> = taken
        .iter()
        .map(|source| {
            source.as_ref().map_or("none".into(), |source| {
                fcntl_setfd(source, FdFlags::empty()).expect("it outlives exec");
                source.as_raw_fd().to_string()
            })
        })
        .collect();
    let status = again(module_path!(), name, &["--user", "--map-root-user"])
        .env(INNER, "1")
        .env(SOURCES, numbers.join(","))
        .status();
    assert!(status.expect("unshare of util-linux").success());
    bundle.assert_untouched();
}

/// A mount that a namespace of fewer rights must keep as strict as it is.
fn lock(bundle: &Bundle) {
    let locked = bundle.volume("locked");
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount("tmpfs", &locked, "tmpfs", flags, None).expect("a tmpfs");
    mount_change(&locked, MountPropagationFlags::SHARED).expect("shared");
    // The map of a user namespace is written here.
    mount("proc", "/proc", "proc", MountFlags::empty(), None).expect("a procfs");
}

#[track_caller]
fn inner(module: &str, name: &str, more: &[&str]) {
    let status = again(module, name, more).env(INNER, "1").status();
    assert!(status.expect("unshare of util-linux").success());
}

fn in_user_namespace(bundle: &Bundle, sources: Vec<Option<OwnedFd>>) {
    let taken = !sources.is_empty();
    let spec = user_spec(bundle, taken);
    // What is refused is shown too, for a container that was not said to be in such a namespace.
    let situation = Situation { user_namespace: !taken, sources, ..situation() };
    let mut rootfs = Rootfs::new(&spec, &bundle.dir, situation).expect("a good configuration");
    rootfs.build().expect("built");
    rootfs.enter().expect("entered");
    rootfs.finish().expect("finished");
    let told = mount_at("/sealed").propagation;
    assert!(!told.contains("shared:"), "nobody hears of what is mounted there: {told}");
    if !taken {
        mount_at("/locked").assert_options(&["nosuid", "nodev", "noexec", "ro"]);
    }
    mount_at("/sealed").assert_options(&["nosuid", "nodev", "noexec", "ro"]);
    mount_at("/").assert_options(&["ro"]);
    mount_at("/proc/sys").assert_options(&["ro"]);
    for (name, major, minor) in [("null", 1, 3), ("urandom", 1, 9), ("tty", 5, 0)] {
        let path = format!("/dev/{name}");
        let found = fs::metadata(&path).expect("a device");
        assert!(found.file_type().is_char_device(), "{name}");
        assert_eq!(found.rdev(), rustix::fs::makedev(major, minor), "{name}");
        mount_at(&path);
    }
    fs::write("/dev/null", "gone").expect("a device that works");
    assert_eq!(fs::read("/proc/interrupts").expect("a masked file"), b"");
}

/// Runs the inner part of a test in a mount namespace that hears of this one and is heard, and gives
/// the mounts that were here before and meanwhile.
fn beside(name: &str, what: &str) -> (Vec<String>, Vec<String>) {
    let places = || mounts().into_iter().map(|mount| mount.place).collect();
    let before = places();
    let mut child = again(module_path!(), name, &["--propagation", "unchanged"])
        .env(INNER, what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare of util-linux");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut said = String::new();
    while !said.contains("ready") && lines.read_line(&mut said).expect("text") > 0 {}
    let meanwhile = places();
    drop(child.stdin.take());
    lines.read_to_string(&mut said).expect("text");
    assert!(child.wait().expect("it ends").success(), "{said}");
    (before, meanwhile)
}

fn wait_to_be_looked_at() {
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}

fn shared_bundle() -> Bundle {
    mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC).expect("shared");
    let bundle = Bundle::new();
    let volume = bundle.volume("volume");
    mount("tmpfs", &volume, "tmpfs", MountFlags::empty(), None).expect("a tmpfs");
    // The root is a mount of its own, as engines make them.
    mount("tmpfs", bundle.root(), "tmpfs", MountFlags::empty(), None).expect("a tmpfs");
    bundle
}

fn shared_spec(bundle: &Bundle, how: &str, root: &str) -> Spec {
    let linux = if root.is_empty() { json!({}) } else { json!({ "rootfsPropagation": root }) };
    spec(
        json!([
            proc_mount(),
            dev_mount(),
            { "destination": "/volume", "type": "bind", "source": bundle.dir.join("volume"),
              "options": ["rbind", how] },
        ]),
        linux,
    )
}

#[test]
fn nobody_else_sees_the_containers_mounts() {
    let name = "nobody_else_sees_the_containers_mounts";
    if !isolated(module_path!(), name, &[]) {
        return;
    }
    if let Ok(root) = env::var(INNER) {
        let bundle = Bundle::there();
        OLD_KERNEL.store(root == "unbindable", Ordering::Relaxed);
        let spec = shared_spec(&bundle, "rprivate", &root);
        bundle.enter(&spec).expect("a container");
        let flags = MountFlags::empty();
        fs::create_dir("/volume/sub").expect("a directory");
        mount("tmpfs", "/volume/sub", "tmpfs", flags, None).expect("a tmpfs");
        fs::create_dir("/more").expect("a directory");
        mount("tmpfs", "/more", "tmpfs", flags, None).expect("a tmpfs");
        let shared = mount_at("/").propagation.contains("shared");
        assert_eq!(shared, root.contains("shared"), "{root}: {:?}", mount_at("/"));
        wait_to_be_looked_at();
        return;
    }
    let bundle = shared_bundle();
    for root in ["", "rslave", "slave", "private", "rprivate", "shared", "rshared", "unbindable"] {
        let (before, meanwhile) = beside(name, root);
        assert_eq!(before, meanwhile, "{root}");
        fs::remove_dir(bundle.dir.join("volume/sub")).expect("the container's directory");
        for made in ["more", "proc", "dev", "volume", "work"] {
            fs::remove_dir_all(bundle.root().join(made)).expect("the container's directory");
        }
    }
    bundle.assert_untouched();
}

#[test]
fn a_shared_volume_is_shared() {
    let name = "a_shared_volume_is_shared";
    if !isolated(module_path!(), name, &[]) {
        return;
    }
    if let Ok(how) = env::var(INNER) {
        let bundle = Bundle::there();
        let spec = shared_spec(&bundle, &how, if how == "rshared" { "rshared" } else { "rslave" });
        bundle.enter(&spec).expect("a container");
        let expected = if how == "rshared" { "shared:" } else { "master:" };
        assert!(mount_at("/volume").propagation.contains(expected), "{:?}", mount_at("/volume"));
        fs::create_dir_all("/volume/sub").expect("a directory");
        mount("tmpfs", "/volume/sub", "tmpfs", MountFlags::empty(), None).expect("a tmpfs");
        wait_to_be_looked_at();
        return;
    }
    let bundle = shared_bundle();
    let (before, meanwhile) = beside(name, "rslave");
    assert_eq!(before, meanwhile);
    let (mut before, meanwhile) = beside(name, "rshared");
    before.push(bundle.dir.join("volume/sub").to_string_lossy().into_owned());
    assert_eq!(before, meanwhile);
}
