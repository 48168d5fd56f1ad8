//! Makes a call by the entry of 32-bit programs, whose numbers are others.

use crate::kit::{self, Args};

#[cfg(target_arch = "x86_64")]
pub fn attack(_: Args) -> ! {
    const GETPID: i32 = 20;
    let Ok(child) = kit::fork() else { kit::failed(format_args!("no child")) };
    if child == 0 {
        let mut answer = GETPID;
        // SAFETY: the call takes no argument; the kernel may clear the upper registers.
        unsafe {
            core::arch::asm!("int 0x80", inout("eax") answer,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _);
        }
        kit::exit(if answer > 0 { 0 } else { 3 })
    }
    match kit::wait(child) {
        Ok(0) => kit::through(format_args!("int 0x80 answers")),
        Ok(0x300) => kit::refused("int 0x80", kit::Errno::ENOSYS),
        // SIGSYS and SIGSEGV are how a filter, and a kernel without the entry, answer.
        Ok(31) => kit::refused("int 0x80 is killed", kit::Errno::ENOSYS),
        _ => kit::failed(format_args!("this kernel has no such entry")),
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub fn attack(_: Args) -> ! {
    kit::failed(format_args!("there is one entry on this architecture"))
}
