//! [`Machine`]: what a figure was measured on.

use std::fmt;
use std::fs;
use std::thread;

/// Kernel, processors and load at one moment.
#[derive(Debug, Clone)]
pub struct Machine {
    kernel: String,
    processors: usize,
    load: String,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg");
        let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processors: thread::available_parallelism().map_or(0, usize::from),
            load,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, processors, load } = self;
        write!(f, "Linux {kernel}, {processors} processors, load average {load}")
    }
}
