//! `stockade doctor --attack`: attempts to break out, and what stopped them.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;
use stockade::attacks::{self, Finding, Outcome};
use stockade::{
    Ability, Control, Error, ErrorKind, NamespaceSandbox, Policy, Sandbox, WasmSandbox,
};

use super::host::Host;
use super::screen;
use super::trial::{Probe, chain};
use crate::args::{BackendArg, DoctorArgs};
use crate::exit::{self, Exit};
use crate::policy;

/// The JSON of `doctor --attack --json`, described in the manual page `attacks`. Every member is
/// always there; what is absent is null or empty.
#[derive(Debug, Serialize)]
struct Findings {
    /// Raised when a member changes its meaning or goes away.
    schema: u32,
    version: &'static str,
    /// Whether an attack got through; the exit status is then [`Exit::BREACHED`].
    breached: bool,
    host: Host,
    backends: Vec<BackendFindings>,
}

#[derive(Debug, Default, Serialize)]
struct BackendFindings {
    backend: &'static str,
    /// Why it could not be attacked; the exit status is then [`Exit::FAILED`], unless another one
    /// was breached.
    error: Option<String>,
    /// What would change that.
    hint: Option<String>,
    policy_hash: Option<String>,
    /// Controls that were taken as weak as this host has them.
    best_effort: BTreeSet<Control>,
    held: usize,
    breached: usize,
    not_applicable: usize,
    elapsed_ms: u128,
    attacks: Vec<AttackFindings>,
}

#[derive(Debug, Serialize)]
struct AttackFindings {
    name: &'static str,
    story: &'static str,
    class: &'static str,
    wall: Control,
    #[serde(flatten)]
    finding: Finding,
    elapsed_ms: u128,
}

/// Tries the attacks on every backend, and shows how each went as soon as it is known.
pub(super) fn attack(args: &DoctorArgs) -> Result<Exit, Exit> {
    let given = args.policy.as_deref().map(policy::read).transpose();
    let given = given.map_err(|error| exit::failed(&error))?;
    let (host, version) = (Host::look(), env!("CARGO_PKG_VERSION"));
    let show = Show { quiet: args.json };
    show.line(&screen::head(version, &host, screen::width()))?;
    let bout = Bout { given, thorough: args.thorough, show };
    let mut backends = Vec::new();
    if args.asks_for(BackendArg::Namespace) {
        backends.push(bout.against("namespace", NamespaceSandbox::new(), &Probe::native())?);
    }
    if args.asks_for(BackendArg::Wasm) {
        backends.push(bout.against("wasm", WasmSandbox::new(), &Probe::module())?);
    }
    let status = status(&backends);
    let breached = backends.iter().any(BackendFindings::is_breached);
    if args.json {
        let findings = Findings { schema: 1, version, breached, host, backends };
        let text = serde_json::to_string_pretty(&findings).map_err(io::Error::from);
        text.and_then(|text| writeln!(io::stdout(), "{text}")).map_err(exit::output)?;
    }
    status.map_err(|error| exit::failed(&error))
}

/// How the command ends. That an attack got through counts more than that others could not be tried.
fn status(backends: &[BackendFindings]) -> stockade::Result<Exit> {
    let any = |test: fn(&BackendFindings) -> bool| backends.iter().any(test);
    if any(BackendFindings::is_breached) {
        return Ok(Exit::BREACHED);
    }
    if any(|found| found.error.is_some()) {
        return Ok(Exit::FAILED);
    }
    if any(|found| found.held > 0) { Ok(Exit::SUCCESS) } else { Err(nothing_tried()) }
}

fn nothing_tried() -> Error {
    Error::new(ErrorKind::Unsupported, io::Error::other("no attack could be tried"))
        .with_hint("`stockade doctor` shows what this host can enforce")
}

/// What is asked of each backend.
struct Bout {
    given: Option<Policy>,
    thorough: bool,
    show: Show,
}

