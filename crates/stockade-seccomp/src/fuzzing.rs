//! The compiler against the rules read one by one, for tables that a fuzzer makes up.

use super::compile::{Range, compile};
use super::interpret::{Call, assert_valid, decide, run};
use super::numbers::X86_64;
use super::rule::{Action, Case, Clause, Comparison, Condition, Decision, HIGH, Test};

/// So that jumps go beyond 255 instructions, and no program beyond the 4096 that the kernel takes.
const MAX_RANGES: usize = 80;
const MAX_CLAUSES: u8 = 3;
const MAX_TESTS: u8 = 5;

/// Bytes from which a table is made up; zeros once they are used up.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    /// Mostly small numbers and single bits, which collide.
    fn word(&mut self) -> u32 {
        match self.below(4) {
            0 => u32::from(self.byte()),
            1 => 1 << self.below(32),
            2 => u32::MAX,
            _ => u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
        }
    }

    fn action(&mut self) -> Action {
        match self.below(4) {
            0 => Action::Allow,
            1 => Action::KillProcess,
            _ => Action::Errno(self.byte().into()),
        }
    }

    fn test(&mut self) -> Test {
        let (argument, mask) = (self.below(2 * HIGH), self.word());
        // A value with a bit that the mask lacks never holds; no rule has one.
        Test { argument, mask, value: self.word() & mask, equal: self.below(2) == 0 }
    }

    fn whole(&mut self) -> u64 {
        u64::from(self.word()) << 32 | u64::from(self.word())
    }

    fn condition(&mut self) -> Condition {
        let (argument, value) = (self.below(6), self.whole());
        let comparison = match self.below(7) {
            0 => Comparison::Equal(value),
            1 => Comparison::NotEqual(value),
            2 => Comparison::Less(value),
            3 => Comparison::AtMost(value),
            4 => Comparison::AtLeast(value),
            5 => Comparison::Greater(value),
            _ => Comparison::Masked { mask: self.whole(), value },
        };
        Condition { argument, comparison }
    }

    fn case(&mut self) -> Case {
        ((0..=self.below(2)).map(|_| self.condition()).collect(), self.action())
    }
}

/// Makes a table, compiles it, and panics unless the program is valid and answers every number at
/// a boundary as the table does.
pub fn any_table_compiles(data: &[u8]) {
    let mut source = Source(data);
    let tests: Vec<Vec<Vec<Test>>> = (0..=source.below(6))
        .map(|_| {
            (0..=source.below(MAX_CLAUSES))
                .map(|_| (0..=source.below(MAX_TESTS)).map(|_| source.test()).collect())
                .collect()
        })
        .collect();
    let clauses: Vec<Vec<Clause<'_>>> = tests
        .iter()
        .map(|decision| decision.iter().map(|tests| (&**tests, source.action())).collect())
        .collect();
    let cases: Vec<Vec<Case>> =
        (0..4).map(|_| (0..=source.below(MAX_CLAUSES)).map(|_| source.case()).collect()).collect();
    let mut table = vec![Range { first: 0, decision: Decision::Always(source.action()) }];
    let mut first = 0u32;
    while !source.0.is_empty() && table.len() < MAX_RANGES {
        let Some(next) = first.checked_add(source.word().max(1)) else { break };
        first = next;
        let decision = match source.below(4) {
            0 => Decision::Always(source.action()),
            1 => Decision::Cases {
                cases: &cases[usize::from(source.byte()) % cases.len()],
                otherwise: source.action(),
            },
            _ => Decision::Checked(&clauses[usize::from(source.byte()) % clauses.len()]),
        };
        table.push(Range { first, decision });
    }
    let program = compile(X86_64.audit, &table);
    assert_valid(&program);
    let same = source.word();
    let mut args = [0; 6].map(|_: u64| source.whole());
    // Values that the tests compare with, so that some hold.
    for test in tests.iter().flatten().flatten() {
        let half = if test.argument < HIGH { 0 } else { 32 };
        if same >> (test.argument % 32) & 1 == 0 {
            args[usize::from(test.argument % HIGH)] |= u64::from(test.value) << half;
        }
    }
    for condition in cases.iter().flatten().flat_map(|(conditions, _)| conditions) {
        if same >> (8 + condition.argument) & 1 == 0
            && let Comparison::Equal(value)
            | Comparison::AtMost(value)
            | Comparison::AtLeast(value)
            | Comparison::Masked { value, .. } = condition.comparison
        {
            args[usize::from(condition.argument)] = value;
        }
    }
    for (at, range) in table.iter().enumerate() {
        let last = table.get(at + 1).map_or(u32::MAX, |next| next.first - 1);
        for number in [range.first, last] {
            let call = Call { number, arch: X86_64.audit, pointer: 0, args };
            assert_eq!(run(&program, &call).value, decide(range.decision, &args).code());
        }
    }
}
