//! [`Plan`]: a policy resolved against what a host supports, by a pure function.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Ability, Control, Enforcement, EnforcementStatus, NetworkMode, Policy, Support};

/// A policy, and how each control it asks for will be enforced.
///
/// Made by [`Plan::resolve`]; nothing has started yet, so a caller can read it and decide. As JSON it has
/// every field by its name.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The backend that will enforce it.
    pub backend: String,
    /// Why that one; `None` if the caller chose it.
    pub backend_reason: Option<String>,
    /// The policy, as given.
    pub policy: Policy,
    /// How each control that was asked for will be enforced, in the order of [`Control::ALL`].
    pub enforcement: Arc<[Enforcement]>,
    /// [`Policy::hash`] of the policy.
    pub policy_hash: String,
}

/// A control that was required and cannot be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unmet {
    /// Which one.
    pub control: Control,
    /// Why it cannot be met.
    pub reason: String,
    /// What would make it available, if something would.
    pub fix: Option<String>,
    /// Whether `best_effort` would get an approximation rather than nothing.
    pub approximable: bool,
}

/// Every control that was required and cannot be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmetControls {
    /// The backend that cannot meet them.
    pub backend: String,
    /// At least one.
    pub controls: Vec<Unmet>,
}

impl UnmetControls {
    pub(crate) fn hint(&self) -> String {
        let names: Vec<_> = self.controls.iter().map(|unmet| unmet.control.name()).collect();
        let mut fixes: Vec<&str> = Vec::new();
        for fix in self.controls.iter().filter_map(|unmet| unmet.fix.as_deref()) {
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        let accept = format!(
            "list {} under `best_effort` to accept less, which the report will then say",
            names.join(",")
        );
        if fixes.is_empty() { accept } else { format!("{}; or {accept}", fixes.join("; ")) }
    }
}

impl fmt::Display for UnmetControls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} backend cannot enforce", self.backend)?;
        for (index, unmet) in self.controls.iter().enumerate() {
            let separator = if index == 0 { " " } else { "; " };
            write!(f, "{separator}{}: {}", unmet.control, unmet.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for UnmetControls {}

impl Plan {
    /// Resolves a policy against what a host supports.
    ///
    /// A control that is asked for is enforced; or, if the policy lists it under `best_effort`,
    /// approximated or not enforced, with the reason; or it is unmet. Nothing is dropped.
    ///
    /// # Errors
    /// [`UnmetControls`] listing every required control that cannot be enforced.
    pub fn resolve(policy: &Policy, support: &Support) -> Result<Self, UnmetControls> {
        let mut enforcement = Vec::new();
        let mut unmet = Vec::new();
        for control in Control::ALL.into_iter().filter(|control| policy.asks_for(*control)) {
            let lenient = policy.best_effort.contains(&control);
            match support.ability(control) {
                Ability::Enforced { mechanism } => enforcement.push(Enforcement {
                    control,
                    status: EnforcementStatus::Enforced,
                    mechanism: Some(mechanism),
                    reason: None,
                }),
                Ability::Approximated { mechanism, reason, .. } if lenient => {
                    enforcement.push(Enforcement {
                        control,
                        status: EnforcementStatus::Approximated,
                        mechanism: Some(mechanism),
                        reason: Some(reason),
                    });
                }
                Ability::Unavailable { reason, .. } if lenient => enforcement.push(Enforcement {
                    control,
                    status: EnforcementStatus::NotEnforced,
                    mechanism: None,
                    reason: Some(reason),
                }),
                Ability::Approximated { mechanism, reason, fix } => unmet.push(Unmet {
                    control,
                    reason: format!("only approximated by {mechanism} ({reason})"),
                    fix,
                    approximable: true,
                }),
                Ability::Unavailable { reason, fix } => {
                    unmet.push(Unmet { control, reason, fix, approximable: false });
                }
            }
        }
        if unmet.is_empty() {
            Ok(Self {
                backend: support.backend.clone(),
                backend_reason: support.backend_reason.clone(),
                policy: policy.clone(),
                enforcement: enforcement.into(),
                policy_hash: policy.hash(),
            })
        } else {
            Err(UnmetControls { backend: support.backend.clone(), controls: unmet })
        }
    }

    /// How `control` will be enforced; `None` when the policy does not ask for it.
    pub fn enforcement(&self, control: Control) -> Option<&Enforcement> {
        self.enforcement.iter().find(|entry| entry.control == control)
    }

    /// Whether `control` is asked for and will be enforced or approximated.
    pub fn enforces(&self, control: Control) -> bool {
        self.enforcement(control)
            .is_some_and(|entry| entry.status != EnforcementStatus::NotEnforced)
    }
}

impl Policy {
    /// Whether this policy asks for `control`: a limit that is not lifted, or a door it closes.
    pub fn asks_for(&self, control: Control) -> bool {
        let limits = &self.limits;
        match control {
            Control::Memory => limits.memory.get().is_some(),
            Control::CpuTime => limits.cpu_time.get().is_some(),
            Control::WallTime => limits.wall_time.get().is_some(),
            Control::Cpus => limits.cpus.is_some(),
            Control::Processes => limits.processes.get().is_some(),
            Control::OpenFiles => limits.open_files.get().is_some(),
            Control::FileSize => limits.file_size.get().is_some(),
            Control::Disk => limits.disk.get().is_some(),
            Control::Output => limits.output.get().is_some(),
            Control::Fuel => limits.fuel.is_some(),
            Control::Network => self.network.mode != NetworkMode::Host,
            Control::Filesystem
            | Control::Syscalls
            | Control::Privileges
            | Control::ProcessTree
            | Control::Ipc => true,
        }
    }
}

#[cfg(test)]
mod tests;
