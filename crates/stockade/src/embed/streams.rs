//! [`Streams`]: where the streams of a run go, as other languages have it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, SyncSender};

use rustix::fs::{FileType, fstat};
use stockade_core::{Execution, Input, Output, Stdio};

use super::drain::{Drain, News, pipe};

/// What a program reads.
#[derive(Debug, Default)]
pub enum Source {
    /// Nothing: end of file at once.
    #[default]
    Empty,
    /// These bytes, then end of file.
    Bytes(Vec<u8>),
    /// What a descriptor gives: of a file from its current position, else until its end.
    Descriptor(OwnedFd),
    /// A new pipe, whose writing end the caller gets: see [`Background::take_pipe`].
    ///
    /// [`Background::take_pipe`]: super::Background::take_pipe
    Pipe,
}

/// Where an output goes.
#[derive(Debug, Default)]
pub enum Sink {
    /// Into the report.
    #[default]
    Captured,
    /// Nowhere. It is read and counted, so that the program does not block.
    Discarded,
    /// Into a new pipe, whose reading end the caller gets: see [`Background::take_pipe`].
    ///
    /// [`Background::take_pipe`]: super::Background::take_pipe
    Pipe,
    /// To a descriptor, which may be non-blocking. The run is over when all of it is there.
    Descriptor(OwnedFd),
    /// Into a channel, as it comes, in chunks of 64 KiB at most. Its end is that of the channel, which
    /// may come after that of the run. A channel whose receiver is gone is a closed pipe to the program.
    Chunks(SyncSender<Chunk>),
    /// For standard error alone: where standard output goes, unless that is [`Sink::Captured`]. The
    /// program has two pipes all the same, so that what it prints to both at once may change places.
    Stdout,
}

/// What a program has printed at once: see [`Sink::Chunks`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// 1 for standard output and 2 for standard error, so that one channel can serve both. What goes
    /// where standard output goes is 1.
    pub stream: usize,
    /// At least one.
    pub bytes: Vec<u8>,
}

/// An output cannot go where it was sent: see [`Sink::Stdout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misdirected {
    /// Standard output to where standard output goes.
    #[error("standard output cannot go where standard output goes")]
    ToItself,
    /// Standard error to where standard output goes, which is captured: a report has both apart.
    #[error("standard error cannot go where standard output goes, since that is captured")]
    ToCaptured,
}

/// The streams of a run, and what moves them.
///
/// A run is started with [`stdio`](Self::stdio), and both are given to
/// [`Background::watch`](super::Background::watch); where nothing is to be moved, which
/// [`is_still`](Self::is_still) says, the run can be waited for without.
#[derive(Debug)]
pub struct Streams {
    stdio: Option<Stdio>,
    drains: [Drain; 2],
    writer: Option<OwnedFd>,
}

impl Streams {
    /// Makes the pipes that are wanted.
    ///
    /// # Errors
    /// What the system says when there are no more descriptors, or one of those given is closed; and
    /// [`Misdirected`], of the kind `InvalidInput`.
    ///
    /// # Example
    /// ```
    /// use stockade::embed::{Sink, Source, Streams};
    ///
    /// let mut streams = Streams::open(Source::Empty, Sink::Captured, Sink::Discarded)?;
    /// assert!(streams.is_still());
    /// let stdio = streams.stdio();
    /// # let _ = stdio;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open(stdin: Source, stdout: Sink, stderr: Sink) -> io::Result<Self> {
        let (input, writer) = match stdin {
            Source::Empty => (Input::Empty, None),
            Source::Bytes(bytes) => (Input::Bytes(bytes), None),
            Source::Descriptor(fd) => (input(fd)?, None),
            Source::Pipe => {
                let (reader, writer) = pipe()?;
                (Input::Pipe(reader), Some(writer))
            }
        };
        let misdirected = |how| io::Error::new(io::ErrorKind::InvalidInput, how);
        let stdout = drain(stdout, 1)?.ok_or_else(|| misdirected(Misdirected::ToItself))?;
        let stderr = match drain(stderr, 2)? {
            Some(drain) => drain,
            None if stdout.output == Output::Captured => {
                return Err(misdirected(Misdirected::ToCaptured));
            }
            None => stdout.beside()?,
        };
        let mut stdio = Stdio::captured().stdin(input);
        stdio.stdout = stdout.output;
        stdio.stderr = stderr.output;
        Ok(Self { stdio: Some(stdio), drains: [stdout, stderr], writer })
    }

    /// What the run is started with, once; from then on, captured output and no input.
    pub fn stdio(&mut self) -> Stdio {
        self.stdio.take().unwrap_or_default()
    }

    /// Whether no stream has a pipe or needs a thread, so that the run can be waited for by itself.
    pub fn is_still(&self) -> bool {
        let moved = self.drains.iter().any(|drain| drain.output == Output::Streamed);
        !moved && self.writer.is_none()
    }

    /// Starts moving; gives the caller's ends of stdin, stdout and stderr, and how many outputs are
    /// to be waited for.
    pub(super) fn connect(
        self,
        run: &mut dyn Execution,
        news: &Sender<News>,
    ) -> io::Result<([Option<OwnedFd>; 3], usize)> {
        let [stdout, stderr] = self.drains;
        let (stdout, first) = stdout.run(run.stdout(), news)?;
        let (stderr, second) = stderr.run(run.stderr(), news)?;
        Ok(([self.writer, stdout, stderr], first + second))
    }
}

fn input(fd: OwnedFd) -> io::Result<Input> {
    let is_file = FileType::from_raw_mode(fstat(&fd)?.st_mode).is_file();
    Ok(if is_file { Input::File(File::from(fd)) } else { Input::Pipe(fd) })
}

/// `None`: where standard output goes.
fn drain(sink: Sink, stream: usize) -> io::Result<Option<Drain>> {
    Ok(Some(match sink {
        Sink::Captured => Drain::still(Output::Captured),
        Sink::Discarded => Drain::still(Output::Discarded),
        Sink::Pipe => Drain::pipe()?,
        Sink::Descriptor(fd) => Drain::descriptor(fd),
        Sink::Chunks(to) => Drain::chunks(to, stream),
        Sink::Stdout => return Ok(None),
    }))
}
