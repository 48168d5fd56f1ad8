//! [`Bout`]: attempts to break out, and what stopped them.

use std::collections::BTreeSet;
use std::time::Instant;

use serde::Serialize;
use stockade_attacks::{self as attacks, Finding, Outcome};
use stockade_core::{Ability, Control, Policy, Result, Sandbox};
use stockade_namespace::NamespaceSandbox;
use stockade_wasm::WasmSandbox;

use super::Backend;
use super::host::Host;
use super::trial::{Probe, chain};

/// What is asked of the attacks.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Bout {
    /// The policy they have to break; the default one, which takes limits as they are where this host
    /// only approximates them, unless it is given.
    pub policy: Option<Policy>,
    /// Whether those that take long are tried as well.
    pub thorough: bool,
}

/// How attacks went. Its JSON is described in the manual page `attacks`: every member is always there;
/// what is absent is null or empty.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Attacked {
    /// Raised when a member changes its meaning or goes away.
    pub schema: u32,
    /// The version of Stockade.
    pub version: &'static str,
    /// Whether an attack got through.
    pub breached: bool,
    /// Where this was tried.
    pub host: Host,
    /// How each backend stood.
    pub backends: Vec<AttackedBackend>,
}

/// How one backend stood.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct AttackedBackend {
    /// `namespace` or `wasm`.
    pub backend: &'static str,
    /// Why it could not be attacked.
    pub error: Option<String>,
    /// What would change that.
    pub hint: Option<String>,
    /// The hash of the policy.
    pub policy_hash: Option<String>,
    /// Controls that were taken as weak as this host has them.
    pub best_effort: BTreeSet<Control>,
    /// How many attacks were held.
    pub held: usize,
    /// How many got through.
    pub breached: usize,
    /// How many could show nothing.
    pub not_applicable: usize,
    /// How long all of them took, in milliseconds.
    pub elapsed_ms: u128,
    /// Each of them.
    pub attacks: Vec<AttackFindings>,
}

/// How one attack went.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct AttackFindings {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub story: &'static str,
    /// Which class of attacks it is of.
    pub class: &'static str,
    /// The control that has to stop it.
    pub wall: Control,
    /// What came of it.
    #[serde(flatten)]
    pub finding: Finding,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u128,
}

impl Attacked {
    /// What follows from how the backends stood.
    pub fn conclude(host: Host, backends: Vec<AttackedBackend>) -> Self {
        let breached = backends.iter().any(AttackedBackend::is_breached);
        Self { schema: 1, version: env!("CARGO_PKG_VERSION"), breached, host, backends }
    }
}

impl Bout {
    /// Puts a backend to every attack on it, if it runs a program at all. `seen` is shown each outcome
    /// as soon as it is known.
    ///
    /// # Errors
    /// What `seen` says; the attacks that are left are then not tried.
    pub fn against<E>(
        &self,
        backend: Backend,
        seen: &mut dyn FnMut(&Outcome) -> std::result::Result<(), E>,
    ) -> std::result::Result<AttackedBackend, E> {
        let name = backend.name();
        match backend {
            Backend::Namespace => self.play(name, NamespaceSandbox::new(), &Probe::native(), seen),
            Backend::Wasm => self.play(name, WasmSandbox::new(), &Probe::module(), seen),
        }
    }

    fn play<S: Sandbox, E>(
        &self,
        backend: &'static str,
        sandbox: Result<S>,
        probe: &Probe,
        seen: &mut dyn FnMut(&Outcome) -> std::result::Result<(), E>,
    ) -> std::result::Result<AttackedBackend, E> {
        let begun = Instant::now();
        let mut found = AttackedBackend { backend, ..AttackedBackend::default() };
        let ready = sandbox.and_then(|sandbox| {
            let policy = self.policy.clone().unwrap_or_else(|| by_default(&sandbox));
            found.policy_hash = Some(policy.hash());
            found.best_effort = policy.best_effort.clone();
            // What refuses the least of programs would refuse every attack.
            probe.run(&sandbox, policy.clone()).map(|_| (sandbox, policy))
        });
        match ready {
            Ok((sandbox, policy)) => {
                for attack in attacks::against(&sandbox) {
                    if self.thorough || !attack.is_long() {
                        let outcome = attacks::play(attack, &sandbox, &policy);
                        seen(&outcome)?;
                        found.add(outcome);
                    }
                }
            }
            Err(error) => {
                found.error = Some(chain(&error));
                found.hint = error.hint().map(ToString::to_string);
            }
        }
        found.elapsed_ms = begun.elapsed().as_millis();
        Ok(found)
    }
}

/// The default policy, which takes limits as they are where this host only approximates them.
fn by_default(sandbox: &dyn Sandbox) -> Policy {
    let mut policy = Policy::default();
    let is_weak = |control: &Control| {
        matches!(sandbox.support().ability(*control), Ability::Approximated { .. })
    };
    let asked = Control::ALL.into_iter().filter(|control| policy.asks_for(*control));
    policy.best_effort = asked.filter(is_weak).collect();
    policy
}

impl AttackedBackend {
    /// Whether an attack got through.
    pub fn is_breached(&self) -> bool {
        self.breached > 0
    }

    fn add(&mut self, outcome: Outcome) {
        let Outcome { attack, finding, elapsed, .. } = outcome;
        match finding {
            Finding::Held(_) => self.held += 1,
            Finding::Breached(_) => self.breached += 1,
            Finding::NotApplicable(_) => self.not_applicable += 1,
        }
        self.attacks.push(AttackFindings {
            name: attack.name,
            story: attack.story(),
            class: attack.class(),
            wall: attack.wall(),
            finding,
            elapsed_ms: elapsed.as_millis(),
        });
    }
}
