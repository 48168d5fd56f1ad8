//! Runs that go on.

use std::os::fd::IntoRawFd;

use super::handles::{Error, Execution, Report};
use super::pointers::{Place, always, answer, needed};

/// Gives the caller's end of a stream that was STOCKADE_STREAM_PIPE: of STOCKADE_STDIN the one to write to,
/// whose closing is the program's end of file; of STOCKADE_STDOUT or STOCKADE_STDERR the one to read from,
/// once each. STOCKADE_END gives a descriptor that can be read once the run is over, for poll(2) and its
/// kin, as often as wanted; from the first time on a thread of the library waits for the run. It is not
/// given where output goes to functions, which stockade_execution_wait calls, nor while a thread is in that
/// call for a run whose outputs are captured: ask before.
///
/// The descriptor is the caller's to close; no program that the caller starts inherits it.
///
/// Errors: STOCKADE_INVALID_ARGUMENT, STOCKADE_IO, STOCKADE_HOST_LOST.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_execution_take_fd(
    execution: Option<&Execution>,
    stream: i32,
    fd: *mut i32,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let execution = needed(execution, "execution")?;
        let place = Place::new(fd, "fd")?;
        place.put(execution.take_fd(stream)?.into_raw_fd());
        Ok(())
    })
}

/// Waits until nothing of the run is alive and, where its output goes somewhere, until it is there. Called
/// again, it gives the same report once more; of two threads that wait, both get it.
///
/// A run always ends: it has a limit of wall time, unless that was lifted. A pipe of it that the caller
/// neither reads nor closes holds the program up, as pipes do.
///
/// Free the report by stockade_report_free. Errors: STOCKADE_NOT_FOUND, STOCKADE_PERMISSION_DENIED or
/// STOCKADE_SETUP when the sandbox could not be built, STOCKADE_HOST_LOST, STOCKADE_IO,
/// STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_execution_wait(
    execution: Option<&Execution>,
    report: *mut *mut Report,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let execution = needed(execution, "execution")?;
        Place::new(report, "report")?.give(execution.wait()?);
        Ok(())
    })
}

/// Stops the run: every process of it is killed. Any thread may call it, also while another waits. It does
/// not wait itself, and does nothing once the run has ended. The verdict is STOCKADE_VERDICT_CANCELLED.
///
/// Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_execution_kill(
    execution: Option<&Execution>,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || needed(execution, "execution")?.kill())
}

/// Frees a run. What is alive of it is killed, and nothing is when this returns. No other thread may use it
/// any more. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_execution_free(execution: Option<Box<Execution>>) {
    always((), || drop(execution));
}
