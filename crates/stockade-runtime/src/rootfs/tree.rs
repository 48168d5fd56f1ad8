//! The container's own tree: the kernel looks every path of it up with the container's root as
//! `/`, so that no link of an image leads anywhere else, however it changes meanwhile.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{self, Errno};

/// As many links as the kernel follows.
const LINKS: usize = 40;

/// How often a lookup is tried again: the kernel gives up on a `..` when anything in the system
/// was renamed or mounted meanwhile.
const TRIES: usize = 256;

/// What is made where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Directory,
    File,
}

/// The root of a container, not yet or already entered.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
}

/// What came of making one more name.
enum Step {
    Made(OwnedFd),
    /// There is a link to here.
    Link(PathBuf),
}

impl Tree {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root }
    }

    pub(super) fn mount(&self) -> &OwnedFd {
        &self.root
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// What is at `path`, with links followed inside.
    pub(super) fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        lookup(self.root(), path, flags, resolve)
    }

    /// What is at `path`, or nothing.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            found => found.map(Some),
        }
    }

    /// What is at `path`; where nothing is, a `leaf` and its parents are made. A link that leads to
    /// nothing is followed too: what it names is made, inside.
    pub(super) fn make(&self, path: &Path, leaf: Leaf) -> io::Result<OwnedFd> {
        match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT) => {}
            found => return found,
        }
        let mut names = names(path);
        for _ in 0..LINKS {
            match self.extend(&names, leaf)? {
                (_, Step::Made(made)) => return Ok(made),
                (at, Step::Link(to)) => {
                    let mut next = if to.is_absolute() { vec![] } else { names[..at].to_vec() };
                    next.extend(self::names(&to));
                    next.extend_from_slice(&names[at + 1..]);
                    names = next;
                }
            }
        }
        Err(Errno::LOOP)
    }

    /// The directory that `path` is in, and its name there.
    pub(super) fn parent<'p>(&self, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
        let name = path.file_name().ok_or(Errno::ISDIR)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        Ok((self.make(parent, Leaf::Directory)?, name))
    }

    /// The directory at `path`, which is no link; made where nothing is.
    pub(super) fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let (parent, name) = self.parent(path)?;
        match lookup(parent.as_fd(), name, DIRECTORY, ResolveFlags::NO_SYMLINKS) {
            Err(Errno::NOENT) => {}
            Err(Errno::LOOP) => return Err(Errno::NOTDIR),
            found => return found,
        }
        match step(parent.as_fd(), name, Leaf::Directory)? {
            Step::Made(made) => Ok(made),
            Step::Link(_) => Err(Errno::NOTDIR),
        }
    }

    /// Makes what is missing of the names, up to the first link, and says at which name it ended.
    fn extend(&self, names: &[OsString], leaf: Leaf) -> io::Result<(usize, Step)> {
        let Some(last) = names.len().checked_sub(1) else {
            return self.open(Path::new("."), OFlags::PATH).map(|root| (0, Step::Made(root)));
        };
        let mut depth = last;
        let mut dir = loop {
            let there: PathBuf = Path::new(".").join(names[..depth].iter().collect::<PathBuf>());
            match self.open(&there, DIRECTORY) {
                Err(Errno::NOENT) if depth > 0 => depth -= 1,
                found => break found?,
            }
        };
        for (at, name) in names.iter().enumerate().skip(depth) {
            // The way back out of a directory that is not there.
            if name == ".." {
                return Err(Errno::NOENT);
            }
            let leaf = if at == last { leaf } else { Leaf::Directory };
            match step(dir.as_fd(), name, leaf)? {
                Step::Made(made) => dir = made,
                link => return Ok((at, link)),
            }
        }
        Ok((last, Step::Made(dir)))
    }
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// Makes one name in a directory, or opens what somebody made before.
fn step(dir: BorrowedFd<'_>, name: &OsStr, leaf: Leaf) -> io::Result<Step> {
    let made = match leaf {
        Leaf::Directory => fs::mkdirat(dir, name, Mode::from_raw_mode(0o755)),
        Leaf::File => fs::mknodat(dir, name, FileType::RegularFile, Mode::from_raw_mode(0o755), 0),
    };
    match made {
        Ok(()) => {}
        Err(Errno::EXIST) => match fs::readlinkat(dir, name, vec![]) {
            Ok(link) => {
                return Ok(Step::Link(OsString::from_vec(link.into_bytes()).into()));
            }
            Err(Errno::INVAL) => {}
            Err(error) => return Err(error),
        },
        Err(error) => return Err(error),
    }
    let flags = if leaf == Leaf::Directory { DIRECTORY } else { OFlags::PATH };
    lookup(dir, name, flags, ResolveFlags::NO_SYMLINKS).map(Step::Made)
}

/// `openat2`, again where the kernel asks for that.
pub(super) fn lookup(
    dir: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    flags: OFlags,
    resolve: ResolveFlags,
) -> io::Result<OwnedFd> {
    let mut tries = 0;
    loop {
        match fs::openat2(dir, path.as_ref(), flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// The names on a path, with `.` left out and `..` kept: what that means is the kernel's to say.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}
