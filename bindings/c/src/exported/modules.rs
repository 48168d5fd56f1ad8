//! Modules whose functions are called.

use std::ffi::{c_char, c_void};
use std::ptr::NonNull;

use stockade::wasm::HostCall;

use super::callbacks::imports as functions;
use super::constants as c;
use super::handles::{Call, Error, Instance, Module, Policy, Report, Sandbox};
use super::pointers::{Place, always, answer, bytes, needed, row, string, text};
use super::values::Value;
use crate::failure::Failure;
use crate::panics;
use crate::sandbox::Code;

/// A function of the host's that a module may import. `arguments` are what the guest passed, which are
/// nothing to be trusted but their count and types: those are what the signature of its stockade_import says.
/// `results` come with their types, and zeros; the function sets the numbers. `call` is for stockade_call_read,
/// stockade_call_write and stockade_call_cancelled, until the function returns.
///
/// It is called on the thread that calls the instance, and by as many threads at once as call instances. It
/// must not call the instance that calls it, and must not jump out of it by longjmp or an exception.
///
/// Returns 0; anything else ends the instance with a trap.
pub type HostFunction = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        call: *mut Call,
        arguments: *const Value,
        argument_count: usize,
        results: *mut Value,
        result_count: usize,
    ) -> i32,
>;

/// A function of the host's, and the name by which modules import it.
#[repr(C)]
pub struct Import {
    /// The module's name, such as "env".
    pub module: *const c_char,
    /// The function's name.
    pub name: *const c_char,
    /// The types it takes and returns, such as "i32 i32 -> i64" or "-> f64" or "i32 ->": a module that
    /// imports it with others is refused.
    pub signature: *const c_char,
    /// The function.
    pub function: HostFunction,
    /// What it gets. It has to be there as long as the module and its instances are.
    pub user_data: *mut c_void,
}

impl Call {
    /// It must not be kept longer than what it is of.
    pub(super) fn of(call: &mut HostCall<'_>) -> Self {
        Self { call: NonNull::from(call).cast() }
    }

    /// # Safety
    /// What it is of is still there, which the header promises to whoever is called, and is used by nobody
    /// else.
    unsafe fn call(&mut self) -> &mut HostCall<'static> {
        self.call.as_mut()
    }
}

/// Loads a module from a file of the host, to call its functions. `imports` are the functions it may import,
/// `import_count` of them; NULL with 0 is none. `sandbox` is needed, of STOCKADE_BACKEND_WASM or
/// STOCKADE_BACKEND_AUTO. `policy`: times, output and fuel are for each call anew, memory is what an instance
/// holds; NULL is the default one.
///
/// Free it by stockade_module_free. Errors: STOCKADE_INVALID_POLICY for what is no module, or imports a
/// function with another signature; STOCKADE_UNSUPPORTED for what it imports and is not given; for the file
/// STOCKADE_NOT_FOUND, STOCKADE_PERMISSION_DENIED; STOCKADE_SETUP, STOCKADE_HOST_LOST,
/// STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_module_load(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    path: *const c_char,
    imports: *const Import,
    import_count: usize,
    module: *mut *mut Module,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let code = Code::Name(string(path, "path")?.to_owned());
        load(sandbox, policy, code, row(imports, import_count, "imports")?, module)
    })
}

/// The same for a module by its bytes, which are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_module_load_bytes(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    data: *const c_void,
    length: usize,
    imports: *const Import,
    import_count: usize,
    module: *mut *mut Module,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let code = Code::Bytes(bytes(data, length, "data")?);
        load(sandbox, policy, code, row(imports, import_count, "imports")?, module)
    })
}

unsafe fn load(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    code: Code<'_>,
    imports: &[Import],
    module: *mut *mut Module,
) -> Result<(), Failure> {
    let place = Place::new(module, "module")?;
    let sandbox = needed(sandbox, "sandbox")?;
    let functions = functions(imports)?;
    place.give(match policy {
        Some(policy) => Module::load(sandbox, policy, code, &functions)?,
        None => Module::load(sandbox, &Policy::default(), code, &functions)?,
    });
    Ok(())
}

/// The functions of numbers that the module exports, as JSON:
/// `[{"name":"add","parameters":["i32","i32"],"results":["i32"]}]`.
///
/// Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_module_functions_json(
    module: Option<&Module>,
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let module = needed(module, "module")?;
        Place::new(json, "json")?.give_text(module.functions_json()?);
        Ok(())
    })
}

/// Makes an instance: a memory and state of its own, which last from call to call. A start function that
/// traps ends it, which its first call tells.
///
/// Free it by stockade_instance_free. Errors: STOCKADE_SETUP, STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_module_instantiate(
    module: Option<&Module>,
    instance: *mut *mut Instance,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(instance, "instance")?;
        place.give(needed(module, "module")?.instantiate()?);
        Ok(())
    })
}

