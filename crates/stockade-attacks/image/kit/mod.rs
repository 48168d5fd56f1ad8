//! What attacks are made of: system calls, what they say, processes.

mod args;
mod calls;
mod errno;
mod meeting;
mod memory;
mod paths;
mod process;
mod socket;
mod succession;
mod tasks;

pub use args::Args;
pub use bare::nr;
pub use calls::*;
pub use errno::Errno;
pub use meeting::{Place, meet};
pub use memory::*;
pub use paths::*;
pub use process::*;
pub use socket::{Address, ask_datagram, connect, listen, open_datagram};
pub use succession::succeed;
pub use tasks::*;

use core::fmt::{self, Write};

/// Names the guests: a module each, and the way to it by name.
macro_rules! guests {
    ($($name:ident)*) => {
        $(mod $name;)*

        /// Does what the attack of this name does.
        pub fn attack(name: &[u8], args: $crate::kit::Args) -> ! {
            $(if name == stringify!($name).as_bytes() {
                $name::attack(args)
            })*
            $crate::kit::failed(format_args!("there is no such attack"))
        }
    };
}

/// It worked; the line says what was reached. Status 0.
pub fn through(what: fmt::Arguments<'_>) -> ! {
    say(what);
    exit(0)
}

/// An errno stood in the way: the line is `what: ERRNO`. Status 3.
pub fn refused(what: &str, errno: Errno) -> ! {
    say(format_args!("{what}: {errno}"));
    exit(3)
}

/// Something else stood in the way, so that the attack has shown nothing. Status 1.
pub fn failed(why: fmt::Arguments<'_>) -> ! {
    say(why);
    exit(1)
}

/// Through if the call worked, refused if it did not.
pub fn attempt<T>(what: &str, result: Result<T>) -> ! {
    match result {
        Ok(_) => through(format_args!("{what} works")),
        Err(errno) => refused(what, errno),
    }
}

/// For a call of the kernel that is made with senseless arguments: whatever it answers, but for
/// the answers of a filter and of missing privilege, the kernel's code was reached.
pub fn reach(what: &str, answer: Result<usize>) -> ! {
    reach_any(&mut [(what, &mut || answer)])
}

fn is_answered(answer: Result<usize>) -> bool {
    !matches!(answer, Err(Errno::EPERM | Errno::ENOSYS | Errno::EACCES))
}

/// A call that can be made, by its name.
pub type Named<'a> = (&'a str, &'a mut dyn FnMut() -> Result<usize>);

/// As [`attempt`], of several calls: through with the first that works.
pub fn attempt_any(calls: &mut [Named<'_>]) -> ! {
    first_through(calls, |answer| answer.is_ok())
}

/// As [`reach`], of several calls: through with the first that the kernel answers.
pub fn reach_any(calls: &mut [Named<'_>]) -> ! {
    first_through(calls, is_answered)
}

fn first_through(calls: &mut [Named<'_>], is_through: fn(Result<usize>) -> bool) -> ! {
    let mut refusal = ("nothing", Errno::ENOSYS);
    for (what, call) in calls.iter_mut() {
        let answer = call();
        if is_through(answer) {
            through(format_args!("{what} is answered by the kernel"));
        }
        if let Err(errno) = answer {
            refusal = (*what, errno);
        }
    }
    refused(refusal.0, refusal.1)
}

/// Prints a line.
pub fn say(what: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 512], len: 0 };
    let _ = line.write_fmt(what);
    let _ = line.write_str("\n");
    let _ = write(1, &line.bytes[..line.len]);
}

/// A line; what is too long for it is cut.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let rest = &mut self.bytes[self.len..];
        let len = text.len().min(rest.len());
        rest[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}
