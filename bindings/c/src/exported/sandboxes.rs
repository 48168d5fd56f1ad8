//! Backends.

use std::ffi::c_char;
use std::path::PathBuf;
use std::time::Duration;

use super::handles::{Error, Sandbox};
use super::pointers::{Place, always, answer, optional_string};
use crate::failure::Failure;
use crate::sandbox::{Options, Which};
use crate::signals::NoSigpipe;
use crate::words::unknown;

/// Modules to WebAssembly, other programs to namespaces. Each backend is opened when it is first needed.
pub const STOCKADE_BACKEND_AUTO: i32 = 100;
/// Native programs behind Linux namespaces.
pub const STOCKADE_BACKEND_NAMESPACE: i32 = 101;
/// WebAssembly modules and components in an engine within this process.
pub const STOCKADE_BACKEND_WASM: i32 = 102;

/// What can be said of the backend for modules. All zero is the default.
#[repr(C)]
pub struct WasmOptions {
    /// A directory where compiled modules are kept, made if it is missing; NULL keeps them in memory alone.
    pub cache_dir: *const c_char,
    /// Nanoseconds of processor time that compiling a module may take; 0 is 60 s.
    pub compile_time_ns: u64,
}

/// Opens a backend: STOCKADE_BACKEND_AUTO, STOCKADE_BACKEND_NAMESPACE or STOCKADE_BACKEND_WASM. It is made
/// to be used for many programs and from many threads. The one for namespaces starts a small helper process;
/// the one for modules installs handlers for the signals that traps are made of.
///
/// `options` are for modules; NULL is the default.
///
/// Free it by stockade_sandbox_free. Errors: STOCKADE_UNSUPPORTED when this host refuses what the backend
/// needs, and the hint says what to do; STOCKADE_SETUP; STOCKADE_INVALID_ARGUMENT, also for options with
/// STOCKADE_BACKEND_NAMESPACE. With STOCKADE_BACKEND_AUTO they come when a backend is first needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_sandbox_new(
    backend: i32,
    options: Option<&WasmOptions>,
    sandbox: *mut *mut Sandbox,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let which = match backend {
            STOCKADE_BACKEND_AUTO => Which::Auto,
            STOCKADE_BACKEND_NAMESPACE => Which::Namespace,
            STOCKADE_BACKEND_WASM => Which::Wasm,
            other => return Err(unknown("backend", other, "a STOCKADE_BACKEND")),
        };
        if which == Which::Namespace && options.is_some() {
            let wrong = "must be NULL with STOCKADE_BACKEND_NAMESPACE";
            return Err(Failure::argument("options", wrong));
        }
        let options = options.map_or_else(Options::default, |options| Options {
            cache_dir: optional_string(options.cache_dir).map(PathBuf::from),
            compile_time: (options.compile_time_ns != 0)
                .then(|| Duration::from_nanos(options.compile_time_ns)),
        });
        let place = Place::new(sandbox, "sandbox")?;
        let _quiet = NoSigpipe::hold();
        place.give(Sandbox::open(which, options)?);
        Ok(())
    })
}

/// Frees a sandbox. What was prepared, loaded or started with it goes on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_sandbox_free(sandbox: Option<Box<Sandbox>>) {
    always((), || drop(sandbox));
}
