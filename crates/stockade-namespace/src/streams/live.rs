//! Streams that the caller reads and writes while the program runs.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::execution::Lifeline;
use crate::warden::wait_nudging;

/// Bytes of a stream, counted against the output limit.
#[derive(Debug)]
pub(crate) struct Meter {
    seen: AtomicU64,
    limit: Option<u64>,
    drop_rest: bool,
    over: AtomicBool,
    /// Held while bytes go from the pipe into `seen`.
    taking: Mutex<()>,
}

impl Meter {
    pub(crate) fn new(limit: Option<u64>, drop_rest: bool) -> Self {
        Self {
            seen: AtomicU64::new(0),
            limit,
            drop_rest,
            over: AtomicBool::new(false),
            taking: Mutex::new(()),
        }
    }

    /// Reads from the pipe and counts, in one step for whoever counts what is left in it.
    fn take(&self, pipe: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let len = rustix::io::read(pipe, buffer)?;
        self.seen.fetch_add(len as u64, Ordering::AcqRel);
        Ok(len)
    }

    /// All bytes printed, those included that nobody has read from `pipe` yet; they count against
    /// the limit as well. The program must be over.
    pub(crate) fn settle(&self, pipe: &OwnedFd) -> u64 {
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let printed = self.seen() + rustix::io::ioctl_fionread(pipe).unwrap_or(0);
        if self.limit.is_some_and(|limit| printed > limit) {
            self.over.store(true, Ordering::Release);
        }
        printed
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    pub(crate) fn over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// A program's output as it comes. Reading waits for bytes or the end.
#[derive(Debug)]
pub(crate) struct LiveOutput {
    pub(crate) pipe: Arc<OwnedFd>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) run: Arc<Lifeline>,
}

impl Read for LiveOutput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let meter = &self.meter;
        while !buffer.is_empty() {
            let left = meter.limit.map_or(u64::MAX, |limit| limit.saturating_sub(meter.seen()));
            if left == 0 && meter.over() && !meter.drop_rest {
                return Ok(0);
            }
            // At the limit, one more byte tells whether there is more.
            let room = usize::try_from(left.max(1)).map_or(buffer.len(), |n| n.min(buffer.len()));
            match meter.take(&self.pipe, &mut buffer[..room]) {
                Ok(0) => return Ok(0),
                Ok(len) if left > 0 => return Ok(len),
                Ok(_) => {
                    meter.over.store(true, Ordering::Release);
                    if !meter.drop_rest {
                        self.run.stop_for_output();
                        return Ok(0);
                    }
                }
                Err(Errno::AGAIN) => {
                    let mut fds = [PollFd::new(&*self.pipe, PollFlags::IN)];
                    wait_nudging(&mut fds, || self.run.nudge())?;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(0)
    }
}

/// A program's input. Writing waits until the pipe takes the bytes or the run is over.
#[derive(Debug)]
pub(crate) struct LiveInput {
    pub(crate) pipe: OwnedFd,
    /// The other end, so that writing after the program's end is an error and not a signal.
    pub(crate) guard: OwnedFd,
    /// Ends when the run is over.
    pub(crate) over: OwnedFd,
    pub(crate) run: Arc<Lifeline>,
}

impl Write for LiveInput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        debug_assert!(std::os::fd::AsRawFd::as_raw_fd(&self.guard) >= 0);
        loop {
            let mut fds = [
                PollFd::new(&self.over, PollFlags::empty()),
                PollFd::new(&self.pipe, PollFlags::OUT),
                // Whoever writes need not be waiting at the same time.
                self.run.news(),
            ];
            wait_nudging(&mut fds, || self.run.nudge())?;
            if !(fds[0].revents().is_empty() && fds[2].revents().is_empty()) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            match rustix::io::write(&self.pipe, bytes) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
