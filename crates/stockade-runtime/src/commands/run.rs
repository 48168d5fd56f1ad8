//! `run`.

use std::os::fd::AsFd;

use super::Caller;
use super::create::{Made, terminal};
use super::delete::end;
use super::start::begin;
use crate::args::RunArgs;
use crate::console::{self, Foreground};
use crate::failure::Outcome;
use crate::sealed;

/// Makes a container and has its program begin. Gives the exit status of a program that was waited for,
/// whose container is deleted then unless it is to be kept.
pub(super) fn run(caller: &Caller, args: &RunArgs) -> Outcome<u8> {
    sealed::ensure()?;
    let socket = args.create.console_socket.as_deref();
    if args.detach {
        let made = Made::new(caller, &args.create, |process| terminal(process, socket))?;
        begun(caller, made)?.child.release();
        return Ok(0);
    }
    let mut foreground = Foreground::prepare()?;
    let mut near = None;
    let made = Made::new(caller, &args.create, |process| {
        if socket.is_some() || !process.terminal().unwrap_or_default() {
            return terminal(process, socket);
        }
        let (ours, theirs) = console::pair()?;
        near = Some(ours);
        Ok(Some(theirs))
    })?;
    if let Some(socket) = near {
        foreground.attach(console::receive(socket.as_fd())?)?;
    }
    let Made { entry, lock, state, child } = begun(caller, made)?;
    drop(lock);
    let status = match child.pidfd() {
        Some(process) => foreground.wait(process)?,
        None => 0,
    };
    child.release();
    if !args.keep {
        let lock = entry.lock()?;
        end(caller, entry, &state, lock, true)?;
    }
    Ok(u8::try_from(status).unwrap_or(u8::MAX))
}

/// Starts what was made. If that fails nothing is left.
fn begun(caller: &Caller, made: Made) -> Outcome<Made> {
    match begin(&made.entry, &made.state) {
        Ok(()) => Ok(made),
        Err(failure) => {
            let Made { entry, lock, state, child } = made;
            drop(child);
            if let Err(more) = end(caller, entry, &state, lock, true) {
                caller.log.warn(&more.to_string());
            }
            Err(failure)
        }
    }
}
