//! Streams pass through: one thread for each of standard input, output and error.
//!
//! The threads copy bytes as they come and buffer nothing beyond one block. The one for input is
//! never waited for: it may sit in a read that lasts for ever, and ends with the process. The two
//! for output are, so that nothing the program printed is lost.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use stockade::{Execution, Killer};

use crate::interrupt::Interrupts;

const BLOCK: usize = 64 << 10;
/// How often a descriptor that somebody else made non-blocking is tried again.
const RETRY: Duration = Duration::from_millis(2);
/// How long an interrupted command still tries to pass on what was printed.
const GRACE: Duration = Duration::from_millis(500);

/// The streams of one run.
pub(crate) struct Streams {
    failure: Arc<Mutex<Option<Failure>>>,
    done: Receiver<()>,
    outputs: usize,
}

/// Why output could not be passed on.
pub(crate) struct Failure {
    pub(crate) stream: &'static str,
    pub(crate) error: io::Error,
}

/// One output on its way from the program to the caller.
struct Outlet {
    stream: &'static str,
    from: Box<dyn Read + Send>,
    to: File,
    killer: Arc<dyn Killer>,
    failure: Arc<Mutex<Option<Failure>>>,
}

impl Streams {
    /// Connects the run's streams to those of this process.
    pub(crate) fn connect(run: &mut dyn Execution) -> io::Result<Self> {
        let (sender, done) = mpsc::channel();
        let mut streams = Self { failure: Arc::default(), done, outputs: 0 };
        if let Some(to) = run.stdin() {
            let from = own(io::stdin().as_fd().try_clone_to_owned()?);
            thread::Builder::new().name("stdin".to_owned()).spawn(move || feed(from, to))?;
        }
        let stdout = run
            .stdout()
            .map(|from| ("standard output", from, io::stdout().as_fd().try_clone_to_owned()));
        let stderr = run
            .stderr()
            .map(|from| ("standard error", from, io::stderr().as_fd().try_clone_to_owned()));
        for (stream, from, to) in stdout.into_iter().chain(stderr) {
            let (killer, failure) = (run.killer(), Arc::clone(&streams.failure));
            let outlet = Outlet { stream, from, to: own(to?), killer, failure };
            outlet.spawn(sender.clone())?;
            streams.outputs += 1;
        }
        Ok(streams)
    }

    /// Waits, after the run is over, until everything it printed has been passed on.
    ///
    /// An interrupted command does not wait for a reader that does not read.
    pub(crate) fn finish(self, interrupts: &Interrupts) -> Option<Failure> {
        let mut open = self.outputs;
        let mut deadline = None;
        while open > 0 {
            match self.done.recv_timeout(GRACE / 10) {
                Ok(()) => open -= 1,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if interrupts.signal().is_some()
                && Instant::now() > *deadline.get_or_insert_with(|| Instant::now() + GRACE)
            {
                break;
            }
        }
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Outlet {
    fn spawn(self, done: Sender<()>) -> io::Result<()> {
        let name = self.stream.to_owned();
        thread::Builder::new().name(name).spawn(move || {
            self.pass_on();
            // Nobody waits any more when the command was interrupted.
            let _: Result<(), _> = done.send(());
        })?;
        Ok(())
    }

    /// Copies until the end. A reader that is gone, or a full disk, ends the run.
    fn pass_on(mut self) {
        let mut block = vec![0; BLOCK];
        // A program's output ends with its last writer; a failed read is no more than that.
        while let Some(bytes) = next(&mut self.from, &mut block) {
            if let Err(error) = write_all(&mut self.to, bytes) {
                self.killer.kill();
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(Failure { stream: self.stream, error });
                break;
            }
        }
    }
}

/// Copies standard input to the program until either end closes.
fn feed(mut from: File, mut to: Box<dyn Write + Send>) {
    let mut block = vec![0; BLOCK];
    while let Some(bytes) = next(&mut from, &mut block) {
        // A program need not read its input: that it stopped is no error.
        if write_all(&mut to, bytes).is_err() {
            break;
        }
    }
}

pub(crate) fn own(fd: OwnedFd) -> File {
    // A `File` reads and writes without a buffer, unlike the standard handles.
    File::from(fd)
}

/// The next bytes that come; `None` at the end.
fn next<'block>(from: &mut impl Read, block: &'block mut [u8]) -> Option<&'block [u8]> {
    loop {
        match from.read(block) {
            Ok(0) => return None,
            Ok(length) => return Some(&block[..length]),
            Err(error) => retry(&error).then_some(())?,
        }
    }
}

pub(crate) fn write_all(to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if retry(&error) => {}
            Err(error) => return Err(error),
        }
    }
    to.flush()
}

/// Whether to try again, after a pause if the descriptor is not ready. Standard streams are often
/// shared, and whoever shares them may have made them non-blocking.
pub(crate) fn retry(error: &io::Error) -> bool {
    if error.kind() == ErrorKind::WouldBlock {
        thread::sleep(RETRY);
    }
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests;
