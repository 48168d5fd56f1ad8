//! Rules to classic BPF: a binary search over clusters of system-call numbers.
//!
//! The kernel runs the program for every number when it is installed, to learn which calls are
//! always allowed, and for the other calls each time. Both cost what the average path costs, so
//! linear lists are out. Arguments are loaded only behind the numbers that need them; a load
//! elsewhere would keep a call out of the kernel's cache.

use super::Instruction;
use super::rule::{Action, Clause, Comparison, Condition, Decision, HIGH, Test};

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// The first argument's low half; both architectures are little endian.
const ARGUMENTS: u32 = 16;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const IF_GREATER: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
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

/// The decisions for all 2³² numbers, in ascending order: those of `calls`, which ascend, `others` for
/// all other numbers, and from some number on what `tail` says.
pub(super) fn ranges<'a>(
    calls: impl IntoIterator<Item = (u32, Decision<'a>)>,
    others: Decision<'a>,
    tail: &[Range<'a>],
) -> Vec<Range<'a>> {
    let mut ranges = vec![Range { first: 0, decision: others }];
    let mut next = 0;
    for (number, decision) in calls {
        if number > next {
            ranges.push(Range { first: next, decision: others });
        }
        ranges.push(Range { first: number, decision });
        next = number + 1;
    }
    ranges.push(Range { first: next, decision: others });
    ranges.extend_from_slice(tail);
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
///
/// Jumps are right however long it gets; whether the kernel takes it is for the caller to see.
pub(super) fn compile(audit: u32, ranges: &[Range<'_>]) -> Vec<Instruction> {
    let mut code = Code::default();
    let tree = code.tree(&clusters(ranges));
    // What is pushed last is run first.
    code.here(tree);
    code.push(plain(LOAD, NUMBER));
    code.push(plain(RETURN, Action::KillProcess.code()));
    code.push(branch(IF_EQUAL, audit, 1, 0));
    code.push(plain(LOAD, ARCH));
    code.reversed.reverse();
    code.reversed
}

/// Consecutive numbers that share a decision, but for a few.
#[derive(Debug)]
struct Cluster<'a> {
    first: u32,
    decision: Decision<'a>,
    /// Single numbers, in ascending order.
    exceptions: Vec<(u32, Decision<'a>)>,
}

/// Most exceptions of a cluster. Each costs one comparison, where a range in the midst of another
/// costs two; but they are made one after the other.
const EXCEPTIONS: usize = 3;

impl<'a> Cluster<'a> {
    /// These ranges as one cluster, if they are one. Those that are not single numbers agree.
    fn of(ranges: &[Sized<'a>]) -> Option<Self> {
        let base = ranges.iter().find(|(_, single)| !single).or(ranges.first())?.0.decision;
        let exceptions = ranges.iter().filter(|(range, _)| range.decision != base);
        if exceptions.clone().count() > EXCEPTIONS || exceptions.clone().any(|(_, single)| !single)
        {
            return None;
        }
        let exceptions = exceptions.map(|(range, _)| (range.first, range.decision)).collect();
        Some(Self { first: ranges[0].0.first, decision: base, exceptions })
    }
}

/// A range, and whether it is a single number.
type Sized<'a> = (Range<'a>, bool);

fn clusters<'a>(ranges: &[Range<'a>]) -> Vec<Cluster<'a>> {
    let ends = ranges.iter().skip(1).map(|next| Some(next.first)).chain([None]);
    let sized = ranges.iter().zip(ends);
    let sized: Vec<Sized<'a>> =
        sized.map(|(range, end)| (*range, end == range.first.checked_add(1))).collect();
    let mut clusters = Vec::new();
    let mut rest = &sized[..];
    while !rest.is_empty() {
        let longest =
            (1..=rest.len()).map_while(|len| Cluster::of(&rest[..len]).map(|it| (len, it)));
        let (len, cluster) = longest.last().expect("one range is a cluster");
        clusters.push(cluster);
        rest = &rest[len..];
    }
    clusters
}

/// A program, the last instruction first: jumps only lead forward, so that what one leads to is there
/// before it.
#[derive(Default)]
struct Code<'a> {
    reversed: Vec<Instruction>,
    /// Returns that can be jumped to, by their value.
    returns: Vec<(u32, Place)>,
    /// What tells cases apart, which many calls can share.
    cases: Vec<(Decision<'a>, Place)>,
}

/// An instruction, counted from the end.
type Place = usize;

/// How far a branch can lead, less room for what is pushed before it.
const REACH: usize = u8::MAX as usize - 8;

impl<'a> Code<'a> {
    fn push(&mut self, instruction: Instruction) -> Place {
        self.reversed.push(instruction);
        self.reversed.len() - 1
    }

    /// How many instructions the next one has to skip to get to a place.
    fn distance(&self, to: Place) -> usize {
        self.reversed.len() - 1 - to
    }

