//! `stockade doctor --attack`: attempts to break out, and what stopped them.

use std::io::{self, Write};

use stockade::attacks::{Finding, Outcome};
use stockade::doctor::{Attacked, AttackedBackend, Bout, Host};
use stockade::{Error, ErrorKind};

use super::screen;
use crate::args::DoctorArgs;
use crate::exit::{self, Exit};
use crate::policy;

/// Tries the attacks on every backend, and shows how each went as soon as it is known.
pub(super) fn attack(args: &DoctorArgs) -> Result<Exit, Exit> {
    let given = args.policy.as_deref().map(policy::read).transpose();
    let mut bout = Bout::default();
    bout.policy = given.map_err(|error| exit::failed(&error))?;
    bout.thorough = args.thorough;
    let (host, show) = (Host::look(), Show { quiet: args.json });
    show.line(&screen::head(env!("CARGO_PKG_VERSION"), &host, screen::width()))?;
    let mut backends = Vec::new();
    for backend in super::asked(args) {
        show.line(&format!("\n{}", backend.name()))?;
        let found = bout.against(backend, &mut |outcome| show.outcome(outcome))?;
        show.line(&summary(&found))?;
        backends.push(found);
    }
    let status = status(&backends);
    if args.json {
        let text = serde_json::to_string_pretty(&Attacked::conclude(host, backends));
        let text = text.map_err(io::Error::from);
        text.and_then(|text| writeln!(io::stdout(), "{text}")).map_err(exit::output)?;
    }
    status.map_err(|error| exit::failed(&error))
}

/// How the command ends. That an attack got through counts more than that others could not be tried.
fn status(backends: &[AttackedBackend]) -> stockade::Result<Exit> {
    let any = |test: fn(&AttackedBackend) -> bool| backends.iter().any(test);
    if any(AttackedBackend::is_breached) {
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

fn summary(found: &AttackedBackend) -> String {
    let text = match &found.error {
        Some(error) => {
            let hint = found.hint.iter().map(|hint| format!("; hint: {hint}"));
            format!("could not be attacked: {error}{}", hint.collect::<String>())
        }
        None => counts(found),
    };
    screen::wrap(&text, "  ", screen::width())
}

fn counts(found: &AttackedBackend) -> String {
    let text = format!(
        "{} attacks: {} held, {} breached, {} not applicable; {:.1} s",
        found.attacks.len(),
        found.held,
        found.breached,
        found.not_applicable,
        found.elapsed_ms as f64 / 1000.0,
    );
    let weak: Vec<_> = found.best_effort.iter().map(|control| control.name()).collect();
    match weak.is_empty() {
        true => text,
        false => format!("{text}; best effort alone: {}", weak.join(", ")),
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

    fn found(error: Option<&str>, held: usize, breached: usize) -> AttackedBackend {
        let mut found = AttackedBackend::default();
        found.error = error.map(ToString::to_string);
        found.held = held;
        found.breached = breached;
        found
    }

    #[test]
    fn a_breach_counts_more_than_a_backend_that_could_not_be_attacked() {
        let (held, breached) = (|| found(None, 3, 0), || found(None, 3, 1));
        let missing = || found(Some("no namespaces"), 0, 0);
        let exit = |backends: &[AttackedBackend]| status(backends).ok();
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