/// Frees a module. Its instances go on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_module_free(module: Option<Box<Module>>) {
    always((), || drop(module));
}

/// Calls a function of numbers, on this thread and under the policy's limits. The arguments must be of its
/// types; `results` has room for `result_count`, which must be what it returns, and is written only on
/// success.
///
/// Errors: STOCKADE_ENDED when the call did not return; the instance is then over, and so says every later
/// call: stockade_instance_report has the verdict. STOCKADE_NOT_FOUND for an unknown name;
/// STOCKADE_INVALID_ARGUMENT for other counts or types than the function has, and when the instance is in a
/// call; STOCKADE_HOST_LOST.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_instance_call(
    instance: *mut Instance,
    name: *const c_char,
    arguments: *const Value,
    argument_count: usize,
    results: *mut Value,
    result_count: usize,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let instance = needed(instance.as_ref(), "instance")?;
        let name = text(name, "name")?;
        let arguments = row(arguments, argument_count, "arguments")?;
        let arguments = arguments.iter().copied().map(Value::number);
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        // Looked at, so that a row which is not there is known before anything runs.
        row(results.cast_const(), result_count, "results")?;
        let returned = instance.call(name, &arguments, result_count)?;
        for (place, value) in returned.into_iter().enumerate() {
            results.add(place).write(value.into());
        }
        Ok(())
    })
}

/// Gives `input_length` bytes to a function of bytes, and gives in `output` what it gave back, which is
/// `output_length` long, at most the limit of output.
///
/// The module exports `memory`; `stockade_alloc (i32 length) -> i32`, which gives the place for the input;
/// the function, `(i32 place, i32 length) -> i64`, which gives the place of its output times 2^32 plus the
/// length; and, if it wants it back, `stockade_free (i32 place, i32 length)`.
///
/// The output belongs to the instance until its next call, and is never NULL. Errors: as
/// stockade_instance_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_instance_call_bytes(
    instance: *mut Instance,
    name: *const c_char,
    input: *const c_void,
    input_length: usize,
    output: *mut *const u8,
    output_length: *mut usize,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let instance = needed(instance.as_ref(), "instance")?;
        let name = text(name, "name")?;
        let input = bytes(input, input_length, "input")?;
        let place = Place::new(output, "output")?;
        let length = Place::new(output_length, "output_length")?;
        instance.call_bytes(name, input, |output| {
            place.put(output.as_ptr());
            length.put(output.len());
        })
    })
}

/// What the last call used and printed, and how its limits were enforced. The verdict is
/// STOCKADE_VERDICT_EXITED with 0 unless the instance has ended. What was printed is moved into the report.
///
/// Free it by stockade_report_free. Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT, also when the
/// instance is in a call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_instance_report(
    instance: *mut Instance,
    report: *mut *mut Report,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let instance = needed(instance.as_ref(), "instance")?;
        Place::new(report, "report")?.give(instance.report()?);
        Ok(())
    })
}

/// Ends the instance, whatever it is doing. Any thread may call it, also during a call.
///
/// Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_instance_kill(
    instance: Option<&Instance>,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || needed(instance, "instance")?.kill())
}

/// Frees an instance. It must not be in a call. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_instance_free(instance: Option<Box<Instance>>) {
    always((), || drop(instance));
}

/// Within a host function: copies `length` bytes at `address` of the guest's memory to `buffer`.
///
/// Returns STOCKADE_OK, or STOCKADE_INVALID_ARGUMENT for NULL or a range that is not in the memory, and then
/// nothing is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_call_read(
    call: Option<&mut Call>,
    address: u32,
    buffer: *mut c_void,
    length: usize,
) -> i32 {
    // The buffer may hold nothing yet, so it is no slice.
    copied(|| {
        let len = u32::try_from(length).ok()?;
        let bytes = call?.call().read(address, len).ok()?;
        if !bytes.is_empty() {
            NonNull::new(buffer.cast::<u8>())?
                .as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), length);
        }
        Some(())
    })
}

/// Within a host function: copies `length` bytes to `address` of the guest's memory; else as
/// stockade_call_read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_call_write(
    call: Option<&mut Call>,
    address: u32,
    data: *const c_void,
    length: usize,
) -> i32 {
    copied(|| call?.call().write(address, bytes(data, length, "data").ok()?).ok())
}

fn copied(work: impl FnOnce() -> Option<()>) -> i32 {
    match panics::caught(|| Ok(work())) {
        Ok(Some(())) => c::STOCKADE_OK,
        Ok(None) => c::STOCKADE_INVALID_ARGUMENT,
        Err(_) => c::STOCKADE_INTERNAL,
    }
}

/// Within a host function: 1 if the run has to stop, since it was killed or its wall time is over, else 0. A
/// function that takes long asks now and then, and returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_call_cancelled(call: Option<&mut Call>) -> i32 {
    always(1, || call.map_or(0, |call| i32::from(call.call().token().is_cancelled())))
}
