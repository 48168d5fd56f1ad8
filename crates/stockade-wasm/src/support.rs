//! What this backend enforces, which does not depend on the host.

use stockade_core::{Ability, Control, Support};

/// Name of this backend in reports.
pub(crate) const BACKEND: &str = "wasm";

/// What can be enforced; `allocation` says how instances are allocated.
pub(crate) fn support(allocation: &str) -> Support {
    Support::new(BACKEND, |control| match control {
        Control::Memory => {
            Ability::enforced(format!("bytes of memories and tables counted; {allocation}"))
        }
        Control::CpuTime => Ability::enforced("epochs and CLOCK_THREAD_CPUTIME_ID"),
        Control::WallTime => Ability::enforced("epochs, and deadlines in every waiting call"),
        Control::Processes => Ability::enforced("a module is one thread"),
        Control::OpenFiles => Ability::enforced("three streams and no other descriptor"),
        Control::FileSize | Control::Disk => Ability::enforced("no file can be written"),
        Control::Output => Ability::enforced("bounded buffers"),
        Control::Fuel => Ability::enforced("instructions counted"),
        Control::Filesystem => Ability::enforced("no directory is given to the module"),
        Control::Network => Ability::enforced("no socket function is given to the module"),
        Control::Syscalls => Ability::enforced("WASI preview 1 alone, without files and sockets"),
        Control::Privileges => Ability::enforced("a module has no authority but its imports"),
        Control::ProcessTree => Ability::enforced("a module cannot name a process"),
        Control::Ipc => Ability::enforced("a module cannot name an object of the host"),
        _ => Ability::unavailable("a module's CPU rate is not throttled by this version", None),
    })
}
