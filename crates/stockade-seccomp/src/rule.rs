//! What can be said about one system call.

/// How the kernel answers a call, `SECCOMP_RET_*` in seccomp(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Let it through.
    Allow,
    /// Let it through, and log it.
    Log,
    /// Have a tracer decide, and tell it this number; `ENOSYS` where there is no tracer.
    Trace(u16),
    /// Have the process decide that listens to the filter.
    Notify,
    /// Fail it with this errno.
    Errno(u16),
    /// Send the thread `SIGSYS`, which it can handle.
    Trap,
    /// End the thread with `SIGSYS`.
    KillThread,
    /// End the whole process with `SIGSYS`.
    KillProcess,
}

impl Action {
    /// The filter's return value, `SECCOMP_RET_*`.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Trace(data) => libc::SECCOMP_RET_TRACE | u32::from(data),
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Self::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// A comparison with one half of an argument.
///
/// Nearly every argument tested in the profiles is a 32-bit quantity to the kernel, which ignores
/// the high half of the register; so must a filter, or setting a stray high bit slips past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// Index of the argument, 0 to 5; [`HIGH`] more stands for its high half.
    pub(super) argument: u8,
    /// Bits of the argument that count.
    pub(super) mask: u32,
    /// What they are compared with.
    pub(super) value: u32,
    /// Whether the test asks for equality or for difference.
    pub(super) equal: bool,
}

/// How many arguments there are; added to an argument's index, it stands for the high half.
pub(super) const HIGH: u8 = 6;

impl Test {
    /// Whether the call's arguments pass.
    #[cfg(any(test, fuzzing))]
    pub(super) fn holds(&self, args: &[u64; 6]) -> bool {
        let shift = if self.argument < HIGH { 0 } else { 32 };
        let half = args[usize::from(self.argument % HIGH)] >> shift & u64::from(u32::MAX);
        (half & u64::from(self.mask) == u64::from(self.value)) == self.equal
    }
}

/// Holds when `argument` is anything but `value`.
pub(super) const fn differs(argument: u8, value: u32) -> Test {
    masked_differs(argument, u32::MAX, value)
}

/// Holds when `argument` is `value`.
pub(super) const fn equals(argument: u8, value: u32) -> Test {
    masked_equals(argument, u32::MAX, value)
}

/// Holds when at least one bit of `mask` is set in `argument`.
pub(super) const fn has_any(argument: u8, mask: u32) -> Test {
    masked_differs(argument, mask, 0)
}

/// Holds when the bits of `mask` in `argument` are exactly `value`.
pub(super) const fn masked_equals(argument: u8, mask: u32, value: u32) -> Test {
    Test { argument, mask, value, equal: true }
}

/// Holds when the bits of `mask` in `argument` are anything but `value`.
pub(super) const fn masked_differs(argument: u8, mask: u32, value: u32) -> Test {
    Test { argument, mask, value, equal: false }
}

/// An action and the tests that must all hold for it.
pub(super) type Clause<'a> = (&'a [Test], Action);

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision<'a> {
    /// The same whatever the arguments; the kernel can cache it.
    Always(Action),
    /// The first clause that holds decides; if none does, the call is allowed.
    Checked(&'a [Clause<'a>]),
    /// The first case whose conditions hold decides; if none does, `otherwise`.
    Cases {
        /// Each with a condition, or more.
        cases: &'a [Case],
        otherwise: Action,
    },
}

/// An action and the conditions that must all hold for it.
pub(super) type Case = (Vec<Condition>, Action);

/// A comparison with a whole argument, all 64 bits of it, also where the kernel reads fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Index of the argument, 0 to 5.
    pub argument: u8,
    /// What must hold for it.
    pub comparison: Comparison,
}

/// What an argument is compared with; numbers have no sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It is this number.
    Equal(u64),
    /// It is any other number.
    NotEqual(u64),
    /// It is below.
    Less(u64),
    /// It is this number or below.
    AtMost(u64),
    /// It is this number or above.
    AtLeast(u64),
    /// It is above.
    Greater(u64),
    /// The bits of `mask` in it are those of `mask` in `value`.
    Masked {
        /// The bits that count; without one, it always holds.
        mask: u64,
        /// What they are compared with.
        value: u64,
    },
}

impl Comparison {
    /// Whether it holds whatever the argument.
    pub(super) fn is_none(self) -> bool {
        matches!(self, Self::Masked { mask: 0, .. })
    }
}
