mod temp_dir;
mod written_to;

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use stockade_core::{Base, Bytes, Error, ErrorKind, Filesystem, Limit, Limits, Mount, NetworkMode};
use stockade_warden::wire::reader::Reader;
use stockade_warden::wire::root::{self, Record, bind};

pub(crate) use temp_dir::TempDir;

use super::layout::{BindSpec, TmpfsSpec};
use super::{Layout, Object};

pub(crate) fn layout(base: Base, mounts: Vec<Mount>) -> Result<Layout, Error> {
    let mut filesystem = Filesystem::default();
    (filesystem.base, filesystem.mounts) = (base, mounts);
    Layout::new(&filesystem, &Limits::default(), NetworkMode::None, "box")
}

fn refused(base: Base, mounts: Vec<Mount>, kind: ErrorKind, named: &str) {
    let error = layout(base, mounts).expect_err("a refusal");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(named), "{error} does not name {named}");
    assert!(error.hint().is_some(), "{error} has no hint");
}

fn invalid(base: Base, mounts: Vec<Mount>, named: &str) {
    refused(base, mounts, ErrorKind::InvalidPolicy, named);
}

/// The recipe in words, read with the warden's own reader.
fn recipe(layout: &Layout) -> Vec<String> {
    let bytes = layout.encode_root();
    let mut reader = Reader::new(&bytes);
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes.strip_suffix(&[0]).expect("a NUL")).into_owned()
    };
    let mut lines = Vec::new();
    while !reader.is_empty() {
        lines.push(match root::next(&mut reader).expect("a well-formed record") {
            Record::Memory => "memory".to_owned(),
            Record::Tree(source) => format!("tree {}", text(source.path)),
            Record::Dir { path, .. } => format!("dir {}", text(path)),
            Record::Link { path, to } => format!("link {} {}", text(path), text(to)),
            Record::File { path, contents, .. } => {
                format!("file {} {}", text(path), String::from_utf8_lossy(contents))
            }
            Record::Tmpfs { path } => format!("tmpfs {}", text(path)),
            Record::Bind { path, source, flags } => {
                let pinned = if source.inode == 0 { "" } else { " pinned" };
                format!("bind {} {} {flags}{pinned}", text(path), text(source.path))
            }
            Record::Inside { path, from } => format!("inside {} {}", text(path), text(from)),
            Record::Proc { path } => format!("proc {}", text(path)),
            Record::Seal { path } => format!("seal {}", text(path)),
        });
    }
    lines
}

