//! The board: one page of counters that the warden, the sandbox's init and the launching process
//! share, and whose contents are the last message of a run.
//!
//! Every step writes where it is before it acts, so a process that dies in any step leaves
//! behind which one it was.

/// Number of words on a board.
pub const WORDS: usize = 64;

/// What stands where on a board. All values start as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Word {
    /// [`super::request::VERSION`].
    Version = 0,
    /// A [`Step`]: the last one that was begun.
    Step,
    /// Which item of the step (a mount, a rule), counted from zero.
    Item,
    /// The errno with which the step failed; zero while nothing has failed.
    Errno,
    /// A [`Stop`]: why the run was ended from outside.
    Stop,
    /// The amount that was observed when the run was ended.
    Observed,
    /// Whether init has sent the board to the host.
    Reported,
    /// The main process's wait status, as `waitid` packs it for `wait4`.
    Status,
    /// User time of all tasks, in nanoseconds.
    UserNs,
    /// System time of all tasks, in nanoseconds.
    SystemNs,
    /// Most bytes held.
    PeakMemory,
    /// Version 1: how many tasks were killed for memory, wherever it ran out.
    OomKills,
    /// Version 2: how often memory ran out in the run's own cgroup.
    OomEvents,
    /// Version 2: how many tasks were killed for memory, wherever it ran out.
    OomEventKills,
    /// Most tasks alive at once.
    PeakTasks,
    /// How often a task was refused.
    TaskRefusals,
    /// Bytes used in writable in-memory filesystems at the end.
    DiskUsed,
    /// One if a writable in-memory filesystem was full at the end.
    DiskFull,
    /// Most open descriptors seen in the main process.
    OpenFiles,
    /// Longest time between two samples of memory, in nanoseconds; zero if none were needed.
    SampleGapNs,
    /// Most that the memory held grew between two samples, in bytes.
    SampleGrowth,
    /// Read back: memory limit, bytes.
    ReadMemory,
    /// Read back: memory and swap limit, bytes; zero where it is not counted.
    ReadSwap,
    /// Read back: task limit.
    ReadTasks,
    /// Read back: CPU quota per period, microseconds.
    ReadQuota,
    /// Read back: soft and hard limit of open files agree on this.
    ReadOpenFiles,
    /// Read back: limit on file size, bytes.
    ReadFileSize,
    /// Read back: capacity of all writable in-memory filesystems, bytes.
    ReadDisk,
    /// Read back: their inodes.
    ReadInodes,
    /// Read back: union of the capability sets of the workload.
    ReadCapabilities,
    /// Read back: one if `no_new_privs` is set.
    ReadNoNewPrivs,
    /// Read back: seccomp mode; 2 is a filter.
    ReadSeccomp,
    /// Read back: one if the workload restricted itself by Landlock.
    ReadLandlock,
    /// Read back: process id of the workload in its own namespace.
    ReadPid,
    /// Read back: user id of the workload as the warden sees it.
    ReadUid,
    /// Read back: bit set of namespaces that differ from the warden's, one bit per [`Space`].
    ReadSpaces,
    /// Read back: number of network interfaces that are up.
    ReadInterfaces,
    /// When the warden read the request. All times are `CLOCK_MONOTONIC` nanoseconds.
    TimeRequest,
    /// When the sandbox's first process began.
    TimeClone,
    /// When its mounts were made.
    TimeMounts,
    /// When it had its ids.
    TimeIds,
    /// When the workload's process began.
    TimeFork,
    /// When it was in its cgroup, with its ids and limits.
    TimeLimits,
    /// When its filters were installed; the program is executed next.
    TimeExec,
    /// When the main process had ended.
    TimeEnd,
    /// When nothing of the run was alive.
    TimeDead,
    /// One once init has given up what it does not need; the program waits for that.
    InitReady,
    /// When a run that waits to be begun was built.
    TimeWaiting,
    /// Read back: how the root was made writable, a [`Layer`]; zero where it can only be read.
    ReadLayer,
}

/// How a root was made writable, for [`Word::ReadLayer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Layer {
    /// By an overlay.
    Overlay = 1,
    /// By an overlay without extended attributes, in which it notes what of the directory is gone.
    BareOverlay,
    /// By copying it.
    Copy,
}

/// A namespace of a sandbox, for [`Word::ReadSpaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Space {
    /// User ids and capabilities.
    User = 0,
    /// Mounts.
    Mount,
    /// Process ids.
    Pid,
    /// Network.
    Net,
    /// System V and POSIX IPC.
    Ipc,
    /// Host name.
    Uts,
    /// Cgroup root.
    Cgroup,
}

