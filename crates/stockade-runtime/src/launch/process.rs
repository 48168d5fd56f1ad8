//! [`Process`]: a process that this one has cloned and that is not a program yet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use super::channel::Channel;
use crate::failure::{Context, Failure, Outcome};
use crate::sys::clone::{Side, clone};

/// A child, which is killed and reaped if nothing comes of it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// Nothing once it was given away.
    pidfd: Option<OwnedFd>,
}

impl Process {
    /// Clones this process into new namespaces and has the copy do `rest`, which only comes back with a
    /// failure that was already told. `ours` is this process's end of the channel, which the copy has not:
    /// so it hears of it when this one is killed.
    pub(crate) fn clone_directly(
        flags: u64,
        group: Option<BorrowedFd<'_>>,
        ours: Channel,
        rest: impl FnOnce() -> Failure,
    ) -> Outcome<(Self, Channel)> {
        match clone(flags, group).context(|| "cloning a process".into())? {
            Side::Parent { pid, pidfd } => Ok((Self { pid, pidfd: Some(pidfd) }, ours)),
            Side::Child => {
                drop(ours);
                leave(rest)
            }
        }
    }

    /// The same by way of a process in between, which joins namespaces first, and is gone when this
    /// returns. `theirs` is the end of the channel that is the copy's.
    pub(crate) fn clone_in_two_steps(
        flags: u64,
        ours: Channel,
        theirs: Channel,
        join: impl FnOnce() -> Outcome<()>,
        rest: impl FnOnce(Channel) -> Failure,
    ) -> Outcome<(Self, Channel)> {
        let (step, ours) = Self::clone_directly(0, None, ours, move || {
            // Its parent is this one's, which waits for it.
            let cloned = join().and_then(|()| {
                clone(flags | libc::CLONE_PARENT as u64, None)
                    .context(|| "cloning a process".into())
            });
            let named = match cloned {
                Ok(Side::Child) => return rest(theirs),
                Ok(Side::Parent { pid, .. }) => theirs.name(pid),
                Err(failure) => Err(failure),
            };
            match named {
                Ok(()) => Failure::new(""),
                Err(failure) => {
                    theirs.fail(&failure);
                    failure
                }
            }
        })?;
        let pid = ours.process()?;
        step.reap();
        let id = Pid::from_raw(pid).ok_or_else(|| Failure::new("the container has no process"))?;
        // It is a child that nobody has waited for, so the number is still its own.
        let pidfd = pidfd_open(id, PidfdFlags::empty()).context(|| format!("opening {pid}"))?;
        Ok((Self { pid, pidfd: Some(pidfd) }, ours))
    }

    /// What it is followed by.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Lets it live on. Whoever adopts it waits for it.
    pub(crate) fn release(mut self) {
        self.pidfd = None;
    }

    fn reap(mut self) {
        if let Some(pidfd) = self.pidfd.take() {
            wait(pidfd.as_fd());
        }
    }
}

/// Waits until a child is gone.
fn wait(pidfd: BorrowedFd<'_>) {
    // Also for a child that ends without a signal to its parent.
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pidfd) = self.pidfd.take() {
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            wait(pidfd.as_fd());
        }
    }
}

/// Ends a child that did not become a program.
fn leave(rest: impl FnOnce() -> Failure) -> ! {
    // What its parent has open is not flushed nor removed a second time.
    let failed = !rest().to_string().is_empty();
    crate::sys::clone::end(i32::from(failed))
}
