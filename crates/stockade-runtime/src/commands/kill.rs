//! `kill`: a signal for a container's first process, or for all of them.

use rustix::process::Signal;

use crate::args::KillArgs;
use crate::failure::{Context, Failure, Outcome};
use crate::sys;

use super::Caller;

/// Engines look for these words.
const NOT_RUNNING: &str = "container not running";

/// No lock is taken: the signal goes to a descriptor of the very process, or to what is in the group at
/// that moment, and nothing is written down.
pub(super) fn kill(caller: &Caller, args: &KillArgs) -> Outcome<()> {
    let signal = parse(&args.signal)?;
    let (_, state) = caller.home.load(&args.id)?;
    if args.all {
        // Processes may be left where the first one has ended but had no namespace of its own.
        return state.cgroup.signal(signal).context(|| "cannot signal all processes".into());
    }
    let init = state.init.as_ref().map(|init| init.open()).transpose()?.flatten();
    let init = init.ok_or_else(|| Failure::new(NOT_RUNNING))?;
    match rustix::process::pidfd_send_signal(&init, signal) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::SRCH) => Err(Failure::new(NOT_RUNNING)),
        Err(errno) => Err(errno).context(|| "unable to signal init".into()),
    }
}

/// A number, or a name in any case, with or without `SIG`. Of real-time signals, `RTMIN+3` and the like.
fn parse(text: &str) -> Outcome<Signal> {
    let unknown = || Failure::new(format!("unknown signal {text:?}"));
    let number = match text.parse() {
        Ok(number) => Some(number),
        Err(_) => named(text),
    };
    number.and_then(sys::signal::numbered).ok_or_else(unknown)
}

fn named(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return Some(libc::SIGRTMIN() + distance(rest, '+')?);
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return Some(libc::SIGRTMAX() - distance(rest, '-')?);
    }
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// What follows the name of the first or last real-time signal.
fn distance(rest: &str, sign: char) -> Option<i32> {
    if rest.is_empty() {
        return Some(0);
    }
    let range = libc::SIGRTMAX() - libc::SIGRTMIN();
    rest.strip_prefix(sign)?.parse().ok().filter(|distance| (0..=range).contains(distance))
}

const NAMES: &[(&str, i32)] = &[
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("IOT", libc::SIGIOT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("POLL", libc::SIGPOLL),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

#[cfg(test)]
mod tests;