fn position(lines: &[String], start: &str) -> usize {
    lines
        .iter()
        .position(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no `{start}` in {lines:#?}"))
}

fn content(layout: &Layout, path: &str) -> String {
    match layout.view.resolve(Path::new(path)).expect("a readable path") {
        Object::HostFile(path) => fs::read_to_string(path).expect("text"),
        Object::Memory { contents, .. } => String::from_utf8_lossy(contents).into_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_system_base_makes_everything_before_it_is_mounted_on_and_seals_the_root_last() {
    let layout = layout(Base::System, Vec::new()).expect("a layout");
    let lines = recipe(&layout);
    assert_eq!(lines.first().map(String::as_str), Some("memory"));
    assert_eq!(lines.last().map(String::as_str), Some("seal /"));
    assert!(position(&lines, "dir /usr") < position(&lines, "bind /usr /usr 0"));
    assert!(position(&lines, "file /dev/null ") < position(&lines, "bind /dev/null /dev/null 2"));
    assert!(position(&lines, "dir /dev") < position(&lines, "file /dev/null "));
    position(&lines, "dir /dev/shm");
    position(&lines, "link /dev/fd /proc/self/fd");
    position(&lines, "proc /proc");
    position(&lines, "file /etc/hostname box\n");
    assert!(content(&layout, "/etc/passwd").contains("sandbox:x:1000:1000"));
    assert!(content(&layout, "/etc/nsswitch.conf").ends_with("hosts: files\n"));
    assert_eq!(content(&layout, "/etc/shadow"), "Missing");
    assert_eq!(content(&layout, "/etc/resolv.conf"), "Missing");
    let shell = layout.view.resolve(Path::new("/bin/sh")).expect("readable");
    assert!(matches!(shell, Object::HostFile(_)), "{shell:?}");
}

#[test]
fn the_empty_base_shows_nothing_of_the_host_but_devices() {
    let layout = layout(Base::Empty, Vec::new()).expect("a layout");
    let lines = recipe(&layout);
    assert!(lines.iter().all(|l| !l.starts_with("bind ") || l.starts_with("bind /dev/")));
    assert_eq!(content(&layout, "/usr"), "Missing");
}

#[test]
fn dns_is_configured_only_for_the_host_network() {
    let layout = |network| {
        Layout::new(&Filesystem::default(), &Limits::default(), network, "box").expect("a layout")
    };
    let nss = |network| content(&layout(network), "/etc/nsswitch.conf");
    assert!(nss(NetworkMode::Host).ends_with("hosts: files dns\n"));
    assert!(nss(NetworkMode::Loopback).ends_with("hosts: files\n"));
}

#[test]
fn binds_get_a_mount_point_of_their_kind_and_are_pinned() {
    let temp = TempDir::new();
    let (dir, file) = (temp.dir("d"), temp.file("f", "text", 0o600));
    let mounts = vec![
        Mount::read_only(&file, "/in/deep/f"),
        Mount::read_write(&dir, "/in/d"),
        Mount::file("/etc/motd", "hello"),
    ];
    let layout = layout(Base::Empty, mounts).expect("a layout");
    let lines = recipe(&layout);
    assert!(position(&lines, "dir /in") < position(&lines, "dir /in/deep"));
    position(&lines, "file /in/deep/f ");
    position(&lines, "dir /in/d");
    position(&lines, &format!("bind /in/d {} {} pinned", dir.display(), bind::WRITE));
    position(&lines, &format!("bind /in/deep/f {} 0 pinned", file.display()));
    position(&lines, "file /etc/motd hello");
    assert_eq!(layout.writable, ["/dev/shm", "/in/d", "/tmp"]);
    let meta = fs::metadata(&dir).expect("it exists");
    assert!(layout.binds.contains(&BindSpec {
        from: "/in/d".into(),
        path: "/in/d".into(),
        uid: meta.uid(),
        gid: meta.gid()
    }));
    assert_eq!(layout.binds.len(), 2);
    assert_eq!(content(&layout, "/in/deep/f"), "text");
}

#[test]
fn what_is_beneath_a_directory_of_the_run_waits_elsewhere_until_then() {
    let temp = TempDir::new();
    let dir = temp.dir("d");
    let mounts = vec![
        Mount::tmpfs("/own", None),
        Mount::read_write(&dir, "/tmp/a/d"),
        Mount::file("/own/x", "text"),
    ];
    let layout = layout(Base::Empty, mounts).expect("a layout");
    let lines = recipe(&layout);
    assert!(lines.iter().all(|line| !line.contains("/tmp/a") && !line.contains("/own/x")));
    position(&lines, &format!("bind /dev/.late/1 {} {} pinned", dir.display(), bind::WRITE));
    position(&lines, "inside /dev/.late/0");
    let places: Vec<_> = layout.binds.iter().map(|b| (b.from.as_str(), b.path.as_str())).collect();
    assert_eq!(places, [("/dev/.late/0", "/own/x"), ("/dev/.late/1", "/tmp/a/d")]);
    assert_eq!(content(&layout, "/own/x"), "text");
}

#[test]
fn more_binds_than_a_plan_holds_are_refused() {
    let temp = TempDir::new();
    let dir = temp.dir("d");
    let many = |count| (0..count).map(|n| Mount::read_only(&dir, format!("/{n}"))).collect();
    assert!(layout(Base::Empty, many(32)).is_ok());
    invalid(Base::Empty, many(33), "33 binds");
}

#[test]
fn the_disk_limit_is_shared_out_and_never_becomes_unbounded() {
    let sized = |disk: Limit<Bytes>, size: u64| {
        let (mut filesystem, mut limits) = (Filesystem::default(), Limits::default());
        filesystem.mounts =
            vec![Mount::tmpfs("/scratch", Some(Bytes(size))), Mount::tmpfs("/shared", None)];
        limits.disk = disk;
        Layout::new(&filesystem, &limits, NetworkMode::None, "box").expect("a layout")
    };
    let layout = sized(Bytes(64 << 20).into(), 16 << 20);
    assert_eq!((layout.scratch_bytes, layout.scratch_inodes), (48 << 20, 48 << 8));
    let spec =
        |path: &str, bytes, inodes| TmpfsSpec { path: path.into(), bytes, inodes, late: false };
    let expected = [
        spec("/dev/shm", 0, 0),
        spec("/scratch", 16 << 20, 16 << 8),
        spec("/shared", 0, 0),
        spec("/tmp", 0, 0),
    ];
    assert_eq!(layout.tmpfs, expected);
    let overdrawn = sized(Bytes(64 << 10).into(), 1 << 40);
    assert_eq!((overdrawn.scratch_bytes, overdrawn.scratch_inodes), (64 << 10, 16));
    assert_eq!(sized(Limit::Unlimited, 4096).scratch_bytes, 0);
    assert_eq!(sized(Limit::Unlimited, 4096).tmpfs[1].inodes, 16);
}

#[test]
fn a_policy_may_replace_what_the_base_has() {
    let temp = TempDir::new();
    temp.file("bin/tool", "x", 0o755);
    let mounts = vec![
        Mount::read_only(temp.path("bin"), "/bin"),
        Mount::file("/etc/passwd", "mine"),
        Mount::tmpfs("/tmp", Some(Bytes(1 << 20))),
    ];
    let replaced = layout(Base::System, mounts).expect("a layout");
    assert_eq!(content(&replaced, "/bin/tool"), "x");
    assert_eq!(content(&replaced, "/etc/passwd"), "mine");
    assert!(recipe(&replaced).iter().all(|line| !line.starts_with("link /bin ")));
    assert_eq!(replaced.tmpfs.iter().filter(|spec| spec.path == "/tmp").count(), 1);

    let whole = layout(Base::System, vec![Mount::read_only(temp.path("bin"), "/etc")]);
    let whole = whole.expect("a layout");
    assert_eq!(content(&whole, "/etc/passwd"), "Missing");
    let under_tmp =
        vec![Mount::read_write(temp.path(""), "/tmp"), Mount::file("/tmp/bin/tool", "covered")];
    let under_tmp = layout(Base::Empty, under_tmp).expect("a layout");
    assert_eq!(content(&under_tmp, "/tmp/bin/tool"), "covered");
}

#[test]
fn files_over_files_of_a_tree_are_staged_in_dev_and_bound_from_there() {
    let tree = TempDir::tree();
    tree.file("app/conf", "theirs", 0o644);
    let mounts = vec![Mount::file("/app/conf", "ours"), Mount::file("/etc/passwd", "mine")];
    let layout = layout(tree.base(), mounts).expect("a layout");
    let lines = recipe(&layout);
    assert_eq!(lines[0], format!("tree {}", tree.path("").display()).trim_end_matches('/'));
    let order = ["tmpfs /dev", "dir /dev/.files", "file /dev/.files/0 ours", "inside /app/conf"];
    assert!(order.map(|start| position(&lines, start)).is_sorted(), "{lines:#?}");
    position(&lines, "inside /etc/passwd /dev/.files/1");
    assert_eq!(lines[lines.len() - 2..], ["seal /dev", "seal /"]);
    let made = |line: &String| line.starts_with("dir ") || line.starts_with("file ");
    assert!(lines.iter().filter(|l| made(l)).all(|l| l.contains(" /dev/")), "{lines:#?}");
    assert_eq!(content(&layout, "/app/conf"), "ours");
}

#[test]
fn sources_that_cannot_be_mounted_are_named() {
    let temp = TempDir::new();
    let one = |source: &Path| vec![Mount::read_only(source, "/data")];
    refused(Base::Empty, one(&temp.path("gone")), ErrorKind::NotFound, "gone");
    refused(Base::Empty, one(Path::new("no-such-thing")), ErrorKind::NotFound, "`/data`");
    refused(Base::Empty, one(&temp.link("dangling", "nowhere")), ErrorKind::NotFound, "dangling");
    temp.link("loop", "loop");
    invalid(Base::Empty, one(&temp.path("loop")), "loop");
    let fifo = temp.path("fifo");
    let name = CString::new(fifo.as_os_str().as_encoded_bytes()).expect("no NUL");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &name,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a FIFO");
    invalid(Base::Empty, one(&fifo), "a FIFO");
    let socket = temp.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    invalid(Base::Empty, one(&socket), "a socket");
    invalid(Base::Empty, one(&temp.link("null", "/dev/null")), "kernel interface");
    for place in ["/proc", "/proc/self/ns", "/sys", "/dev", "/dev/shm"] {
        invalid(Base::Empty, one(Path::new(place)), "kernel interface");
    }
    for root in ["/", "/usr/..", "/proc/self/root"] {
        invalid(Base::Empty, one(Path::new(root)), "whole file tree");
    }
    invalid(Base::Empty, one(Path::new(&"x".repeat(300))), "xxx");
}

#[test]
fn a_rootfs_is_a_real_directory_with_the_directories_it_must_have() {
    let tree = TempDir::tree();
    let temp = TempDir::new();
    let link = temp.link("link", tree.path(""));
    for spelled in ["", "/", "/.", "//"] {
        let path = format!("{}{spelled}", link.display());
        invalid(Base::Rootfs(path.into()), Vec::new(), "symbolic link");
    }
    invalid(Base::Rootfs(temp.file("file", "", 0o644)), Vec::new(), "not a directory");
    refused(Base::Rootfs(temp.path("gone")), Vec::new(), ErrorKind::NotFound, "gone");
    for name in ["proc", "tmp", "dev"] {
        fs::remove_dir(tree.path(name)).expect("empty");
        let named = format!("`/{name}`");
        refused(tree.base(), Vec::new(), ErrorKind::NotFound, &named);
        tree.link(name, temp.path(""));
        refused(tree.base(), Vec::new(), ErrorKind::NotFound, &named);
        fs::remove_file(tree.path(name)).expect("a link");
        tree.dir(name);
    }
    for (rootfs, named) in
        [("/", "whole file tree"), ("/usr/..", "whole file tree"), ("/proc/self/root", "link")]
    {
        invalid(Base::Rootfs(rootfs.into()), Vec::new(), named);
    }
    // Parents may be links.
    let name = tree.0.file_name().expect("not the root");
    temp.link("parent", tree.0.parent().expect("not the root"));
    layout(Base::Rootfs(temp.path("parent").join(name)), Vec::new()).expect("a layout");
}

#[test]
fn targets_that_are_no_places_are_refused_even_unvalidated() {
    let one = |target: &str| vec![Mount::file(target, "x")];
    for target in ["/a/../b", "/..", "a", "", "/a/", "//a", "/./a", "/a\0b"] {
        invalid(Base::Empty, one(target), "normal form");
    }
    for target in ["/", "/proc", "/proc/self", "/dev", "/dev/null"] {
        invalid(Base::Empty, one(target), "itself");
    }
    invalid(Base::Empty, vec![Mount::file("/a", "x"), Mount::file("/a", "y")], "twice");
    let hiding = vec![Mount::file("/a/b", "x"), Mount::tmpfs("/a", None)];
    invalid(Base::Empty, hiding, "hide");
    invalid(Base::Empty, one("/etc/passwd/x"), "a directory");
    invalid(Base::Empty, one("/tmp"), "a file");
}

#[test]
fn targets_on_the_host_must_exist_be_of_the_same_kind_and_pass_no_link() {
    let (tree, outside) = (TempDir::tree(), TempDir::new());
    outside.file("sentinel", "untouched", 0o644);
    tree.dir("data");
    tree.link("way", outside.path(""));
    tree.link("etc/link", outside.path("sentinel"));
    let source = outside.dir("source");
    let one = |target: &str| vec![Mount::read_only(&source, target)];
    layout(tree.base(), one("/data")).expect("a layout");
    refused(tree.base(), one("/missing/deep"), ErrorKind::NotFound, "missing");
    invalid(tree.base(), one("/way/x"), "symbolic link");
    invalid(tree.base(), one("/way"), "symbolic link");
    invalid(tree.base(), vec![Mount::file("/etc/link", "x")], "symbolic link");
    invalid(tree.base(), one("/etc/passwd"), "a directory");
    invalid(tree.base(), vec![Mount::file("/data", "x")], "a file");
    invalid(tree.base(), vec![Mount::file("/tmp", "x")], "a file");
    // The same beneath an earlier bind.
    let beneath = |target: &str| {
        vec![Mount::read_only(tree.path(""), "/t"), Mount::read_only(&source, target)]
    };
    layout(Base::Empty, beneath("/t/data")).expect("a layout");
    refused(Base::Empty, beneath("/t/missing"), ErrorKind::NotFound, "missing");
    invalid(Base::Empty, beneath("/t/way/x"), "symbolic link");
    assert!(!source.join("x").exists() && !tree.path("missing").exists());
}

#[test]
fn links_are_followed_as_inside() {
    let tree = TempDir::tree();
    tree.link("abs", "/etc/passwd");
    tree.link("up", "../../../../../../etc/passwd");
    tree.link("etc/here", "passwd");
    tree.link("loop", "/loop");
    tree.link("dir", "/etc/");
    let data = TempDir::new();
    data.link("out", "/etc/passwd");
    data.link("climb", "../etc/../../etc/passwd");
    tree.dir("data");
    let mounts = vec![Mount::read_only(data.path(""), "/data")];
    let layout = layout(tree.base(), mounts).expect("a layout");
    for path in [
        "/abs",
        "/up",
        "/etc/here",
        "/dir/here",
        "/dir/../../etc/./passwd",
        "/data/out",
        "/data/climb",
        "//etc//passwd",
        "/data/../etc/passwd",
    ] {
        assert_eq!(content(&layout, path), "inside", "{path}");
    }
    for path in ["/etc/passwd/", "/etc/passwd/x", "/no/../etc/passwd", "/abs/", "/proc/self/exe"] {
        assert_eq!(content(&layout, path), "Missing", "{path}");
    }
    let error = layout.view.resolve(Path::new("/loop")).expect_err("a loop");
    assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    assert!(layout.view.resolve(Path::new("/tmp/..")).expect("the root").is_dir());
    assert_eq!(content(&layout, "/dev/null"), "Special");
}

#[test]
fn masks_exist_on_this_host() {
    let layout = layout(Base::Empty, Vec::new()).expect("a layout");
    assert!(layout.masks.iter().all(|path| path.starts_with("/proc/") && Path::new(path).exists()));
    for path in ["/proc/kcore", "/proc/keys", "/proc/acpi", "/proc/scsi", "/proc/asound"] {
        let masked = layout.masks.iter().any(|mask| mask == path);
        assert_eq!(masked, Path::new(path).exists(), "{path}");
    }
}
