//! `stockade doctor`: what this host can enforce, found out by doing it, and the fix for what it
//! cannot.

mod advice;
mod attack;
mod backend;
mod host;
pub(crate) mod screen;
mod trial;
mod waiting;

use std::io::{self, Write};

use serde::Serialize;

use crate::args::{BackendArg, DoctorArgs};
use crate::exit::{self, Exit};
use advice::Advice;
use backend::BackendFindings;
use host::Host;

/// The JSON of `doctor --json`, described in the manual page `doctor`. Every member is always
/// there; what is absent is null or empty.
#[derive(Debug, Serialize)]
struct Findings {
    /// Raised when a member changes its meaning or goes away.
    schema: u32,
    version: &'static str,
    /// Whether every backend that was asked for meets the default policy; the exit status says the
    /// same.
    default_policy: bool,
    host: Host,
    backends: Vec<BackendFindings>,
    /// What to do, what helps most first.
    advice: Vec<Advice>,
}

/// Prints what the backends can do here, or how attacks on them went.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit, Exit> {
    if args.attack { attack::attack(args) } else { examine(args).map_err(exit::output) }
}

fn examine(args: &DoctorArgs) -> io::Result<Exit> {
    let findings = Findings::gather(args);
    let mut text = if args.json {
        serde_json::to_string_pretty(&findings)?
    } else {
        screen::render(&findings)
    };
    text.push('\n');
    io::stdout().write_all(text.as_bytes())?;
    Ok(if findings.default_policy { Exit::SUCCESS } else { Exit::NOT_MET })
}

impl Findings {
    fn gather(args: &DoctorArgs) -> Self {
        let examined = [
            args.asks_for(BackendArg::Namespace).then(backend::namespace),
            args.asks_for(BackendArg::Wasm).then(backend::wasm),
        ];
        Self::conclude(Host::look(), examined.into_iter().flatten().collect())
    }

    fn conclude(host: Host, backends: Vec<BackendFindings>) -> Self {
        Self {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            default_policy: backends.iter().all(|backend| backend.default_policy),
            advice: advice::advice(&backends),
            host,
            backends,
        }
    }
}

#[cfg(test)]
mod tests;
