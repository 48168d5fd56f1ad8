//! What this host can enforce, found out by doing it, and the fix for what it cannot: see
//! [`manual::doctor`](crate::manual::doctor).
//!
//! ```no_run
//! use stockade::doctor::{Backend, Findings};
//!
//! let findings = Findings::gather(&Backend::ALL);
//! for advice in &findings.advice {
//!     println!("{}", advice.fix);
//! }
//! ```

mod advice;
mod backend;
mod bout;
mod host;
mod trial;
mod waiting;

use serde::Serialize;

pub use advice::{Advice, Helped};
pub use backend::{BackendFindings, ControlFindings};
pub use bout::{AttackFindings, Attacked, AttackedBackend, Bout};
pub use host::Host;
pub use trial::Trial;
pub use waiting::Waiting;

/// A backend that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Native programs behind Linux namespaces.
    Namespace,
    /// WebAssembly modules and components.
    Wasm,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Self; 2] = [Self::Namespace, Self::Wasm];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Wasm => "wasm",
        }
    }
}

/// What this host can enforce. Its JSON is described in the manual: every member is always there;
/// what is absent is null or empty.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Findings {
    /// Raised when a member changes its meaning or goes away.
    pub schema: u32,
    /// The version of Stockade.
    pub version: &'static str,
    /// Whether every backend that was asked meets the default policy.
    pub default_policy: bool,
    /// Where this was asked.
    pub host: Host,
    /// What each backend can do here.
    pub backends: Vec<BackendFindings>,
    /// What to do, what helps most first.
    pub advice: Vec<Advice>,
}

impl Findings {
    /// Makes these backends and runs a program in each, under the default policy and under every
    /// control.
    pub fn gather(backends: &[Backend]) -> Self {
        let examined = backends.iter().map(|backend| match backend {
            Backend::Namespace => backend::namespace(),
            Backend::Wasm => backend::wasm(),
        });
        Self::conclude(Host::look(), examined.collect())
    }

    /// What follows from what was found.
    pub fn conclude(host: Host, backends: Vec<BackendFindings>) -> Self {
        Self {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            default_policy: backends.iter().all(|backend| backend.default_policy),
            advice: advice::advice(&backends),
            host,
            backends,
        }
    }
}

#[cfg(test)]
mod tests;
