//! [`WasmPrepared`]: a linked module and a plan.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use stockade_core::{
    Error, ErrorKind, Execution, OutputOverflow, Plan, Prepared, Program, ProgramSource, Result,
    Stdio,
};

use crate::clock::Clock;
use crate::execution::WasmExecution;
use crate::limiter::Limiter;
use crate::module::Command;
use crate::run::Job;
use crate::streams::{Sink, Source};
use crate::tether::Tether;
use crate::wasi::Guest;

/// What a prepared module and its runs share.
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) command: Command,
    pub(crate) clock: Arc<Clock>,
    pub(crate) prepare: Duration,
    arguments: Arc<Vec<Vec<u8>>>,
    environment: Arc<Vec<Vec<u8>>>,
}

/// A plan bound to a module.
pub(crate) struct WasmPrepared {
    shared: Arc<Shared>,
}

/// An argument that a C program could not be given either.
#[derive(Debug, thiserror::Error)]
#[error("argument {index} of the program contains NUL")]
struct NulInArgument {
    index: usize,
}

/// A run whose deadlines nobody would watch.
#[derive(Debug, thiserror::Error)]
#[error("the thread that watches deadlines is in the process this one was forked from")]
struct ClockLost;

impl WasmPrepared {
    pub(crate) fn new(
        plan: Plan,
        command: Command,
        clock: Arc<Clock>,
        program: &Program,
        prepare: Duration,
    ) -> Result<Self> {
        let name = match &program.source {
            ProgramSource::ModuleFile(path) => path.file_name().unwrap_or_default().to_owned(),
            _ => "module".into(),
        };
        if let Some(index) = program.args.iter().position(|arg| arg.as_bytes().contains(&0)) {
            return Err(Error::new(ErrorKind::InvalidPolicy, NulInArgument { index })
                .with_hint("pass such bytes on standard input"));
        }
        let terminated = |text: &OsStr| [text.as_bytes(), b"\0"].concat();
        let arguments = [&name].into_iter().chain(&program.args).map(|text| terminated(text));
        let environment = plan.policy.process.env.iter();
        let environment = environment.map(|(key, value)| format!("{key}={value}\0").into_bytes());
        let (arguments, environment) =
            (Arc::new(arguments.collect()), Arc::new(environment.collect()));
        let shared = Shared { plan, command, clock, prepare, arguments, environment };
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl Prepared for WasmPrepared {
    fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    fn start(&self, stdio: Stdio) -> Result<Box<dyn Execution>> {
        let shared = Arc::clone(&self.shared);
        if shared.clock.is_foreign() {
            return Err(Error::new(ErrorKind::HostLost, ClockLost)
                .with_hint("make a new sandbox in the forked process"));
        }
        let limits = &shared.plan.policy.limits;
        let clock = Arc::clone(&shared.clock);
        let tether = Arc::new(Tether::new(limits.wall_time.get(), limits.cpu_time.get(), clock));
        let (stdin, live_input) = Source::new(stdio.stdin);
        let limit = limits.output.get().map(|bytes| bytes.0);
        let drop_rest = limits.output_overflow == OutputOverflow::Truncate;
        let guest = Guest {
            tether: Arc::clone(&tether),
            limiter: Limiter::new(limits.memory.get().map(|bytes| bytes.0)),
            stdin,
            stdout: Sink::new(stdio.stdout, limit, drop_rest),
            stderr: Sink::new(stdio.stderr, limit, drop_rest),
            arguments: Arc::clone(&shared.arguments),
            environment: Arc::clone(&shared.environment),
            appointment: None,
            open: [true; 3],
        };
        let outputs = [guest.stdout.live(), guest.stderr.live()];
        let job = Job { shared, guest };
        Ok(Box::new(WasmExecution::new(job, tether, live_input, outputs)?))
    }
}
