//! `stockade-oci`: a container runtime with the arguments of runc.

mod args;
mod cgroup;
mod commands;
mod config;
mod console;
mod failure;
mod filters;
mod gate;
mod home;
mod hooks;
mod identity;
mod init;
mod launch;
mod log;
mod module;
mod program;
mod rootfs;
mod sealed;
mod seccomp;
mod state;
mod sys;
#[cfg(test)]
mod tests;
mod walls;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::Args;

fn main() -> ExitCode {
    // Before the command line is read, which would be done twice. Any word that is spelled so will do: the
    // commands make sure of it themselves, and say what is wrong.
    if std::env::args_os().any(|word| sealed::COMMANDS.iter().any(|name| word == *name)) {
        let _ = sealed::ensure();
    }
    match Args::try_parse() {
        Ok(args) => commands::run(args),
        Err(error) => {
            let text = error.render().to_string();
            // Help and the version are what was asked for, and go to standard output.
            let (written, status) = if error.use_stderr() {
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                (write!(std::io::stderr(), "stockade-oci: {text}"), ExitCode::FAILURE)
            } else {
                (write!(std::io::stdout(), "{text}"), ExitCode::SUCCESS)
            };
            written.map_or(ExitCode::FAILURE, |()| status)
        }
    }
}
