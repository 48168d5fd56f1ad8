//! [`Policy`]: what is asked. Inert data, with closed defaults.

mod filesystem;
mod invalid;
mod limits;
mod raw;
mod table;
mod text;
mod units;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use filesystem::{Access, Base, Filesystem, Mount};
pub use invalid::PolicyError;
pub use limits::{Limits, OutputOverflow};
pub use text::{MAX_POLICY_TEXT, PolicyFormat};
pub use units::{Bytes, Cpus, Limit, ValueError};

use crate::{Control, MAX_WARM};

/// What is asked of a sandbox: limits, files, network, process, system calls.
///
/// Every default is closed: no network, no host environment, no host file outside the read-only
/// system directories, and a bound on every quantity. A policy holds no handle and can be stored,
/// compared, hashed and sent.
///
/// ```
/// use std::time::Duration;
/// use stockade_core::Policy;
///
/// let mut policy = Policy::default();
/// policy.limits.memory = "64MiB".parse()?;
/// policy.limits.wall_time = Duration::from_secs(5).into();
/// policy.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// Controls that may be weaker than asked. Every other control is enforced, or the run does
    /// not start.
    pub best_effort: BTreeSet<Control>,
    /// How many sandboxes of a prepared program wait, built and unused, for the next start; none by
    /// default. [`Prepared::warm`](crate::Prepared::warm) says more. It changes how fast a run starts
    /// and nothing else, so it is no part of the hash.
    pub warm: usize,
    /// Bounds on quantities.
    #[serde(deserialize_with = "table::table")]
    pub limits: Limits,
    /// The files the program sees.
    #[serde(deserialize_with = "table::table")]
    pub filesystem: Filesystem,
    /// The network the program reaches.
    #[serde(deserialize_with = "table::table")]
    pub network: Network,
    /// Where and as whom the program runs.
    #[serde(deserialize_with = "table::table")]
    pub process: Process,
    /// The system calls the program may use.
    #[serde(deserialize_with = "table::table")]
    pub syscalls: Syscalls,
}

/// The network the program reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Network {
    /// How much network there is; none by default.
    pub mode: NetworkMode,
}

/// How much network a program gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NetworkMode {
    /// No network at all; only Unix sockets within the sandbox.
    #[default]
    None,
    /// A loopback interface of the sandbox's own, shared with nobody.
    Loopback,
    /// The host's network, unfiltered.
    Host,
}

/// Where and with which environment the program runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Process {
    /// Working directory, an absolute path inside the sandbox.
    pub cwd: String,
    /// Host name the program sees.
    pub hostname: String,
    /// The whole environment; the host's is never inherited.
    pub env: BTreeMap<String, String>,
}

impl Default for Process {
    fn default() -> Self {
        let env = [("HOME", "/tmp"), ("LANG", "C.UTF-8"), ("PATH", "/usr/local/bin:/usr/bin:/bin")];
        Self {
            cwd: "/tmp".to_owned(),
            hostname: "stockade".to_owned(),
            env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }
}

/// The system calls the program may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Syscalls {
    /// Which filter is installed.
    pub profile: SyscallProfile,
}

/// A system call filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SyscallProfile {
    /// A denylist that leaves interpreters, compilers and virtual machines working.
    #[default]
    Default,
    /// An allowlist for compiled programs and simple scripts.
    Strict,
}

impl Policy {
    /// Checks every value, and every relation between values.
    ///
    /// # Errors
    /// [`PolicyError`] naming the first key whose value makes no sense.
    pub fn validate(&self) -> Result<(), PolicyError> {
        if self.warm > MAX_WARM {
            let most = format!("a number up to {MAX_WARM}");
            return Err(PolicyError::value("warm", self.warm.to_string(), most));
        }
        self.limits.validate()?;
        self.filesystem.validate(&self.limits)?;
        self.process.validate()
    }

    /// A stable name for this policy: the SHA-256 of its canonical JSON, in lower-case hex.
    pub fn hash(&self) -> String {
        // A policy is text, numbers, lists and maps with text keys: JSON can hold all of it.
        let asked = Self { warm: 0, ..self.clone() };
        let text = serde_json::to_vec(&asked).unwrap_or_default();
        Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Process {
    fn validate(&self) -> Result<(), PolicyError> {
        filesystem::check_guest_path("process.cwd", &self.cwd)?;
        let hostname_ok = !self.hostname.is_empty()
            && self.hostname.len() <= 64
            && self.hostname.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !hostname_ok {
            return Err(PolicyError::value(
                "process.hostname",
                &self.hostname,
                "1 to 64 letters, digits, `-`, `.` or `_`",
            ));
        }
        for (key, value) in &self.env {
            if key.is_empty() || key.contains(['=', '\0']) {
                return Err(PolicyError::value("process.env", key, "a name without `=` or NUL"));
            }
            if value.contains('\0') {
                return Err(PolicyError::value(
                    format!("process.env.{key}"),
                    value,
                    "a value without NUL",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
