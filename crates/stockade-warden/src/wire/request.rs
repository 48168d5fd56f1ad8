//! Requests of the host and replies of the warden: fixed little packets on a sequenced-packet
//! socket, descriptors beside them. Everything that varies in size travels in a sealed memfd.

/// Version of this language. Host and image are built together; it guards against a stray image.
pub const VERSION: u64 = 1;

/// Words in a request or reply.
pub const PACKET_WORDS: usize = 9;
/// Bytes in a request or reply.
pub const PACKET_BYTES: usize = PACKET_WORDS * 8;
/// Most descriptors that travel with one request.
pub const MAX_FDS: usize = 8;
/// Most cgroup directories a host hands over: one per version-1 hierarchy.
pub const MAX_GROUPS: usize = 4;
/// Most roots alive at once.
pub const MAX_ROOTS: usize = 64;
/// Most plans alive at once.
pub const MAX_PLANS: usize = 4096;
/// Most runs alive at once.
pub const MAX_RUNS: usize = 8192;

/// A request or reply. Word 0 is the version, word 1 the operation or result.
pub type Packet = [u64; PACKET_WORDS];

/// What a host asks of the warden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Operation {
    /// Settle in, before anything else but `Join`. Words: [`Hello`] fields. Descriptors: the host's own
    /// pidfd, with [`flags::BOUNDED`] the cgroup that bounds memory, then the directories to make
    /// cgroups in.
    Hello = 1,
    /// Build a root. Word 2: its number. Descriptor: the recipe. Replied to.
    MakeRoot,
    /// Forget a root. Word 2: its number. Not replied to.
    DropRoot,
    /// Learn a plan. Descriptor: the plan. Replied to with its number, which stays taken until the
    /// plan is dropped and its last run has ended.
    MakePlan,
    /// Forget a plan. Word 2: its number. Not replied to.
    DropPlan,
    /// Start a run. Word 2: the plan's number. Descriptors: the run's socket, then the program's
    /// ends of standard output, error and input; without the last its input has ended. The answer is the run's board, on its socket.
    Start,
    /// Counts of what is alive. Replied to with [`Census`] fields.
    Census,
    /// Before `Hello`: move into the cgroup whose `cgroup.procs` is the descriptor; without one, stay.
    /// Replied to with the warden's process id.
    Join,
    /// Keep runs of a plan waiting, built up to their `execve`. Words: [`Warm`] fields. Descriptors,
    /// the first time for a plan: both ends of a socket, its *shelf*. Every waiting run is a packet on
    /// it, and whoever receives the packet owns the run: see [`Waiting`]. Replied to.
    Warm,
    /// Start a run of a plan that is needed for nothing else. Descriptors: the plan, then those of
    /// `Start`. The answer is the run's board, on its socket.
    Once,
}

impl Operation {
    /// The operation with this number.
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Hello,
            2 => Self::MakeRoot,
            3 => Self::DropRoot,
            4 => Self::MakePlan,
            5 => Self::DropPlan,
            6 => Self::Start,
            7 => Self::Census,
            8 => Self::Join,
            9 => Self::Warm,
            10 => Self::Once,
            _ => return None,
        })
    }
}

/// Words of a [`Operation::Hello`] request.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Hello {
    /// Bits of [`flags`].
    Flags = 2,
    /// Effective user id of the host.
    Uid,
    /// Effective group id of the host.
    Gid,
    /// First id of the range given to workloads; zero in single-id mode.
    FirstId,
    /// Number of ids in the range.
    Ids,
}

/// Flags of [`Hello::Flags`].
pub mod flags {
    /// The warden has only its own id to give: it makes itself a user namespace first.
    pub const SINGLE_ID: u64 = 1;
    /// Runs share the host's network; the warden stays in it.
    pub const HOST_NETWORK: u64 = 2;
    /// A cgroup is given in which, or above which, memory may be bounded.
    pub const BOUNDED: u64 = 4;
}

/// Words of a reply. Word 1 is the errno, zero for success.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Reply {
    /// Which step of the request failed; the warden's process id in the replies to `Join` and
    /// `Hello`, the plan's number in the reply to `MakePlan`.
    Detail = 2,
    /// Which item of the step failed, or the Landlock ABI in the reply to `Hello`.
    Item,
    /// In the reply to `Hello`: 1 where sandboxes can have no `/proc`.
    NoProc,
}

/// A step of settling in, for [`Reply::Detail`] when `Hello` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Settle {
    /// Creating the warden's own user namespace.
    UserNamespace = 1,
    /// Writing its id maps.
    IdMaps,
    /// Creating its mount namespace.
    MountNamespace,
    /// Creating its network namespace.
    NetNamespace,
    /// Opening `/proc`.
    Proc,
    /// Anything else: epoll, memory.
    Resources,
}

impl Settle {
    /// The step with this number, in words.
    pub const fn describe(number: u64) -> &'static str {
        match number {
            1 => "making its user namespace",
            2 => "mapping its ids",
            3 => "making its mount namespace",
            4 => "making its network namespace",
            5 => "opening /proc",
            _ => "getting what it needs",
        }
    }
}

/// Words of the reply to [`Operation::Census`].
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Census {
    /// Runs alive or being cleaned up.
    Runs = 2,
    /// Pooled pairs of user and network namespace, in use or not.
    Slots,
    /// Cgroup sets in existence, spare ones included.
    Groups,
    /// Plans known.
    Plans,
    /// Roots built.
    Roots,
    /// Open descriptors of the warden.
    Descriptors,
    /// Runs that wait, built and unused.
    Waiting,
}

/// Words of a [`Operation::Warm`] request.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Warm {
    /// The plan's number.
    Plan = 2,
    /// How many runs wait; zero ends those that do.
    Count,
    /// How long one waits before it is replaced, in nanoseconds.
    AgeNs,
    /// Least memory that must be available, in bytes; with less, none waits. In a cgroup an eighth of
    /// its limit is enough.
    Floor,
}

/// Most plans that have runs waiting.
pub const MAX_POOLS: usize = 64;
/// Most runs of one plan that wait: what fits into a socket, with room to spare.
pub const MAX_WAITING: u64 = 128;

/// A packet on a shelf. Its descriptors, in this order: the host's end of the run's socket, the *gate*
/// (an eventfd), the writing end of standard input and its reading end, the reading ends of standard
/// output and error. The run begins when [`GO`](waiting::GO) is written to the gate.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Waiting {
    /// The run's place.
    Run = 2,
    /// Tells the runs of one place apart.
    Serial,
}

/// What the packets of a shelf come with.
pub mod waiting {
    /// Descriptors of a packet.
    pub const FDS: usize = 6;
    /// What is written to the gate: one for the program, and one that stays for the warden to see.
    pub const GO: u64 = 2;
}

/// Bytes a host sends on a run's socket.
pub mod order {
    /// Stop: the caller asked.
    pub const CANCEL: u8 = b'C';
    /// Stop: the output limit was passed.
    pub const OUTPUT: u8 = b'O';
}
