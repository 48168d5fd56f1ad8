//! All ways through a filter for one number, whatever the arguments.

use super::{Call, Instruction, load};

/// Half of an argument, combined with a mask: its index, whether the high half, the mask.
pub(crate) type Operand = (usize, bool, u32);

/// A test of an argument that a path passed, and how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) operand: Operand,
    /// The operation of the jump.
    pub(crate) code: u16,
    /// What the operand is compared with.
    pub(crate) k: u32,
    /// Whether the comparison holds.
    pub(crate) holds: bool,
}

impl Condition {
    /// Whether a call's arguments meet it.
    pub(crate) fn met(&self, call: &Call) -> bool {
        let (argument, high, mask) = self.operand;
        let half = load(call, (16 + 8 * argument + 4 * usize::from(high)) as u32) & mask;
        compare(self.code, half, self.k) == self.holds
    }

    /// What it says about another test of the same operand: how that goes, if it can only go one
    /// way.
    fn decides(&self, operand: Operand, code: u16, k: u32) -> Option<bool> {
        if self.operand != operand {
            return None;
        }
        if (self.code, self.k) == (code, k) {
            return Some(self.holds);
        }
        (self.code == 0x15 && self.holds).then(|| compare(code, self.k, k))
    }
}

fn compare(code: u16, value: u32, k: u32) -> bool {
    match code {
        0x15 => value == k,
        0x35 => value >= k,
        _ => value & k != 0,
    }
}

/// What the accumulator holds.
#[derive(Clone, Copy)]
enum Value {
    Known(u32),
    Argument(Operand),
}

/// Every path that some arguments take through `program`: the tests on it, and what it returns. The
/// paths exclude each other.
pub(crate) fn paths(program: &[Instruction], number: u32, arch: u32) -> Vec<(Vec<Condition>, u32)> {
    let mut found = Vec::new();
    let mut open = vec![(0, Value::Known(0), Vec::<Condition>::new())];
    while let Some((mut at, mut value, mut passed)) = open.pop() {
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            match (code, value) {
                (0x06, _) => break found.push((passed, k)),
                (0x05, _) => at += k as usize,
                (0x20, _) => {
                    value = match k {
                        0 => Value::Known(number),
                        4 => Value::Known(arch),
                        at => {
                            let half = (at as usize - 16) / 4;
                            Value::Argument((half / 2, half % 2 == 1, u32::MAX))
                        }
                    }
                }
                (0x54, Value::Known(known)) => value = Value::Known(known & k),
                (0x54, Value::Argument((argument, high, mask))) => {
                    value = Value::Argument((argument, high, mask & k));
                }
                (_, Value::Known(known)) => {
                    at += usize::from(if compare(code, known, k) { jt } else { jf });
                }
                (_, Value::Argument(operand)) => {
                    let decided = passed.iter().find_map(|one| one.decides(operand, code, k));
                    let holds = decided.unwrap_or_else(|| {
                        let no = Condition { operand, code, k, holds: false };
                        let rest = passed.iter().copied().chain([no]).collect();
                        open.push((at + usize::from(jf), value, rest));
                        passed.push(Condition { holds: true, ..no });
                        true
                    });
                    at += usize::from(if holds { jt } else { jf });
                }
            }
        }
    }
    found
}
