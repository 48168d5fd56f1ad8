//! The streams of a run: what a guest reads and prints, in memory, bounded.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use stockade_core::{Control, Input, Output};

use crate::tether::{Stop, Tether};

/// How much a live stream holds before its writer waits; as much as a pipe.
const ROOM: usize = 64 << 10;
/// How long a read from a descriptor of the caller's goes on before the tether is looked at.
const SLICE: Timespec = Timespec { tv_sec: 0, tv_nsec: 4_000_000 };

/// A stream between a guest and its caller while the run goes on.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    state: Mutex<PipeState>,
}

#[derive(Debug, Default)]
struct PipeState {
    bytes: VecDeque<u8>,
    writer_is_gone: bool,
    reader_is_gone: bool,
}

impl Pipe {
    fn state(&self) -> MutexGuard<'_, PipeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is there; `None` while there is nothing, zero at the end.
    fn take(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut state = self.state();
        if state.bytes.is_empty() && !state.writer_is_gone {
            return None;
        }
        Some(state.bytes.read(buffer).unwrap_or(0))
    }

    /// Puts what there is room for; `None` while there is no room, all of it if nobody reads.
    fn put(&self, bytes: &[u8]) -> Option<usize> {
        let mut state = self.state();
        if state.reader_is_gone {
            return Some(bytes.len());
        }
        let room = ROOM.saturating_sub(state.bytes.len()).min(bytes.len());
        state.bytes.extend(&bytes[..room]);
        (room > 0 || bytes.is_empty()).then_some(room)
    }

    pub(crate) fn end_writing(&self) {
        self.state().writer_is_gone = true;
    }

    pub(crate) fn end_reading(&self) {
        self.state().reader_is_gone = true;
    }
}

/// What a guest reads.
#[derive(Debug)]
pub(crate) enum Source {
    Bytes(io::Cursor<Vec<u8>>),
    File(File),
    Descriptor(OwnedFd),
    Live(Arc<Pipe>),
}

/// Why a read or write of the guest's did not happen.
#[derive(Debug)]
pub(crate) enum StreamError {
    Stop(Stop),
    Io,
}

impl From<Stop> for StreamError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Source {
    /// The input of a run, and the caller's end of it if it is live.
    pub(crate) fn new(input: Input) -> (Self, Option<Arc<Pipe>>) {
        match input {
            Input::Bytes(bytes) => (Self::Bytes(io::Cursor::new(bytes)), None),
            // Only a regular file is always ready.
            Input::File(file) if file.metadata().is_ok_and(|meta| meta.is_file()) => {
                (Self::File(file), None)
            }
            Input::File(file) => (Self::Descriptor(file.into()), None),
            Input::Pipe(fd) => (Self::Descriptor(fd), None),
            Input::Streamed => {
                let pipe = Arc::new(Pipe::default());
                (Self::Live(Arc::clone(&pipe)), Some(pipe))
            }
            _ => (Self::Bytes(io::Cursor::default()), None),
        }
    }

    /// Whether a read would not wait.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Bytes(_) | Self::File(_) => true,
            Self::Descriptor(fd) => {
                let now = Timespec { tv_sec: 0, tv_nsec: 0 };
                poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)) != Ok(0)
            }
            Self::Live(pipe) => pipe.take(&mut []).is_some(),
        }
    }

    /// Whether it becomes ready without waking anyone.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Descriptor(_))
    }

    /// Reads for the guest; zero at the end.
    pub(crate) fn read(&mut self, tether: &Tether, into: &mut [u8]) -> Result<usize, StreamError> {
        match self {
            Self::Bytes(bytes) => bytes.read(into).map_err(|_| StreamError::Io),
            Self::File(file) => file.read(into).map_err(|_| StreamError::Io),
            Self::Descriptor(fd) => read_descriptor(fd, tether, into),
            Self::Live(pipe) => {
                let read = tether.wait_for(None, || pipe.take(into))?;
                tether.notify();
                Ok(read.unwrap_or(0))
            }
        }
    }
}

fn read_descriptor(fd: &OwnedFd, tether: &Tether, into: &mut [u8]) -> Result<usize, StreamError> {
    loop {
        tether.look()?;
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&SLICE)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return Err(StreamError::Io),
        }
        match rustix::io::read(fd, &mut *into) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            other => return other.map_err(|_| StreamError::Io),
        }
    }
}

/// What a guest prints on one stream: kept or passed on up to the limit, counted beyond it.
#[derive(Debug)]
pub(crate) struct Sink {
    keep: bool,
    live: Option<Arc<Pipe>>,
    pub(crate) kept: Vec<u8>,
    pub(crate) seen: u64,
    pub(crate) over: bool,
    limit: Option<u64>,
    drop_rest: bool,
}

impl Sink {
    pub(crate) fn new(output: Output, limit: Option<u64>, drop_rest: bool) -> Self {
        let live = (output == Output::Streamed).then(|| Arc::new(Pipe::default()));
        let keep = output == Output::Captured;
        Self { keep, live, kept: Vec::new(), seen: 0, over: false, limit, drop_rest }
    }

    /// Starts to count anew.
    pub(crate) fn begin(&mut self) {
        self.kept.clear();
        self.seen = 0;
        self.over = false;
    }

    /// The caller's end, if it is live.
    pub(crate) fn live(&self) -> Option<Arc<Pipe>> {
        self.live.clone()
    }

    /// Prints for the guest. Past the limit the run ends at exactly the byte after it, or the rest
    /// is dropped.
    pub(crate) fn write(&mut self, tether: &Tether, bytes: &[u8]) -> Result<(), Stop> {
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.seen));
        let fits = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        if self.keep {
            self.kept.extend_from_slice(&bytes[..fits]);
        } else if let Some(pipe) = &self.live {
            let mut rest = &bytes[..fits];
            while !rest.is_empty() {
                let put = tether.wait_for(None, || pipe.put(rest))?.unwrap_or(0);
                rest = &rest[put..];
                tether.notify();
            }
        }
        self.seen += fits as u64;
        if fits == bytes.len() {
            return Ok(());
        }
        self.over = true;
        if self.drop_rest {
            self.seen += (bytes.len() - fits) as u64;
            return Ok(());
        }
        self.seen += 1;
        let limit = self.limit.unwrap_or(u64::MAX);
        Err(Stop::Limit { control: Control::Output, limit, observed: self.seen })
    }
}

/// The caller's end of a live output.
#[derive(Debug)]
pub(crate) struct LiveOutput {
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) tether: Arc<Tether>,
}

impl Read for LiveOutput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.tether.wait_outside(|| self.pipe.take(buffer));
        self.tether.notify();
        Ok(read)
    }
}

impl Drop for LiveOutput {
    fn drop(&mut self) {
        self.pipe.end_reading();
        self.tether.notify();
    }
}

/// The caller's end of a live input.
#[derive(Debug)]
pub(crate) struct LiveInput {
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) tether: Arc<Tether>,
}

impl Write for LiveInput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pipe = &self.pipe;
        let put = self.tether.wait_outside(|| pipe.put(bytes));
        self.tether.notify();
        if pipe.state().reader_is_gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(put)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LiveInput {
    fn drop(&mut self) {
        self.pipe.end_writing();
        self.tether.notify();
    }
}
