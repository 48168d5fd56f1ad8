//! Roots that were made to lead a mount, a node or a write somewhere else.

use std::fs::{self, File};
use std::io::read_to_string;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::mount::{UnmountFlags, unmount};
use serde_json::{Value, json};

use super::{Bundle, dev_mount, isolated, mount_at, mounts, proc_mount, refused, spec};
use crate::rootfs::proc;

/// Builds, checks that nothing outside changed, and takes the tree away again.
#[track_caller]
fn build(bundle: &Bundle, mounts: Value, linux: Value) -> Result<(), String> {
    let spec = spec(mounts, linux);
    let built = bundle.build(&spec).map(drop).map_err(|failure| failure.to_string());
    bundle.assert_untouched();
    if built.is_ok() {
        unmount(bundle.root(), UnmountFlags::DETACH).expect("the tree is there");
    } else {
        // How far it came differs.
        let _ = unmount(bundle.root(), UnmountFlags::DETACH);
    }
    built
}

#[test]
fn no_link_leads_a_mount_outside() {
    if !isolated(module_path!(), "no_link_leads_a_mount_outside", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let (root, outside) = (bundle.root(), &bundle.outside);
    let volume = bundle.volume("v");
    let file = volume.join("v");
    // Absolute, with as many `..` as anybody needs, and by the kernel's own links.
    let far = Path::new("../../../../../../../../..").join(outside.strip_prefix("/").expect("it"));
    let magic = Path::new("/proc/1/root").join(outside.strip_prefix("/").expect("absolute"));
    for (link, to) in [("absolute", outside), ("dotted", &far), ("magic", &magic)] {
        symlink(to, root.join(link)).expect("a link");
        symlink(to.join("secret"), root.join(format!("{link}-file"))).expect("a link");
    }
    for link in ["absolute", "dotted", "magic"] {
        for below in ["", "/deep", "/deep/er", "/new/dir"] {
            let at = format!("/{link}{below}");
            for mount in [
                json!({ "destination": at, "type": "tmpfs" }),
                json!({ "destination": at, "type": "bind", "source": volume, "options": ["rbind"] }),
                json!({ "destination": at, "type": "mqueue" }),
                json!({ "destination": format!("{at}/file"), "type": "bind", "source": file,
                        "options": ["bind", "ro"] }),
                json!({ "destination": at, "type": "cgroup" }),
            ] {
                build(&bundle, json!([mount]), json!({})).expect("built inside");
            }
            let device =
                json!({ "path": format!("{at}/null"), "type": "c", "major": 1, "minor": 3 });
            build(&bundle, json!([]), json!({ "devices": [device] })).expect("made inside");
            let inside = root.join(outside.strip_prefix("/").expect("absolute"));
            assert!(inside.is_dir() || link == "magic", "links are followed inside");
        }
        let at = format!("/{link}-file");
        let over =
            json!({ "destination": at, "type": "bind", "source": file, "options": ["bind"] });
        build(&bundle, json!([over]), json!({})).expect("built inside");
        for kind in ["proc", "sysfs"] {
            let at = format!("/{link}");
            let said = build(&bundle, json!([{ "destination": at, "type": kind }]), json!({}));
            let said = said.expect_err("a link is no place for it");
            assert!(said.contains("must be mounted on ordinary directory"), "{said}");
        }
    }
    // A ring of links is no place either.
    symlink("ring", root.join("ring")).expect("a link");
    let ring = json!([{ "destination": "/ring/x", "type": "tmpfs" }]);
    build(&bundle, ring, json!({})).expect_err("there is no such place");
}

#[test]
fn no_link_leads_a_device_outside() {
    if !isolated(module_path!(), "no_link_leads_a_device_outside", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let (root, outside) = (bundle.root(), &bundle.outside);
    symlink(outside, root.join("dev")).expect("a link");
    build(&bundle, json!([]), json!({})).expect("built inside");
    fs::remove_file(root.join("dev")).expect("the link");
    fs::create_dir(root.join("dev")).expect("a directory");
    for name in ["null", "zero", "fd", "ptmx", "extra"] {
        symlink(outside.join("secret"), root.join("dev").join(name)).expect("a link");
    }
    let extra = json!({ "devices": [
        { "path": "/dev/extra", "type": "c", "major": 1, "minor": 3, "uid": 1, "fileMode": 0o600 }
    ] });
    build(&bundle, json!([]), extra).expect("built inside");
    for name in ["null", "zero", "extra"] {
        let found = fs::symlink_metadata(root.join("dev").join(name)).expect(name);
        assert!(found.file_type().is_char_device(), "{name}");
    }
    assert_eq!(fs::metadata(outside.join("secret")).expect("a secret").uid(), 0);
    fs::write(root.join("dev/null/x"), "").expect_err("it is a device");
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_link_that_comes_and_goes_leads_nothing_outside() {
    if !isolated(module_path!(), "a_link_that_comes_and_goes_leads_nothing_outside", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let (root, outside) = (bundle.root(), bundle.outside.clone());
    let volume = bundle.volume("v");
    let file = volume.join("v");
    // Every directory on the way has a link beside it that takes its place and gives it back.
    let swapped = ["a", "a/b", "a/b/c", "proc", "sys", "dev"];
    for name in swapped {
        fs::create_dir_all(root.join(name)).expect("a directory");
        symlink(&outside, root.join(format!("{name}~"))).expect("a link");
    }
    let (stop, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    let (mut built, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for name in swapped {
                    let (one, other) = (root.join(name), root.join(format!("{name}~")));
                    // A name may be out of reach while another is swapped.
                    if renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).is_ok() {
                        swaps.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        // Also when a check fails: the scope waits for the swapper.
        let _stop = Stop(&stop);
        for _ in 0..400 {
            let mounts = json!([
                { "destination": "/a/b/c", "type": "tmpfs" },
                { "destination": "/a/b/new", "type": "bind", "source": volume, "options": ["bind"] },
                { "destination": "/a/file", "type": "bind", "source": file, "options": ["bind"] },
                { "destination": "/sys", "type": "sysfs" },
                { "destination": "/proc", "type": "proc" },
            ]);
            let device = json!({ "path": "/a/b/null", "type": "c", "major": 1, "minor": 3 });
            match build(&bundle, mounts, json!({ "devices": [device] })) {
                Ok(()) => built += 1,
                Err(_) => refused += 1,
            }
        }
    });
    let swaps = swaps.load(Ordering::Relaxed);
    println!("{built} built, {refused} refused, {swaps} swaps");
    assert!(swaps > 400, "the swapper ran beside it: {swaps}");
    assert!(built > 0 && refused > 0, "both were met: {built} built, {refused} refused");
}

#[test]
fn proc_is_covered_by_nothing_else() {
    if !isolated(module_path!(), "proc_is_covered_by_nothing_else", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let volume = bundle.volume("v");
    let file = volume.join("v");
    symlink("proc", bundle.root().join("alias")).expect("a link");
    let bind = |at: &str, source: &Path| json!({ "destination": at, "type": "bind", "source": source, "options": ["rbind"] });
    let tmpfs = |at: &str| json!({ "destination": at, "type": "tmpfs" });
    for (mount, words) in [
        (tmpfs("/proc"), "not of type proc"),
        (tmpfs("/proc/."), "not of type proc"),
        (tmpfs("/x/../proc"), "not of type proc"),
        (bind("/proc", &volume), "not of type proc"),
        (bind("/proc", Path::new("/proc/sys")), "not of type proc"),
        (tmpfs("/proc/sys"), "inside /proc"),
        (tmpfs("/proc/self"), "inside /proc"),
        (bind("/proc/self/attr/exec", &file), "inside /proc"),
        (bind("/proc/sys/kernel/hostname", &file), "inside /proc"),
        (bind("/alias/version", &file), "inside /proc"),
        (tmpfs("/alias"), "inside /proc"),
        (tmpfs("/proc/uptime"), "/proc/uptime"),
    ] {
        let said = build(&bundle, json!([proc_mount(), mount]), json!({}));
        let said = said.expect_err("nothing covers procfs");
        assert!(said.contains(words), "{mount}: {said}");
    }
    for mount in [bind("/proc/uptime", &file), bind("/proc", Path::new("/proc")), proc_mount()] {
        build(&bundle, json!([proc_mount(), mount]), json!({})).expect("built");
    }
    // No file either, nor a link to another directory.
    fs::remove_dir(bundle.root().join("proc")).expect("the place that was made");
    for fake in ["file", "link"] {
        let path = bundle.root().join("proc");
        match fake {
            "file" => fs::write(&path, "").expect("a file"),
            _ => symlink("tmp", &path).expect("a link"),
        }
        let said = build(&bundle, json!([proc_mount()]), json!({})).expect_err("no directory");
        assert!(
            said.contains("filesystem \"proc\" must be mounted on ordinary directory"),
            "{said}"
        );
        fs::remove_file(&path).expect("the fake");
    }
}

#[test]
fn what_is_written_to_proc_gets_there() {
    if !isolated(module_path!(), "what_is_written_to_proc_gets_there", &[]) {
        return;
    }
    let bundle = Bundle::new();
    // An image that brings a /proc of its own, to a container that mounts none.
    for dir in ["proc/sys/kernel", "proc/self/attr", "proc/1"] {
        fs::create_dir_all(bundle.root().join(dir)).expect("a directory");
    }
    fs::write(bundle.root().join("proc/sys/kernel/domainname"), "fake").expect("a file");
    fs::write(bundle.root().join("proc/self/comm"), "fake").expect("a file");
    let plain = spec(json!([]), json!({}));
    bundle.enter(&plain).expect("a container");
    write_proc();
    for fake in ["/proc/sys/kernel/domainname", "/proc/self/comm"] {
        assert_eq!(fs::read_to_string(fake).expect("the fake"), "fake");
    }
}

#[test]
fn what_is_written_to_a_covered_proc_gets_there() {
    if !isolated(module_path!(), "what_is_written_to_a_covered_proc_gets_there", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let fake = bundle.volume("v").join("v");
    let linux = json!({ "readonlyPaths": ["/proc/sys"], "maskedPaths": ["/proc/self/comm"] });
    let covered = spec(
        json!([
            proc_mount(),
            { "destination": "/proc/uptime", "type": "bind", "source": fake, "options": ["bind"] },
        ]),
        linux,
    );
    bundle.enter(&covered).expect("a container");
    assert_eq!(fs::read_to_string("/proc/uptime").expect("what covers it"), "v");
    let uptime = proc().and_then(|proc| proc.open("uptime", OFlags::RDONLY)).expect("the file");
    assert_ne!(read_to_string(File::from(uptime)).expect("text"), "v");
    assert_eq!(fs::read_to_string("/proc/self/comm").expect("a masked file"), "");
    write_proc();
}

/// Writes to procfs, and sees it by other means.
fn write_proc() {
    let proc = proc().expect("a procfs");
    proc.write("sys/kernel/domainname", b"example.org").expect("written");
    let domain = rustix::system::uname().domainname().to_owned();
    assert_eq!(domain.as_c_str(), c"example.org");
    // This thread's task is the process's first, or has the same group.
    let comm = proc.open("self/comm", OFlags::RDONLY).expect("opened");
    let comm = read_to_string(File::from(comm)).expect("text");
    assert!(comm.starts_with("stockade"), "{comm}");
    // No link of the kernel's leads out of it.
    proc.open("self/root/etc", OFlags::RDONLY).expect_err("that is not procfs");
    proc.open("../etc", OFlags::RDONLY).expect_err("that is not procfs");
}

#[test]
fn a_mask_is_the_null_device_or_nothing() {
    if !isolated(module_path!(), "a_mask_is_the_null_device_or_nothing", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let dev = bundle.volume("dev");
    let zero = rustix::fs::makedev(1, 5);
    let linux = json!({ "maskedPaths": ["/proc/interrupts"] });
    let bind = json!({ "destination": "/dev", "type": "bind", "source": dev, "options": ["bind"] });
    let config = spec(json!([proc_mount(), bind]), linux);
    // What an image, or somebody who shares its volume, may have put there.
    let rootfs = bundle.build(&config).expect("built");
    rootfs.enter().expect("entered");
    let try_mask = || {
        let said = refused(rootfs.finish());
        assert!(said.contains("can't mask path \"/proc/interrupts\""), "{said}");
        let over = mounts().into_iter().any(|mount| mount.place == "/proc/interrupts");
        assert!(!over, "nothing covers it");
        said
    };
    assert!(try_mask().contains("/dev/null"), "there is none");
    fs::write("/dev/null", "").expect("a file");
    assert!(try_mask().contains("/dev/null is not the null device"));
    fs::remove_file("/dev/null").expect("the file");
    symlink("/proc/version", "/dev/null").expect("a link");
    assert!(try_mask().contains("/dev/null is not the null device"));
    fs::remove_file("/dev/null").expect("the link");
    let (kind, mode) =
        (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::from_raw_mode(0o666));
    rustix::fs::mknodat(CWD, "/dev/null", kind, mode, zero).expect("a device");
    assert!(try_mask().contains("/dev/null is not the null device"));
    fs::remove_file("/dev/null").expect("the device");
    rustix::fs::mknodat(CWD, "/dev/null", kind, mode, rustix::fs::makedev(1, 3)).expect("null");
    rootfs.finish().expect("masked");
    assert_eq!(mount_at("/proc/interrupts").root, "/bundle/dev/null");
}

#[test]
fn links_to_what_is_masked_are_followed_inside() {
    if !isolated(module_path!(), "links_to_what_is_masked_are_followed_inside", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let outside = bundle.outside.clone();
    symlink(outside.join("secret"), bundle.root().join("file")).expect("a link");
    symlink("/proc/self/root/etc", bundle.root().join("magic")).expect("a link");
    symlink("/proc/interrupts", bundle.root().join("interrupts")).expect("a link");
    let linux = json!({
        "maskedPaths": ["/file", "/file/below", "/interrupts"],
        "readonlyPaths": ["/file", "/gone"],
    });
    let config = spec(json!([proc_mount(), dev_mount()]), linux);
    bundle.enter(&config).expect("a container");
    assert_eq!(fs::read("/proc/interrupts").expect("a masked file"), b"");
    let said = {
        let config = spec(json!([]), json!({ "maskedPaths": ["/magic"] }));
        let linux = config.linux().as_ref().and_then(|linux| linux.masked_paths().as_ref());
        let root = rustix::fs::open("/", OFlags::PATH, rustix::fs::Mode::empty()).expect("root");
        let tree = crate::rootfs::tree::Tree::new(root);
        refused(crate::rootfs::masks::mask(&tree, linux.expect("a path")))
    };
    assert!(said.contains("symbolic links"), "{said}");
}
