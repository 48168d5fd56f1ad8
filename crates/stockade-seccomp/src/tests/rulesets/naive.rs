//! Any ruleset against a naive reading of what [`Ruleset`] says of itself.

use proptest::prelude::*;

use super::*;

/// The highest number below x32's.
const HIGHEST: u32 = 0x3fff_ffff;

/// The highest number that a ruleset names.
fn newest(ruleset: &Ruleset, arch: &Arch) -> Option<u32> {
    let names = ruleset.rules.iter().flat_map(|rule| &rule.names);
    names.filter_map(|name| number(arch, name)).max()
}

/// What is said of one number, read rule by rule.
struct Said {
    alternatives: Vec<(Vec<Condition>, Action)>,
    otherwise: Action,
}

fn said(ruleset: &Ruleset, arch: &Arch, newest: Option<u32>, number: u32) -> Said {
    let only = |otherwise| Said { alternatives: Vec::new(), otherwise };
    if arch.audit == X86_64.audit && number > HIGHEST {
        return only(ENOSYS);
    }
    let lets_through = matches!(ruleset.default, Allow | Action::Log | Action::Trace(_));
    if !lets_through && newest.is_some_and(|newest| number > newest) {
        return only(ENOSYS);
    }
    let Some((_, name)) = arch.calls().find(|(known, _)| *known == number) else {
        return only(ruleset.default);
    };
    let mut alternatives: Vec<(Vec<Condition>, Action)> = Vec::new();
    for rule in &ruleset.rules {
        if rule.action == ruleset.default || !rule.names.iter().any(|it| it == name) {
            continue;
        }
        let on = |at| rule.conditions.iter().filter(|one| one.argument == at).count();
        if (0..6).any(|at| on(at) > 1) {
            alternatives.extend(rule.conditions.iter().map(|one| (vec![*one], rule.action)));
        } else {
            alternatives.push((rule.conditions.clone(), rule.action));
        }
    }
    let nothing = |one: &Condition| matches!(one.comparison, Comparison::Masked { mask: 0, .. });
    match alternatives.iter().find(|(conditions, _)| conditions.iter().all(nothing)) {
        Some((_, always)) => only(*always),
        None => Said { alternatives, otherwise: ruleset.default },
    }
}

impl Said {
    fn of(&self, args: &[u64; 6]) -> Action {
        let met = |one: &Condition| {
            let argument = args[usize::from(one.argument)];
            let order = |value: u64| argument.cmp(&value);
            match one.comparison {
                Comparison::Equal(value) => order(value).is_eq(),
                Comparison::NotEqual(value) => order(value).is_ne(),
                Comparison::Less(value) => order(value).is_lt(),
                Comparison::AtMost(value) => order(value).is_le(),
                Comparison::AtLeast(value) => order(value).is_ge(),
                Comparison::Greater(value) => order(value).is_gt(),
                Comparison::Masked { mask, value } => argument & mask == value & mask,
            }
        };
        let first = self.alternatives.iter().find(|(conditions, _)| conditions.iter().all(met));
        first.map_or(self.otherwise, |(_, action)| *action)
    }
}

/// Some that are neighbours, old and new ones, and one that is none.
const NAMES: [&str; 12] = [
    "read",
    "write",
    "open",
    "close",
    "lseek",
    "mmap",
    "socket",
    "clone",
    "openat2",
    "faccessat2",
    "file_setattr",
    "unheard_of",
];

fn values() -> impl Strategy<Value = u64> {
    let marks =
        vec![0, 1, 2, 7, 0xffff_ffff, 1 << 32, (1 << 32) + 1, 7 << 32, (7 << 32) + 7, u64::MAX];
    prop_oneof![4 => proptest::sample::select(marks), 1 => any::<u64>()]
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    (0..7, values(), values()).prop_map(|(which, value, mask)| match which {
        0 => Comparison::Equal(value),
        1 => Comparison::NotEqual(value),
        2 => Comparison::Less(value),
        3 => Comparison::AtMost(value),
        4 => Comparison::AtLeast(value),
        5 => Comparison::Greater(value),
        _ => Comparison::Masked { mask, value },
    })
}

fn actions() -> impl Strategy<Value = Action> {
    let actions = vec![
        Allow,
        Action::Log,
        Action::Trace(3),
        Action::Notify,
        EPERM,
        ENOSYS,
        Action::Trap,
        Action::KillThread,
        KillProcess,
    ];
    proptest::sample::select(actions)
}

fn rulesets() -> impl Strategy<Value = Ruleset> {
    let names = proptest::sample::subsequence(&NAMES[..], 1..4);
    let condition = (0..6_u8, comparisons())
        .prop_map(|(argument, comparison)| Condition { argument, comparison });
    let conditions = proptest::collection::vec(condition, 0..5);
    let rule = (names, actions(), conditions).prop_map(|(names, action, conditions)| Rule {
        names: names.into_iter().map(str::to_owned).collect(),
        action,
        conditions,
    });
    (actions(), proptest::collection::vec(rule, 0..24))
        .prop_map(|(default, rules)| Ruleset { default, rules })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_ruleset_answers_as_it_reads(
        ruleset in rulesets(),
        args in proptest::collection::vec(proptest::array::uniform6(values()), 4),
    ) {
        for arch in ARCHES {
            let program = ruleset.compile_for(arch).expect("it is short");
            assert_valid(&program);
            let newest = newest(&ruleset, arch);
            let named = NAMES.iter().filter_map(|name| number(arch, name));
            let around = named.flat_map(|number| [number.saturating_sub(1), number, number + 1]);
            let far = [470, 600, HIGHEST, HIGHEST + 1, 0x4000_0007, u32::MAX];
            for number in around.chain(far) {
                // What the rules compare with, so that some hold.
                let own = ruleset.rules.iter().filter(|rule| !rule.conditions.is_empty());
                let own = own.map(|rule| {
                    let mut args = args[0];
                    for one in &rule.conditions {
                        args[usize::from(one.argument)] = match one.comparison {
                            Comparison::Equal(value) | Comparison::NotEqual(value)
                            | Comparison::Less(value) | Comparison::AtMost(value)
                            | Comparison::AtLeast(value) | Comparison::Greater(value)
                            | Comparison::Masked { value, .. } => value,
                        };
                    }
                    args
                });
                let said = said(&ruleset, arch, newest, number);
                for args in args.iter().copied().chain(own) {
                    let outcome = run(&program, &call(arch, number, args));
                    prop_assert_eq!(outcome.value, said.of(&args).code(), "{} {:x?}", number, args);
                }
            }
        }
    }

    /// The kernel keeps for good that a call is allowed whose answer needs no argument.
    #[test]
    fn arguments_are_read_only_behind_numbers_that_rules_with_conditions_name(
        ruleset in rulesets(),
        args in proptest::array::uniform6(values()),
    ) {
        for arch in ARCHES {
            let program = ruleset.compile_for(arch).expect("it is short");
            for (number, name) in arch.calls() {
                let checked = ruleset
                    .rules
                    .iter()
                    .any(|rule| !rule.conditions.is_empty() && rule.names.iter().any(|it| it == name));
                let outcome = run(&program, &call(arch, number, args));
                prop_assert!(checked || !outcome.read_arguments, "{}", name);
            }
        }
    }
}
