//! A further process in a container that runs.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::stat;
use rustix::process::{DumpableBehavior, set_dumpable_behavior, setsid};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::channel::{Channel, Turn};
use super::process::Process;
use crate::failure::{Context, Failure, Outcome};
use crate::identity;
use crate::init::become_root;
use crate::program::Program;
use crate::state::State;

/// The namespaces of a process that are not this one's own.
#[derive(Debug)]
pub(crate) struct Target {
    pidfd: OwnedFd,
    kinds: ThreadNameSpaceType,
}

/// What they are called below /proc/PID/ns.
const KINDS: [(&str, ThreadNameSpaceType); 8] = [
    ("user", ThreadNameSpaceType::USER),
    ("mnt", ThreadNameSpaceType::MOUNT),
    ("pid", ThreadNameSpaceType::PROCESS_ID),
    ("net", ThreadNameSpaceType::NETWORK),
    ("ipc", ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
    ("uts", ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
    ("cgroup", ThreadNameSpaceType::CONTROL_GROUP),
    ("time", ThreadNameSpaceType::TIME),
];

impl Target {
    /// Looks at the process that `pidfd` stands for, whose id is `pid`.
    pub(crate) fn of(pid: i32, pidfd: OwnedFd) -> Outcome<Self> {
        let mut kinds = ThreadNameSpaceType::empty();
        for (name, kind) in KINDS {
            let place = |process: &str| {
                let path = format!("/proc/{process}/ns/{name}");
                let file = stat(&path).context(|| format!("looking at {path}"))?;
                Ok::<_, Failure>((file.st_dev, file.st_ino))
            };
            // Joining one's own user namespace is an error, and the others are not worth the time.
            if place("self")? != place(&pid.to_string())? {
                kinds |= kind;
            }
        }
        Ok(Self { pidfd, kinds })
    }

    fn has_users(&self) -> bool {
        self.kinds.contains(ThreadNameSpaceType::USER)
    }

    /// All at once, by setns(2) of a pidfd: what is joined belongs to one process, even if its id has gone
    /// to another since.
    fn join(&self, which: ThreadNameSpaceType) -> Outcome<()> {
        let kinds = self.kinds & which;
        if kinds.is_empty() {
            return Ok(());
        }
        move_into_thread_name_spaces(self.pidfd.as_fd(), kinds)
            .context(|| "joining the container's namespaces".into())
    }
}

/// Has `program` run in the namespaces of `target` and in its control group, and comes back once it does.
///
/// # Errors
/// What kept it from that; no process is left then.
pub(crate) fn exec(target: &Target, state: &State, program: &Program<'_>) -> Outcome<Process> {
    let cgroup = &state.cgroup;
    // Of this process, which is done soon, so that the other has it from its first moment.
    program.identity.affinity().begin()?;
    let (ours, theirs) = Channel::pair()?;
    // On version 2 the group takes no process any more once the container has divided it.
    let doors = cgroup.doors()?.filter(|doors| !doors.are_one());
    let pass = || doors.as_ref().map_or(Ok(()), |doors| doors.pass(false));
    let (child, ours) = if target.has_users() {
        // Whoever is not above a user namespace cannot join what it owns from outside.
        let join = || pass().and_then(|()| early(program));
        let join = || join().and_then(|()| target.join(ThreadNameSpaceType::all()));
        let rest = |channel: Channel| run(program, state, channel, become_root);
        Process::clone_in_two_steps(0, ours, theirs, join, rest)?
    } else {
        target.join(ThreadNameSpaceType::PROCESS_ID)?;
        let inside = ThreadNameSpaceType::all() - ThreadNameSpaceType::PROCESS_ID;
        let join = || pass().and_then(|()| early(program)).and_then(|()| target.join(inside));
        Process::clone_directly(0, None, ours, || run(program, state, theirs, join))?
    };
    if doors.is_none() {
        cgroup.enter_beside(child.pid, state.init.as_ref().map(|init| init.pid))?;
    }
    ours.name(child.pid)?;
    ours.expect(Turn::Ready)?;
    ours.expect_end()?;
    Ok(child)
}

/// What has to be done before anybody in the container can see this process.
fn early(program: &Program<'_>) -> Outcome<()> {
    program.identity.limits()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context(|| "being untraceable".into())
}

fn run(
    program: &Program<'_>,
    state: &State,
    channel: Channel,
    join: impl FnOnce() -> Outcome<()>,
) -> Failure {
    let steps = || {
        let pid = channel.process()?;
        setsid().context(|| "making a session".into())?;
        join()?;
        program.identity.affinity().finish()?;
        if let Some(id) = program.keyring {
            identity::keyring(id)?;
        }
        program.take_streams(|_| Ok(()))?;
        let found = program.find()?;
        program.close_descriptors()?;
        channel.say(Turn::Ready)?;
        program.become_found(&found, pid, state)
    };
    match steps() {
        Ok(never) => match never {},
        Err(failure) => {
            channel.fail(&failure);
            failure
        }
    }
}
