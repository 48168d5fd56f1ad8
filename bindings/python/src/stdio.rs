//! Streams: what Python says of them.

use std::os::fd::RawFd;

use pyo3::prelude::*;
use stockade::embed::{Sink, Source, Streams};

use crate::descriptors::duplicate;

/// What a program reads.
#[derive(FromPyObject)]
pub(crate) enum Given {
    /// These bytes.
    #[pyo3(transparent)]
    Bytes(Vec<u8>),
    /// What a descriptor gives.
    #[pyo3(transparent)]
    Descriptor(RawFd),
}

/// Whether standard input is a pipe, where standard output goes, and where standard error goes, which is
/// where standard output goes if nothing is said of it.
pub(crate) type Wanted = (bool, RawFd, Option<RawFd>);

/// Captured output, unless something else is wanted.
pub(crate) fn open(given: Option<Given>, wanted: Option<Wanted>) -> PyResult<Streams> {
    let (piped, stdout, stderr) = match wanted {
        None => (false, Sink::Captured, Sink::Captured),
        Some((piped, stdout, stderr)) => {
            (piped, sink(stdout)?, stderr.map_or(Ok(Sink::Stdout), sink)?)
        }
    };
    let stdin = match given {
        _ if piped => Source::Pipe,
        None => Source::Empty,
        Some(Given::Bytes(bytes)) => Source::Bytes(bytes),
        Some(Given::Descriptor(number)) => Source::Descriptor(duplicate(number)?),
    };
    Ok(Streams::open(stdin, stdout, stderr)?)
}

/// As `subprocess` numbers them: `PIPE` is -1 and `DEVNULL` is -3.
fn sink(number: RawFd) -> PyResult<Sink> {
    Ok(match number {
        -1 => Sink::Pipe,
        -3 => Sink::Discarded,
        number => Sink::Descriptor(duplicate(number)?),
    })
}
