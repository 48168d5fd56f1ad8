//! Running programs.

use std::ffi::{c_char, c_void};

use super::handles::{Error, Execution, Policy, Prepared, Report, Sandbox};
use super::pointers::{Place, always, answer, bytes, command, needed, strings};
use super::stdio::Stdio;
use crate::execution::Wiring;
use crate::sandbox::{Code, Options, Which};

/// The policy, or the default one.
fn asked<T>(policy: Option<&Policy>, work: impl FnOnce(&Policy) -> T) -> T {
    match policy {
        Some(policy) => work(policy),
        None => work(&Policy::default()),
    }
}

/// Runs a program and waits until nothing of it is alive. How it ended is told by the report: a program that
/// ends badly is no error.
///
/// `sandbox`: NULL is one of STOCKADE_BACKEND_AUTO for this call alone; with one that is kept, a run starts
/// faster. `policy`: NULL is the default one. `argv` ends with NULL; its first string is a name that is
/// looked up inside the sandbox, a path inside, or the path of a module on the host; an array of `char *`, as
/// that of main, needs a cast. `stdio`: NULL is no input and captured outputs; STOCKADE_STREAM_PIPE is for
/// stockade_start.
///
/// Free the report by stockade_report_free. Errors: STOCKADE_INVALID_POLICY, STOCKADE_NOT_FOUND or
/// STOCKADE_PERMISSION_DENIED for what was asked; STOCKADE_UNSUPPORTED for controls that this host cannot
/// enforce; STOCKADE_SETUP, STOCKADE_HOST_LOST or STOCKADE_IO when the host fails; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_run(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    argv: *const *const c_char,
    stdio: Option<&Stdio>,
    report: *mut *mut Report,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(report, "report")?;
        let (name, args) = command(argv)?;
        let wiring = Wiring::of(stdio)?;
        let run = |sandbox: &Sandbox| {
            asked(policy, |policy| sandbox.run(policy, Code::Name(name), args, wiring))
        };
        place.give(match sandbox {
            Some(sandbox) => run(sandbox)?,
            None => run(&Sandbox::open(Which::Auto, Options::default())?)?,
        });
        Ok(())
    })
}

/// Starts a program and returns while it runs. Where both outputs are captured or discarded, what it reads
/// and prints is moved while stockade_execution_wait is called, and not before; its limits hold all the time.
///
/// Free the execution by stockade_execution_free. `sandbox` is needed; else as stockade_run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_start(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    argv: *const *const c_char,
    stdio: Option<&Stdio>,
    execution: *mut *mut Execution,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(execution, "execution")?;
        let sandbox = needed(sandbox, "sandbox")?;
        let (name, args) = command(argv)?;
        let wiring = Wiring::of(stdio)?;
        place.give(asked(policy, |policy| sandbox.start(policy, Code::Name(name), args, wiring))?);
        Ok(())
    })
}

/// Binds a policy to a program and computes all that can be computed before a run. Start it as often as
/// wanted, from any thread.
///
/// Free it by stockade_prepared_free. `sandbox` is needed; else, and the errors, as stockade_run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_prepare(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    argv: *const *const c_char,
    prepared: *mut *mut Prepared,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(prepared, "prepared")?;
        let sandbox = needed(sandbox, "sandbox")?;
        let (name, args) = command(argv)?;
        place.give(asked(policy, |policy| sandbox.prepare(policy, Code::Name(name), args))?);
        Ok(())
    })
}

/// The same for a WebAssembly module or component by its bytes, which are copied. `arguments` end with NULL
/// and do not begin with a name; NULL is none.
///
/// Errors: as stockade_prepare, and STOCKADE_INVALID_POLICY for bytes that are no module that this version
/// runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_prepare_module(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    data: *const c_void,
    length: usize,
    arguments: *const *const c_char,
    prepared: *mut *mut Prepared,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(prepared, "prepared")?;
        let sandbox = needed(sandbox, "sandbox")?;
        let code = Code::Bytes(bytes(data, length, "data")?);
        let arguments = strings(arguments);
        place.give(asked(policy, |policy| sandbox.prepare(policy, code, arguments))?);
        Ok(())
    })
}

/// How every control will be enforced, as JSON: `backend`, `policy`, `enforcement` as in the report, and
/// `policy_hash`. Nothing has started.
///
/// Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_prepared_plan_json(
    prepared: Option<&Prepared>,
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let prepared = needed(prepared, "prepared")?;
        Place::new(json, "json")?.give_text(prepared.plan_json()?);
        Ok(())
    })
}

/// Keeps `count` sandboxes of this program, at most 128, built and waiting, so that a start only has to let
/// one go. Returns at once. 0 ends it. Where a start takes microseconds anyway, for modules, it does nothing.
///
/// Errors: STOCKADE_INVALID_POLICY for more, STOCKADE_HOST_LOST, STOCKADE_SETUP, STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_prepared_warm(
    prepared: Option<&Prepared>,
    count: usize,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || needed(prepared, "prepared")?.warm(count))
}

/// Runs it and waits until nothing of it is alive; else as stockade_run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_prepared_run(
    prepared: Option<&Prepared>,
    stdio: Option<&Stdio>,
    report: *mut *mut Report,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(report, "report")?;
        place.give(needed(prepared, "prepared")?.run(Wiring::of(stdio)?)?);
        Ok(())
    })
}

/// Starts it and returns while it runs; else as stockade_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_prepared_start(
    prepared: Option<&Prepared>,
    stdio: Option<&Stdio>,
    execution: *mut *mut Execution,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(execution, "execution")?;
        place.give(needed(prepared, "prepared")?.start(Wiring::of(stdio)?)?);
        Ok(())
    })
}

/// Frees it. What it started goes on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_prepared_free(prepared: Option<Box<Prepared>>) {
    always((), || drop(prepared));
}
