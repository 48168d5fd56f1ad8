//! Files as a guest sees them, and the doors out of its tree.

mod hostile;
mod model;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stockade_core::{Base, Bytes, Control, Error, ErrorKind, Limit, Mount, Policy};

use super::{Descriptor, Entry, Errno, FileError, FileType, Files, Layout, NewTime};
use super::{OpenHow, Outcome, Place};
use crate::tether::Stop;

const READ: OpenHow = OpenHow {
    read: true,
    write: false,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
    follow: true,
};
const WRITE: OpenHow = OpenHow { read: false, write: true, ..READ };
const CREATE: OpenHow = OpenHow { write: true, create: true, ..READ };

/// A directory of the host, gone at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "stockade-files-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn dir(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn policy(mounts: Vec<Mount>) -> Policy {
    let mut policy = Policy::default();
    policy.filesystem.mounts = mounts;
    policy
}

fn files_of(policy: &Policy) -> Files {
    policy.validate().unwrap();
    Files::new(Arc::new(Layout::new(policy).unwrap()))
}

fn files(mounts: Vec<Mount>) -> (Files, Descriptor) {
    let mut files = files_of(&policy(mounts));
    let root = files.root();
    (files, root)
}

fn refusal(policy: &Policy) -> Error {
    Layout::new(policy).map(drop).unwrap_err().into()
}

fn errno<T: std::fmt::Debug>(outcome: Outcome<T>) -> Errno {
    match outcome {
        Err(FileError::Errno(errno)) => errno,
        other => panic!("{other:?}"),
    }
}

impl Files {
    fn put(&mut self, at: &Descriptor, path: &str, text: &[u8]) -> Outcome<Descriptor> {
        let file = self.open(at, path.as_bytes(), OpenHow { truncate: true, ..CREATE })?;
        assert_eq!(self.write(&file, Place::At(0), text)?.0, text.len());
        Ok(file)
    }

    fn text(&mut self, at: &Descriptor, path: &str) -> Outcome<Vec<u8>> {
        let file = self.open(at, path.as_bytes(), READ)?;
        let mut text = vec![0; 4096];
        let len = self.read(&file, 0, &mut text)?;
        text.truncate(len);
        Ok(text)
    }

    fn names(&mut self, at: &Descriptor, path: &str) -> Vec<String> {
        let dir = self.open(at, path.as_bytes(), READ).unwrap();
        let (mut names, mut cookie) = (Vec::new(), 0);
        while let Some(Entry { name, next, .. }) = self.read_dir(&dir, cookie).unwrap() {
            names.push(String::from_utf8(name).unwrap());
            cookie = next;
        }
        names.sort();
        names
    }
}

#[test]
fn every_base_has_devices_and_scratch_space_and_nothing_of_the_host() {
    for (base, etc) in [
        (Base::System, vec!["group", "hostname", "hosts", "passwd"]),
        (Base::Empty, vec!["group", "hosts", "passwd"]),
    ] {
        let mut policy = Policy::default();
        policy.filesystem.base = base;
        let mut files = files_of(&policy);
        let root = files.root();
        assert_eq!(files.names(&root, "/"), ["dev", "etc", "tmp"]);
        assert_eq!(files.names(&root, "/etc"), etc);
        let dev = ["full", "null", "random", "shm", "urandom", "zero"];
        assert_eq!(files.names(&root, "/dev"), dev);
        assert_eq!(files.text(&root, "/dev/null").unwrap(), b"");
        assert_eq!(files.text(&root, "/dev/zero").unwrap(), [0; 4096]);
        let random = files.text(&root, "/dev/urandom").unwrap();
        assert_ne!(random, files.text(&root, "/dev/urandom").unwrap());
        assert_eq!(errno(files.put(&root, "/dev/full", b"x")), Errno::NoSpace);
        assert_eq!(errno(files.create_dir(&root, b"/etc/new")), Errno::ReadOnly);
        assert_eq!(errno(files.open(&root, b"/etc/passwd", WRITE)), Errno::ReadOnly);
        files.put(&root, "/dev/shm/a", b"x").unwrap();
    }
}

#[test]
fn a_root_of_the_host_is_read_only_with_its_own_dev_and_tmp() {
    let scratch = Scratch::new();
    fs::write(scratch.dir("dev").join("null"), "of the host").unwrap();
    fs::write(scratch.dir("srv").join("file"), "text").unwrap();
    std::os::unix::fs::symlink("/srv", scratch.0.join("link")).unwrap();
    let mut policy = Policy::default();
    policy.filesystem.base = Base::Rootfs(scratch.0.clone());
    policy.process.cwd = "/srv".to_owned();
    let mut files = files_of(&policy);
    let root = files.root();
    assert_eq!(files.names(&root, "/"), ["dev", "link", "srv", "tmp"]);
    assert_eq!(files.text(&root, "link/../srv/./file").unwrap(), b"text");
    assert_eq!(files.text(&root, "file").unwrap(), b"text");
    assert_eq!(files.text(&root, "/dev/null").unwrap(), b"");
    assert_eq!(errno(files.create_dir(&root, b"/srv/new")), Errno::ReadOnly);
    assert_eq!(errno(files.unlink(&root, b"/srv/file")), Errno::ReadOnly);
    files.put(&root, "/tmp/file", b"x").unwrap();
}

#[test]
fn what_the_root_does_not_have_is_looked_for_in_the_working_directory() {
    let (mut files, root) = files(vec![]);
    files.put(&root, "out.txt", b"text").unwrap();
    assert_eq!(files.text(&root, "/tmp/out.txt").unwrap(), b"text");
    assert_eq!(errno(files.text(&root, "/out.txt")), Errno::NoEntry);
    let tmp = files.open(&root, b"tmp", READ).unwrap();
    assert_eq!(errno(files.text(&tmp, "tmp/out.txt")), Errno::NoEntry);
}

