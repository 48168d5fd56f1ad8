//! The program that decides on devices on version 2.
//!
//! The kernel calls it with `struct bpf_cgroup_dev_ctx`: a word with the kind of the device below and
//! what is to be done above, the major and the minor number. It lets by what gives one.

use super::{EVERYTHING, Kind, Rule};
use crate::sys::bpf::Instruction;

// Codes of instructions, from linux/bpf_common.h and linux/bpf.h: a class, an operation and where the
// operand comes from.
pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const AND: u8 = 0x57;
pub(super) const SHIFT_RIGHT: u8 = 0x77;
pub(super) const MOVE: u8 = 0xb7;
pub(super) const MOVE_REGISTER: u8 = 0xbf;
pub(super) const UNLESS_EQUAL: u8 = 0x55;
pub(super) const IF_EQUAL: u8 = 0x15;
pub(super) const EXIT: u8 = 0x95;

// Registers.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
/// What is to be done and has not been allowed yet.
const WANTED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

/// The program for these rules. It asks the last rule first. A rule that allows crosses out what it
/// allows, and all is well once nothing is left; one that denies anything that is still wanted ends it.
/// What no rule speaks of is denied.
pub(in crate::cgroup) fn program(rules: &[Rule]) -> Vec<Instruction> {
    let load = |to, offset| Instruction::new(LOAD_WORD, to, CONTEXT, offset, 0);
    let mut program = vec![
        load(KIND, 0),
        Instruction::new(MOVE_REGISTER, WANTED, KIND, 0, 0),
        Instruction::new(AND, KIND, 0, 0, 0xffff),
        Instruction::new(SHIFT_RIGHT, WANTED, 0, 0, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    // What is before the last rule for all devices and everything is never asked, and the verifier
    // takes no instruction that is never reached.
    let total = rules.iter().rposition(Rule::is_total);
    let (default, last) = total.map_or((false, rules), |at| (rules[at].allow, &rules[at + 1..]));
    for rule in last.iter().rev() {
        append(&mut program, rule);
    }
    program.extend(end(default.into()));
    program
}

/// One rule: comparisons that go to the next rule, then what it does.
fn append(program: &mut Vec<Instruction>, rule: &Rule) {
    let action = action(rule);
    let kind = rule.kind.map(|kind| match kind {
        Kind::Block => 1,
        Kind::Character => 2,
    });
    let number = |number: Option<u32>| number.map(u32::cast_signed);
    let conditions = [(KIND, kind), (MAJOR, number(rule.major)), (MINOR, number(rule.minor))];
    let conditions: Vec<(u8, i32)> =
        conditions.into_iter().filter_map(|(register, value)| Some((register, value?))).collect();
    // At most three conditions and five instructions: it fits.
    let mut left = (conditions.len() + action.len()) as i16;
    for (register, value) in conditions {
        left -= 1;
        program.push(Instruction::new(UNLESS_EQUAL, register, 0, left, value));
    }
    program.extend(action);
}

fn action(rule: &Rule) -> Vec<Instruction> {
    let access = i32::from(rule.access);
    match (rule.allow, rule.access) {
        (true, EVERYTHING) => end(1).into(),
        (false, EVERYTHING) => end(0).into(),
        (true, _) => {
            let [result, exit] = end(1);
            vec![
                Instruction::new(AND, WANTED, 0, 0, !access),
                Instruction::new(UNLESS_EQUAL, WANTED, 0, 2, 0),
                result,
                exit,
            ]
        }
        (false, _) => {
            let [result, exit] = end(0);
            vec![
                Instruction::new(MOVE_REGISTER, SCRATCH, WANTED, 0, 0),
                Instruction::new(AND, SCRATCH, 0, 0, access),
                Instruction::new(IF_EQUAL, SCRATCH, 0, 2, 0),
                result,
                exit,
            ]
        }
    }
}

fn end(result: i32) -> [Instruction; 2] {
    [Instruction::new(MOVE, RESULT, 0, 0, result), Instruction::new(EXIT, 0, 0, 0, 0)]
}
