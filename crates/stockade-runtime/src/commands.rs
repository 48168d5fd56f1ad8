//! The commands, one file each.

mod create;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod pause;
mod ps;
mod run;
pub(crate) mod spec;
mod start;
mod state;
mod update;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::args::{Args, Command, Globals};
use crate::cgroup::in_user_namespace;
use crate::failure::{Context, Failure, Outcome};
use crate::home::Home;
use crate::log::Log;
use crate::walls::Walls;

/// What every command is told.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) log: Log,
    pub(crate) home: Home,
    /// Whether systemd makes control groups.
    pub(crate) systemd: bool,
    /// Whether to go without the control groups that may not be made.
    pub(crate) rootless: bool,
    pub(crate) walls: Walls,
}

impl Caller {
    fn new(globals: &Globals) -> Outcome<Self> {
        // An engine of a user who is not root makes that user root of a user namespace, and calls there.
        let seems_root = rustix::process::geteuid().is_root();
        let is_root = seems_root && !in_user_namespace();
        Ok(Self {
            log: Log::new(globals),
            home: Home::new(globals.root.as_deref(), is_root || seems_root && !is_somebodys())?,
            systemd: globals.systemd_cgroup,
            rootless: globals.rootless.is_on(is_root),
            walls: globals.walls,
        })
    }
}

/// Whether root of a user namespace is a user elsewhere, with a directory of its own, as for runc. Root of a
/// machine that is a container has all of it.
fn is_somebodys() -> bool {
    let is = |name: &str| env::var_os(name);
    is("XDG_RUNTIME_DIR").is_some() && is("USER").is_none_or(|name| name != "root")
}

/// Does what the command line says. What fails is in the log and on standard error.
pub(crate) fn run(args: Args) -> ExitCode {
    // Before a command is in another directory.
    let log = Log::new(&args.globals);
    dispatch(args.command, &args.globals).unwrap_or_else(|failure| {
        log.error(&failure);
        ExitCode::FAILURE
    })
}

fn dispatch(command: Command, globals: &Globals) -> Outcome<ExitCode> {
    let done = |outcome: Outcome<()>| outcome.map(|()| ExitCode::SUCCESS);
    // Not for commands that are about no container: there may be no place for any.
    let caller = || Caller::new(globals);
    match command {
        Command::Create(args) => done(create::create(&caller()?, &args)),
        Command::Start(args) => done(start::start(&caller()?, &args)),
        Command::Run(args) => run::run(&caller()?, &args).map(ExitCode::from),
        Command::Exec(args) => exec::exec(&caller()?, &args).map(ExitCode::from),
        Command::State(args) => done(state::state(&caller()?, &args)),
        Command::Kill(args) => done(kill::kill(&caller()?, &args)),
        Command::Delete(args) => done(delete::delete(&caller()?, &args)),
        Command::List(args) => done(list::list(&caller()?, &args)),
        Command::Ps(args) => done(ps::ps(&caller()?, &args)),
        Command::Pause(args) => done(pause::pause(&caller()?, &args)),
        Command::Resume(args) => done(pause::resume(&caller()?, &args)),
        Command::Update(args) => done(update::update(&caller()?, &args)),
        Command::Events(args) => done(events::events(&caller()?, &args)),
        Command::Features => done(features::features()),
        Command::Spec(args) => done(spec::spec(&args)),
        Command::Other(args) => Err(unknown(&args)),
    }
}

fn unknown(args: &[std::ffi::OsString]) -> Failure {
    let name = args.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    match &*name {
        "checkpoint" | "restore" => {
            Failure::new(format!("{name} is not supported: containers are not saved and restored"))
        }
        _ => Failure::new(format!("there is no command {name:?}: see --help")),
    }
}

/// Prints something as JSON on lines of its own, as people read it.
fn print_pretty(value: &impl Serialize) -> Outcome<()> {
    let text = serde_json::to_string_pretty(value).context(|| "it cannot be written".into())?;
    print(&text)
}

/// Prints something as JSON on one line, as programs read it.
fn print_line(value: &impl Serialize) -> Outcome<()> {
    let text = serde_json::to_string(value).context(|| "it cannot be written".into())?;
    print(&text)
}

fn print(text: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context(|| "standard output".into())
}
