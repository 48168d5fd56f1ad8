//! Classic BPF as seccomp runs it, and rules read one by one: what the compiler is held against.

#[cfg(test)]
pub(super) mod paths;

use super::Instruction;
use super::rule::{Action, Comparison, Condition, Decision};

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
            0x25 => at += skip(accumulator > k),
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

/// What the rules say, found without any of the compiler's machinery.
pub(super) fn decide(decision: Decision<'_>, args: &[u64; 6]) -> Action {
    match decision {
        Decision::Always(action) => action,
        Decision::Checked(clauses) => clauses
            .iter()
            .find(|(tests, _)| tests.iter().all(|test| test.holds(args)))
            .map_or(Action::Allow, |&(_, action)| action),
        Decision::Cases { cases, otherwise } => cases
            .iter()
            .find(|(conditions, _)| conditions.iter().all(|one| holds(one, args)))
            .map_or(otherwise, |&(_, action)| action),
    }
}

fn holds(condition: &Condition, args: &[u64; 6]) -> bool {
    let argument = args[usize::from(condition.argument)];
    match condition.comparison {
        Comparison::Equal(value) => argument == value,
        Comparison::NotEqual(value) => argument != value,
        Comparison::Less(value) => argument < value,
        Comparison::AtMost(value) => argument <= value,
        Comparison::AtLeast(value) => argument >= value,
        Comparison::Greater(value) => argument > value,
        Comparison::Masked { mask, value } => (argument ^ value) & mask == 0,
    }
}

/// Panics unless the kernel's checker would accept the program.
pub(super) fn assert_valid(program: &[Instruction]) {
    assert!(!program.is_empty() && program.len() <= 4096);
    assert_eq!(program[program.len() - 1].code, 0x06, "the last instruction returns");
    for (at, instruction) in program.iter().enumerate() {
        let furthest = match instruction.code {
            0x05 => instruction.k as usize,
            0x15 | 0x25 | 0x35 | 0x45 => usize::from(instruction.jt.max(instruction.jf)),
            _ => 0,
        };
        assert!(at + 1 + furthest < program.len() || instruction.code == 0x06, "jump at {at}");
        if instruction.code == 0x20 {
            assert!(instruction.k.is_multiple_of(4) && instruction.k < 64);
        }
    }
}
