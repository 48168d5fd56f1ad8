//! Crashes, so that the kernel writes its memory to a file or starts the host's handler, which runs
//! as root.

use crate::kit::{self, Args, Errno, nr};

const RLIMIT_CORE: usize = 4;
const PR_SET_DUMPABLE: usize = 4;
const SIGSEGV: usize = 11;
/// In the status of a process that has ended: its core was dumped.
const DUMPED: i32 = 0x80;

pub fn attack(_: Args) -> ! {
    let mut limits = [0_u64; 2];
    let at = limits.as_mut_ptr() as usize;
    let _ = kit::call(nr::PRLIMIT64, [0, RLIMIT_CORE, 0, at]);
    for hard in [limits[1], u64::MAX] {
        limits = [hard; 2];
        let _ = kit::call(nr::PRLIMIT64, [0, RLIMIT_CORE, limits.as_ptr() as usize, 0]);
        let _ = kit::call(nr::SETRLIMIT, [RLIMIT_CORE, limits.as_ptr() as usize]);
    }
    let child = match kit::fork() {
        Ok(0) => {
            let _ = kit::call(nr::PRCTL, [PR_SET_DUMPABLE, 1, 0, 0, 0]);
            let own = kit::call(nr::GETPID, []).unwrap_or(0);
            let _ = kit::call(nr::KILL, [own, SIGSEGV]);
            kit::exit(1);
        }
        Ok(child) => child,
        Err(errno) => kit::failed(format_args!("fork: {errno}")),
    };
    match kit::wait(child) {
        Ok(status) if status & DUMPED != 0 => kit::through(format_args!("its core is dumped")),
        Ok(_) => kit::refused("a core dump", Errno::EFBIG),
        Err(errno) => kit::failed(format_args!("wait4: {errno}")),
    }
}
