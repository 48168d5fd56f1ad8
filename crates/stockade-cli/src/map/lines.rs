//! Lines of the input, read by a thread of their own.
//!
//! A read may last for ever, when somebody holds a pipe open and writes nothing. The thread is
//! never waited for, and ends with the process.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use stockade::Result;

use super::{open, unreadable};
use crate::stream;

/// Longest line that is read, in bytes; of a longer one only its end is looked for.
pub(super) const LONGEST: usize = 16 << 20;

/// Where jobs come from.
pub(super) struct Input {
    file: File,
    metadata: Metadata,
}

/// One line of the input that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1, blank ones too.
    pub(super) number: u64,
    /// Its text; `None` if it is too long.
    pub(super) text: Option<Vec<u8>>,
    /// Bytes of the input up to its end.
    pub(super) position: u64,
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let standard = || io::stdin().as_fd().try_clone_to_owned();
        let file = open(path, standard, |path| File::open(path));
        let file = file.map_err(|error| unreadable(path, error))?;
        let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
        Ok(Self { file, metadata })
    }

    /// Its length in bytes, if that is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.metadata.is_file().then_some(self.metadata.len())
    }

    /// Whether it is read from this regular file.
    pub(super) fn is(&self, other: &Metadata) -> bool {
        let place = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        other.is_file() && place(&self.metadata) == place(other)
    }

    /// Starts to read. A line is read when the one before it was taken.
    pub(super) fn follow(self) -> io::Result<Receiver<io::Result<Line>>> {
        let (sender, lines) = mpsc::sync_channel(1);
        let reader = BufReader::with_capacity(64 << 10, self.file);
        thread::Builder::new().name("jobs".to_owned()).spawn(move || read(reader, &sender))?;
        Ok(lines)
    }
}

/// Reads to the end, or until nobody wants more.
fn read(mut reader: impl BufRead, lines: &SyncSender<io::Result<Line>>) {
    let (mut number, mut position) = (0, 0);
    loop {
        let mut text = Vec::new();
        let (length, whole) = match next_line(&mut reader, &mut text, LONGEST) {
            Ok((0, _)) => return,
            Ok(read) => read,
            Err(error) => {
                let _: std::result::Result<(), _> = lines.send(Err(error));
                return;
            }
        };
        number += 1;
        position += length;
        if whole && text.trim_ascii().is_empty() {
            continue;
        }
        let line = Line { number, text: whole.then_some(text), position };
        if lines.send(Ok(line)).is_err() {
            return;
        }
    }
}

/// Reads up to the end of a line, and keeps it if it is no longer than `longest`. Gives how many
/// bytes were read, and whether the line was kept.
pub(super) fn next_line(
    reader: &mut impl BufRead,
    text: &mut Vec<u8>,
    longest: usize,
) -> io::Result<(u64, bool)> {
    let (mut length, mut whole) = (0, true);
    loop {
        let block = match reader.fill_buf() {
            Ok(block) => block,
            Err(error) if stream::retry(&error) => continue,
            Err(error) => return Err(error),
        };
        let end = block.iter().position(|&byte| byte == b'\n');
        let part = &block[..end.unwrap_or(block.len())];
        whole = whole && text.len() + part.len() <= longest;
        if whole {
            text.extend_from_slice(part);
        } else {
            *text = Vec::new();
        }
        let used = part.len() + usize::from(end.is_some());
        let over = end.is_some() || used == 0;
        reader.consume(used);
        length += used as u64;
        if over {
            return Ok((length, whole));
        }
    }
}
