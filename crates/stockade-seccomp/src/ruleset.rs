//! Rules that somebody else wrote, as `linux.seccomp` of an OCI config has them.

use std::collections::BTreeMap;

use super::compile::{Range, compile, ranges};
use super::numbers::{Arch, NATIVE};
use super::profile::ENOSYS;
use super::rule::{Action, Case, Condition, Decision};
use super::{Instruction, to_bytes};

/// What becomes of calls by name, in the sense that libseccomp and runc give it:
///
/// - A rule without conditions decides about a call alone, also where others with conditions stand
///   before it; the first such rule, if there are several.
/// - Else the first rule decides whose conditions all hold.
/// - Conditions of one rule that look at the same argument are alternatives, and so are all the others
///   of this rule then.
/// - A rule with the action of `default` is no rule, and neither is one for a name that is unknown.
/// - A call without a rule gets `default`; but where that refuses, calls that are newer than every one
///   that is named get `ENOSYS`, so that programs fall back as on an older kernel.
///
/// The filter is for the architecture this library is compiled for. Others are stricter than libseccomp
/// makes them, which asks the same rules: on x86-64, every call of x32 gets `ENOSYS`, and a call by a
/// 32-bit entry ends the process.
///
/// ```
/// use stockade_seccomp::{Action, Comparison, Condition, Rule, Ruleset};
///
/// // Sockets of every family but `AF_VSOCK`.
/// let refused = Condition { argument: 0, comparison: Comparison::Equal(40) };
/// let rule = Rule { names: vec!["socket".into()], action: Action::Errno(1), conditions: vec![refused] };
/// let filter = Ruleset { default: Action::Allow, rules: vec![rule] }.compile()?;
/// # assert_eq!(filter.len() % 8, 0);
/// # Ok::<(), stockade_seccomp::RulesetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// What becomes of a call that no rule is about.
    pub default: Action,
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
}

/// What becomes of some calls, all of them or those with certain arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which calls.
    pub names: Vec<String>,
    /// What becomes of them.
    pub action: Action,
    /// What must hold for their arguments; nothing, if there are none.
    pub conditions: Vec<Condition>,
}

/// Why there is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesetError {
    /// A condition is about an argument that no call has.
    #[error("system calls have the arguments 0 to 5, and a rule tests argument {0}")]
    NoSuchArgument(u8),
    /// The filter has this many instructions, and the kernel takes 4096.
    #[error("the filter has {0} instructions, and the kernel takes {MOST}; leave conditions out")]
    TooLong(usize),
}

/// Most instructions of a filter, `BPF_MAXINSNS`.
const MOST: usize = 4096;
/// How many arguments there are.
const ARGUMENTS: u8 = 6;
/// The bit that the numbers of x32 carry.
const X32: u32 = 0x4000_0000;

impl Ruleset {
    /// The filter as the bytes that seccomp(2) reads.
    ///
    /// # Errors
    /// A condition is about an argument that there is not, or the kernel would not take the filter,
    /// since it is too long.
    pub fn compile(&self) -> Result<Vec<u8>, RulesetError> {
        self.compile_for(NATIVE).map(|program| to_bytes(&program))
    }

    pub(super) fn compile_for(&self, arch: &Arch) -> Result<Vec<Instruction>, RulesetError> {
        let conditions = self.rules.iter().flat_map(|rule| &rule.conditions);
        if let Some(wrong) = conditions.map(|one| one.argument).find(|it| *it >= ARGUMENTS) {
            return Err(RulesetError::NoSuchArgument(wrong));
        }
        let known: BTreeMap<&str, u32> =
            arch.calls().map(|(number, name)| (name, number)).collect();
        let numbers = |rule: &Rule| -> Vec<u32> {
            rule.names.iter().filter_map(|name| known.get(name.as_str()).copied()).collect()
        };
        let mut calls: BTreeMap<u32, Answer> = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| rule.action != self.default) {
            for number in numbers(rule) {
                calls.entry(number).or_default().add(rule);
            }
        }
        let newest = self.rules.iter().flat_map(numbers).max();
        let program = compile(arch.audit, &self.ranges(arch, &calls, newest));
        if program.len() > MOST { Err(RulesetError::TooLong(program.len())) } else { Ok(program) }
    }

    fn ranges<'a>(
        &self,
        arch: &Arch,
        calls: &'a BTreeMap<u32, Answer>,
        newest: Option<u32>,
    ) -> Vec<Range<'a>> {
        let absent = Decision::Always(ENOSYS);
        // A tracer is expected to know calls to come, as runc expects it.
        let refuses = !matches!(self.default, Action::Allow | Action::Log | Action::Trace(_));
        let newer = newest.filter(|_| refuses).map(|newest| newest + 1);
        let x32 = arch.has_x32().then_some(X32);
        let tail: Vec<_> =
            newer.into_iter().chain(x32).map(|first| Range { first, decision: absent }).collect();
        let calls = calls.iter().map(|(&number, answer)| (number, answer.decision(self.default)));
        ranges(calls, Decision::Always(self.default), &tail)
    }
}

/// What the rules say about one call.
#[derive(Default)]
struct Answer {
    /// By a rule without conditions.
    always: Option<Action>,
    cases: Vec<Case>,
}

impl Answer {
    fn add(&mut self, rule: &Rule) {
        let conditions = &rule.conditions;
        let arguments = conditions.iter().fold(0u8, |seen, one| seen | 1 << one.argument);
        if (arguments.count_ones() as usize) < conditions.len() {
            conditions.chunks(1).for_each(|one| self.add_case(one, rule.action));
        } else {
            self.add_case(conditions, rule.action);
        }
    }

    fn add_case(&mut self, conditions: &[Condition], action: Action) {
        let conditions: Vec<Condition> =
            conditions.iter().filter(|one| !one.comparison.is_none()).copied().collect();
        if conditions.is_empty() {
            self.always.get_or_insert(action);
        } else {
            self.cases.push((conditions, action));
        }
    }

    fn decision(&self, otherwise: Action) -> Decision<'_> {
        match self.always {
            Some(action) => Decision::Always(action),
            None => Decision::Cases { cases: &self.cases, otherwise },
        }
    }
}
