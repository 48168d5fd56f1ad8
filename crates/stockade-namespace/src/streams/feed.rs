//! What a program reads: bytes, a file or a pipe, pumped into its standard input.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use stockade_core::Input;

/// How much is read from a file or pipe at once; as much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// Input on its way to a program.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The program's standard input; closed, which is `None`, once all is written.
    pipe: Option<OwnedFd>,
    source: Source,
    buffer: Vec<u8>,
    written: usize,
}

#[derive(Debug)]
enum Source {
    None,
    File(File),
    Pipe(OwnedFd),
}

impl Feed {
    /// Input from `input` to `pipe`. Input that the caller streams is none here.
    pub(crate) fn new(input: Input, pipe: Option<OwnedFd>) -> Self {
        let (source, buffer) = match input {
            Input::Bytes(bytes) => (Source::None, bytes),
            // Only a regular file is always ready; a FIFO or terminal opened as one is waited for.
            Input::File(file) if file.metadata().is_ok_and(|meta| meta.is_file()) => {
                (Source::File(file), Vec::new())
            }
            Input::File(file) => (Source::Pipe(file.into()), Vec::new()),
            Input::Pipe(fd) => (Source::Pipe(fd), Vec::new()),
            _ => (Source::None, Vec::new()),
        };
        Self { pipe, source, buffer, written: 0 }
    }

    fn has_bytes(&self) -> bool {
        self.written < self.buffer.len()
    }

    /// What has to become readable before there is something to write.
    pub(crate) fn readable(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Pipe(fd) if self.pipe.is_some() && !self.has_bytes() => Some(fd.as_fd()),
            _ => None,
        }
    }

    /// What has to become writable before something can be written.
    pub(crate) fn writable(&self) -> Option<BorrowedFd<'_>> {
        let waiting = self.readable().is_some();
        self.pipe.as_ref().filter(|_| !waiting).map(AsFd::as_fd)
    }

    /// Reads what is there.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        if self.has_bytes() {
            return Ok(());
        }
        self.buffer.resize(CHUNK, 0);
        self.written = 0;
        let read = match &mut self.source {
            Source::None => Ok(0),
            Source::File(file) => file.read(&mut self.buffer),
            Source::Pipe(fd) => rustix::io::read(&*fd, &mut self.buffer).map_err(io::Error::from),
        };
        match read {
            Ok(len) => {
                self.buffer.truncate(len);
                if len == 0 {
                    self.pipe = None;
                }
                Ok(())
            }
            Err(error) => {
                self.buffer.clear();
                match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
                    _ => Err(error),
                }
            }
        }
    }

    /// Writes what the pipe takes.
    pub(crate) fn pour(&mut self) -> io::Result<()> {
        if !self.has_bytes() && !matches!(self.source, Source::Pipe(_)) {
            self.fill()?;
        }
        let Some(pipe) = &self.pipe else { return Ok(()) };
        if self.has_bytes() {
            match rustix::io::write(pipe, &self.buffer[self.written..]) {
                Ok(done) => self.written += done,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}
