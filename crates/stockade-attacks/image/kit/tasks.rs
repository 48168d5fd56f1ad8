//! Processes and threads that are a burden, and deaf ones.

use super::{Result, call, failed};
use bare::nr;
use core::arch::asm;

/// The reading and the writing end of a new pipe.
pub fn pipe() -> (usize, usize) {
    let mut ends = [0_i32; 2];
    match call(nr::PIPE2, [ends.as_mut_ptr() as usize, 0]) {
        Ok(_) => (ends[0] as usize, ends[1] as usize),
        Err(errno) => failed(format_args!("pipe2: {errno}")),
    }
}

/// A copy of this process that goes with it, so that nothing stays where no wall is; 0 in the copy.
pub fn bound_fork() -> Result<usize> {
    let own = call(nr::GETPID, []);
    let copy = super::fork()?;
    if copy == 0 {
        // PR_SET_PDEATHSIG
        let _ = call(nr::PRCTL, [1, super::SIGKILL, 0, 0, 0]);
        if call(nr::GETPPID, []) != own {
            super::exit(1);
        }
    }
    Ok(copy)
}

/// Ignores a signal, if it can be ignored.
pub fn ignore(signal: usize) {
    // SIG_IGN, and neither flags nor a mask.
    let action = [1_usize, 0, 0, 0];
    let _ = call(nr::RT_SIGACTION, [signal, action.as_ptr() as usize, 0, 8]);
}

/// Blocks every signal that can be blocked.
pub fn block_signals() {
    let all = u64::MAX;
    // SIG_BLOCK
    let _ = call(nr::RT_SIGPROCMASK, [0, &raw const all as usize, 0, 8]);
}

/// Nanoseconds that all threads of this process have computed.
pub fn cpu_time() -> u64 {
    let mut time = [0_u64; 2];
    // CLOCK_PROCESS_CPUTIME_ID
    let _ = call(nr::CLOCK_GETTIME, [2, time.as_mut_ptr() as usize]);
    time[0] * 1_000_000_000 + time[1]
}

/// What a thread does, for ever.
#[derive(Clone, Copy)]
pub enum Idle {
    Asleep,
    Busy,
}

/// What threads of one process share: memory, directories, descriptors, signals, semaphores.
const THREAD: usize = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;

/// Starts a thread. It ends with the process.
pub fn thread(idle: Idle) -> Result<()> {
    let busy = usize::from(matches!(idle, Idle::Busy));
    let ret: isize;
    // SAFETY: the new thread has the registers of this one and its stack, and touches neither
    // memory nor stack: it never leaves the loop below.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 4f",
            "test r9, r9",
            "jnz 3f",
            "2:",
            "xor edi, edi",
            "xor esi, esi",
            "mov eax, {ppoll}",
            "syscall",
            "jmp 2b",
            "3:",
            "pause",
            "jmp 3b",
            "4:",
            ppoll = const nr::PPOLL,
            inlateout("rax") nr::CLONE as isize => ret,
            in("rdi") THREAD, in("rsi") 0_usize, in("rdx") 0_usize, in("r10") 0_usize,
            in("r8") 0_usize, in("r9") busy,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 4f",
            "cbnz x5, 3f",
            "2:",
            "mov x0, xzr",
            "mov x1, xzr",
            "mov x8, {ppoll}",
            "svc #0",
            "b 2b",
            "3:",
            "yield",
            "b 3b",
            "4:",
            ppoll = const nr::PPOLL,
            inlateout("x0") THREAD as isize => ret,
            in("x8") nr::CLONE, in("x1") 0_usize, in("x2") 0_usize, in("x3") 0_usize,
            in("x4") 0_usize, in("x5") busy,
            options(nostack)
        );
    }
    if ret < 0 { Err(super::Errno(-ret as i32)) } else { Ok(()) }
}