/// A step of building a sandbox, in order. The number is what crosses the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// Nothing was begun.
    None = 0,
    /// Reading the plan.
    Decode,
    /// Taking user and network namespace from the pool.
    Slot,
    /// Making and limiting the cgroups.
    Cgroup,
    /// Entering the root's mount namespace.
    EnterRoot,
    /// Cloning the sandbox's first process.
    Clone,
    /// A session of its own.
    Session,
    /// Making the root writable.
    Layer,
    /// Mounting `/proc`.
    Proc,
    /// Hiding parts of `/proc`.
    Mask,
    /// Mounting the writable in-memory filesystems.
    Tmpfs,
    /// Finishing the binds.
    Binds,
    /// The host name.
    Hostname,
    /// Bringing up loopback.
    Loopback,
    /// Entering the user namespace.
    EnterUser,
    /// Taking init's ids.
    InitIds,
    /// Forking the workload.
    Fork,
    /// Entering the cgroups.
    JoinCgroup,
    /// Taking the workload's ids.
    WorkIds,
    /// Wiring the standard streams.
    Streams,
    /// The working directory.
    WorkDir,
    /// Resource limits.
    Rlimits,
    /// Dropping capabilities.
    Capabilities,
    /// `no_new_privs`.
    NoNewPrivs,
    /// Landlock.
    Landlock,
    /// Seccomp.
    Seccomp,
    /// Waiting, built, to be begun.
    Wait,
    /// Executing the program.
    Exec,
    /// The program is running.
    Running,
}

impl Step {
    /// Every step, in order of its number.
    pub const ALL: [Self; 29] = [
        Self::None,
        Self::Decode,
        Self::Slot,
        Self::Cgroup,
        Self::EnterRoot,
        Self::Clone,
        Self::Session,
        Self::Layer,
        Self::Proc,
        Self::Mask,
        Self::Tmpfs,
        Self::Binds,
        Self::Hostname,
        Self::Loopback,
        Self::EnterUser,
        Self::InitIds,
        Self::Fork,
        Self::JoinCgroup,
        Self::WorkIds,
        Self::Streams,
        Self::WorkDir,
        Self::Rlimits,
        Self::Capabilities,
        Self::NoNewPrivs,
        Self::Landlock,
        Self::Seccomp,
        Self::Wait,
        Self::Exec,
        Self::Running,
    ];

    /// What the step does, to complete "failed while …".
    pub const fn describe(self) -> &'static str {
        match self {
            Self::None => "receiving the request",
            Self::Decode => "reading the plan",
            Self::Slot => "making user and network namespace",
            Self::Cgroup => "making the cgroups",
            Self::EnterRoot => "entering the root's mount namespace",
            Self::Clone => "cloning the sandbox's first process",
            Self::Session => "starting a session",
            Self::Layer => "making the root writable",
            Self::Proc => "mounting /proc",
            Self::Mask => "masking parts of /proc",
            Self::Tmpfs => "mounting the in-memory filesystems",
            Self::Binds => "placing a bind",
            Self::Hostname => "setting the host name",
            Self::Loopback => "bringing up loopback",
            Self::EnterUser => "entering the user namespace",
            Self::InitIds => "taking init's ids",
            Self::Fork => "forking the workload",
            Self::JoinCgroup => "entering the cgroups",
            Self::WorkIds => "taking the workload's ids",
            Self::Streams => "wiring the standard streams",
            Self::WorkDir => "entering the working directory",
            Self::Rlimits => "setting resource limits",
            Self::Capabilities => "dropping capabilities",
            Self::NoNewPrivs => "setting no_new_privs",
            Self::Landlock => "restricting by Landlock",
            Self::Seccomp => "installing the seccomp filter",
            Self::Wait => "waiting to be begun",
            Self::Exec => "executing the program",
            Self::Running => "running",
        }
    }

    /// The step with this number; [`Step::None`] for a number that is none.
    pub fn from_number(number: u64) -> Self {
        usize::try_from(number).ok().and_then(|n| Self::ALL.get(n).copied()).unwrap_or(Self::None)
    }
}

/// Why a run was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stop {
    /// It was not.
    None = 0,
    /// Memory limit.
    Memory,
    /// CPU time limit.
    CpuTime,
    /// Wall time limit.
    WallTime,
    /// Task limit.
    Processes,
    /// Output limit; the host counts it.
    Output,
    /// The caller asked.
    Cancelled,
}

impl Stop {
    /// The reason with this number; `None` for a number that is none.
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Memory,
            2 => Self::CpuTime,
            3 => Self::WallTime,
            4 => Self::Processes,
            5 => Self::Output,
            6 => Self::Cancelled,
            _ => return None,
        })
    }
}
