//! Which backend runs a program.

use std::fmt;

use stockade_core::{Error, ErrorKind, Program, ProgramSource, Result, Sandbox};

/// A sandbox of the backend that suits `program`, with what this build has: namespaces for a
/// native executable, wasmtime for a WebAssembly module.
///
/// Make one and use it for many programs of the same kind; [`Report::backend`] and
/// [`Report::backend_reason`] say which it was and why.
///
/// [`Report::backend`]: crate::Report::backend
/// [`Report::backend_reason`]: crate::Report::backend_reason
///
/// # Errors
/// `Unsupported` when no backend of this build runs such a program, or when this host refuses
/// what the backend needs (the hint says what refuses it); `Setup` when the backend cannot be
/// started.
///
/// # Examples
/// ```
/// use stockade::Program;
///
/// # fn main() -> stockade::Result<()> {
/// let sandbox = stockade::auto(&Program::executable("true"))?;
/// assert_eq!(sandbox.support().backend, "namespace");
/// let sandbox = stockade::auto(&Program::module_file("job.wasm"))?;
/// assert_eq!(sandbox.support().backend, "wasm");
/// # Ok(())
/// # }
/// ```
pub fn auto(program: &Program) -> Result<Box<dyn Sandbox>> {
    match program.source {
        ProgramSource::Executable(_) => native(),
        ProgramSource::Module(_) | ProgramSource::ModuleFile(_) => module(),
        _ => Err(missing("programs of this kind")),
    }
}

#[cfg(feature = "namespace")]
fn native() -> Result<Box<dyn Sandbox>> {
    let sandbox = stockade_namespace::NamespaceSandbox::new()?;
    Ok(Box::new(sandbox.chosen_because("auto: the program is a native executable")))
}

#[cfg(not(feature = "namespace"))]
fn native() -> Result<Box<dyn Sandbox>> {
    Err(missing("native programs").with_hint("build it with the feature `namespace`"))
}

#[cfg(feature = "wasm")]
fn module() -> Result<Box<dyn Sandbox>> {
    let sandbox = stockade_wasm::WasmSandbox::new()?;
    Ok(Box::new(sandbox.chosen_because("auto: the program is a WebAssembly binary")))
}

#[cfg(not(feature = "wasm"))]
fn module() -> Result<Box<dyn Sandbox>> {
    Err(missing("WebAssembly modules").with_hint("build it with the feature `wasm`"))
}

fn missing(programs: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, NoBackend { programs })
}

/// No backend of this build suits the program.
#[derive(Debug)]
struct NoBackend {
    programs: &'static str,
}

impl fmt::Display for NoBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this build of Stockade has no backend for {}", self.programs)
    }
}

impl std::error::Error for NoBackend {}
