//! [`WasmExecution`]: one run, from the host's side.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use stockade_core::{Error, ErrorKind, Execution, GoOn, Killer, Report, Result};

use crate::handlers::LeftToTheHost;
use crate::run::Job;
use crate::streams::{LiveInput, LiveOutput, Pipe};
use crate::tether::{QUESTION, Tether};

/// One run.
pub(crate) struct WasmExecution {
    state: State,
    tether: Arc<Tether>,
    input: Option<Arc<Pipe>>,
    outputs: [Option<Arc<Pipe>>; 2],
}

enum State {
    /// Nothing of it can be seen before it is waited for, so it runs on the thread that does.
    Waiting(Box<Job>),
    /// Somebody reads or writes while it runs.
    Running(JoinHandle<Result<Report>>),
    Over,
}

/// The thread of a run ended in a way it cannot.
#[derive(Debug, thiserror::Error)]
#[error("the thread of the run panicked")]
struct Panicked;

impl WasmExecution {
    pub(crate) fn new(
        job: Job,
        tether: Arc<Tether>,
        input: Option<Arc<Pipe>>,
        outputs: [Option<Arc<Pipe>>; 2],
    ) -> Result<Self> {
        let live = input.is_some() || outputs.iter().any(Option::is_some);
        let state = if live {
            let thread = thread::Builder::new().name("stockade-guest".to_owned());
            let _held = LeftToTheHost::hold();
            let thread = thread.spawn(|| job.run()).map_err(|error| {
                Error::new(ErrorKind::Setup, error)
                    .with_hint("is the number of threads or processes limited?")
            })?;
            State::Running(thread)
        } else {
            State::Waiting(Box::new(job))
        };
        Ok(Self { state, tether, input, outputs })
    }

    fn take_output(&mut self, which: usize) -> Option<Box<dyn Read + Send>> {
        let pipe = self.outputs[which].take()?;
        Some(Box::new(LiveOutput { pipe, tether: Arc::clone(&self.tether) }))
    }

    /// What the caller did not take ends now: the guest must not wait for it.
    fn end_untaken(&mut self) {
        if let Some(input) = self.input.take() {
            input.end_writing();
        }
        for output in self.outputs.iter_mut().filter_map(Option::take) {
            output.end_reading();
        }
        self.tether.notify();
    }
}

impl Execution for WasmExecution {
    fn stdin(&mut self) -> Option<Box<dyn Write + Send>> {
        let pipe = self.input.take()?;
        Some(Box::new(LiveInput { pipe, tether: Arc::clone(&self.tether) }))
    }

    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        self.take_output(0)
    }

    fn stderr(&mut self) -> Option<Box<dyn Read + Send>> {
        self.take_output(1)
    }

    fn killer(&self) -> Arc<dyn Killer> {
        Arc::clone(&self.tether) as Arc<dyn Killer>
    }

    fn wait(mut self: Box<Self>) -> Result<Report> {
        self.end_untaken();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Waiting(job) => job.run(),
            State::Running(thread) => {
                thread.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, Panicked)))
            }
            State::Over => Err(Error::new(ErrorKind::Internal, Panicked)),
        }
    }

    fn wait_while(mut self: Box<Self>, go_on: GoOn) -> Result<Report> {
        if let State::Waiting(_) = self.state {
            self.tether.ask(go_on);
            return self.wait();
        }
        self.end_untaken();
        while !self.tether.wait_for_end(QUESTION) {
            if !go_on() {
                self.tether.kill();
            }
        }
        self.wait()
    }
}

impl Drop for WasmExecution {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Running(thread) => {
                self.tether.kill();
                self.end_untaken();
                // Nothing of it is alive when this returns; how it ended is nobody's concern.
                let _ = thread.join();
            }
            State::Waiting(_) | State::Over => {}
        }
    }
}
