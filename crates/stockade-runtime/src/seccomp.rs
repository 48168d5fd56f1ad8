//! `linux.seccomp`: the config's filter of system calls, and Stockade's own.

#[cfg(test)]
mod tests;

use std::io::{IoSlice, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use oci_spec::runtime::{
    ContainerProcessState, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg,
    LinuxSeccompFilterFlag, LinuxSeccompOperator, SECCOMP_FD_NAME, State,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use stockade_seccomp::{Action, Comparison, Condition, Profile, Rule, Ruleset, Sockets};

use crate::failure::{Context, Failure, Outcome};

/// A filter that `sys::seccomp::install` can install.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// An array of `struct sock_filter`.
    pub(crate) bytes: Arc<[u8]>,
    /// `SECCOMP_FILTER_FLAG_*`.
    pub(crate) flags: libc::c_ulong,
    /// Who decides about calls, where the filter leaves it to somebody.
    pub(crate) listener: Option<Listener>,
}

/// The agent that gets the descriptor on which notifications are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Its socket, on the host.
    pub(crate) path: PathBuf,
    /// What the config tells it.
    pub(crate) metadata: Option<String>,
}

/// The config's filter, in the sense that runc gives it; see [`Ruleset`].
///
/// Names of calls that are unknown here are passed over, and so are architectures but the machine's:
/// others are refused whatever the config says of them.
pub(crate) fn compile(seccomp: &LinuxSeccomp) -> Outcome<Filter> {
    let rules = seccomp.syscalls().as_deref().unwrap_or_default();
    let notifies = rules.iter().any(|rule| rule.action() == LinuxSeccompAction::ScmpActNotify);
    let listener = if notifies { Some(listener(seccomp)?) } else { None };
    if seccomp.default_action() == LinuxSeccompAction::ScmpActNotify {
        // Nor could anything be done between installing the filter and giving its listener away.
        return Err(Failure::new("SCMP_ACT_NOTIFY cannot be used as default action"));
    }
    let ruleset = Ruleset {
        default: action(seccomp.default_action(), seccomp.default_errno_ret()),
        rules: rules.iter().map(rule).collect::<Outcome<_>>()?,
    };
    let bytes = ruleset.compile().context(|| "linux.seccomp".into())?.into();
    Ok(Filter { bytes, flags: flags(seccomp, notifies), listener })
}

/// Stockade's default profile, with sockets of the internet.
pub(crate) fn walls() -> Filter {
    let bytes = stockade_seccomp::bytes(Profile::Default, Sockets::Inet, true);
    Filter { bytes, flags: 0, listener: None }
}

fn listener(seccomp: &LinuxSeccomp) -> Outcome<Listener> {
    let path = seccomp.listener_path().clone().filter(|path| !path.as_os_str().is_empty());
    let path = path.ok_or_else(|| {
        Failure::new("linux.seccomp.listenerPath is missing, and SCMP_ACT_NOTIFY needs it")
    })?;
    Ok(Listener { path, metadata: seccomp.listener_metadata().clone() })
}

/// The calls by which a container's init hands the listener over, while the filter is there already and
/// nobody listens yet.
const HANDS_OVER: [&str; 3] = ["write", "sendmsg", "shutdown"];

fn rule(rule: &oci_spec::runtime::LinuxSyscall) -> Outcome<Rule> {
    let names = rule.names();
    if names.iter().any(String::is_empty) {
        return Err(Failure::new("linux.seccomp: empty string is not a valid syscall"));
    }
    let notifies = rule.action() == LinuxSeccompAction::ScmpActNotify;
    if let Some(name) = names.iter().find(|name| notifies && HANDS_OVER.contains(&name.as_str())) {
        return Err(Failure::new(format!("SCMP_ACT_NOTIFY cannot be used for the {name} syscall")));
    }
    let arguments = rule.args().as_deref().unwrap_or_default();
    Ok(Rule {
        names: names.clone(),
        action: action(rule.action(), rule.errno_ret()),
        conditions: arguments.iter().map(condition).collect::<Outcome<_>>()?,
    })
}

