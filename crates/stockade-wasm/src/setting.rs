//! [`Setting`]: what is computed once for all runs of a program under a policy.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use stockade_core::{
    Error, ErrorKind, OutputOverflow, Phase, Plan, Program, ProgramSource, Result, Stdio,
};
use wasmtime::component::ResourceTable;

use crate::clock::Clock;
use crate::files::{Files, Layout};
use crate::limiter::Limiter;
use crate::streams::{Pipe, Sink, Source};
use crate::tether::Tether;
use crate::wasi::{Guest, Table};

/// A plan, and what guests under it are given.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) plan: Plan,
    pub(crate) clock: Arc<Clock>,
    /// How long preparing took, and what most of it was.
    pub(crate) prepared: Phase,
    layout: Arc<Layout>,
    arguments: Arc<Vec<Vec<u8>>>,
    environment: Arc<Vec<Vec<u8>>>,
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

impl Setting {
    pub(crate) fn new(
        plan: Plan,
        layout: Layout,
        clock: Arc<Clock>,
        program: &Program,
        prepared: Phase,
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
        Ok(Self { plan, clock, prepared, layout: Arc::new(layout), arguments, environment })
    }

    /// Refuses to run anything where no deadline would ring.
    pub(crate) fn check_clock(&self) -> Result<()> {
        if self.clock.is_foreign() {
            return Err(Error::new(ErrorKind::HostLost, ClockLost)
                .with_hint("make a new sandbox in the forked process"));
        }
        Ok(())
    }

    /// A guest that has not begun, and the caller's end of its input if that is live.
    pub(crate) fn guest(&self, stdio: Stdio) -> (Guest, Option<Arc<Pipe>>) {
        let limits = &self.plan.policy.limits;
        let (stdin, live_input) = Source::new(stdio.stdin);
        let limit = limits.output.get().map(|bytes| bytes.0);
        let drop_rest = limits.output_overflow == OutputOverflow::Truncate;
        let guest = Guest {
            tether: Arc::new(Tether::new(limits, Arc::clone(&self.clock))),
            limiter: Limiter::new(limits.memory.get().map(|bytes| bytes.0)),
            stdin,
            stdout: Sink::new(stdio.stdout, limit, drop_rest),
            stderr: Sink::new(stdio.stderr, limit, drop_rest),
            arguments: Arc::clone(&self.arguments),
            environment: Arc::clone(&self.environment),
            appointment: None,
            files: Files::new(Arc::clone(&self.layout)),
            table: ResourceTable::new(),
            memory: None,
            fds: Table::default(),
        };
        (guest, live_input)
    }
}
