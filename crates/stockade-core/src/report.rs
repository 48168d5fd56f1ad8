//! [`Report`]: what happened, what it used, and what enforced each limit.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Control;

/// The account of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The backend that ran it.
    pub backend: String,
    /// Why that one; `None` if the caller chose it.
    #[serde(default)]
    pub backend_reason: Option<String>,
    /// Why it ended.
    pub verdict: Verdict,
    /// What it used.
    pub usage: Usage,
    /// What became of its output.
    pub output: OutputFlags,
    /// How each control that was asked for was enforced, by what the kernel or engine answered.
    pub enforcement: Arc<[Enforcement]>,
    /// Where the time went that was not the program's.
    pub timings: Timings,
    /// [`Policy::hash`](crate::Policy::hash) of the policy.
    pub policy_hash: String,
    /// Version of Stockade.
    pub version: String,
    /// What was captured of standard output. Not part of the JSON.
    #[serde(skip)]
    pub stdout: Vec<u8>,
    /// What was captured of standard error. Not part of the JSON.
    #[serde(skip)]
    pub stderr: Vec<u8>,
}

/// Why a run ended. Amounts are in the control's base unit: bytes, nanoseconds or a count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// The program ended by itself.
    Exited {
        /// Its exit status.
        code: i32,
    },
    /// The program was killed by a signal that Stockade did not send.
    Signaled {
        /// The signal's name, such as `SIGSEGV`.
        signal: String,
        /// Its number on this architecture.
        number: i32,
    },
    /// A limit ended the run.
    Limit {
        /// Which limit.
        control: Control,
        /// The limit.
        limit: u64,
        /// What was observed when it was hit.
        observed: u64,
    },
    /// The program was stopped for a forbidden act.
    Denied {
        /// Which control stopped it.
        control: Control,
        /// What it did, as far as the kernel tells.
        detail: String,
    },
    /// A WebAssembly trap.
    Trapped {
        /// Which trap.
        trap: String,
        /// Where, if it was asked for.
        backtrace: Option<String>,
    },
    /// The caller stopped it.
    Cancelled,
}

impl Verdict {
    /// Whether the program ended by itself with status 0.
    pub fn success(&self) -> bool {
        *self == Self::Exited { code: 0 }
    }
}

/// What a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// From start to the end of the last process, in nanoseconds; building the sandbox included,
    /// as in the `wall_time` limit.
    pub wall_ns: u64,
    /// CPU time in user mode, all tasks, in nanoseconds.
    pub cpu_user_ns: u64,
    /// CPU time in the kernel, all tasks, in nanoseconds.
    pub cpu_system_ns: u64,
    /// Most bytes held at once.
    pub peak_memory: u64,
    /// Most tasks alive at once; 0 where nothing counts them.
    pub peak_processes: u64,
    /// Bytes the program wrote to standard output, as far as they were read.
    pub stdout_bytes: u64,
    /// Bytes the program wrote to standard error, as far as they were read.
    pub stderr_bytes: u64,
    /// Instructions used, where they are metered.
    pub fuel: Option<u64>,
}

impl Usage {
    /// User and system CPU time together, in nanoseconds.
    pub fn cpu_ns(&self) -> u64 {
        self.cpu_user_ns.saturating_add(self.cpu_system_ns)
    }
}

/// What became of a program's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputFlags {
    /// Standard output was longer than what was kept.
    pub stdout_truncated: bool,
    /// Standard error was longer than what was kept.
    pub stderr_truncated: bool,
}

/// How one control was enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Enforcement {
    /// Which control.
    pub control: Control,
    /// How well.
    pub status: EnforcementStatus,
    /// What enforced it; `None` when nothing did.
    pub mechanism: Option<String>,
    /// Why it is not fully enforced, or what was read back.
    pub reason: Option<String>,
}

impl Enforcement {
    /// An entry of a receipt.
    pub fn new(
        control: Control,
        status: EnforcementStatus,
        mechanism: Option<String>,
        reason: Option<String>,
    ) -> Self {
        Self { control, status, mechanism, reason }
    }
}

/// How well a control was enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnforcementStatus {
    /// As asked.
    Enforced,
    /// Nearly as asked; the reason says what may be missed.
    Approximated,
    /// Not at all; the reason says why.
    NotEnforced,
}

impl fmt::Display for EnforcementStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Enforced => "enforced",
            Self::Approximated => "approximated",
            Self::NotEnforced => "not enforced",
        })
    }
}

/// Where the time went that was not the program's, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timings {
    /// Preparing, once for all runs of a [`Prepared`](crate::Prepared).
    pub prepare_ns: u64,
    /// From the call of `start` until the program was executed.
    pub start_ns: u64,
    /// From the program's end until nothing of it was alive.
    pub teardown_ns: u64,
    /// The steps of `start`, by the backend's own clock.
    pub phases: Vec<Phase>,
}

/// One step of starting a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Phase {
    /// Which step.
    pub name: Cow<'static, str>,
    /// How long it took, in nanoseconds.
    pub ns: u64,
}

impl Phase {
    /// A step that took `ns` nanoseconds.
    pub fn new(name: impl Into<Cow<'static, str>>, ns: u64) -> Self {
        Self { name: name.into(), ns }
    }
}

impl Timings {
    /// The step called `name`, in nanoseconds.
    pub fn phase(&self, name: &str) -> Option<u64> {
        self.phases.iter().find(|phase| phase.name == name).map(|phase| phase.ns)
    }
}

/// Everything a report is made of, so that backends outside this crate can make one.
impl Report {
    /// A report with the given verdict; the other fields are set by the backend.
    pub fn new(plan: &crate::Plan, verdict: Verdict) -> Self {
        Self {
            backend: plan.backend.clone(),
            backend_reason: plan.backend_reason.clone(),
            verdict,
            usage: Usage::default(),
            output: OutputFlags::default(),
            enforcement: plan.enforcement.clone(),
            timings: Timings::default(),
            policy_hash: plan.policy_hash.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
