//! [`Case`]: a program that misbehaves, and how it should end.

use stockade::{Ability, Base, Control, Mount, Policy, Program, Report, Result, Sandbox};
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

/// What a case came to behind one wall.
pub(crate) struct Cell {
    pub(crate) end: String,
    pub(crate) time: String,
    pub(crate) outcome: Outcome,
}

impl Case {
    /// Runs it as a native program and prints its row.
    pub(crate) fn run(&self, screen: &Screen, sandbox: &dyn Sandbox) -> Result<Outcome> {
        let Cell { end, time, outcome } = self.behind_namespaces(sandbox)?;
        screen.row([self.name, self.story, &end, &time], outcome);
        Ok(outcome)
    }

    /// Runs it as a native program.
    pub(crate) fn behind_namespaces(&self, sandbox: &dyn Sandbox) -> Result<Cell> {
        let mut policy = Policy::default();
        policy.filesystem.base = Base::Empty;
        policy.filesystem.mounts.push(Mount::file(GUEST, self.guest.image));
        self.behind(sandbox, policy, Program::executable(GUEST))
    }

    /// Runs it as a WebAssembly module; `None` for one that only a native program can be.
    pub(crate) fn behind_wasm(&self, sandbox: &dyn Sandbox) -> Result<Option<Cell>> {
        let Some(module) = self.guest.module else { return Ok(None) };
        self.behind(sandbox, Policy::default(), Program::module(module)).map(Some)
    }

    fn behind(&self, sandbox: &dyn Sandbox, mut policy: Policy, program: Program) -> Result<Cell> {
        (self.adjust)(&mut policy);
        accept_approximations(&mut policy, sandbox);
        if let Some(control) = beyond(&policy, sandbox) {
            let end = format!("this host cannot bound {control}");
            return Ok(Cell { end, time: String::new(), outcome: Outcome::Skipped });
        }
        let report = sandbox.run(&policy, &program.args(&self.args))?;
        let (good, end) = (self.judge)(&report);
        let outcome = if good { Outcome::Passed } else { Outcome::Failed };
        Ok(Cell { end, time: text::time(report.usage.wall_ns), outcome })
    }
}

/// A control that the policy asks for and that this host does not have at all.
fn beyond(policy: &Policy, sandbox: &dyn Sandbox) -> Option<Control> {
    let missing = |control: &Control| {
        let ability = sandbox.support().ability(*control);
        policy.asks_for(*control) && matches!(ability, Ability::Unavailable { .. })
    };
    Control::ALL.into_iter().find(missing)
}
