//! [`Gate`]: what a container's process waits at between `create` and `start`.
//!
//! Two FIFOs in the container's state directory. The process holds both open, for reading and for writing,
//! so that neither ever ends by itself, and waits for a byte in the first. It closes both by execve(2), or
//! says in the second what kept it from that. So it is the kernel that knows whether a container has been
//! started: as long as somebody reads from the first FIFO, it has not.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, mknodat, openat};
use rustix::io::{Errno, retry_on_intr};

use crate::failure::{Context, Failure, Outcome};
use crate::home::Entry;

/// Where `start` knocks.
const START: &str = Entry::START;
/// Where the process says what went wrong.
const STARTED: &str = "started";

/// Both FIFOs, as the container's process holds them.
#[derive(Debug)]
pub(crate) struct Gate {
    start: File,
    started: File,
}

impl Gate {
    /// Makes both in a container's state directory.
    pub(crate) fn make(directory: BorrowedFd<'_>) -> Outcome<Self> {
        let fifo = |name: &str| -> Outcome<File> {
            let what = || format!("making the FIFO `{name}`");
            mknodat(directory, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).context(what)?;
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(openat(directory, name, flags, Mode::empty()).context(what)?.into())
        };
        Ok(Self { start: fifo(START)?, started: fifo(STARTED)? })
    }

    /// Waits for `start`.
    pub(crate) fn wait(&mut self) -> Outcome<()> {
        self.start.read_exact(&mut [0]).context(|| "waiting for start".into())
    }

    /// Says what kept the program from being started.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        // Less than the kernel keeps for a pipe, so that this never waits.
        let text: String = failure.to_string().chars().take(1000).collect();
        let _ = self.started.write_all(text.as_bytes());
    }
}

/// The other side of a gate at which a process waits.
#[derive(Debug)]
pub(crate) struct Knocker {
    start: File,
    started: File,
}

impl Knocker {
    /// Looks for the process that waits at the gate in a container's state directory. There is none where
    /// the container was started, or has ended, or never came so far.
    pub(crate) fn find(directory: BorrowedFd<'_>) -> Option<Self> {
        let end = |name: &str, flags: OFlags| -> rustix::io::Result<File> {
            let flags = flags | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(openat(directory, name, flags, Mode::empty())?.into())
        };
        // Without a reader this fails with ENXIO; see fifo(7).
        let start = end(START, OFlags::WRONLY).ok()?;
        let started = end(STARTED, OFlags::RDONLY).ok()?;
        Some(Self { start, started })
    }

    /// Lets the process go on, and waits until it is the program that was asked for.
    ///
    /// # Errors
    /// What kept it from that.
    pub(crate) fn knock(mut self) -> Outcome<()> {
        rustix::fs::fcntl_setfl(&self.started, OFlags::empty())
            .context(|| "waiting at the gate".into())?;
        match self.start.write_all(&[0]) {
            Err(error) if error.raw_os_error() == Some(Errno::PIPE.raw_os_error()) => {
                return Err(Failure::new("container not running"));
            }
            written => written.context(|| "knocking at the gate".into())?,
        }
        let mut said = String::new();
        self.started.read_to_string(&mut said).context(|| "waiting for the program".into())?;
        if !said.is_empty() {
            return Err(Failure::new(said));
        }
        // execve(2) closes both, a moment apart, and whether the first is read from is what `state` looks at.
        let mut unread = [PollFd::new(&self.start, PollFlags::empty())];
        retry_on_intr(|| poll(&mut unread, None)).context(|| "waiting for the program".into())?;
        Ok(())
    }
}
