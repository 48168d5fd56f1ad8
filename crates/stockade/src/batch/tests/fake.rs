//! A backend whose runs do what the test says.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use stockade_core::{
    Ability, Error, ErrorKind, Execution, GoOn, Input, Killer, Plan, Policy, Prepared, Program,
    ProgramSource, Report, Result, Sandbox, Stdio, Support, Verdict,
};

/// What the runs of a fake did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) live: usize,
    pub(super) peak: usize,
    pub(super) memory: u64,
    pub(super) peak_memory: u64,
    pub(super) started: usize,
    pub(super) killed: usize,
    pub(super) prepared: usize,
    pub(super) kept: usize,
    pub(super) peak_kept: usize,
    /// How many more runs may end.
    released: usize,
}

#[derive(Default)]
struct Stage {
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// A program called `held` ends when it is released or killed, `panic` panics, `missing` cannot be
/// prepared, and any other ends at once. Each prints what it was given.
pub(super) struct Fake {
    support: Support,
    stage: Arc<Stage>,
}

struct Ready {
    plan: Plan,
    name: String,
    stage: Arc<Stage>,
}

struct Run {
    plan: Plan,
    name: String,
    input: Vec<u8>,
    stage: Arc<Stage>,
    switch: Arc<Switch>,
    over: bool,
}

struct Switch {
    stage: Arc<Stage>,
    used: Mutex<bool>,
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        let support = Support::new("fake", |_| Ability::enforced("nothing"));
        Arc::new(Self { support, stage: Arc::default() })
    }

    pub(super) fn counts(&self) -> Counts {
        *self.stage.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many held runs end, now or later.
    pub(super) fn release(&self, runs: usize) {
        self.stage.change(|counts| counts.released += runs);
    }

    /// Waits until the runs are where the test wants them.
    pub(super) fn until(&self, there: impl Fn(&Counts) -> bool) {
        let counts = self.stage.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = Duration::from_secs(20);
        let waited =
            self.stage.changed.wait_timeout_while(counts, patience, |counts| !there(counts));
        let (counts, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "it stays at {:?}", *counts);
    }
}

impl Stage {
    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

impl Sandbox for Fake {
    fn support(&self) -> &Support {
        &self.support
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        self.stage.change(|counts| {
            counts.prepared += 1;
        });
        let ProgramSource::Executable(name) = &program.source else { panic!("{program:?}") };
        if name == OsStr::new("missing") {
            return Err(Error::new(ErrorKind::NotFound, "it is missing"));
        }
        self.stage.change(|counts| {
            counts.kept += 1;
            counts.peak_kept = counts.peak_kept.max(counts.kept);
        });
        let (name, plan) =
            (name.to_string_lossy().into_owned(), Plan::resolve(policy, &self.support)?);
        Ok(Box::new(Ready { plan, name, stage: Arc::clone(&self.stage) }))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.stage.change(|counts| counts.kept -= 1);
    }
}

impl Prepared for Ready {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn start(&self, stdio: Stdio) -> Result<Box<dyn Execution>> {
        let input = match stdio.stdin {
            Input::Bytes(bytes) => bytes,
            _ => Vec::new(),
        };
        let memory = self.plan.policy.limits.memory.get().map_or(0, |bytes| bytes.0);
        self.stage.change(|counts| {
            counts.started += 1;
            counts.live += 1;
            counts.peak = counts.peak.max(counts.live);
            counts.memory += memory;
            counts.peak_memory = counts.peak_memory.max(counts.memory);
        });
        let stage = Arc::clone(&self.stage);
        let switch = Arc::new(Switch { stage: Arc::clone(&stage), used: Mutex::new(false) });
        let (plan, name) = (self.plan.clone(), self.name.clone());
        Ok(Box::new(Run { plan, name, input, stage, switch, over: false }))
    }
}

impl Execution for Run {
    fn stdin(&mut self) -> Option<Box<dyn Write + Send>> {
        None
    }

    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        None
    }

    fn stderr(&mut self) -> Option<Box<dyn Read + Send>> {
        None
    }

    fn killer(&self) -> Arc<dyn Killer> {
        self.switch.clone()
    }

    fn wait_while(self: Box<Self>, _go_on: GoOn) -> Result<Report> {
        self.wait()
    }

    fn wait(mut self: Box<Self>) -> Result<Report> {
        let mut verdict = Verdict::Exited { code: 0 };
        match self.name.as_str() {
            "panic" => panic!("a defect"),
            "held" => {
                let counts = self.stage.counts.lock().unwrap_or_else(PoisonError::into_inner);
                let used = || *self.switch.used.lock().unwrap_or_else(PoisonError::into_inner);
                let held = |counts: &mut Counts| counts.released == 0 && !used();
                let waited = self.stage.changed.wait_while(counts, held);
                let mut counts = waited.unwrap_or_else(PoisonError::into_inner);
                if used() {
                    verdict = Verdict::Cancelled;
                    counts.killed += 1;
                } else {
                    counts.released -= 1;
                }
            }
            _ => {}
        }
        self.end();
        let mut report = Report::new(&self.plan, verdict);
        report.stdout = std::mem::take(&mut self.input);
        Ok(report)
    }
}

impl Run {
    fn end(&mut self) {
        let memory = self.plan.policy.limits.memory.get().map_or(0, |bytes| bytes.0);
        if !std::mem::replace(&mut self.over, true) {
            self.stage.change(|counts| {
                counts.live -= 1;
                counts.memory -= memory;
            });
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}

impl Killer for Switch {
    fn kill(&self) {
        // Under the lock with which a run looks, so that none misses it.
        self.stage.change(|_| *self.used.lock().unwrap_or_else(PoisonError::into_inner) = true);
    }
}
