//! [`LeftOut`]: walls that are not put up, so that what each costs can be measured.

use stockade_core::{Ability, Control};

/// Why a control of such a sandbox is not met.
const REASON: &str = "left out, to measure";

/// Walls that a sandbox does without. What they enforce is unavailable in it: a policy is refused
/// unless it lists those controls under `best_effort`, and the report says that they are not enforced.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Limits by cgroups, and the sampling that stands in for them.
    pub cgroups: bool,
    /// Landlock, the second wall around files.
    pub landlock: bool,
    /// The filter of system calls.
    pub seccomp: bool,
}

impl LeftOut {
    /// What is said of a control instead of what the host could do.
    pub(crate) fn ability(self, control: Control) -> Option<Ability> {
        match control {
            Control::Memory | Control::CpuTime | Control::Cpus | Control::Processes
                if self.cgroups =>
            {
                Some(Ability::unavailable(format!("cgroups are {REASON}"), None))
            }
            Control::Filesystem if self.landlock => {
                let reason = format!("Landlock is {REASON}");
                Some(Ability::approximated("mount namespace, pivot_root", reason, None))
            }
            Control::Syscalls if self.seccomp => {
                Some(Ability::unavailable(format!("seccomp is {REASON}"), None))
            }
            Control::Network if self.seccomp => {
                let reason = format!("the socket filter is {REASON}");
                Some(Ability::approximated("network namespace", reason, None))
            }
            _ => None,
        }
    }
}
