//! Where the streams of a run go.

use std::ffi::c_void;
use std::os::fd::{BorrowedFd, OwnedFd};

use stockade::embed::{Sink, Source};

use super::callbacks::OutputCallback;
use super::pointers::bytes;
use crate::execution::{To, Wiring};
use crate::failure::Failure;
use crate::words::unknown;

/// Standard input.
pub const STOCKADE_STDIN: i32 = 0;
/// Standard output.
pub const STOCKADE_STDOUT: i32 = 1;
/// Standard error.
pub const STOCKADE_STDERR: i32 = 2;
/// For stockade_execution_take_fd: what can be read once the run is over.
pub const STOCKADE_END: i32 = 3;
/// Standard input: empty. Outputs: captured into the report.
pub const STOCKADE_STREAM_DEFAULT: i32 = 0;
/// Outputs: read, counted and dropped, so that the program does not block.
pub const STOCKADE_STREAM_DISCARD: i32 = 1;
/// Standard input: `length` bytes at `data`, copied when the run starts.
pub const STOCKADE_STREAM_BYTES: i32 = 2;
/// The descriptor `fd`, which is duplicated when the run starts and stays the caller's. The program never
/// gets it: it has a pipe, and the library moves the bytes.
pub const STOCKADE_STREAM_FD: i32 = 3;
/// A new pipe; stockade_execution_take_fd gives the caller's end.
pub const STOCKADE_STREAM_PIPE: i32 = 4;
/// Outputs: `function` is called with what was read, by the thread that waits for the run.
pub const STOCKADE_STREAM_CALLBACK: i32 = 5;
/// Standard error: where standard output goes, unless that is captured.
pub const STOCKADE_STREAM_STDOUT: i32 = 6;

/// Takes a piece of what a program printed: `length` bytes, at least one, that are there until it returns.
/// `stream` is STOCKADE_STDOUT or STOCKADE_STDERR. It is called on the thread that waits for the run, in the
/// order in which the pieces were read, never after that wait has returned, and may call this library.
///
/// Returns 0 to go on; anything else stops the run, whose verdict is then STOCKADE_VERDICT_CANCELLED.
pub type OutputFunction = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        stream: i32,
        data: *const u8,
        length: usize,
    ) -> i32,
>;

/// One of the three streams of a run. All zero is the default; members that its kind does not name are not
/// looked at.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Stream {
    /// A STOCKADE_STREAM.
    pub kind: i32,
    /// For STOCKADE_STREAM_FD.
    pub fd: i32,
    /// For STOCKADE_STREAM_BYTES.
    pub data: *const c_void,
    /// How many bytes `data` has.
    pub length: usize,
    /// For STOCKADE_STREAM_CALLBACK.
    pub function: OutputFunction,
    /// What `function` gets.
    pub user_data: *mut c_void,
}

/// The streams of a run. All zero is no input, and both outputs captured into the report.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Stdio {
    /// What the program reads.
    pub input: Stream,
    /// Where what it prints goes.
    pub output: Stream,
    /// Where its complaints go.
    pub error: Stream,
}

impl Wiring {
    /// # Safety
    /// Bytes are there for the length of the call, functions as long as the run.
    pub(super) unsafe fn of(stdio: Option<&Stdio>) -> Result<Self, Failure> {
        let Some(stdio) = stdio else { return Self::captured() };
        let input = match stdio.input.kind {
            STOCKADE_STREAM_DEFAULT => Source::Empty,
            STOCKADE_STREAM_BYTES => {
                let bytes = bytes(stdio.input.data, stdio.input.length, "stdio.input.data")?;
                Source::Bytes(bytes.to_vec())
            }
            STOCKADE_STREAM_FD => Source::Descriptor(duplicate(stdio.input.fd)?),
            STOCKADE_STREAM_PIPE => Source::Pipe,
            other => {
                let expected = "a STOCKADE_STREAM_DEFAULT, _BYTES, _FD or _PIPE";
                return Err(unknown("stdio.input.kind", other, expected));
            }
        };
        let output = to(&stdio.output, "stdio.output.kind")?;
        let error = match stdio.error.kind {
            STOCKADE_STREAM_STDOUT if stdio.output.kind == STOCKADE_STREAM_DEFAULT => {
                let wrong = "is STOCKADE_STREAM_STDOUT, and standard output is captured";
                return Err(Failure::argument("stdio.error.kind", wrong));
            }
            STOCKADE_STREAM_STDOUT => To::Sink(Sink::Stdout),
            _ => to(&stdio.error, "stdio.error.kind")?,
        };
        Self::new(input, output, error)
    }
}

unsafe fn to(stream: &Stream, name: &'static str) -> Result<To, Failure> {
    Ok(match stream.kind {
        STOCKADE_STREAM_DEFAULT => To::Sink(Sink::Captured),
        STOCKADE_STREAM_DISCARD => To::Sink(Sink::Discarded),
        STOCKADE_STREAM_FD => To::Sink(Sink::Descriptor(duplicate(stream.fd)?)),
        STOCKADE_STREAM_PIPE => To::Sink(Sink::Pipe),
        STOCKADE_STREAM_CALLBACK => {
            let wrong = || Failure::argument(name, "needs a function");
            let function = stream.function.ok_or_else(wrong)?;
            To::Callback(OutputCallback::new(function, stream.user_data))
        }
        other => {
            let expected = "a STOCKADE_STREAM_DEFAULT, _DISCARD, _FD, _PIPE or _CALLBACK";
            return Err(unknown(name, other, expected));
        }
    })
}

/// A duplicate of a descriptor that the caller keeps.
fn duplicate(number: i32) -> Result<OwnedFd, Failure> {
    if number < 0 {
        return Err(Failure::argument("fd", format!("is {number}, which is no descriptor")));
    }
    // SAFETY: it is borrowed for the length of one call, `fcntl(F_DUPFD_CLOEXEC)`, which takes any number:
    // of one that is not open the kernel makes an error.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let wrong = |error| Failure::argument("fd", format!("is {number}: {error}"));
    borrowed.try_clone_to_owned().map_err(wrong)
}
