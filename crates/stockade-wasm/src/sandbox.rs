//! [`WasmSandbox`]: the backend.

use std::sync::Arc;
use std::time::Instant;

use stockade_core::{
    Base, Control, Error, ErrorKind, NetworkMode, Phase, Plan, Policy, Prepared, Program, Result,
    Sandbox, Support,
};

use crate::builder::WasmSandboxBuilder;
use crate::clock::Clock;
use crate::command;
use crate::compile::{Compiler, Origin};
use crate::engine::{Engines, Knobs};
use crate::files::Layout;
use crate::imports::Imports;
use crate::library::Library;
use crate::module::Modules;
use crate::prepared::WasmPrepared;
use crate::session::nanos;
use crate::setting::Setting;
use crate::support;

/// Runs WebAssembly: modules that are commands of WASI preview 1, and components that are commands of
/// WASI 0.2, with the policy's files and without sockets. Calls functions of modules
/// ([`WasmSandbox::library`]).
///
/// A guest can be stopped wherever it is: in a loop, in a sleep, in a read that never returns.
/// Make one sandbox per process and use it from every thread; a clone is the same sandbox. It has one thread of its own, which
/// sleeps unless a deadline is due; compiling has threads that end with it. A run with live streams
/// has a thread as well; one without runs on the thread that waits for it, and begins when that
/// does.
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
#[derive(Debug, Clone)]
pub struct WasmSandbox {
    support: Support,
    modules: Arc<Modules>,
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
        Self::builder().build()
    }

    /// Has plans and reports say why this backend was chosen.
    #[must_use]
    pub fn chosen_because(mut self, reason: &str) -> Self {
        self.support.backend_reason = Some(reason.to_owned());
        self
    }

    /// Makes one whose compiled modules are kept on disk, among others.
    pub fn builder() -> WasmSandboxBuilder {
        WasmSandboxBuilder::new()
    }

    pub(crate) fn with(compiler: Compiler, knobs: Knobs) -> Result<Self> {
        with_room_to_compile(|| Self::make(compiler, knobs))
    }

    fn make(compiler: Compiler, knobs: Knobs) -> Result<Self> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Setup, EngineError(cause))
                .with_hint("is address space (`ulimit -v`) or the number of threads limited?")
        };
        let engines = Engines::new(knobs).map_err(|error| failed(error.into()))?;
        let support = support::support(engines.allocation);
        let modules = Modules::new(&engines, compiler).map_err(|error| failed(error.into()))?;
        let modules = Arc::new(modules);
        let clock = Clock::start(engines).map_err(|error| failed(error.into()))?;
        Ok(Self { support, modules, clock })
    }
}

impl Sandbox for WasmSandbox {
    fn support(&self) -> &Support {
        &self.support
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        self.prepare_with(policy, program, &Imports::new())
    }
}

/// The compiler recurses as modules nest; a caller's thread may have a small stack.
fn with_room_to_compile<T>(work: impl FnOnce() -> T) -> T {
    const ROOM: usize = 1 << 20;
    stacker::maybe_grow(ROOM, 4 * ROOM, work)
}

impl WasmSandbox {
    /// Prepares a command that may call functions of the embedder's.
    ///
    /// # Errors
    /// As [`Sandbox::prepare`], and `InvalidPolicy` for functions that cannot be registered.
    pub fn prepare_with(
        &self,
        policy: &Policy,
        program: &Program,
        imports: &Imports,
    ) -> Result<Box<dyn Prepared>> {
        with_room_to_compile(|| {
            let begun = Instant::now();
            let plan = self.plan(policy)?;
            let metered = policy.limits.fuel.is_some();
            let (command, origin) = self.modules.command(&program.source, metered, imports)?;
            command.check_arguments(&program.args)?;
            command.check_memory(policy.limits.memory.get().map(|bytes| bytes.0))?;
            let setting = self.setting(plan, program, origin, begun)?;
            Ok(Box::new(WasmPrepared::new(setting, command)) as Box<dyn Prepared>)
        })
    }

    /// Binds a policy to a module whose exported functions are to be called. The module may call
    /// `imports` and WASI preview 1.
    ///
    /// # Errors
    /// As [`Sandbox::prepare`], `InvalidPolicy` for functions that cannot be registered, and
    /// `Unsupported` for a component.
    pub fn library(
        &self,
        policy: &Policy,
        program: &Program,
        imports: &Imports,
    ) -> Result<Library> {
        with_room_to_compile(|| {
            let begun = Instant::now();
            let plan = self.plan(policy)?;
            let metered = policy.limits.fuel.is_some();
            let (linked, origin) = self.modules.library(&program.source, metered, imports)?;
            command::check_memory(
                linked.module(),
                policy.limits.memory.get().map(|bytes| bytes.0),
            )?;
            Library::new(self.setting(plan, program, origin, begun)?, linked)
        })
    }

    fn plan(&self, policy: &Policy) -> Result<Plan> {
        policy.validate()?;
        refuse_what_is_not_given(policy)?;
        Ok(Plan::resolve(policy, &self.support)?)
    }

    fn setting(
        &self,
        plan: Plan,
        program: &Program,
        origin: Origin,
        begun: Instant,
    ) -> Result<Setting> {
        let layout = Layout::new(&plan.policy)?;
        let prepared = Phase::new(origin.name(), nanos(begun.elapsed()));
        Setting::new(plan, layout, Arc::clone(&self.clock), program, prepared)
    }
}

/// What is asked for and not limited: leaving it out would be another program.
fn refuse_what_is_not_given(policy: &Policy) -> Result<()> {
    if matches!(policy.filesystem.base, Base::WritableRootfs(_)) {
        let what = "a root to write to, and the policy has `writable`".to_owned();
        return Err(Error::new(ErrorKind::Unsupported, NotGiven { what })
            .with_hint("leave `writable` out, or mount a `tmpfs` where the module writes"));
    }
    if policy.network.mode == NetworkMode::None {
        return Ok(());
    }
    let what = format!("a network, and the policy has `{}`", Control::Network);
    Err(Error::new(ErrorKind::Unsupported, NotGiven { what })
        .with_hint("modules have files and three streams, and no socket, in this version"))
}
