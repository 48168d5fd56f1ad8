//! What attacks are aimed at, made for them and gone with them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use stockade_core::{Error, ErrorKind, Result};

/// A new directory that goes away, with all that is in it, when this is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-attacks-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).and_then(|()| path.canonicalize()).map(Self).map_err(unstaged)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A directory in this one, which goes before it does.
    pub(crate) fn inside(&self, name: &str) -> Result<Self> {
        let path = self.0.join(name);
        fs::create_dir(&path).map_err(unstaged)?;
        Ok(Self(path))
    }

    /// Writes a file, and gives its path.
    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, contents).map_err(unstaged)?;
        Ok(path)
    }
}

/// What a directory holds, to tell later whether anything has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State(Vec<Entry>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    path: PathBuf,
    /// Inode, mode, owner, links, size.
    numbers: [u64; 5],
    /// When any of this was last changed, in seconds and nanoseconds.
    changed: (i64, i64),
    contents: Vec<u8>,
}

impl Folder {
    /// What is in it now.
    pub(crate) fn state(&self) -> Result<State> {
        let mut entries = Vec::new();
        let mut queue = vec![self.0.clone()];
        while let Some(path) = queue.pop() {
            let meta = fs::symlink_metadata(&path).map_err(unstaged)?;
            let numbers =
                [meta.ino(), meta.mode().into(), meta.uid().into(), meta.nlink(), meta.size()];
            let changed = (meta.ctime(), meta.ctime_nsec());
            let mut contents = Vec::new();
            if meta.is_file() {
                contents = fs::read(&path).map_err(unstaged)?;
            } else if meta.is_dir() {
                for entry in fs::read_dir(&path).map_err(unstaged)? {
                    queue.push(entry.map_err(unstaged)?.path());
                }
            }
            entries.push(Entry { path, numbers, changed, contents });
        }
        entries.sort();
        Ok(State(entries))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in the folder for temporary files; there is nobody to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that does nothing, killed when dropped.
#[derive(Debug)]
pub(crate) struct Bystander(Child);

impl Bystander {
    pub(crate) fn new() -> Result<Self> {
        let mut sleep = Command::new("sleep");
        sleep.arg("60").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        sleep.spawn().map(Self).map_err(unstaged)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        // One that an attack has killed is not there to be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A word that no other process of this host has among its arguments, unless it was given it.
#[derive(Debug)]
pub(crate) struct Marker(String);

impl Marker {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("stockade-marker-{}-{number}", std::process::id()))
    }

    pub(crate) fn word(&self) -> &str {
        &self.0
    }

    /// The processes that were given it and are alive.
    pub(crate) fn bearers(&self) -> Result<Vec<Pid>> {
        // One that is listed may end before it is looked at, and leave a child that was not listed.
        let found = self.look()?;
        if found.is_empty() { self.look() } else { Ok(found) }
    }

    fn look(&self) -> Result<Vec<Pid>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").map_err(unstaged)? {
            let Ok(entry) = entry else { continue };
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(pid) = id.and_then(Pid::from_raw) else { continue };
            // One that has ended has no arguments, and one that is not ours may not be looked at.
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if words.split(|byte| *byte == 0).any(|word| word == self.0.as_bytes()) {
                found.push(pid);
            }
        }
        Ok(found)
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        for pid in self.bearers().unwrap_or_default() {
            // It ends by itself a little later where it cannot be killed.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// What an attack needs cannot be made.
pub(crate) fn unstaged(error: io::Error) -> Error {
    Error::new(ErrorKind::Setup, error)
}
