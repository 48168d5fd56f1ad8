//! [`Support`]: what a host and backend can enforce, and why not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Control;

/// What one backend on one host can enforce, for every control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Support {
    /// The backend's name, as in reports.
    pub backend: String,
    /// Why this backend was chosen for the program; `None` if the caller chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_reason: Option<String>,
    /// An answer for every control.
    pub controls: BTreeMap<Control, Ability>,
}

/// How well one control can be enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ability {
    /// As asked.
    Enforced {
        /// What enforces it, in the kernel's or the engine's own words.
        mechanism: String,
    },
    /// Nearly as asked.
    Approximated {
        /// What enforces it.
        mechanism: String,
        /// What it may miss.
        reason: String,
        /// What would make it exact here, if something would.
        #[serde(skip_serializing_if = "Option::is_none")]
        fix: Option<String>,
    },
    /// Not at all.
    Unavailable {
        /// Why not.
        reason: String,
        /// What would make it available here, if something would.
        #[serde(skip_serializing_if = "Option::is_none")]
        fix: Option<String>,
    },
}

impl Ability {
    /// Enforced by `mechanism`.
    pub fn enforced(mechanism: impl Into<String>) -> Self {
        Self::Enforced { mechanism: mechanism.into() }
    }

    /// Approximated by `mechanism`; `reason` says what it may miss.
    pub fn approximated(
        mechanism: impl Into<String>,
        reason: impl Into<String>,
        fix: Option<&str>,
    ) -> Self {
        Self::Approximated {
            mechanism: mechanism.into(),
            reason: reason.into(),
            fix: fix.map(str::to_owned),
        }
    }

    /// Not available; `reason` says why.
    pub fn unavailable(reason: impl Into<String>, fix: Option<&str>) -> Self {
        Self::Unavailable { reason: reason.into(), fix: fix.map(str::to_owned) }
    }
}

impl Support {
    /// A backend that answers for every control as `answer` says.
    pub fn new(backend: impl Into<String>, answer: impl Fn(Control) -> Ability) -> Self {
        let controls = Control::ALL.into_iter().map(|control| (control, answer(control)));
        Self { backend: backend.into(), backend_reason: None, controls: controls.collect() }
    }

    /// How well `control` can be enforced.
    pub fn ability(&self, control: Control) -> Ability {
        self.controls.get(&control).cloned().unwrap_or_else(|| {
            Ability::unavailable(format!("the {} backend does not know it", self.backend), None)
        })
    }
}