#[test]
fn mounts_lie_over_each_other_and_can_be_neither_moved_nor_removed() {
    let scratch = Scratch::new();
    fs::write(scratch.dir("data/sub").join("beneath"), "").unwrap();
    let (mut files, root) = files(vec![
        Mount::read_write(scratch.0.join("data"), "/data"),
        Mount::tmpfs("/data/sub/over", None),
        Mount::file("/data/new/motd", "brief"),
        Mount::tmpfs("/tmp/a/b", None),
    ]);
    assert_eq!(files.names(&root, "/data"), ["new", "sub"]);
    assert_eq!(files.names(&root, "/data/sub"), ["beneath", "over"]);
    assert_eq!(files.names(&root, "/data/new"), ["motd"]);
    files.put(&root, "/tmp/a/file", b"x").unwrap();
    for path in ["/data/sub/over", "/data/sub", "/tmp/a", "/tmp/a/b"] {
        let to = b"/tmp/moved".as_slice();
        assert_eq!(errno(files.remove_dir(&root, path.as_bytes())), Errno::Busy, "{path}");
        let moved = files.rename((&root, path.as_bytes()), (&root, to));
        assert!(matches!(errno(moved), Errno::Busy | Errno::CrossDevice), "{path}");
    }
    files.create_dir(&root, b"/tmp/d").unwrap();
    assert_eq!(errno(files.rename((&root, b"/tmp/d"), (&root, b"/tmp/a"))), Errno::Busy);
    assert_eq!(fs::read_dir(scratch.0.join("data/sub")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(scratch.0.join("data")).unwrap().count(), 1);
}

#[test]
fn cookies_fit_in_what_a_libc_keeps_of_them() {
    let (mut files, root) = files(vec![Mount::tmpfs("/tmp/a/over", None)]);
    files.put(&root, "/tmp/a/file", b"x").unwrap();
    let dir = files.open(&root, b"/tmp/a", READ).unwrap();
    let (mut names, mut cookie) = (Vec::new(), 0);
    while let Some(entry) = files.read_dir(&dir, u64::from(cookie)).unwrap() {
        names.push(entry.name);
        cookie = u32::try_from(entry.next).unwrap();
    }
    assert_eq!(names, [b"over", b"file"]);
    for beyond in [u64::from(cookie) + 1, u64::MAX] {
        assert_eq!(files.read_dir(&dir, beyond).unwrap(), None);
    }
}

#[test]
fn a_bound_file_is_one_file() {
    let scratch = Scratch::new();
    let path = scratch.0.join("file");
    fs::write(&path, "before").unwrap();
    let (mut files, root) = files(vec![Mount::read_write(&path, "/srv/file")]);
    let file = files.put(&root, "/srv/file", b"after").unwrap();
    files.set_times(&file, NewTime::Keep, NewTime::Now).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"after");
    assert_eq!(errno(files.unlink(&root, b"/srv/file")), Errno::ReadOnly);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another").unwrap();
    assert_eq!(errno(files.text(&root, "/srv/file")), Errno::NoEntry);
}

#[test]
fn times_are_told_and_set() {
    let scratch = Scratch::new();
    let (mut files, root) = files(vec![Mount::read_write(&scratch.0, "/data")]);
    let at = std::time::UNIX_EPOCH + std::time::Duration::new(1000, 7);
    for path in ["/tmp/file", "/data/file"] {
        let file = files.put(&root, path, b"x").unwrap();
        files.set_times(&file, NewTime::Keep, NewTime::At(at)).unwrap();
        let stat = files.stat(&file).unwrap();
        assert_eq!((stat.modified, stat.size, stat.links), (at, 1, 1));
        let path = path.as_bytes();
        files.set_times_at(&root, path, true, NewTime::At(at), NewTime::Now).unwrap();
        let stat = files.stat_at(&root, path, true).unwrap();
        assert!(stat.accessed == at && stat.modified > at);
    }
}

#[test]
fn a_policy_that_cannot_be_is_refused_before_anything_runs() {
    let scratch = Scratch::new();
    let missing = refusal(&policy(vec![Mount::read_only(scratch.0.join("none"), "/data")]));
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("`/data`") && missing.hint().is_some(), "{missing}");
    let fifo = scratch.0.join("fifo");
    make_fifo(&fifo);
    for source in ["/", "/proc", "/sys", "/proc/self", "/dev", fifo.to_str().unwrap()] {
        let error = refusal(&policy(vec![Mount::read_only(source, "/data")]));
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{error}");
    }
    let hides = vec![Mount::tmpfs("/a/b", None), Mount::tmpfs("/a", None)];
    assert_eq!(refusal(&policy(hides)).kind(), ErrorKind::InvalidPolicy);
    let through = vec![Mount::file("/a", "text"), Mount::tmpfs("/a/b", None)];
    assert_eq!(refusal(&policy(through)).kind(), ErrorKind::InvalidPolicy);
    let mut lost = Policy::default();
    lost.process.cwd = "/tmp/none".to_owned();
    assert_eq!(refusal(&lost).kind(), ErrorKind::InvalidPolicy);
    let link = scratch.0.join("link");
    std::os::unix::fs::symlink(scratch.dir("root"), &link).unwrap();
    let mut redirected = Policy::default();
    redirected.filesystem.base = Base::Rootfs(link.join("."));
    assert_eq!(refusal(&redirected).kind(), ErrorKind::InvalidPolicy);
}

fn make_fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}
