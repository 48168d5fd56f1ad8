//! The `stockade` command.
//!
//! Parsing ([`args`]) does no I/O and nothing else reads the command line. Everything a user sees
//! is written by [`exit`], [`report`], [`map`], [`doctor`], [`mod@bench`], [`policy`],
//! [`runtime`], [`image`] and [`bundle`].
#![forbid(unsafe_code)]

mod args;
mod backend;
mod bench;
mod bundle;
mod cache;
mod doctor;
mod exit;
mod image;
mod interrupt;
mod map;
mod policy;
mod report;
mod run;
mod runtime;
mod script;
mod stream;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, PolicyCommand};
use exit::Exit;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Map(args) => map::map(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Policy { command: PolicyCommand::Check { file } } => policy::check(&file),
        Command::Policy { command: PolicyCommand::Show { file, json } } => {
            policy::show(file.as_deref(), json)
        }
        Command::Runtime { command } => runtime::runtime(&command),
        Command::Image { command } => image::image(&command),
        Command::Version => version().map_err(exit::output),
    };
    outcome.unwrap_or_else(|failure| failure).into()
}

fn version() -> io::Result<Exit> {
    use io::Write;
    let (version, arch, os) =
        (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    writeln!(io::stdout(), "stockade {version} {arch}-{os}")?;
    Ok(Exit::SUCCESS)
}
