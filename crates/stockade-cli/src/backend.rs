//! Which backend runs a program.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use stockade::{Mount, NamespaceSandbox, Program, ProgramSource, Result, Sandbox, WasmSandbox};

use crate::args::BackendArg;
use crate::{cache, exit, script};

/// What runs, the file that has to be shown to it, and why its backend was chosen.
pub(crate) struct Choice {
    pub(crate) program: Program,
    pub(crate) mount: Option<Mount>,
    pub(crate) reason: Option<&'static str>,
}

impl From<Program> for Choice {
    fn from(program: Program) -> Self {
        Self { program, mount: None, reason: None }
    }
}

impl Choice {
    /// A script that a runtime reads from a file.
    pub(crate) fn script(program: Program, file: Mount) -> Self {
        Self { program, mount: Some(file), reason: None }
    }

    fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

/// The program as the backend that was asked for takes it: for namespaces a name or path inside
/// the sandbox, for WebAssembly a file of the host, or a language.
pub(crate) fn program(backend: BackendArg, name: &OsStr) -> Result<Choice> {
    match backend {
        BackendArg::Namespace => Ok(Program::executable(name).into()),
        BackendArg::Auto if stockade::names_a_module(name) => {
            let choice = Choice::from(Program::module_file(name));
            Ok(choice.because("auto: the program is a WebAssembly binary"))
        }
        BackendArg::Auto => match script::meant(name) {
            Some(language) => {
                let choice = script::choice(language, Path::new(name))?;
                Ok(choice.because("auto: the program is a script that is not executable"))
            }
            None => {
                let choice = Choice::from(Program::executable(name));
                Ok(choice.because("auto: the program is a native executable"))
            }
        },
        BackendArg::Wasm => match (script::interpreter(name), script::language(name)) {
            (Some(language), _) => Ok(script::runtime(language)?.program().into()),
            (None, Some(language)) => script::choice(language, Path::new(name)),
            (None, None) => Ok(Program::module_file(name).into()),
        },
    }
}

/// The backend of a choice, ready to use.
pub(crate) fn open(choice: &Choice) -> Result<Box<dyn Sandbox>> {
    if let ProgramSource::Executable(_) = choice.program.source {
        let sandbox = NamespaceSandbox::new()?;
        return Ok(match choice.reason {
            Some(reason) => Box::new(sandbox.chosen_because(reason)),
            None => Box::new(sandbox),
        });
    }
    let sandbox = wasm()?;
    Ok(match choice.reason {
        Some(reason) => Box::new(sandbox.chosen_because(reason)),
        None => Box::new(sandbox),
    })
}

/// The backends as they are needed, each opened once. Which is for what its reports do not say.
#[derive(Default)]
pub(crate) struct Backends {
    native: Option<Arc<dyn Sandbox>>,
    wasm: Option<Arc<dyn Sandbox>>,
}

impl Backends {
    /// The one for this program; one that cannot be opened is tried again the next time.
    pub(crate) fn suiting(&mut self, program: &Program) -> Result<Arc<dyn Sandbox>> {
        let native = matches!(program.source, ProgramSource::Executable(_));
        let place = if native { &mut self.native } else { &mut self.wasm };
        if let Some(sandbox) = place {
            return Ok(Arc::clone(sandbox));
        }
        let opened: Arc<dyn Sandbox> =
            if native { Arc::new(NamespaceSandbox::new()?) } else { Arc::new(wasm()?) };
        Ok(Arc::clone(place.insert(opened)))
    }
}

/// The WebAssembly backend, with compiled code kept for the next run.
pub(crate) fn wasm() -> Result<WasmSandbox> {
    let builder = || WasmSandbox::builder().backtraces(true);
    let Some(modules) = cache::modules() else { return builder().build() };
    match modules.and_then(|directory| builder().cache_dir(directory).build()) {
        Ok(sandbox) => Ok(sandbox),
        // It is as fast as can be without one; a defect of the engines would come again.
        Err(error) => {
            exit::say(&format!("note: compiled code is not kept: {error}"));
            builder().build()
        }
    }
}
