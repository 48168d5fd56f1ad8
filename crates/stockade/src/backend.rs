//! Which backend runs a program.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use stockade_core::{Error, ErrorKind, Program, ProgramSource, Result, Sandbox};

/// What a WebAssembly module or component begins with.
const MAGIC: &[u8; 4] = b"\0asm";

/// Why the backend for native programs was chosen, where the caller left it open.
#[cfg_attr(not(feature = "embed"), expect(unreachable_pub, reason = "for `embed` to export"))]
pub const NATIVE: &str = "auto: the program is a native executable";
/// Why the backend for modules was chosen, where the caller left it open.
#[cfg_attr(not(feature = "embed"), expect(unreachable_pub, reason = "for `embed` to export"))]
pub const MODULE: &str = "auto: the program is a WebAssembly binary";

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

/// Whether `name` is the path of a WebAssembly module or component on this host: a name with a `/` in
/// it or one that ends in `.wasm`, of a regular file that begins as modules do. Any other name is one
/// to be looked up inside a sandbox, whatever the working directory of the caller happens to hold.
///
/// ```
/// assert!(!stockade::names_a_module("python3".as_ref()));
/// assert!(!stockade::names_a_module("/bin/sh".as_ref()));
/// ```
pub fn names_a_module(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let may_be = bytes.contains(&b'/') || bytes.ends_with(b".wasm");
    may_be && begins_as_module(Path::new(name))
}

fn begins_as_module(path: &Path) -> bool {
    // Opening a FIFO would wait for its writer.
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let mut magic = [0; MAGIC.len()];
    is_file
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *MAGIC
}

#[cfg(feature = "namespace")]
fn native() -> Result<Box<dyn Sandbox>> {
    let sandbox = stockade_namespace::NamespaceSandbox::new()?;
    Ok(Box::new(sandbox.chosen_because(NATIVE)))
}

#[cfg(not(feature = "namespace"))]
fn native() -> Result<Box<dyn Sandbox>> {
    Err(missing("native programs").with_hint("build it with the feature `namespace`"))
}

#[cfg(feature = "wasm")]
fn module() -> Result<Box<dyn Sandbox>> {
    let sandbox = stockade_wasm::WasmSandbox::new()?;
    Ok(Box::new(sandbox.chosen_because(MODULE)))
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
