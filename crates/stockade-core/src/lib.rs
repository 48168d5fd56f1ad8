//! The vocabulary of Stockade: what is asked ([`Policy`]), what can be enforced ([`Support`]),
//! what will be enforced ([`Plan`]), what runs ([`Program`]), what happened ([`Report`]), and the
//! traits every backend implements ([`Sandbox`], [`Prepared`], [`Execution`], [`Killer`]).
//!
//! Nothing here does I/O, reads a clock or looks at the environment: a policy can be parsed,
//! resolved and tested for any host on any machine.
#![forbid(unsafe_code)]

mod control;
mod error;
#[cfg(test)]
mod generated;
mod kernel_interface;
mod plan;
mod policy;
mod program;
mod report;
mod sandbox;
mod stdio;
mod support;

pub use control::{Control, ControlKind, UnknownControl};
pub use error::{Error, ErrorKind, Result};
pub use kernel_interface::{MASKED_PATHS, is_kernel_filesystem, is_kernel_place};
pub use plan::{Plan, Unmet, UnmetControls};
pub use policy::{
    Access, Base, Bytes, Cpus, Filesystem, Limit, Limits, MAX_POLICY_TEXT, Mount, Network,
    NetworkMode, OutputOverflow, Policy, PolicyError, PolicyFormat, Process, SyscallProfile,
    Syscalls, ValueError,
};
pub use program::{Program, ProgramSource};
pub use report::{
    Enforcement, EnforcementStatus, OutputFlags, Phase, Report, Timings, Usage, Verdict,
};
pub use sandbox::{Execution, GoOn, Killer, MAX_WARM, Prepared, Sandbox};
pub use stdio::{Input, Output, Stdio};
pub use support::{Ability, Support};
