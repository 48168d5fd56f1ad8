//! Trees as engines ask for them.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde_json::json;

use super::{
    Bundle, OLD_KERNEL, dev_mount, isolated, mount_at, mounts, proc_mount, refused, situation, spec,
};
use crate::rootfs::Rootfs;

/// What Docker writes for a container with three files of its own and a volume.
fn engine_spec(bundle: &Bundle) -> oci_spec::runtime::Spec {
    let volume = bundle.volume("volume");
    let file = |name: &str| {
        let path = bundle.dir.join(name);
        fs::write(&path, name).expect("a file");
        json!({ "destination": format!("/etc/{name}"), "type": "bind", "source": path,
                "options": ["rbind", "rprivate"] })
    };
    let mounts = json!([
        proc_mount(),
        dev_mount(),
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
          "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs",
          "options": ["nosuid", "noexec", "nodev", "ro"] },
        { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
          "options": ["ro", "nosuid", "noexec", "nodev"] },
        { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
          "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
          "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"] },
        file("resolv.conf"),
        file("hostname"),
        file("hosts"),
        { "destination": "/data/volume", "type": "bind", "source": volume,
          "options": ["rbind", "ro", "rprivate", "nodev"] },
    ]);
    let linux = json!({
        "maskedPaths": [
            "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
            "/sys/firmware", "/sys/devices/virtual/powercap", "/proc/interrupts"
        ],
        "readonlyPaths": [
            "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/nowhere"
        ],
    });
    let mut spec = spec(mounts, linux);
    spec.root_mut().as_mut().expect("a root").set_readonly(Some(true));
    spec
}

fn groups() -> Vec<(String, PathBuf)> {
    ["memory", "pids"]
        .map(|name| (name.to_owned(), Path::new("/sys/fs/cgroup").join(name)))
        .into_iter()
        .filter(|(_, group)| group.join("tasks").exists())
        .collect()
}

#[test]
fn an_engines_container_is_built() {
    if !isolated(module_path!(), "an_engines_container_is_built", &[]) {
        return;
    }
    engines_container();
}

#[test]
fn an_engines_container_is_built_by_an_older_kernel() {
    if !isolated(module_path!(), "an_engines_container_is_built_by_an_older_kernel", &[]) {
        return;
    }
    OLD_KERNEL.store(true, Ordering::Relaxed);
    engines_container();
}

fn engines_container() {
    let bundle = Bundle::new();
    let spec = engine_spec(&bundle);
    let groups = groups();
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let situation = crate::rootfs::Situation { cgroup_mounts: &groups, ..situation() };
    let mut rootfs = Rootfs::new(&spec, &bundle.dir, situation).expect("a good configuration");
    rootfs.build().expect("built");
    bundle.assert_untouched();
    rootfs.enter().expect("entered");
    rootfs.finish().expect("finished");

    check_mounts(&groups);
    check_devices();
    // The host's tree is gone, and the working directory was made, with the mode of no umask.
    assert!(!bundle.dir.exists());
    let work = fs::metadata("/work/here").expect("the working directory");
    assert_eq!(work.mode() & 0o7777, 0o755);
    let umask = rustix::process::umask(Mode::empty());
    assert_eq!(umask.as_raw_mode(), 0o077, "the umask is as it was");
    // Everything is as read-only as it was asked to be.
    for (path, errno) in [
        ("/new", Errno::ROFS),
        ("/data/volume/new", Errno::ROFS),
        ("/proc/sys/kernel/domainname", Errno::ROFS),
        ("/sys/fs/cgroup/new", Errno::ROFS),
        ("/sys/kernel/uevent_seqnum", Errno::ROFS),
    ] {
        let opened = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let error = opened.err().and_then(|error| Errno::from_io_error(&error));
        assert_eq!(error, Some(errno), "{path}");
    }
    fs::write("/dev/shm/file", "writable").expect("shared memory");
    fs::write("/etc/hosts", "writable").expect("a bind that is not read-only");
    // What is masked is empty.
    for file in ["/proc/interrupts", "/proc/keys"] {
        assert_eq!(fs::read(file).expect(file), b"", "{file}");
        let found = fs::metadata(file).expect(file);
        assert!(found.file_type().is_char_device(), "{file}");
        assert_eq!(found.rdev(), rustix::fs::makedev(1, 3), "{file}");
    }
    for dir in ["/sys/firmware", "/proc/acpi"] {
        if let Ok(mut names) = fs::read_dir(dir) {
            assert!(names.next().is_none(), "{dir}");
            mount_at(dir).assert_options(&["ro", "nosuid", "nodev", "noexec"]);
        }
    }
}

