//! [`WasmSandboxBuilder`]: what a sandbox is made with.

use std::path::PathBuf;
use std::time::Duration;

use stockade_core::Result;

use crate::cache::{Cache, DEFAULT_SIZE};
use crate::compile::{Compiler, DEFAULT_TIME};
use crate::engine::Knobs;
use crate::sandbox::WasmSandbox;

/// Makes a [`WasmSandbox`] whose compiled modules outlive it, or that compiles for longer.
///
/// ```no_run
/// use stockade_wasm::WasmSandbox;
///
/// let sandbox = WasmSandbox::builder().cache_dir("/var/cache/grader/modules").build()?;
/// # Ok::<(), stockade_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct WasmSandboxBuilder {
    cache_dir: Option<PathBuf>,
    cache_size: u64,
    compile_time: Duration,
    knobs: Knobs,
}

impl WasmSandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            cache_dir: None,
            cache_size: DEFAULT_SIZE,
            compile_time: DEFAULT_TIME,
            knobs: Knobs::default(),
        }
    }

    /// Keeps compiled modules in this directory, for later sandboxes and other processes.
    ///
    /// What is in it is run unchecked, so it must belong to this user and be closed to others (mode
    /// 0700). It is made so if it is missing; its parent must exist. It is opened once: a path that
    /// leads elsewhere later changes nothing. Entries are authenticated by a key that lies beside
    /// them: damage is found, and the module compiled again; whoever can act as this user is not
    /// kept out. A full disk costs time and is no error.
    pub fn cache_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(path.into());
        self
    }

    /// Bytes the directory may hold; 1 GiB if this is not called. Modules not used for longest make
    /// room. A compiled interpreter of Python takes 27 to 42 MB.
    pub fn cache_size(mut self, bytes: u64) -> Self {
        self.cache_size = bytes;
        self
    }

    /// Processor time that each thread which compiles a module may take; 60 seconds if this is not
    /// called.
    ///
    /// Past it, `prepare` fails with `Setup`. The clock is looked at between the passes over a
    /// function, and one made to be slow takes some seconds, so the end may come that much later. In
    /// a program built with `panic = "abort"` compiling is not stopped.
    pub fn compile_time(mut self, limit: Duration) -> Self {
        self.compile_time = limit;
        self
    }

    /// Has traps come with a backtrace of the guest's functions, by their names where the binary
    /// has them; without this call they do not.
    pub fn backtraces(mut self, wanted: bool) -> Self {
        self.knobs.backtraces = wanted;
        self
    }

    /// Makes the engines, opens the cache and starts the clock.
    ///
    /// # Errors
    /// `Setup` when memory or a thread cannot be had. For the cache directory, `NotFound` when its
    /// parent is missing, `InvalidPolicy` when it is a link or no directory, `PermissionDenied` when
    /// it belongs to another user or is open to one, `Io` when its key cannot be read or made.
    pub fn build(self) -> Result<WasmSandbox> {
        let open = |path: PathBuf| Cache::open(&path, self.cache_size);
        let cache = self.cache_dir.map(open).transpose()?;
        WasmSandbox::with(Compiler { cache, time: self.compile_time }, self.knobs)
    }
}
