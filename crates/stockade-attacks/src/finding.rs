//! [`Finding`]: how an attack went.

use std::time::Duration;

use serde::Serialize;

use crate::Attack;

/// How an attack went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", content = "detail", rename_all = "snake_case")]
pub enum Finding {
    /// It was stopped, by what this says.
    Held(String),
    /// It got through, as this says.
    Breached(String),
    /// It shows nothing here, for this reason: the policy allows what it tries, the host lacks what
    /// it needs, or it could not be staged.
    NotApplicable(String),
}

/// An attack, and how it went.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was tried.
    pub attack: &'static Attack,
    /// How it went.
    pub finding: Finding,
    /// How long it took, from the preparation to the last look at the host.
    pub elapsed: Duration,
}
