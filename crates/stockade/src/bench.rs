//! Isolation modes side by side, on this machine: see [`manual::bench`](crate::manual::bench).
//!
//! ```no_run
//! use stockade::bench::{Options, measure};
//!
//! let mut options = Options::default();
//! options.quick = true;
//! let results = measure(&options, &())?;
//! for mode in &results.modes {
//!     println!("{}: {:?} ns", mode.name, mode.p50());
//! }
//! # Ok::<(), stockade::bench::Stopped>(())
//! ```

use std::any::Any;
use std::path::Path;

use stockade_core::{Policy, Prepared, Program, Result, Sandbox, Support};
use stockade_namespace::{LeftOut, NamespaceSandbox};
use stockade_wasm::{Imports, WasmSandbox};

#[doc(inline)]
pub use stockade_bench::*;

/// Measures everything, with the backends of this build.
///
/// # Errors
/// [`Stopped`] when `progress` says so. Whatever else fails is part of the results.
pub fn measure(options: &Options, progress: &dyn Progress) -> Result<Results, Stopped> {
    run(&Backends, options, progress)
}

/// Makes the sandboxes that are measured.
struct Backends;

impl Makers for Backends {
    fn native(&self, walls: Walls) -> Result<Box<dyn Native>> {
        let left_out = LeftOut {
            cgroups: walls < Walls::Cgroups,
            landlock: walls < Walls::Landlock,
            seccomp: walls < Walls::All,
        };
        Ok(Box::new(Measured(NamespaceSandbox::leaving_out(left_out)?)))
    }

    fn modules(&self, cache: Option<&Path>) -> Result<Box<dyn Modules>> {
        let builder = WasmSandbox::builder();
        let sandbox = match cache {
            Some(directory) => builder.cache_dir(directory).build(),
            None => builder.build(),
        };
        Ok(Box::new(MeasuredModules(sandbox?)))
    }
}

/// The backend for modules, with its instances.
struct MeasuredModules(WasmSandbox);

impl Sandbox for MeasuredModules {
    fn support(&self) -> &Support {
        self.0.support()
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        self.0.prepare(policy, program)
    }
}

impl Modules for MeasuredModules {
    fn instances(&self, module: &[u8], count: usize) -> Result<Box<dyn Any>> {
        let (policy, program) = (Policy::default(), Program::module(module));
        let library = self.0.library(&policy, &program, &Imports::new())?;
        let counter = library.function::<(), i64>("count")?;
        let mut alive = Vec::with_capacity(count);
        for _ in 0..count {
            let mut instance = library.instantiate()?;
            let _counted = instance.call(&counter, ())?;
            alive.push(instance);
        }
        Ok(Box::new(alive))
    }
}

/// The native backend, and what can be seen of it from outside.
struct Measured(NamespaceSandbox);

impl Sandbox for Measured {
    fn support(&self) -> &Support {
        self.0.support()
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        self.0.prepare(policy, program)
    }
}

impl Native for Measured {
    fn helper(&self) -> Option<u32> {
        self.0.warden_id().ok()
    }

    fn waiting(&self) -> usize {
        self.0.census().map_or(0, |census| census.waiting as usize)
    }
}
