//! [`Drain`]: the host's side of one output, and the thread that moves it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, SyncSender};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use stockade_core::Output;

use super::streams::Chunk;

/// What the thread that waits for a run is told about its outputs.
pub(super) enum News {
    /// One of those that are waited for is where it goes.
    Moved,
    /// The run was stopped.
    Stopped,
}

/// The host's side of one output.
#[derive(Debug)]
pub(super) struct Drain {
    /// What the program is given.
    pub(super) output: Output,
    /// Where a streamed output is moved to.
    to: Option<Target>,
    /// Whether the run is over only when all of it is there. Who has a pipe or a channel sees its end.
    awaited: bool,
    /// The end that the caller reads, if there is a pipe.
    reader: Option<OwnedFd>,
}

/// Where an output is moved to.
#[derive(Debug)]
enum Target {
    File(File),
    Chunks { to: SyncSender<Chunk>, stream: usize },
}

impl Drain {
    /// Into the report, or nowhere: there is nothing to move.
    pub(super) fn still(output: Output) -> Self {
        Self { output, to: None, awaited: false, reader: None }
    }

    /// Into a new pipe.
    pub(super) fn pipe() -> io::Result<Self> {
        let (reader, to) = pipe()?;
        let to = Target::File(to.into());
        Ok(Self { reader: Some(reader), ..Self::streamed(to, false) })
    }

    /// To a descriptor.
    pub(super) fn descriptor(to: OwnedFd) -> Self {
        Self::streamed(Target::File(to.into()), true)
    }

    /// Into a channel, as what the program has printed to its descriptor `stream`.
    pub(super) fn chunks(to: SyncSender<Chunk>, stream: usize) -> Self {
        Self::streamed(Target::Chunks { to, stream }, false)
    }

    fn streamed(to: Target, awaited: bool) -> Self {
        Self { output: Output::Streamed, to: Some(to), awaited, reader: None }
    }

    /// One that goes where this one goes.
    pub(super) fn beside(&self) -> io::Result<Self> {
        let to = self.to.as_ref().map(Target::try_clone).transpose()?;
        Ok(Self { output: self.output, to, awaited: self.awaited, reader: None })
    }

    /// Moves what `from` gives, in a thread of its own, until it ends or nobody reads any more. Gives
    /// the caller's end, and how often [`News::Moved`] is to be expected.
    pub(super) fn run(
        self,
        from: Option<Box<dyn Read + Send>>,
        news: &Sender<News>,
    ) -> io::Result<(Option<OwnedFd>, usize)> {
        let mut awaited = 0;
        if let (Some(to), Some(from)) = (self.to, from) {
            let news = self.awaited.then(|| news.clone());
            awaited = usize::from(news.is_some());
            let thread = thread::Builder::new().name("stockade-stream".to_owned());
            // A few frames and the buffer; the default of 2 MiB would be counted where limits of
            // address space are.
            thread.stack_size(256 << 10).spawn(move || {
                relay(from, to);
                // Nobody hears it whose run was dropped.
                news.map(|news| news.send(News::Moved))
            })?;
        }
        Ok((self.reader, awaited))
    }
}

impl Target {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::File(file) => Self::File(file.try_clone()?),
            Self::Chunks { to, stream } => Self::Chunks { to: to.clone(), stream: *stream },
        })
    }

    /// Waits until all of it is there.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => write_all(file, bytes),
            Self::Chunks { to, stream } => to
                .send(Chunk { stream: *stream, bytes: bytes.to_vec() })
                .map_err(|_| io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// A reader that has left is told to the program by dropping `from`.
fn relay(mut from: Box<dyn Read + Send>, mut to: Target) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if to.take(&buffer[..count]).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Writes all of it, also where the caller has made the descriptor non-blocking: what is full now has
/// room later.
fn write_all(to: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // A signal ends the wait, and the next attempt waits again.
                let _ = poll(&mut [PollFd::new(to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A pipe that no program inherits.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}
