//! [`Layout`]: a policy's file tree, ready to be given to any number of runs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::process::{Resource, getrlimit};
use stockade_core::{Access, Bytes, Error, ErrorKind, Mount, Policy};

use super::device::Device;
use super::errno::FileError;
use super::host::{Bind, Host};
use super::ledger::Grant;
use super::source::{Role, Source};
use super::{FileType, Files, base};

/// The first share of the `disk` limit is never smaller, as native programs have it.
const MIN_SCRATCH: u64 = 64 << 10;

/// The policy's files, ready to be given to any number of runs.
#[derive(Debug)]
pub(crate) struct Layout {
    /// What is where it is in every run; the first is `/`.
    pub(super) fixed: Vec<Fixed>,
    /// The share of each in-memory tree.
    pub(super) trees: Vec<usize>,
    /// What each share of the `disk` limit grants; the first is of all trees without their own.
    pub(super) grants: Vec<Grant>,
    binds: usize,
    pub(super) open_files: Option<u64>,
    pub(super) file_size: Option<u64>,
    /// What the kernel allows this process, which it would kill for more.
    pub(super) own_file_size: Option<u64>,
    pub(super) cwd: String,
    pub(super) made: SystemTime,
}

/// A place of the tree that belongs to the policy, and what lies beneath it.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) content: Content,
    pub(super) children: BTreeMap<Box<[u8]>, usize>,
    asked: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A directory on the way to others: that of the parent's with this name, if there is one.
    Passage,
    /// A directory that hides what the parent has there.
    Empty,
    File(Arc<[u8]>),
    Device(Device),
    /// An in-memory tree, by number.
    Scratch(usize),
    Host(Arc<Host>),
}

/// Why a policy's files cannot be given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    #[error("{role}, {path:?}, does not exist")]
    Missing { role: Role, path: PathBuf },
    #[error("{role}, {path:?}, cannot be reached")]
    Unreachable { role: Role, path: PathBuf, source: io::Error },
    #[error("{role}, {path:?}, is a symbolic link")]
    SourceLink { role: Role, path: PathBuf },
    #[error("{role}, {path:?}, is not of a kind that can be bound")]
    SourceKind { role: Role, path: PathBuf },
    #[error("{role}, {path:?}, is part of the host's kernel interface")]
    KernelInterface { role: Role, path: PathBuf },
    #[error("{role}, {path:?}, is the host's whole file tree")]
    HostRoot { role: Role, path: PathBuf },
    #[error("the mount at `{target}` would hide an earlier one")]
    TargetHides { target: String },
    #[error("mount target `{target}` leads through what is not a directory")]
    TargetKind { target: String },
    #[error("the mount at `{target}` is of a kind that a module cannot be given")]
    MountKind { target: String },
    #[error("the working directory `{cwd}` does not exist")]
    NoWorkingDirectory { cwd: String },
}

impl LayoutError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::NotFound,
            Self::Unreachable { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::Setup,
            },
            Self::MountKind { .. } => ErrorKind::Unsupported,
            _ => ErrorKind::InvalidPolicy,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Missing { path, .. } if path.is_relative() => {
                "relative paths start at the current directory of the calling process"
            }
            Self::Missing { .. } => "check the spelling, or create it first",
            Self::Unreachable { .. } => {
                "the user who runs Stockade needs to be able to reach it, and a descriptor for it"
            }
            Self::SourceLink { .. } => "name the directory the link leads to",
            Self::SourceKind { .. } => "bind a file or directory; a root is a directory",
            Self::KernelInterface { .. } => "a sandbox has its own `/dev`, and no `/sys`",
            Self::HostRoot { .. } => "name the directories the program needs",
            Self::TargetHides { .. } => "list a mount before the mounts beneath it",
            Self::TargetKind { .. } => "mount beneath directories only",
            Self::MountKind { .. } => "use a bind, a tmpfs or a file",
            Self::NoWorkingDirectory { .. } => "use `/tmp`, or a directory that is bound",
        }
    }
}

impl From<LayoutError> for Error {
    fn from(error: LayoutError) -> Self {
        let (kind, hint) = (error.kind(), error.hint());
        Self::new(kind, error).with_hint(hint)
    }
}

impl Fixed {
    fn new(content: Content) -> Self {
        Self { content, children: BTreeMap::new(), asked: false }
    }
}

impl Content {
    fn is_directory(&self) -> bool {
        match self {
            Self::Passage | Self::Empty | Self::Scratch(_) => true,
            Self::Host(host) => host.kind == FileType::Directory,
            Self::File(_) | Self::Device(_) => false,
        }
    }
}

