//! What became of a run.

use std::ffi::c_char;
use std::ptr;

use super::handles::{Error, Report};
use super::pointers::{Place, always, answer, needed};
use crate::words;

/// The program ended by itself; stockade_report_code has its status.
pub const STOCKADE_VERDICT_EXITED: i32 = 300;
/// A signal that Stockade did not send killed it; stockade_report_code has the number.
pub const STOCKADE_VERDICT_SIGNALED: i32 = 301;
/// A limit ended it; stockade_report_control says which.
pub const STOCKADE_VERDICT_LIMIT: i32 = 302;
/// It was stopped for a forbidden act; stockade_report_control says which control forbids it.
pub const STOCKADE_VERDICT_DENIED: i32 = 303;
/// A module trapped.
pub const STOCKADE_VERDICT_TRAPPED: i32 = 304;
/// The caller stopped it.
pub const STOCKADE_VERDICT_CANCELLED: i32 = 305;
/// Enforced as asked.
pub const STOCKADE_ENFORCED: i32 = 400;
/// Nearly as asked. The report's JSON says what may be missed.
pub const STOCKADE_APPROXIMATED: i32 = 401;
/// Not at all. The report's JSON says why.
pub const STOCKADE_NOT_ENFORCED: i32 = 402;
/// Nanoseconds from the start to the end of the last process, building the sandbox included.
pub const STOCKADE_WALL_NS: i32 = 600;
/// Nanoseconds of processor time in user mode, of all tasks.
pub const STOCKADE_CPU_USER_NS: i32 = 601;
/// Nanoseconds of processor time in the kernel, of all tasks.
pub const STOCKADE_CPU_SYSTEM_NS: i32 = 602;
/// Most bytes held at once.
pub const STOCKADE_PEAK_MEMORY: i32 = 603;
/// Most tasks alive at once; 0 where nothing counts them.
pub const STOCKADE_PEAK_PROCESSES: i32 = 604;
/// Bytes written to standard output, as far as they were read.
pub const STOCKADE_STDOUT_BYTES: i32 = 605;
/// Bytes written to standard error, as far as they were read.
pub const STOCKADE_STDERR_BYTES: i32 = 606;
/// Instructions of WebAssembly, where fuel is limited.
pub const STOCKADE_FUEL_USED: i32 = 607;
/// 1 if standard output was longer than what was kept.
pub const STOCKADE_STDOUT_TRUNCATED: i32 = 608;
/// 1 if standard error was longer than what was kept.
pub const STOCKADE_STDERR_TRUNCATED: i32 = 609;
/// Of STOCKADE_VERDICT_LIMIT: the limit, in the control's unit.
pub const STOCKADE_LIMIT: i32 = 610;
/// Of STOCKADE_VERDICT_LIMIT: what was observed when it was reached.
pub const STOCKADE_OBSERVED: i32 = 611;
/// Nanoseconds that preparing took, once for all runs of a stockade_prepared.
pub const STOCKADE_PREPARE_NS: i32 = 612;
/// Nanoseconds from the call that started the run until the program was executed.
pub const STOCKADE_START_NS: i32 = 613;
/// Nanoseconds from the program's end until nothing of it was alive.
pub const STOCKADE_TEARDOWN_NS: i32 = 614;

/// Why the run ended: a STOCKADE_VERDICT. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_report_verdict(report: Option<&Report>) -> i32 {
    report.map_or(0, |report| report.account.verdict())
}

/// Of STOCKADE_VERDICT_EXITED the exit status, of STOCKADE_VERDICT_SIGNALED the signal's number, else -1.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_report_code(report: Option<&Report>) -> i32 {
    report.map_or(-1, |report| report.account.code())
}

/// Of STOCKADE_VERDICT_LIMIT and STOCKADE_VERDICT_DENIED the control, a STOCKADE_CONTROL; else 0.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_report_control(report: Option<&Report>) -> i32 {
    report.map_or(0, |report| report.account.control())
}

/// An amount, one of STOCKADE_WALL_NS to STOCKADE_TEARDOWN_NS. 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_report_amount(report: Option<&Report>, amount: i32) -> u64 {
    report.map_or(0, |report| report.account.amount(amount))
}

/// What was captured of STOCKADE_STDOUT or STOCKADE_STDERR, and in `length`, unless that is NULL, its length.
/// A NUL stands behind it, so that text can be printed as it is; what a program prints may have NULs within.
///
/// The bytes belong to the report. NULL for NULL and for another stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_report_output(
    report: Option<&Report>,
    stream: i32,
    length: *mut usize,
) -> *const u8 {
    let output = report.and_then(|report| report.account.output(stream));
    if !length.is_null() {
        length.write(output.map_or(0, |output| output.len() - 1));
    }
    output.map_or(ptr::null(), <[u8]>::as_ptr)
}

/// How well a control was enforced: STOCKADE_ENFORCED, STOCKADE_APPROXIMATED or STOCKADE_NOT_ENFORCED. 0 for
/// one that the receipt does not have, since it was not asked for.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_report_enforcement(report: Option<&Report>, control: i32) -> i32 {
    let enforced =
        |report: &Report| words::control(control).map(|known| report.account.enforcement(known));
    always(0, || report.map_or(0, |report| enforced(report).unwrap_or(0)))
}

/// The whole report as JSON but for what was captured: verdict, usage, what became of the output, for every
/// control what enforced it, timings, policy_hash and version.
///
/// Errors: STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_report_json(
    report: Option<&Report>,
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let report = needed(report, "report")?;
        Place::new(json, "json")?.give_text(report.account.to_json()?);
        Ok(())
    })
}

/// Frees a report. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_report_free(report: Option<Box<Report>>) {
    drop(report);
}
