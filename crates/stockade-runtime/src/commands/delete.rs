//! `delete`: removes what is left of a container: processes, control groups, hooks to run, state.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;
use rustix::time::Timespec;

use crate::args::DeleteArgs;
use crate::cgroup::Cgroup;
use crate::failure::{Context, Failure, Outcome};
use crate::home::{Entry, Lock};
use crate::hooks;
use crate::state::{Init, State, Status};

use super::Caller;

/// How long a process may take to end after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn delete(caller: &Caller, args: &DeleteArgs) -> Outcome<()> {
    let entry = match caller.home.look(&args.id)? {
        Some(entry) => entry,
        // Engines delete once more after they have deleted.
        None if args.force => return Ok(()),
        None => caller.home.find(&args.id)?,
    };
    let lock = match entry.lock() {
        Ok(lock) => lock,
        // Another deleted it first.
        Err(_) if args.force && caller.home.look(&args.id)?.is_none() => return Ok(()),
        Err(failure) => return Err(failure),
    };
    match entry.state() {
        Ok(Some(state)) => end(caller, entry, &state, lock, args.force),
        // Killed before it had anything outside its directory.
        Ok(None) => entry.remove(lock),
        Err(failure) if args.force => {
            caller.log.warn(&format!("{failure}; what can be found of it is removed"));
            remains(caller, &args.id, &entry)?;
            entry.remove(lock)
        }
        Err(failure) => Err(failure),
    }
}

/// Each step can be repeated, and the directory goes last, so that a failure or SIGKILL anywhere leaves
/// what the next `delete` finds.
pub(super) fn end(
    caller: &Caller,
    entry: Entry,
    state: &State,
    lock: Lock,
    force: bool,
) -> Outcome<()> {
    let status = state.status(&entry);
    // A program that was never started has done nothing yet that could be lost.
    if !force && !matches!(status, Status::Stopped | Status::Created | Status::Creating) {
        return Err(Failure::new(format!(
            "cannot delete container {} that is not stopped: {status}",
            state.id
        )));
    }
    if let Some(init) = &state.init {
        kill(init, &state.cgroup)?;
    }
    state.cgroup.remove().context(|| "control groups cannot be removed".into())?;
    poststop(caller, &entry, state);
    entry.remove(lock)
}

/// Ends the first process and waits for that. Those it leaves behind are the control group's to end.
fn kill(init: &Init, cgroup: &Cgroup) -> Outcome<()> {
    let Some(fd) = init.open()? else { return Ok(()) };
    match rustix::process::pidfd_send_signal(&fd, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(errno) => return Err(errno).context(|| "unable to signal init".into()),
    }
    // What is frozen by the older control groups gets its signal when it goes on.
    if cgroup.is_frozen() {
        cgroup.thaw().context(|| "container cannot be resumed".into())?;
    }
    let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    let mut ended = [PollFd::new(&fd, PollFlags::IN)];
    match rustix::event::poll(&mut ended, Some(&patience)).context(|| "poll".into())? {
        0 => Err(Failure::new("container init still running")),
        _ => Ok(()),
    }
}

/// A hook that fails is logged and does not keep the container, as the specification has it.
fn poststop(caller: &Caller, entry: &Entry, state: &State) {
    let run = || -> Outcome<()> {
        let config = entry.config()?;
        let hooks = config.hooks().as_ref().and_then(|hooks| hooks.poststop().as_deref());
        match hooks {
            None | Some([]) => Ok(()),
            Some(hooks) => hooks::run(hooks, &state.oci_json(Status::Stopped)?),
        }
    };
    if let Err(failure) = run() {
        caller.log.warn(&format!("poststop hooks: {failure}"));
    }
}

/// Removes the control groups of a container whose state cannot be read. Its config says where they are.
fn remains(caller: &Caller, id: &str, entry: &Entry) -> Outcome<()> {
    let Ok(config) = entry.config() else { return Ok(()) };
    let cgroup = Cgroup::plan(&config, id, caller.systemd, caller.rootless)?;
    cgroup.remove().context(|| "control groups cannot be removed".into())
}