fn parts(path: &str) -> impl Iterator<Item = &[u8]> {
    path.as_bytes().split(|&byte| byte == b'/').filter(|part| !part.is_empty())
}

impl Layout {
    /// Opens what the policy binds. The policy is valid.
    pub(crate) fn new(policy: &Policy) -> Result<Self, LayoutError> {
        let limits = &policy.limits;
        let own = policy.filesystem.mounts.iter().map(|mount| match mount {
            Mount::Tmpfs { size: Some(Bytes(size)), .. } => *size,
            _ => 0,
        });
        let own = own.fold(0, u64::saturating_add);
        let disk = limits.disk.get().map(|Bytes(disk)| disk.saturating_sub(own).max(MIN_SCRATCH));
        let mut layout = Self {
            fixed: vec![Fixed::new(Content::Passage)],
            trees: Vec::new(),
            grants: vec![Grant::new(disk)],
            binds: 0,
            open_files: limits.open_files.get(),
            file_size: limits.file_size.get().map(|Bytes(size)| size),
            own_file_size: getrlimit(Resource::Fsize).current,
            cwd: policy.process.cwd.clone(),
            made: SystemTime::now(),
        };
        base::lay(&mut layout, policy)?;
        for mount in &policy.filesystem.mounts {
            layout.mount(mount)?;
        }
        layout.check_cwd()
    }

    fn mount(&mut self, mount: &Mount) -> Result<(), LayoutError> {
        let target = mount.target();
        let content = match mount {
            Mount::Bind { source, access, .. } => {
                self.bind(source, *access == Access::Rw, &Role::Bind(target.to_owned()))?
            }
            Mount::Tmpfs { size: None, .. } => self.scratch(0),
            Mount::Tmpfs { size: Some(Bytes(size)), .. } => {
                self.grants.push(Grant::new(Some(*size)));
                self.scratch(self.grants.len() - 1)
            }
            Mount::File { contents, .. } => Content::File(contents.as_slice().into()),
            _ => return Err(LayoutError::MountKind { target: target.to_owned() }),
        };
        let place = self.put(target, content)?;
        self.fixed[place].asked = true;
        Ok(())
    }

    /// A new in-memory tree.
    pub(super) fn scratch(&mut self, share: usize) -> Content {
        self.trees.push(share);
        Content::Scratch(self.trees.len() - 1)
    }

    pub(super) fn bind(
        &mut self,
        path: &Path,
        writable: bool,
        role: &Role,
    ) -> Result<Content, LayoutError> {
        let Source { fd, place } = Source::open(path, role)?;
        let bind = Arc::new(Bind { index: self.binds, writable, place });
        self.binds += 1;
        let unreachable = |_| LayoutError::Missing { role: role.clone(), path: path.to_owned() };
        Ok(Content::Host(Arc::new(Host::new(fd, bind).map_err(unreachable)?)))
    }

    /// Puts something into the tree, over what the base has there.
    pub(super) fn put(&mut self, target: &str, content: Content) -> Result<usize, LayoutError> {
        let mut here = 0;
        for part in parts(target) {
            if !self.fixed[here].content.is_directory() {
                return Err(LayoutError::TargetKind { target: target.to_owned() });
            }
            here = match self.fixed[here].children.get(part) {
                Some(&child) => child,
                None => {
                    self.fixed.push(Fixed::new(Content::Passage));
                    let child = self.fixed.len() - 1;
                    self.fixed[here].children.insert(part.into(), child);
                    child
                }
            };
        }
        if self.is_asked(here) {
            return Err(LayoutError::TargetHides { target: target.to_owned() });
        }
        self.fixed[here] = Fixed::new(content);
        Ok(here)
    }

    /// Whether the policy itself mounts something here or beneath.
    fn is_asked(&self, place: usize) -> bool {
        let mut todo = vec![place];
        while let Some(place) = todo.pop() {
            let fixed = &self.fixed[place];
            if fixed.asked {
                return true;
            }
            todo.extend(fixed.children.values());
        }
        false
    }

    fn check_cwd(self) -> Result<Self, LayoutError> {
        let layout = Arc::new(self);
        let there = Files::new(Arc::clone(&layout)).is_directory(layout.cwd.as_bytes());
        let missing = || LayoutError::NoWorkingDirectory { cwd: layout.cwd.clone() };
        match there {
            Ok(true) => {}
            Ok(false) | Err(FileError::Errno(_) | FileError::Stop(_)) => return Err(missing()),
        }
        let missing = missing();
        Arc::into_inner(layout).ok_or(missing)
    }
}