fn check_mounts(groups: &[(String, PathBuf)]) {
    let strict = ["nosuid", "nodev", "noexec"];
    let kind = |place: &str, kind: &str, options: &[&str]| {
        let mount = mount_at(place);
        assert_eq!(mount.kind, kind, "{mount:?}");
        mount.assert_options(options);
        mount
    };
    kind("/", "tmpfs", &["ro"]);
    assert_eq!(mount_at("/").propagation, "");
    kind("/proc", "proc", &["rw", "!nosuid"]);
    let dev = kind("/dev", "tmpfs", &["nosuid", "!nodev", "!relatime", "rw"]);
    assert!(dev.data.contains("size=65536k") && dev.data.contains("mode=755"), "{dev:?}");
    let pts = kind("/dev/pts", "devpts", &["nosuid", "noexec", "!nodev"]);
    assert!(pts.data.contains("gid=5,mode=620,ptmxmode=666"), "{pts:?}");
    kind("/sys", "sysfs", &["ro", "nosuid", "nodev", "noexec", "relatime"]);
    kind("/dev/mqueue", "mqueue", &strict);
    assert!(kind("/dev/shm", "tmpfs", &strict).data.contains("size=65536k"));
    for name in ["resolv.conf", "hostname", "hosts"] {
        let place = format!("/etc/{name}");
        assert_eq!(mount_at(&place).propagation, "");
        assert_eq!(fs::read_to_string(&place).expect("a file"), name);
    }
    kind("/data/volume", "tmpfs", &["ro", "nodev", "!nosuid"]);
    assert_eq!(fs::read_to_string("/data/volume/volume").expect("a file"), "volume");
    kind("/sys/fs/cgroup", "tmpfs", &["ro", "nosuid", "nodev", "noexec"]);
    for (name, _) in groups {
        let place = format!("/sys/fs/cgroup/{name}");
        kind(&place, "cgroup", &["ro", "nosuid", "nodev", "noexec"]);
        assert!(Path::new(&place).join("tasks").exists());
    }
    // Nothing of the host is left: no mount but those below the root.
    assert_eq!(mounts().iter().filter(|mount| mount.place == "/").count(), 1);
}

fn check_devices() {
    for (name, major, minor) in [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ] {
        let found = fs::symlink_metadata(Path::new("/dev").join(name)).expect(name);
        assert!(found.file_type().is_char_device(), "{name}");
        assert_eq!(found.rdev(), rustix::fs::makedev(major, minor), "{name}");
        assert_eq!(found.mode() & 0o7777, 0o666, "{name}");
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        let link = fs::read_link(Path::new("/dev").join(name)).expect(name);
        assert_eq!(link, Path::new(to), "{name}");
    }
    let mut zeros = [1; 4];
    File::open("/dev/zero").and_then(|mut zero| zero.read_exact(&mut zeros)).expect("zeros");
    assert_eq!(zeros, [0; 4]);
    File::create("/dev/null").and_then(|mut null| null.write_all(b"gone")).expect("null");
}

