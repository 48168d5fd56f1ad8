//! Classic BPF as seccomp runs it, for tests.

use super::Instruction;

/// What a filter sees of a call, `struct seccomp_data`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// System-call number.
    pub(super) number: u32,
    /// `AUDIT_ARCH_*`.
    pub(super) arch: u32,
    /// Address of the calling instruction.
    pub(super) pointer: u64,
    /// Arguments as they are in the registers.
    pub(super) args: [u64; 6],
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The value returned.
    pub(super) value: u32,
    /// Instructions executed.
    pub(super) steps: usize,
    /// Whether anything but number and architecture was read.
    pub(super) read_arguments: bool,
}

/// Runs `program`; panics where the kernel's checker would have refused it.
pub(super) fn run(program: &[Instruction], call: &Call) -> Outcome {
    let mut accumulator = 0u32;
    let mut at = 0usize;
    let mut read_arguments = false;
    for steps in 1.. {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let skip = |condition: bool| usize::from(if condition { jt } else { jf });
        match code {
            0x20 => {
                read_arguments |= k > 4;
                accumulator = load(call, k);
            }
            0x54 => accumulator &= k,
            0x05 => at += usize::try_from(k).expect("64-bit host"),
            0x15 => at += skip(accumulator == k),
            0x35 => at += skip(accumulator >= k),
            0x45 => at += skip(accumulator & k != 0),
            0x06 => return Outcome { value: k, steps, read_arguments },
            other => panic!("operation {other:#x} is not one the compiler emits"),
        }
    }
    unreachable!("every program returns")
}

fn load(call: &Call, offset: u32) -> u32 {
    let word = |value: u64, half: u32| (value >> (32 * half)) as u32;
    assert_eq!(offset % 4, 0, "loads are aligned");
    match offset / 4 {
        0 => call.number,
        1 => call.arch,
        half @ 2..4 => word(call.pointer, half - 2),
        half @ 4..16 => word(call.args[(half as usize - 4) / 2], half % 2),
        _ => panic!("load at {offset} is outside seccomp_data"),
    }
}
