//! [`Warmed`]: a backend whose programs wait, built, before they are started.

use std::thread;
use std::time::{Duration, Instant};

use stockade::{NamespaceSandbox, Policy, Prepared, Program, Result, Sandbox, Support};

/// How long a sandbox is waited for. One that cannot be built never waits; the start then says why.
const PATIENCE: Duration = Duration::from_millis(500);

/// The native backend with two sandboxes waiting for whatever is prepared: the first start takes one.
#[derive(Debug)]
pub struct Warmed {
    sandbox: NamespaceSandbox,
}

impl Warmed {
    /// Has `sandbox` keep some of every program.
    pub fn new(sandbox: NamespaceSandbox) -> Self {
        Self { sandbox }
    }

    /// The backend.
    pub fn sandbox(&self) -> &NamespaceSandbox {
        &self.sandbox
    }
}

impl Sandbox for Warmed {
    fn support(&self) -> &Support {
        self.sandbox.support()
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        let waiting = || self.sandbox.census().map_or(0, |census| census.waiting);
        let before = waiting();
        let prepared = self.sandbox.prepare(policy, program)?;
        prepared.warm(2)?;
        let begun = Instant::now();
        while waiting() <= before && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(prepared)
    }
}