    /// Decides every number of these clusters.
    fn tree(&mut self, clusters: &[Cluster<'a>]) -> Place {
        if let [only] = clusters {
            return self.cluster(only);
        }
        let (below, above) = clusters.split_at(clusters.len() / 2);
        let right = self.tree(above);
        let left = self.tree(below);
        self.branch(IF_AT_LEAST, above[0].first, right, left)
    }

    fn cluster(&mut self, cluster: &Cluster<'a>) -> Place {
        let others = self.leaf(cluster.decision);
        let exceptions: Vec<(u32, Place)> = cluster
            .exceptions
            .iter()
            .map(|(number, decision)| (*number, self.leaf(*decision)))
            .collect();
        exceptions
            .into_iter()
            .rev()
            .fold(others, |next, (number, place)| self.branch(IF_EQUAL, number, place, next))
    }

    fn leaf(&mut self, decision: Decision<'a>) -> Place {
        match decision {
            Decision::Always(action) => self.returning(action.code()),
            Decision::Checked(clauses) => {
                let code = checks(clauses);
                self.reversed.extend(code.into_iter().rev());
                self.reversed.len() - 1
            }
            Decision::Cases { cases, otherwise } => {
                if let Some((_, place)) = self.cases.iter().find(|(known, _)| *known == decision) {
                    return *place;
                }
                let otherwise = self.returning(otherwise.code());
                let place = cases.iter().rev().fold(otherwise, |next, (conditions, action)| {
                    let holds = self.returning(action.code());
                    let conditions = conditions.iter().rev();
                    conditions.fold(holds, |holds, one| self.condition(one, holds, next))
                });
                self.cases.push((decision, place));
                place
            }
        }
    }

    /// A test of a whole argument, half by half, since a word has 32 bits here.
    fn condition(&mut self, condition: &Condition, holds: Place, fails: Place) -> Place {
        let low = ARGUMENTS + 8 * u32::from(condition.argument);
        let high = low + 4;
        let (code, value, holds, fails) = match condition.comparison {
            Comparison::Masked { mask, value } => {
                let [below, above] = halves(mask & value);
                let [low_mask, high_mask] = halves(mask);
                let rest = self.masked(low, low_mask, below, holds, fails);
                return self.masked(high, high_mask, above, rest, fails);
            }
            Comparison::Equal(value) => (IF_EQUAL, value, holds, fails),
            Comparison::NotEqual(value) => (IF_EQUAL, value, fails, holds),
            Comparison::Greater(value) => (IF_GREATER, value, holds, fails),
            Comparison::AtMost(value) => (IF_GREATER, value, fails, holds),
            Comparison::AtLeast(value) => (IF_AT_LEAST, value, holds, fails),
            Comparison::Less(value) => (IF_AT_LEAST, value, fails, holds),
        };
        let [below, above] = halves(value);
        self.branch(code, below, holds, fails);
        let rest = self.push(plain(LOAD, low));
        // The low halves decide where the high ones are the same.
        let same = self.branch(IF_EQUAL, above, rest, fails);
        if code != IF_EQUAL {
            self.branch(IF_GREATER, above, holds, same);
        }
        self.push(plain(LOAD, high))
    }

    /// A test of the bits of `mask` in the half at `offset`; nothing where there are none.
    fn masked(&mut self, offset: u32, mask: u32, value: u32, holds: Place, fails: Place) -> Place {
        if mask == 0 {
            return holds;
        }
        self.branch(IF_EQUAL, value, holds, fails);
        if mask != u32::MAX {
            self.push(plain(AND, mask));
        }
        self.push(plain(LOAD, offset))
    }

    /// A return of this value, one that is there already if it is near.
    fn returning(&mut self, value: u32) -> Place {
        let known = self.returns.iter().position(|(known, _)| *known == value);
        if let Some((_, place)) = known.map(|at| self.returns[at])
            && self.distance(place) < REACH
        {
            return place;
        }
        let place = self.push(plain(RETURN, value));
        match known {
            Some(at) => self.returns[at].1 = place,
            None => self.returns.push((value, place)),
        }
        place
    }

    fn branch(&mut self, code: u32, k: u32, holds: Place, fails: Place) -> Place {
        let [holds, fails] = [holds, fails].map(|to| self.near(to));
        let distance = |to| u8::try_from(self.distance(to)).expect("a near place is in reach");
        let branch = branch(code, k, distance(holds), distance(fails));
        self.push(branch)
    }

    /// The place itself, or a jump to it where it is out of a branch's reach.
    fn near(&mut self, to: Place) -> Place {
        if self.distance(to) < REACH { to } else { self.jump(to) }
    }

    /// The place itself, or a jump to it where something was pushed since.
    fn here(&mut self, to: Place) -> Place {
        if self.distance(to) == 0 { to } else { self.jump(to) }
    }

    fn jump(&mut self, to: Place) -> Place {
        let distance = u32::try_from(self.distance(to)).expect("a filter is short");
        self.push(plain(JUMP, distance))
    }
}

/// What becomes of one call, by its arguments.
fn checks(clauses: &[Clause<'_>]) -> Vec<Instruction> {
    let mut code = Vec::new();
    let mut held = None;
    for clause in clauses {
        held = append_clause(&mut code, clause, held);
    }
    code.push(plain(RETURN, Action::Allow.code()));
    code
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

/// The low and the high half.
fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn plain(code: u32, k: u32) -> Instruction {
    branch(code, k, 0, 0)
}

fn branch(code: u32, k: u32, jt: u8, jf: u8) -> Instruction {
    // All operation codes of classic BPF are below 256.
    Instruction { code: code as u16, jt, jf, k }
}
