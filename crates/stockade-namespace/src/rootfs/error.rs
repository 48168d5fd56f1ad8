//! [`RootfsError`]: what is wrong with the files a policy asks for.

use std::fmt;
use std::io;
use std::path::PathBuf;

use stockade_core::{Error, ErrorKind};

/// What a path of the host is named for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// `bind` of the mount at this target.
    Bind(String),
    /// `filesystem.base.rootfs`.
    Rootfs,
    /// Part of the base `system`.
    System,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(target) => write!(f, "the bind source of `{}`", target.escape_debug()),
            Self::Rootfs => f.write_str("the root file system"),
            Self::System => f.write_str("the system file"),
        }
    }
}

/// Why a file tree cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub(super) enum RootfsError {
    #[error("{role}, {path:?}, does not exist")]
    Missing { role: Role, path: PathBuf },
    #[error("{role}, {path:?}, cannot be reached")]
    Unreachable { role: Role, path: PathBuf, source: io::Error },
    #[error("{role}, {path:?}, is a symbolic link")]
    SourceLink { role: Role, path: PathBuf },
    #[error("{role}, {path:?}, is {found}, not {wanted}")]
    SourceKind { role: Role, path: PathBuf, found: &'static str, wanted: &'static str },
    #[error("{role}, {path:?}, is part of the host's kernel interface")]
    KernelInterface { role: Role, path: PathBuf },
    #[error("{role}, {path:?}, has the host's kernel interface mounted beneath it at {mount:?}")]
    KernelBeneath { role: Role, path: PathBuf, mount: PathBuf },
    #[error("the root file system {rootfs:?} cannot be written to with {mount:?} mounted in it")]
    MountBeneath { rootfs: PathBuf, mount: PathBuf },
    #[error("{role}, {path:?}, is the host's whole file tree")]
    HostRoot { role: Role, path: PathBuf },
    #[error("the root file system {rootfs:?} has no directory `/{name}`")]
    TreeLacks { rootfs: PathBuf, name: &'static str },
    #[error("{path:?} of the host is not the device it should be")]
    Device { path: PathBuf },
    #[error("mount target `{}` is not an absolute path in normal form", target.escape_debug())]
    TargetForm { target: String },
    #[error("mount target `{target}` belongs to the sandbox itself")]
    TargetReserved { target: String },
    #[error("mount target `{target}` is used twice")]
    TargetTaken { target: String },
    #[error("the mount at `{target}` would hide the earlier one at {hidden:?}")]
    TargetHides { target: String, hidden: PathBuf },
    #[error("mount target `{target}` does not exist: nothing is at {missing:?} of the host")]
    TargetMissing { target: String, missing: PathBuf },
    #[error("mount target `{target}` leads through the symbolic link {link:?}")]
    TargetLink { target: String, link: PathBuf },
    #[error("mount target `{target}` needs {at:?} to be {wanted}, which it is not")]
    TargetKind { target: String, at: PathBuf, wanted: &'static str },
    #[error("there are {count} binds, where at most {max} can be")]
    TooManyBinds { count: usize, max: usize },
    #[error("mount target `{target}` cannot be reached at {at:?}")]
    TargetUnreachable { target: String, at: PathBuf, source: io::Error },
}

impl RootfsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::NotFound,
            Self::Unreachable { source, .. } | Self::TargetUnreachable { source, .. } => {
                kind_of(source)
            }
            Self::Device { .. } => ErrorKind::Setup,
            Self::TargetMissing { .. } | Self::TreeLacks { .. } => ErrorKind::NotFound,
            _ => ErrorKind::InvalidPolicy,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Missing { path, .. } if path.is_relative() => {
                format!("relative paths start at the current directory{}", current_directory())
            }
            Self::Missing { .. } => "check the spelling, or create it first".to_owned(),
            Self::Unreachable { .. } | Self::TargetUnreachable { .. } => {
                "the user who runs Stockade needs to be able to reach it".to_owned()
            }
            Self::SourceLink { .. } => {
                "name the directory the link leads to, so that nobody can redirect it".to_owned()
            }
            Self::SourceKind { .. } => {
                "bind a file or directory; a program gets pipes and sockets as its streams"
                    .to_owned()
            }
            Self::KernelBeneath { mount, .. } => {
                format!("unmount {mount:?}, or bind what is beside it")
            }
            Self::MountBeneath { mount, .. } => format!(
                "unmount {mount:?} and bind what is there to the same place, or have the root read-only"
            ),
            Self::KernelInterface { .. } => {
                "a sandbox has its own `/proc` and `/dev`, and no `/sys`".to_owned()
            }
            Self::HostRoot { .. } => "name the directories the program needs".to_owned(),
            Self::TreeLacks { rootfs, name } => {
                format!("create an empty directory: mkdir {:?}", rootfs.join(name))
            }
            Self::Device { path } => format!("restore {path:?} on the host (see mknod(1))"),
            Self::TargetForm { .. } => {
                "write it without `.`, `..`, empty parts, a trailing `/` or NUL".to_owned()
            }
            Self::TargetReserved { .. } => {
                "mount elsewhere; `/proc` and `/dev` are always the sandbox's own".to_owned()
            }
            Self::TargetTaken { .. } => "remove one of the two mounts".to_owned(),
            Self::TargetHides { target, .. } => {
                format!("list the mount at `{target}` before the mounts beneath it")
            }
            Self::TargetMissing { missing, .. } => {
                format!("create {missing:?} on the host, or use another target")
            }
            Self::TargetLink { .. } => "use the path the link leads to as the target".to_owned(),
            Self::TargetKind { .. } => "directories go over directories, files over files".into(),
            Self::TooManyBinds { .. } => "bind directories that hold them together".to_owned(),
        }
    }
}

/// What sort of failure it is that a named file cannot be looked at.
pub(crate) fn kind_of(error: &io::Error) -> ErrorKind {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => ErrorKind::PermissionDenied,
        Some(libc::ELOOP | libc::ENAMETOOLONG) => ErrorKind::InvalidPolicy,
        _ => ErrorKind::Setup,
    }
}

fn current_directory() -> String {
    std::env::current_dir().map_or_else(|_| String::new(), |path| format!(", {path:?}"))
}

impl From<RootfsError> for Error {
    fn from(error: RootfsError) -> Self {
        let (kind, hint) = (error.kind(), error.hint());
        Self::new(kind, error).with_hint(hint)
    }
}
