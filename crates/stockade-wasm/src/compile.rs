//! [`Compiler`]: from bytes to a compiled module, looked up in the cache first.
//!
//! Compiling happens on threads of its own, which end with it. Their stacks have a known size, and
//! the passes of the code generator look at the time they used: when it is up, each unwinds.

use std::any::Any;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use cranelift_codegen::timing::{self, Pass, Profiler};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::cache::{Cache, Name, Verified};
use crate::check::{self, Kind};
use crate::handlers::LeftToTheHost;
use crate::module::ModuleError;

/// Processor time each thread may take for one module unless the caller says otherwise.
pub(crate) const DEFAULT_TIME: Duration = Duration::from_secs(60);
/// Stack of a compiling thread. The compiler recurses, on what a module may nest.
const STACK: usize = 8 << 20;
/// Most threads that compile one module: a hostile function may take each of them a gigabyte.
const MAX_THREADS: usize = 8;

/// Where a compiled module came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was compiled now.
    Compiled,
    /// It was compiled or loaded by this sandbox before.
    Memory,
    /// It was loaded from the cache directory.
    Disk,
}

impl Origin {
    /// What preparing was, in the report's timings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Compiled => "compile",
            Self::Memory => "reuse",
            Self::Disk => "load",
        }
    }
}

/// Machine code and what belongs to it, not linked yet.
#[derive(Clone)]
pub(crate) enum Compiled {
    Module(Module),
    Component(Component),
}

impl Compiled {
    /// Bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        let image = match self {
            Self::Module(module) => module.image_range(),
            Self::Component(component) => component.image_range(),
        };
        image.end.addr() - image.start.addr()
    }

    fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Module(module) => module.serialize(),
            Self::Component(component) => component.serialize(),
        }
    }

    fn load(engine: &Engine, kind: Kind, artifact: &Verified) -> wasmtime::Result<Self> {
        match kind {
            Kind::Module => artifact.module(engine).map(Self::Module),
            Kind::Component => artifact.component(engine).map(Self::Component),
        }
    }
}

/// What turns bytes into machine code, once.
#[derive(Debug)]
pub(crate) struct Compiler {
    pub(crate) cache: Option<Cache>,
    /// Processor time each thread may take for one module.
    pub(crate) time: Duration,
}

impl Compiler {
    /// Loads what was compiled before from these bytes, whose hash is `content`, or compiles them.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        content: &[u8; 32],
    ) -> Result<(Compiled, Origin), ModuleError> {
        let kind = check::kind(bytes)?;
        let cache = self.cache.as_ref().map(|cache| (cache, Name::new(engine, content, kind)));
        if let Some((cache, name)) = &cache
            && let Some(artifact) = cache.load(name)
        {
            match Compiled::load(engine, kind, &artifact) {
                Ok(compiled) => return Ok((compiled, Origin::Disk)),
                Err(_) => cache.forget(name),
            }
        }
        check::check(bytes)?;
        let compiled = within(self.time, || match kind {
            Kind::Module => Module::from_binary(engine, bytes).map(Compiled::Module),
            Kind::Component => Component::from_binary(engine, bytes).map(Compiled::Component),
        })?;
        if let Some((cache, name)) = &cache
            && let Ok(artifact) = compiled.serialize()
        {
            cache.store(name, &artifact);
        }
        Ok((compiled, Origin::Compiled))
    }
}

/// Compiles on new threads until the time is up.
fn within<T: Send>(
    time: Duration,
    work: impl FnOnce() -> wasmtime::Result<T> + Send,
) -> Result<T, ModuleError> {
    let pool = threads(time).map_err(|error| ModuleError::Threads(Box::new(error)))?;
    // What was half compiled is dropped; the engine keeps nothing of it.
    match panic::catch_unwind(AssertUnwindSafe(|| pool.install(work))) {
        Ok(result) => result.map_err(|error| ModuleError::Compile(error.into())),
        Err(payload) if payload.is::<TimeIsUp>() => Err(ModuleError::CompileTime { limit: time }),
        Err(_) => Err(ModuleError::Compiler),
    }
}

fn threads(time: Duration) -> Result<ThreadPool, rayon::ThreadPoolBuildError> {
    let count = thread::available_parallelism().map_or(1, NonZero::get);
    let _held = LeftToTheHost::hold();
    ThreadPoolBuilder::new()
        .num_threads(count.min(MAX_THREADS))
        .stack_size(STACK)
        .thread_name(|_| "stockade-compile".to_owned())
        .start_handler(move |_| {
            timing::set_thread_profiler(Box::new(Budget(time)));
        })
        .build()
}

/// Processor time a thread may take. On a busy machine, the same module may be compiled as on an
/// idle one.
struct Budget(Duration);

impl Budget {
    /// The thread is new: its clock began at nothing.
    fn is_spent(&self) -> bool {
        let used = clock_gettime(ClockId::ThreadCPUTime);
        let used = Duration::new(used.tv_sec.unsigned_abs(), used.tv_nsec.unsigned_abs() as u32);
        used >= self.0
    }
}

/// What a compiling thread unwinds with.
struct TimeIsUp;

impl Profiler for Budget {
    fn start_pass(&self, _: Pass) -> Box<dyn Any> {
        // Where a panic aborts the process, the limits of `check` are the only ones.
        if cfg!(panic = "unwind") && self.is_spent() {
            // Unlike a panic, this calls no hook: nothing is printed.
            panic::resume_unwind(Box::new(TimeIsUp));
        }
        Box::new(())
    }
}

#[cfg(test)]
mod tests;
