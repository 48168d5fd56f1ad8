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
use super::trial::chain;
use crate::args::DoctorArgs;
use crate::exit::{self, Exit};
use crate::policy;

/// The JSON of `doctor --attack --json`, described in the manual page `attacks`. Every member is
/// always there; what is absent is null or empty.
#[derive(Debug, Serialize)]
struct Findings {
    /// Raised when a member changes its meaning or goes away.
    schema: u32,
    version: &'static str,
    /// Whether an attack got through; the exit status says the same.
    breached: bool,
    host: Host,
    backends: Vec<BackendFindings>,
}

#[derive(Debug, Default, Serialize)]
struct BackendFindings {
    backend: &'static str,
    /// Why it could not be attacked.
    error: Option<String>,
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
    let backends = vec![
        bout.against("namespace", NamespaceSandbox::new())?,
        bout.against("wasm", WasmSandbox::new())?,
    ];
    let tried: usize = backends.iter().map(|found| found.held + found.breached).sum();
    let breached = backends.iter().any(|found| found.breached > 0);
    if args.json {
        let findings = Findings { schema: 1, version, breached, host, backends };
        let text = serde_json::to_string_pretty(&findings).map_err(io::Error::from);
        text.and_then(|text| writeln!(io::stdout(), "{text}")).map_err(exit::output)?;
    }
    match (breached, tried) {
        (true, _) => Ok(Exit::BREACHED),
        (false, 0) => Err(exit::failed(&nothing_tried())),
        (false, _) => Ok(Exit::SUCCESS),
    }
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
    /// Puts a backend to every attack on it.
    fn against<S: Sandbox>(
        &self,
        backend: &'static str,
        sandbox: stockade::Result<S>,
    ) -> Result<BackendFindings, Exit> {
        let begun = Instant::now();
        let mut found = BackendFindings { backend, ..BackendFindings::default() };
        self.show.line(&format!("\n{backend}"))?;
        match sandbox {
            Ok(sandbox) => {
                let policy = self.given.clone().unwrap_or_else(|| by_default(&sandbox));
                found.policy_hash = Some(policy.hash());
                found.best_effort = policy.best_effort.clone();
                for attack in attacks::against(&sandbox) {
                    if self.thorough || !attack.is_long() {
                        let outcome = attacks::play(attack, &sandbox, &policy);
                        self.show.outcome(&outcome)?;
                        found.add(outcome);
                    }
                }
            }
            Err(error) => found.error = Some(chain(&error)),
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
            Some(error) => format!("could not be attacked: {error}"),
            None => format!(
                "{} attacks: {} held, {} breached, {} not applicable; {:.1} s",
                self.attacks.len(),
                self.held,
                self.breached,
                self.not_applicable,
                self.elapsed_ms as f64 / 1000.0,
            ),
        };
        let weak: Vec<_> = self.best_effort.iter().map(|control| control.name()).collect();
        let weak = match weak.is_empty() {
            true => String::new(),
            false => format!("; best effort alone: {}", weak.join(", ")),
        };
        screen::wrap(&(text + &weak), "  ", screen::width())
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
