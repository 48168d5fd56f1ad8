//! The closed list of things a sandbox can enforce.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One enforceable thing. The list is closed: it drives policy keys, reports, documentation and
/// tests, and every backend answers for every entry.
///
/// ```
/// use stockade_core::Control;
/// assert_eq!("wall_time".parse(), Ok(Control::WallTime));
/// assert_eq!(Control::Memory.to_string(), "memory");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Control {
    /// Bytes the whole workload may hold.
    Memory,
    /// CPU time, user and system, summed over all tasks.
    CpuTime,
    /// Time from start to end, sleeping included.
    WallTime,
    /// CPU-seconds per second.
    Cpus,
    /// Tasks alive at once; threads count.
    Processes,
    /// Open file descriptors per process.
    OpenFiles,
    /// Bytes in any one file the workload writes.
    FileSize,
    /// Bytes in writable in-memory filesystems.
    Disk,
    /// Bytes captured per output stream.
    Output,
    /// Deterministic instruction budget (WebAssembly only).
    Fuel,
    /// The workload sees only the files the policy names.
    Filesystem,
    /// The workload reaches only the network the policy names.
    Network,
    /// The workload may use only the system calls of the profile.
    Syscalls,
    /// No capability, no way to gain one, never the host's root.
    Privileges,
    /// The workload sees and signals only its own processes, and none outlives the run.
    ProcessTree,
    /// No System V or POSIX IPC object is shared with the host.
    Ipc,
}

/// Whether a control bounds a quantity or closes a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// Bounds a quantity.
    Limit,
    /// Closes a door.
    Isolation,
}

impl Control {
    /// Every control, limits first, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Memory,
        Self::CpuTime,
        Self::WallTime,
        Self::Cpus,
        Self::Processes,
        Self::OpenFiles,
        Self::FileSize,
        Self::Disk,
        Self::Output,
        Self::Fuel,
        Self::Filesystem,
        Self::Network,
        Self::Syscalls,
        Self::Privileges,
        Self::ProcessTree,
        Self::Ipc,
    ];

    /// The name used in policies, reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::CpuTime => "cpu_time",
            Self::WallTime => "wall_time",
            Self::Cpus => "cpus",
            Self::Processes => "processes",
            Self::OpenFiles => "open_files",
            Self::FileSize => "file_size",
            Self::Disk => "disk",
            Self::Output => "output",
            Self::Fuel => "fuel",
            Self::Filesystem => "filesystem",
            Self::Network => "network",
            Self::Syscalls => "syscalls",
            Self::Privileges => "privileges",
            Self::ProcessTree => "process_tree",
            Self::Ipc => "ipc",
        }
    }

    /// Whether this control bounds a quantity or closes a door.
    pub const fn kind(self) -> ControlKind {
        match self {
            Self::Memory
            | Self::CpuTime
            | Self::WallTime
            | Self::Cpus
            | Self::Processes
            | Self::OpenFiles
            | Self::FileSize
            | Self::Disk
            | Self::Output
            | Self::Fuel => ControlKind::Limit,
            Self::Filesystem
            | Self::Network
            | Self::Syscalls
            | Self::Privileges
            | Self::ProcessTree
            | Self::Ipc => ControlKind::Isolation,
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no control.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a control")]
pub struct UnknownControl {
    /// The name as given.
    pub name: String,
}

impl FromStr for Control {
    type Err = UnknownControl;

    fn from_str(name: &str) -> Result<Self, UnknownControl> {
        Self::ALL
            .into_iter()
            .find(|control| control.name() == name)
            .ok_or_else(|| UnknownControl { name: name.to_owned() })
    }
}
