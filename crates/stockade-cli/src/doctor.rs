//! `stockade doctor`: what this host can enforce, found out by doing it, and the fix for what it
//! cannot.

mod attack;
pub(crate) mod screen;

use std::io::{self, Write};

use stockade::doctor::{Backend, Findings};

use crate::args::{BackendArg, DoctorArgs};
use crate::exit::{self, Exit};

/// Prints what the backends can do here, or how attacks on them went.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit, Exit> {
    if args.attack { attack::attack(args) } else { examine(args).map_err(exit::output) }
}

fn examine(args: &DoctorArgs) -> io::Result<Exit> {
    let findings = Findings::gather(&asked(args));
    let mut text = if args.json {
        serde_json::to_string_pretty(&findings)?
    } else {
        screen::render(&findings)
    };
    text.push('\n');
    io::stdout().write_all(text.as_bytes())?;
    Ok(if findings.default_policy { Exit::SUCCESS } else { Exit::NOT_MET })
}

/// The backends that are asked for.
fn asked(args: &DoctorArgs) -> Vec<Backend> {
    let given = [(BackendArg::Namespace, Backend::Namespace), (BackendArg::Wasm, Backend::Wasm)];
    given.into_iter().filter(|(name, _)| args.asks_for(*name)).map(|(_, backend)| backend).collect()
}

#[cfg(test)]
mod tests;
