//! Rules to classic BPF: a binary search over ranges of system-call numbers.
//!
//! The kernel runs the program for every number when it is installed, to learn which calls are
//! always allowed, and for the other calls each time. Both cost what the average path costs, so
//! linear lists are out. Arguments are loaded only behind the numbers that need them; a load
//! elsewhere would keep a call out of the kernel's cache.

use super::Instruction;
use super::numbers::Arch;
use super::profile::{ENOSYS, Rules};
use super::rule::{Action, Clause, Decision, HIGH, Test};

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// The first argument's low half; both architectures are little endian.
const ARGUMENTS: u32 = 16;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const IF_AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const IF_ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

/// Consecutive numbers with the same decision. A range ends where the next one begins, the last
/// one at `u32::MAX`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<'a> {
    /// The lowest number.
    pub(super) first: u32,
    /// What becomes of all of them.
    pub(super) decision: Decision<'a>,
}

/// The decisions of `rules` for all 2³² numbers of `arch`, in ascending order.
///
/// A number without a name is answered with `ENOSYS`: gaps, calls of kernels to come, and on
/// x86-64 the x32 ABI, whose numbers carry bit 30.
pub(super) fn ranges(arch: &Arch, rules: &Rules) -> Vec<Range<'static>> {
    let unknown = Decision::Always(ENOSYS);
    let mut ranges = vec![Range { first: 0, decision: unknown }];
    let mut next = 0;
    for (number, name) in arch.calls() {
        if number > next {
            ranges.push(Range { first: next, decision: unknown });
        }
        ranges.push(Range { first: number, decision: rules.decision(name) });
        next = number + 1;
    }
    ranges.push(Range { first: next, decision: unknown });
    // Of ranges that begin at the same number only the last counts.
    ranges.dedup_by(|later, earlier| {
        let same = later.first == earlier.first;
        if same {
            earlier.decision = later.decision;
        }
        same || later.decision == earlier.decision
    });
    ranges
}

/// The whole program: foreign architectures die, then the tree over `ranges`.
///
/// `ranges` is not empty and begins at 0.
pub(super) fn compile(audit: u32, ranges: &[Range<'_>]) -> Vec<Instruction> {
    let mut program = vec![
        plain(LOAD, ARCH),
        branch(IF_EQUAL, audit, 1, 0),
        plain(RETURN, Action::KillProcess.code()),
        plain(LOAD, NUMBER),
    ];
    program.extend(tree(ranges));
    program
}

fn tree(ranges: &[Range<'_>]) -> Vec<Instruction> {
    if let [only] = ranges {
        return leaf(only.decision);
    }
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let left = tree(below);
    let right = tree(above);
    let mut code = match u8::try_from(left.len()) {
        Ok(distance) => vec![branch(IF_AT_LEAST, above[0].first, distance, 0)],
        Err(_) => vec![
            branch(IF_AT_LEAST, above[0].first, 0, 1),
            plain(JUMP, u32::try_from(left.len()).unwrap_or(u32::MAX)),
        ],
    };
    code.extend(left);
    code.extend(right);
    code
}

fn leaf(decision: Decision<'_>) -> Vec<Instruction> {
    match decision {
        Decision::Always(action) => vec![plain(RETURN, action.code())],
        Decision::Checked(clauses) => {
            let mut code = Vec::new();
            let mut held = None;
            for clause in clauses {
                held = append_clause(&mut code, clause, held);
            }
            code.push(plain(RETURN, Action::Allow.code()));
            code
        }
    }
}

/// What the accumulator holds: an argument and the mask it was combined with.
type Operand = (u8, u32);

/// Appends a clause that falls through to whatever follows when it does not hold. Takes and gives
/// what the accumulator is known to hold before and after.
fn append_clause(
    code: &mut Vec<Instruction>,
    (tests, action): &Clause<'_>,
    before: Option<Operand>,
) -> Option<Operand> {
    let mut held = before;
    let mut exits = Vec::new();
    for test in *tests {
        let operand = operand(test);
        if held != Some(operand) {
            let (argument, half) = (operand.0 % HIGH, operand.0 / HIGH);
            code.push(plain(LOAD, ARGUMENTS + 8 * u32::from(argument) + 4 * u32::from(half)));
            if operand.1 != u32::MAX {
                code.push(plain(AND, operand.1));
            }
            held = Some(operand);
        }
        exits.push((code.len(), operand));
        code.push(condition(test));
    }
    code.push(plain(RETURN, action.code()));
    // The way out is the branch still open in each condition.
    let end = code.len();
    for &(at, _) in &exits {
        let distance = u8::try_from(end - at - 1).expect("a clause is a few instructions long");
        let exit = &mut code[at];
        if exit.jt == OPEN {
            exit.jt = distance;
        } else {
            exit.jf = distance;
        }
    }
    held.filter(|last| exits.iter().all(|(_, operand)| operand == last))
}

/// Marks the branch of a condition that leaves the clause, until its length is known.
const OPEN: u8 = u8::MAX;

fn operand(test: &Test) -> Operand {
    if is_bit_test(test) { (test.argument, u32::MAX) } else { (test.argument, test.mask) }
}

fn is_bit_test(test: &Test) -> bool {
    test.value == 0 && test.mask != u32::MAX
}

fn condition(test: &Test) -> Instruction {
    let (code, k, holds) = if is_bit_test(test) {
        (IF_ANY_BIT, test.mask, !test.equal)
    } else {
        (IF_EQUAL, test.value, test.equal)
    };
    if holds { branch(code, k, 0, OPEN) } else { branch(code, k, OPEN, 0) }
}

fn plain(code: u32, k: u32) -> Instruction {
    branch(code, k, 0, 0)
}

fn branch(code: u32, k: u32, jt: u8, jf: u8) -> Instruction {
    // All operation codes of classic BPF are below 256.
    Instruction { code: code as u16, jt, jf, k }
}
