//! [`WasmSandbox`]: the backend.

use std::sync::Arc;
use std::time::Instant;

use stockade_core::{
    Base, Control, Error, ErrorKind, NetworkMode, Plan, Policy, Prepared, Program, Result, Sandbox,
    Support,
};

use crate::clock::Clock;
use crate::engine::Engines;
use crate::module::Modules;
use crate::prepared::WasmPrepared;
use crate::support;

/// Runs WebAssembly modules: commands of WASI preview 1 without files and sockets.
///
/// A guest can be stopped wherever it is: in a loop, in a sleep, in a read that never returns.
/// Make one sandbox per process and use it from every thread. It has one thread of its own, which
/// sleeps unless a deadline is due, and compiling leaves rayon's pool of threads behind, idle. A run with live streams has a thread as well; one without runs
/// on the thread that waits for it, and begins when that does.
///
/// The first sandbox installs wasmtime's handlers for `SIGSEGV`, `SIGILL`, `SIGFPE` and `SIGBUS`,
/// which pass on what is not theirs.
///
/// ```
/// use stockade_core::{Policy, Program, Sandbox};
/// use stockade_wasm::WasmSandbox;
///
/// let module = wat::parse_str(r#"(module (func (export "_start")))"#)?;
/// let report = WasmSandbox::new()?.run(&Policy::default(), &Program::module(module))?;
/// assert!(report.verdict.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WasmSandbox {
    support: Support,
    modules: Modules,
    clock: Arc<Clock>,
}

/// A policy asks for something a module cannot be given yet.
#[derive(Debug, thiserror::Error)]
#[error("the wasm backend cannot give a module {what}")]
struct NotGiven {
    what: String,
}

/// wasmtime could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine cannot be made")]
struct EngineError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl WasmSandbox {
    /// Makes the engines and starts the clock.
    ///
    /// # Errors
    /// `Setup` when memory or a thread cannot be had.
    pub fn new() -> Result<Self> {
        with_room_to_compile(Self::make)
    }

    fn make() -> Result<Self> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Setup, EngineError(cause))
                .with_hint("is address space (`ulimit -v`) or the number of threads limited?")
        };
        let engines = Engines::new().map_err(|error| failed(error.into()))?;
        let support = support::support(engines.allocation);
        let modules = Modules::new(&engines).map_err(|error| failed(error.into()))?;
        let clock = Clock::start(engines).map_err(|error| failed(error.into()))?;
        Ok(Self { support, modules, clock })
    }
}

impl Sandbox for WasmSandbox {
    fn support(&self) -> &Support {
        &self.support
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        with_room_to_compile(|| self.prepare_here(policy, program))
    }
}

/// The compiler recurses as modules nest; a caller's thread may have a small stack.
fn with_room_to_compile<T>(work: impl FnOnce() -> T) -> T {
    const ROOM: usize = 1 << 20;
    stacker::maybe_grow(ROOM, 4 * ROOM, work)
}

impl WasmSandbox {
    fn prepare_here(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        let begun = Instant::now();
        policy.validate()?;
        refuse_what_is_not_given(policy)?;
        let plan = Plan::resolve(policy, &self.support)?;
        let limits = &policy.limits;
        let command = self.modules.command(&program.source, limits.fuel.is_some())?;
        command.check_memory(limits.memory.get().map(|bytes| bytes.0))?;
        let prepared =
            WasmPrepared::new(plan, command, Arc::clone(&self.clock), program, begun.elapsed())?;
        Ok(Box::new(prepared))
    }
}

/// Files and networks are asked for, not limited: leaving them out would be another program.
fn refuse_what_is_not_given(policy: &Policy) -> Result<()> {
    let what = if let Some(mount) = policy.filesystem.mounts.first() {
        format!("files, and the policy mounts `{}`", mount.target())
    } else if let Base::Rootfs(path) = &policy.filesystem.base {
        format!("files, and the policy has the root {path:?}")
    } else if policy.network.mode != NetworkMode::None {
        format!("a network, and the policy has `{}`", Control::Network)
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Unsupported, NotGiven { what })
        .with_hint("modules have arguments, an environment and three streams in this version"))
}