impl Bout {
    /// Puts a backend to every attack on it, if it runs a program at all.
    fn against<S: Sandbox>(
        &self,
        backend: &'static str,
        sandbox: stockade::Result<S>,
        probe: &Probe,
    ) -> Result<BackendFindings, Exit> {
        let begun = Instant::now();
        let mut found = BackendFindings { backend, ..BackendFindings::default() };
        self.show.line(&format!("\n{backend}"))?;
        let ready = sandbox.and_then(|sandbox| {
            let policy = self.given.clone().unwrap_or_else(|| by_default(&sandbox));
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
                        self.show.outcome(&outcome)?;
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
        self.show.line(&found.summary())?;
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

impl BackendFindings {
    fn is_breached(&self) -> bool {
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

    fn summary(&self) -> String {
        let text = match &self.error {
            Some(error) => {
                let hint = self.hint.iter().map(|hint| format!("; hint: {hint}"));
                format!("could not be attacked: {error}{}", hint.collect::<String>())
            }
            None => self.counts(),
        };
        screen::wrap(&text, "  ", screen::width())
    }

    fn counts(&self) -> String {
        let text = format!(
            "{} attacks: {} held, {} breached, {} not applicable; {:.1} s",
            self.attacks.len(),
            self.held,
            self.breached,
            self.not_applicable,
            self.elapsed_ms as f64 / 1000.0,
        );
        let weak: Vec<_> = self.best_effort.iter().map(|control| control.name()).collect();
        match weak.is_empty() {
            true => text,
            false => format!("{text}; best effort alone: {}", weak.join(", ")),
        }
    }
}

/// Where lines for a person go.
struct Show {
    /// Nobody reads them.
    quiet: bool,
}

impl Show {
    fn line(&self, text: &str) -> Result<(), Exit> {
        if self.quiet {
            return Ok(());
        }
        writeln!(io::stdout(), "{text}").map_err(exit::output)
    }

    fn outcome(&self, outcome: &Outcome) -> Result<(), Exit> {
        let attack = outcome.attack;
        let (mark, detail) = match &outcome.finding {
            Finding::Held(how) => ("held", how),
            Finding::Breached(how) => ("BREACHED", how),
            Finding::NotApplicable(why) => ("n/a", why),
        };
        self.line(&format!("  {mark:<9} {:<22} {detail}", attack.name))?;
        if let Finding::Breached(_) = outcome.finding {
            let (story, class, wall) = (attack.story(), attack.class(), attack.wall());
            let text = format!("it {story} ({class}); {wall} must stop that");
            self.line(&screen::wrap(&text, "            ", screen::width()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(error: Option<&str>, held: usize, breached: usize) -> BackendFindings {
        let error = error.map(ToString::to_string);
        BackendFindings { error, held, breached, ..BackendFindings::default() }
    }

    #[test]
    fn a_breach_counts_more_than_a_backend_that_could_not_be_attacked() {
        let (held, breached) = (|| found(None, 3, 0), || found(None, 3, 1));
        let missing = || found(Some("no namespaces"), 0, 0);
        let exit = |backends: &[BackendFindings]| status(backends).ok();
        assert_eq!(exit(&[held(), held()]), Some(Exit::SUCCESS));
        assert_eq!(exit(&[held(), breached()]), Some(Exit::BREACHED));
        assert_eq!(exit(&[missing(), breached()]), Some(Exit::BREACHED));
        assert_eq!(exit(&[missing(), held()]), Some(Exit::FAILED));
        assert_eq!(exit(&[held(), missing()]), Some(Exit::FAILED));
        assert_eq!(exit(&[missing(), missing()]), Some(Exit::FAILED));
        assert_eq!(exit(&[found(None, 0, 0)]), None, "nothing was tried");
        assert_eq!(exit(&[found(None, 0, 0), held()]), Some(Exit::SUCCESS));
    }
}
