//! [`Case`]: a program that misbehaves, and how it should end.

use stockade::{Ability, Base, Mount, Policy, Program, Report, Result, Sandbox};
use stockade_examples::accept_approximations;
use stockade_guests::Guest;

use crate::screen::Screen;
use crate::text;

/// A program that misbehaves in one way.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) story: &'static str,
    pub(crate) guest: Guest,
    pub(crate) args: Vec<String>,
    /// What differs from the default policy.
    pub(crate) adjust: fn(&mut Policy),
    /// Whether the run ended as it should, and how that reads.
    pub(crate) judge: fn(&Report) -> (bool, String),
}

/// How a case turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// This host cannot bound it.
    Skipped,
}

/// How many turned out how.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Skipped => self.skipped += 1,
        }
    }
}

/// Where a guest is inside.
const GUEST: &str = "/guest";

impl Case {
    /// Runs it and prints its row.
    pub(crate) fn run(&self, screen: &Screen, sandbox: &dyn Sandbox) -> Result<Outcome> {
        let mut policy = Policy::default();
        policy.filesystem.base = Base::Empty;
        policy.filesystem.mounts.push(Mount::file(GUEST, self.guest.image));
        (self.adjust)(&mut policy);
        accept_approximations(&mut policy, sandbox);

        if let Some(control) = self.beyond(&policy, sandbox) {
            let end = format!("this host cannot bound {control}");
            screen.row([self.name, self.story, &end, ""], Outcome::Skipped);
            return Ok(Outcome::Skipped);
        }
        let program = Program::executable(GUEST).args(&self.args);
        let report = sandbox.run(&policy, &program)?;
        let (good, end) = (self.judge)(&report);
        let outcome = if good { Outcome::Passed } else { Outcome::Failed };
        screen.row([self.name, self.story, &end, &text::time(report.usage.wall_ns)], outcome);
        Ok(outcome)
    }

    /// A control that the policy asks for and that this host does not have at all.
    fn beyond(&self, policy: &Policy, sandbox: &dyn Sandbox) -> Option<stockade::Control> {
        let missing = |control: &stockade::Control| {
            let ability = sandbox.support().ability(*control);
            policy.asks_for(*control) && matches!(ability, Ability::Unavailable { .. })
        };
        stockade::Control::ALL.into_iter().find(missing)
    }
}
