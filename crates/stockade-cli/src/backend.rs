//! Which backend runs a program.

use stockade::{Error, ErrorKind, NamespaceSandbox, Program, Result, Sandbox};

use crate::args::BackendArg;

/// The program asks for a backend that was not built in.
#[derive(Debug, thiserror::Error)]
#[error("this build of Stockade has no WebAssembly backend")]
struct NoWebAssembly;

/// The backend that was asked for, ready to use.
pub(crate) fn open(backend: BackendArg, program: &Program) -> Result<Box<dyn Sandbox>> {
    match backend {
        BackendArg::Auto => stockade::auto(program),
        BackendArg::Namespace => Ok(Box::new(NamespaceSandbox::new()?)),
        BackendArg::Wasm => Err(Error::new(ErrorKind::Unsupported, NoWebAssembly)
            .with_hint("native programs run with `--backend namespace`")),
    }
}