#[test]
fn devices_are_made_as_asked() {
    if !isolated(module_path!(), "devices_are_made_as_asked", &[]) {
        return;
    }
    let bundle = Bundle::new();
    // An image without a mount at /dev, and with a file where a device belongs.
    fs::create_dir(bundle.root().join("dev")).expect("a directory");
    fs::write(bundle.root().join("dev/null"), "no device").expect("a file");
    let linux = json!({ "devices": [
        { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640,
          "uid": 7, "gid": 8 },
        { "path": "/dev/in/side", "type": "b", "major": 7, "minor": 3 },
        { "path": "/elsewhere/pipe", "type": "p", "fileMode": 0o622 },
        { "path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600 },
        { "path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2 },
    ] });
    let spec = spec(json!([proc_mount()]), linux);
    rustix::process::umask(Mode::from_raw_mode(0o077));
    bundle.enter(&spec).expect("a container");
    let fuse = fs::metadata("/dev/fuse").expect("fuse");
    assert_eq!((fuse.mode() & 0o7777, fuse.uid(), fuse.gid()), (0o640, 7, 8));
    assert_eq!(fuse.rdev(), rustix::fs::makedev(10, 229));
    let side = fs::metadata("/dev/in/side").expect("side");
    assert!(side.file_type().is_block_device());
    assert_eq!((side.rdev(), side.mode() & 0o7777), (rustix::fs::makedev(7, 3), 0o666));
    let pipe = fs::metadata("/elsewhere/pipe").expect("pipe");
    assert!(pipe.file_type().is_fifo());
    assert_eq!(pipe.mode() & 0o7777, 0o622);
    assert_eq!(fs::metadata("/dev/zero").expect("zero").mode() & 0o7777, 0o600);
    assert!(fs::metadata("/dev/null").expect("null").file_type().is_char_device());
    assert!(fs::symlink_metadata("/dev/ptmx").expect("ptmx").is_symlink());
}

#[test]
fn a_dev_asked_to_be_read_only_has_its_devices() {
    if !isolated(module_path!(), "a_dev_asked_to_be_read_only_has_its_devices", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let dev = json!({ "destination": "/dev/", "type": "tmpfs", "options": ["ro", "mode=755"] });
    let spec = spec(json!([proc_mount(), dev]), json!({}));
    bundle.enter(&spec).expect("a container");
    mount_at("/dev").assert_options(&["ro"]);
    check_devices();
    // It is the mount that is read-only, and not only for now.
    assert!(fs::write("/dev/new", "").is_err());
}

#[test]
fn a_root_that_is_not_there_is_named() {
    if !isolated(module_path!(), "a_root_that_is_not_there_is_named", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let mut config = spec(json!([]), json!({}));
    let mut at = |path: &str| {
        config.root_mut().as_mut().expect("a root").set_path(path.into());
        refused(bundle.build(&config))
    };
    let said = at("nowhere");
    assert!(said.contains("invalid rootfs: stat /"), "{said}");
    assert!(said.contains("/bundle/nowhere: no such file or directory"), "{said}");
    symlink(&bundle.outside, bundle.dir.join("link")).expect("a link");
    for link in ["link", "link/deep"] {
        let said = at(link);
        assert!(said.contains("invalid rootfs: not an absolute path, or a symlink"), "{said}");
    }
    bundle.assert_untouched();
    // An absolute path is fine.
    let root = bundle.root();
    config.root_mut().as_mut().expect("a root").set_path(root);
    bundle.build(&config).expect("built");
}

#[test]
fn bad_mounts_are_named() {
    if !isolated(module_path!(), "bad_mounts_are_named", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let build = |mount: serde_json::Value| refused(bundle.build(&spec(json!([mount]), json!({}))));
    let source = bundle.volume("v");
    for (mount, words) in [
        (
            json!({ "destination": "/a", "type": "bind", "source": "/no/where", "options": ["bind"] }),
            "error mounting \"/no/where\" to rootfs at \"/a\"",
        ),
        (
            json!({ "destination": "/a", "type": "bind", "source": source, "options": ["bind", "x"] }),
            "filesystem-specific",
        ),
        (json!({ "destination": "/a", "type": "nosuchfs", "source": "x" }), "nosuchfs"),
        (json!({ "destination": "/a", "type": "tmpfs", "options": ["size=huge"] }), "size"),
        (json!({ "destination": "/", "type": "tmpfs" }), "cover the container's root"),
        (json!({ "destination": "/a/..", "type": "tmpfs" }), "cover the container's root"),
    ] {
        let said = build(mount);
        assert!(said.contains(words), "{said}");
    }
    assert!(
        build(json!({ "destination": "/a", "type": "bind", "source": "/no/where",
                          "options": ["bind"] }))
        .contains("No such file or directory")
    );
    let said = refused(bundle.build(&spec(json!([]), json!({ "rootfsPropagation": "odd" }))));
    assert!(said.contains("rootfsPropagation=odd is not supported"), "{said}");
}

#[test]
fn a_root_may_be_moved_into_place() {
    if !isolated(module_path!(), "a_root_may_be_moved_into_place", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let spec = spec(json!([proc_mount(), dev_mount()]), json!({ "maskedPaths": ["/proc/keys"] }));
    let situation = crate::rootfs::Situation { no_pivot: true, ..situation() };
    let mut rootfs = Rootfs::new(&spec, &bundle.dir, situation).expect("a good configuration");
    rootfs.build().expect("built");
    let host = rustix::fs::open("/", OFlags::PATH, Mode::empty()).expect("the host's root");
    rootfs.enter().expect("entered");
    rootfs.finish().expect("finished");
    assert!(!bundle.dir.exists());
    check_devices();
    assert_eq!(fs::read("/proc/keys").expect("a masked file"), b"");
    // What lies under the root now has no procfs and no sysfs that could be taken for leave.
    for dir in ["proc", "sys"] {
        let there = rustix::fs::openat(&host, dir, OFlags::RDONLY, Mode::empty()).expect(dir);
        let names = rustix::fs::Dir::read_from(&there).expect(dir).count();
        assert_eq!(names, 2, "{dir} is empty");
    }
}

#[test]
fn permissions_are_those_of_the_configuration() {
    if !isolated(module_path!(), "permissions_are_those_of_the_configuration", &[]) {
        return;
    }
    let bundle = Bundle::new();
    // A directory that a tmpfs covers keeps its mode, unless there is another in the options.
    for (name, mode) in [("kept", 0o1757), ("given", 0o700)] {
        let path = bundle.root().join(name);
        fs::create_dir(&path).expect("a directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }
    let spec = spec(
        json!([
            proc_mount(),
            { "destination": "/kept", "type": "tmpfs" },
            { "destination": "/given", "type": "tmpfs", "options": ["mode=0751"] },
            { "destination": "/made/new", "type": "tmpfs" },
        ]),
        json!({}),
    );
    rustix::process::umask(Mode::from_raw_mode(0o077));
    bundle.enter(&spec).expect("a container");
    let mode = |path| fs::metadata(path).expect("a directory").mode() & 0o7777;
    assert_eq!(mode("/kept"), 0o1757);
    assert_eq!(mode("/given"), 0o751);
    assert_eq!(mode("/made"), 0o755);
    assert_eq!(mode("/made/new"), 0o1777);
}
