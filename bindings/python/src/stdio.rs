//! Streams: what Python says of them, and the threads that move what is streamed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::sync::mpsc::Sender;
use std::thread;

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::pipe::{PipeFlags, pipe_with};
use stockade::{Execution, Input, Output, Stdio};

use crate::descriptors::duplicate;

/// What a program reads.
#[derive(FromPyObject)]
pub(crate) enum Source {
    /// These bytes.
    #[pyo3(transparent)]
    Bytes(Vec<u8>),
    /// What a descriptor gives.
    #[pyo3(transparent)]
    Descriptor(RawFd),
}

impl Source {
    pub(crate) fn input(source: Option<Self>) -> PyResult<Input> {
        Ok(match source {
            None => Input::Empty,
            Some(Self::Bytes(bytes)) => Input::Bytes(bytes),
            Some(Self::Descriptor(number)) => {
                let fd = duplicate(number)?;
                let is_file =
                    FileType::from_raw_mode(fstat(&fd).map_err(io::Error::from)?.st_mode).is_file();
                if is_file { Input::File(File::from(fd)) } else { Input::Pipe(fd) }
            }
        })
    }
}

/// Where an output goes that is not captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sink {
    /// Into a new pipe whose reading end the caller gets.
    Pipe,
    /// Nowhere.
    Nowhere,
    /// To a duplicate of this descriptor.
    Descriptor(RawFd),
}

impl From<RawFd> for Sink {
    /// As `subprocess` numbers them: `PIPE` is -1 and `DEVNULL` is -3.
    fn from(number: RawFd) -> Self {
        match number {
            -1 => Self::Pipe,
            -3 => Self::Nowhere,
            number => Self::Descriptor(number),
        }
    }
}

/// What the thread that waits for a run is told about its outputs.
pub(crate) enum News {
    /// One of those that are waited for is where it goes.
    Moved,
    /// The run was stopped.
    Stopped,
}

/// The host's side of one streamed output.
pub(crate) struct Drain {
    /// Where the output is moved to; `None` if it is dropped.
    to: Option<OwnedFd>,
    /// Whether the run is over only when all of it is there. Who has a pipe sees its end.
    awaited: bool,
    /// The end that the caller reads, if there is a pipe.
    pub(crate) reader: Option<OwnedFd>,
}

impl Drain {
    pub(crate) fn open(sink: Sink) -> PyResult<Self> {
        match sink {
            Sink::Pipe => {
                let (reader, to) = pipe()?;
                Ok(Self { to: Some(to), awaited: false, reader: Some(reader) })
            }
            Sink::Nowhere => Ok(Self { to: None, awaited: false, reader: None }),
            Sink::Descriptor(number) => {
                Ok(Self { to: Some(duplicate(number)?), awaited: true, reader: None })
            }
        }
    }

    /// One that goes where another goes.
    pub(crate) fn beside(other: &Self) -> PyResult<Self> {
        let to = other.to.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(Self { to, awaited: other.awaited, reader: None })
    }

    pub(crate) fn output(&self) -> Output {
        if self.to.is_some() { Output::Streamed } else { Output::Discarded }
    }

    /// Moves what `from` gives, in a thread of its own, until it ends or nobody reads any more. Gives
    /// the caller's end, and how often [`News::Moved`] is to be expected.
    pub(crate) fn run(
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
                relay(from, File::from(to));
                // Nobody hears it whose run was dropped.
                news.map(|news| news.send(News::Moved))
            })?;
        }
        Ok((self.reader, awaited))
    }
}

/// A reader that has left is told to the program by dropping `from`.
fn relay(mut from: Box<dyn Read + Send>, mut to: File) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if write_all(&mut to, &buffer[..count]).is_err() {
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
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// The streams of a run whose output is streamed, and what moves it.
pub(crate) struct Streams {
    stdio: Option<Stdio>,
    drains: [Drain; 2],
    writer: Option<OwnedFd>,
}

impl Streams {
    /// Standard error goes where standard output goes if nothing is said of it.
    pub(crate) fn open(
        stdin: Option<Source>,
        piped: bool,
        stdout: Sink,
        stderr: Option<Sink>,
    ) -> PyResult<Self> {
        let (input, writer) = if piped {
            let (reader, writer) = pipe()?;
            (Input::Pipe(reader), Some(writer))
        } else {
            (Source::input(stdin)?, None)
        };
        let stdout = Drain::open(stdout)?;
        let stderr = match stderr {
            Some(sink) => Drain::open(sink)?,
            None => Drain::beside(&stdout)?,
        };
        let mut stdio = Stdio::captured().stdin(input);
        stdio.stdout = stdout.output();
        stdio.stderr = stderr.output();
        Ok(Self { stdio: Some(stdio), drains: [stdout, stderr], writer })
    }

    /// What the run is started with, once.
    pub(crate) fn stdio(&mut self) -> Stdio {
        self.stdio.take().unwrap_or_default()
    }

    /// Starts moving; gives the caller's ends of stdin, stdout and stderr, and how many
    /// outputs are to be waited for.
    pub(crate) fn connect(
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
