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
        Control::OpenFiles => Ability::enforced("descriptors counted, streams among them"),
        Control::FileSize => Ability::enforced("every write and resize checked"),
        Control::Disk => Ability::enforced(
            "pages and names of in-memory files counted, and bytes written to binds",
        ),
        Control::Output => Ability::enforced("bounded buffers"),
        Control::Fuel => Ability::enforced("instructions counted"),
        Control::Filesystem => {
            Ability::enforced("paths walked name by name, within the policy's tree")
        }
        Control::Network => Ability::enforced("no socket function is given to the module"),
        Control::Syscalls => Ability::enforced("WASI alone, without sockets"),
        Control::Privileges => Ability::enforced("a module has no authority but its imports"),
        Control::ProcessTree => Ability::enforced("a module cannot name a process"),
        Control::Ipc => Ability::enforced("a module cannot name an object of the host"),
        Control::Cpus => Ability::approximated(
            "the guest's thread sleeps when it is ahead of its rate",
            "looked at every 5 ms; a function of the host is not held up",
            None,
        ),
        _ => Ability::unavailable("unknown to this backend", None),
    })
}
