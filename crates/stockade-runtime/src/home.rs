//! [`Home`]: the directory of `--root`, and [`Entry`]: one container's directory in it.
//!
//! ```text
//! ROOT/ID/lock         held by whoever changes the container
//!         config.json  what it was made from, since the bundle may change
//!         state.json   State
//!         start, …     what `create` and `start` leave there
//! ```
//!
//! # Killed at any point
//!
//! No process stays to clean up, so each step is written down before it is taken. `create` goes
//!
//! 1. mkdir of `ID`, which one of two callers does. Killed here: a directory without `state.json`.
//! 2. `lock` is made and locked, which ends with the process that holds it.
//! 3. `config.json`, then `state.json` with the control groups that are to be made: their names are
//!    known before. Killed between: as after 1.
//! 4. The control groups are made. Killed here: `state.json` names them.
//! 5. The child is cloned and put into them. It waits for the parent's word, and ends when the parent
//!    does; killed here, it is gone by itself.
//! 6. `state.json` with the child's id and start. Only then is the child told to go on: whatever it
//!    does, it can be found, by its id and in its groups.
//! 7. `state.json` with [`Phase::Created`](crate::state::Phase), once all is done.
//!
//! `delete` goes the other way, and can be repeated: processes, control groups, hooks, and the
//! directory's files, of which `state.json` is the last but `lock`. If it is killed between the hooks
//! and that, the hooks run again. A directory without `state.json` has nothing outside itself.
//!
//! `state.json` is replaced by a rename, so that a reader has the old one or the new one. Neither is
//! flushed to a disk: state does not outlive the boot, since neither do processes, and `/run` is memory.
//!
//! # The lock
//!
//! It is a record lock of the process (fcntl(2), `F_SETLK`), not of an open file (flock(2)): the
//! container's first process is a fork of the one that makes it, has its descriptors until it
//! executes its program, and must not hold the lock meanwhile. Those who only read take no lock.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::runtime::Spec;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::failure::{Context, Failure, Outcome};
use crate::state::State;

/// Engines look for these words.
const NOT_THERE: &str = "container does not exist";
const TAKEN: &str = "container with given ID already exists";

const STATE: &str = "state.json";
const CONFIG: &str = "config.json";
const LOCK: &str = "lock";

/// The longest id: it names a directory.
const MAX_ID: usize = 255;
/// More than any file in here has; a config may have 4 MiB.
const MAX_FILE: u64 = 8 << 20;
/// How long another command is waited for. Hooks may run while the lock is held.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the state of all containers is.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    root: PathBuf,
    /// Whether it is the default of a user who is not root.
    is_users: bool,
}