fn action(action: LinuxSeccompAction, errno: Option<u32>) -> Action {
    // The kernel reads 16 bits.
    let errno = errno.map_or(libc::EPERM as u16, |errno| errno as u16);
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            Action::KillThread
        }
        LinuxSeccompAction::ScmpActKillProcess => Action::KillProcess,
        LinuxSeccompAction::ScmpActTrap => Action::Trap,
        LinuxSeccompAction::ScmpActErrno => Action::Errno(errno),
        LinuxSeccompAction::ScmpActNotify => Action::Notify,
        LinuxSeccompAction::ScmpActTrace => Action::Trace(errno),
        LinuxSeccompAction::ScmpActLog => Action::Log,
        LinuxSeccompAction::ScmpActAllow => Action::Allow,
    }
}

fn condition(argument: &LinuxSeccompArg) -> Outcome<Condition> {
    let value = argument.value();
    let comparison = match argument.op() {
        LinuxSeccompOperator::ScmpCmpNe => Comparison::NotEqual(value),
        LinuxSeccompOperator::ScmpCmpLt => Comparison::Less(value),
        LinuxSeccompOperator::ScmpCmpLe => Comparison::AtMost(value),
        LinuxSeccompOperator::ScmpCmpEq => Comparison::Equal(value),
        LinuxSeccompOperator::ScmpCmpGe => Comparison::AtLeast(value),
        LinuxSeccompOperator::ScmpCmpGt => Comparison::Greater(value),
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            Comparison::Masked { mask: value, value: argument.value_two().unwrap_or(0) }
        }
    };
    let index = argument.index();
    let argument = u8::try_from(index)
        .context(|| format!("linux.seccomp: system calls have no argument {index}"))?;
    Ok(Condition { argument, comparison })
}

fn flags(seccomp: &LinuxSeccomp, notifies: bool) -> libc::c_ulong {
    let asked = seccomp.flags().as_deref().unwrap_or_default().iter().map(|flag| match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // There is one thread, and the filter cannot be above others in some of many.
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
        // The kernel refuses it where there are no notifications to wait for.
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if !notifies => 0,
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => {
            libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
        }
    });
    let listener = if notifies { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    asked.fold(listener, |flags, flag| flags | flag)
}

impl Listener {
    /// Connects to the agent.
    pub(crate) fn connect(&self) -> Outcome<UnixStream> {
        UnixStream::connect(&self.path).context(|| self.what())
    }

    /// Gives the agent the descriptor that installing the filter gave, and says which container it is
    /// of: `pid` is the filtered process, as the agent sees it, `state` the container's, as hooks get it.
    ///
    /// The process waits for the agent's answer at the first call that the filter leaves to it.
    pub(crate) fn send(
        &self,
        mut agent: &UnixStream,
        listener: BorrowedFd<'_>,
        pid: i32,
        state: &str,
    ) -> Outcome<()> {
        let state: State = serde_json::from_str(state).context(|| self.what())?;
        let mut message = ContainerProcessState::default();
        message
            .set_version(state.version().clone())
            .set_fds(vec![SECCOMP_FD_NAME.to_owned()])
            .set_pid(pid)
            .set_metadata(self.metadata.clone())
            .set_state(state);
        let message = serde_json::to_vec(&message).context(|| self.what())?;
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = [listener];
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let first = [IoSlice::new(&message)];
        let sent = sendmsg(agent.as_fd(), &first, &mut ancillary, SendFlags::NOSIGNAL);
        let sent = sent.context(|| self.what())?;
        agent.write_all(&message[sent..]).context(|| self.what())?;
        // An agent may read to the end before it answers.
        agent.shutdown(Shutdown::Write).context(|| self.what())
    }

    fn what(&self) -> String {
        format!("the seccomp agent at {}", self.path.display())
    }
}
