//! Which backend runs a program.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use stockade::{NamespaceSandbox, Program, Result, Sandbox, WasmSandbox};

use crate::args::BackendArg;

/// What a WebAssembly module or component begins with.
const MAGIC: &[u8; 4] = b"\0asm";

/// The program as the backend that was asked for takes it: for namespaces a name or path inside
/// the sandbox, for WebAssembly a file of the host.
pub(crate) fn program(backend: BackendArg, name: &OsStr) -> Program {
    let is_module = match backend {
        BackendArg::Auto => names_a_module(name),
        BackendArg::Namespace => false,
        BackendArg::Wasm => true,
    };
    if is_module { Program::module_file(name) } else { Program::executable(name) }
}

/// The backend that was asked for, ready to use.
pub(crate) fn open(backend: BackendArg, program: &Program) -> Result<Box<dyn Sandbox>> {
    match backend {
        BackendArg::Auto => stockade::auto(program),
        BackendArg::Namespace => Ok(Box::new(NamespaceSandbox::new()?)),
        BackendArg::Wasm => Ok(Box::new(WasmSandbox::new()?)),
    }
}

/// Whether a path, or a name that ends in `.wasm`, is a regular file of the host that begins as
/// modules do. Any other name is looked up inside the sandbox, whatever the working directory of
/// the caller happens to hold.
fn names_a_module(name: &OsStr) -> bool {
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