impl Home {
    /// The directory given, or the caller's own. It need not exist.
    pub(crate) fn new(root: Option<&Path>, is_root: bool) -> Outcome<Self> {
        if let Some(root) = root {
            let root = std::path::absolute(root).context(|| "root directory".into())?;
            return Ok(Self { root, is_users: false });
        }
        if is_root {
            return Ok(Self { root: "/run/stockade-oci".into(), is_users: false });
        }
        match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
            Some(dir) if dir.is_absolute() => {
                Ok(Self { root: dir.join("stockade-oci"), is_users: true })
            }
            _ => Err(Failure::new(
                "there is no place for the state of containers: set XDG_RUNTIME_DIR, or give --root",
            )),
        }
    }

    /// Takes an id for a new container, whose maker is the caller.
    pub(crate) fn reserve(&self, id: &str) -> Outcome<(Entry, Lock)> {
        check_id(id)?;
        let path = self.root.join(id);
        // The container's users may look for its files, and find only what is theirs.
        let make = || DirBuilder::new().mode(0o711).create(&path);
        let mut made = make();
        if made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.make()?;
            made = make();
        }
        match made {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Failure::new(TAKEN));
            }
            Err(error) => return Err(error).context(|| path.display().to_string()),
        }
        let entry = self.find(id)?;
        let lock = entry.lock()?;
        Ok((entry, lock))
    }

    fn make(&self) -> Outcome<()> {
        let what = || format!("root directory {}", self.root.display());
        DirBuilder::new().recursive(true).mode(0o711).create(&self.root).context(what)?;
        if self.is_users {
            // What is sticky there is not cleared away for its age (XDG Base Directory Specification).
            let mode = fs::Permissions::from_mode(0o1711);
            fs::set_permissions(&self.root, mode).context(what)?;
        }
        Ok(())
    }

    /// The directory of a container, if there is one.
    pub(crate) fn look(&self, id: &str) -> Outcome<Option<Entry>> {
        check_id(id)?;
        let path = self.root.join(id);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(dir) => Ok(Some(Entry { path, dir })),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno).context(|| path.display().to_string()),
        }
    }

    /// The directory of a container that is to be there.
    pub(crate) fn find(&self, id: &str) -> Outcome<Entry> {
        self.look(id)?.ok_or_else(|| Failure::new(NOT_THERE))
    }

    /// A container and its state, for a command that asks for one.
    pub(crate) fn load(&self, id: &str) -> Outcome<(Entry, State)> {
        let entry = self.find(id)?;
        // One that is being made is not there yet.
        let state = entry.state()?.ok_or_else(|| Failure::new(NOT_THERE))?;
        Ok((entry, state))
    }

    /// The same for a command that changes it.
    pub(crate) fn load_locked(&self, id: &str) -> Outcome<(Entry, State, Lock)> {
        let entry = self.find(id)?;
        let lock = entry.lock()?;
        let state = entry.state()?.ok_or_else(|| Failure::new(NOT_THERE))?;
        Ok((entry, state, lock))
    }

    /// The ids of all containers, sorted.
    pub(crate) fn ids(&self) -> Outcome<Vec<String>> {
        let what = || format!("root directory {}", self.root.display());
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context(what),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.context(what)?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let Some(id) = entry.file_name().to_str().filter(|id| is_dir && is_id(id)) {
                ids.push(id.to_owned());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// One container's directory.
#[derive(Debug)]
pub(crate) struct Entry {
    path: PathBuf,
    /// It stays this container's, also when another has the same id later.
    dir: OwnedFd,
}

impl Entry {
    /// The FIFO from which a container's process reads until it executes its program.
    pub(crate) const START: &str = "start";

    /// The directory, absolute.
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, to make and open files in.
    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Waits until nobody else changes the container. Only one lock of an entry may be had at a time:
    /// the end of a second one would end both.
    pub(crate) fn lock(&self) -> Outcome<Lock> {
        let file = self.lock_file()?;
        let end = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        while !self.is_locked(&file)? {
            if Instant::now() >= end {
                return Err(Failure::new("container is being changed by another command"));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Ok(Lock { _file: file })
    }

    /// The lock, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Outcome<Option<Lock>> {
        let file = self.lock_file()?;
        Ok(self.is_locked(&file)?.then_some(Lock { _file: file }))
    }

    fn lock_file(&self) -> Outcome<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.dir, LOCK, flags, Mode::from(0o600)) {
            Ok(file) => Ok(file),
            Err(Errno::NOENT) => Err(Failure::new(NOT_THERE)),
            Err(errno) => Err(errno).context(|| self.named(LOCK)),
        }
    }

    /// Takes the lock if nobody has it, and says whether it was taken.
    fn is_locked(&self, file: &OwnedFd) -> Outcome<bool> {
        match rustix::fs::fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(false),
            Err(errno) => return Err(errno).context(|| self.named(LOCK)),
        }
        // Whoever had it before may have deleted the container.
        let links = rustix::fs::fstat(file).context(|| self.named(LOCK))?.st_nlink;
        if links == 0 { Err(Failure::new(NOT_THERE)) } else { Ok(true) }
    }

    /// The state; nothing if none was written.
    pub(crate) fn state(&self) -> Outcome<Option<State>> {
        let Some(text) = self.read(STATE)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).context(|| self.named(STATE))
    }

    /// Replaces the state.
    pub(crate) fn save(&self, state: &State, lock: &Lock) -> Outcome<()> {
        let text = serde_json::to_vec(state).context(|| self.named(STATE))?;
        self.replace(STATE, &text, lock)
    }

    /// The config that the container was made from, with what `update` has changed since.
    pub(crate) fn config(&self) -> Outcome<Spec> {
        serde_json::from_slice(&self.config_text()?).context(|| self.named(CONFIG))
    }

    /// The same as text.
    pub(crate) fn config_text(&self) -> Outcome<Vec<u8>> {
        self.read(CONFIG)?.ok_or_else(|| Failure::new(format!("no {}", self.named(CONFIG))))
    }

    /// Replaces the config.
    pub(crate) fn save_config(&self, text: &[u8], lock: &Lock) -> Outcome<()> {
        self.replace(CONFIG, text, lock)
    }

    /// Whether a process still waits for `start`: whether somebody reads from the FIFO (fifo(7)). The
    /// kernel knows it at any moment, as nothing that is written down could.
    pub(crate) fn waits_for_start(&self) -> bool {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.dir, Self::START, flags, Mode::empty()).is_ok()
    }

    /// Removes the container's directory, and with it the container.
    pub(crate) fn remove(self, lock: Lock) -> Outcome<()> {
        let what = || self.path.display().to_string();
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).context(what)? {
            names.push(entry.context(what)?.file_name());
        }
        // From here on it is no container; what waits for the lock finds it without a name.
        names.sort_by_key(|name| (name == LOCK, name == STATE));
        for name in names {
            match rustix::fs::unlinkat(&self.dir, &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno).context(|| self.named(&name.to_string_lossy())),
            }
        }
        fs::remove_dir(&self.path).context(what)?;
        drop(lock);
        Ok(())
    }

    fn replace(&self, name: &str, text: &[u8], _: &Lock) -> Outcome<()> {
        // One name does, since the lock is held; what a killed command left is overwritten.
        let new = format!("{name}.new");
        let what = || self.named(name);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, &new, flags, Mode::from(0o600)).context(what)?;
        File::from(file).write_all(text).context(what)?;
        rustix::fs::renameat(&self.dir, &new, &self.dir, name).context(what)
    }

    fn read(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.dir, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno).context(|| self.named(name)),
        };
        let mut text = Vec::new();
        File::from(file).take(MAX_FILE).read_to_end(&mut text).context(|| self.named(name))?;
        Ok(Some(text))
    }

    fn named(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

/// The right to change a container, until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: OwnedFd,
}

/// Refuses what is no id.
fn check_id(id: &str) -> Outcome<()> {
    if is_id(id) {
        return Ok(());
    }
    let shown: String = id.chars().take(80).collect();
    Err(Failure::new(format!(
        "invalid container ID format: {shown:?}: it takes 1 to {MAX_ID} letters, digits and _+-."
    )))
}

fn is_id(id: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
    (1..=MAX_ID).contains(&id.len()) && id != "." && id != ".." && id.bytes().all(known)
}

#[cfg(test)]
pub(crate) mod tests;
