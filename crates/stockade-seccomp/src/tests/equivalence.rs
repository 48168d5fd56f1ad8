//! The compiled program against the rules read one by one.

use proptest::prelude::*;

use super::*;
use crate::compile::{Range, compile};
use crate::interpret::{assert_valid, decide};
use crate::profile::Rules;
use crate::rule::{Clause, Decision, differs, equals, has_any, masked_equals};

/// What the rules say about a number, found without any of the compiler's machinery.
fn look_up(arch: &Arch, rules: &Rules, wanted: u32) -> Decision<'static> {
    arch.calls()
        .find(|&(number, _)| number == wanted)
        .map_or(Decision::Always(ENOSYS), |(_, name)| rules.decision(name))
}

/// The arguments' values at and around everything the rules compare with.
pub(super) fn boundaries() -> Vec<u64> {
    let marks = [
        0,
        1,
        2,
        3,
        6,
        8,
        10,
        16,
        17,
        35,
        40,
        132,
        0x5412,
        0x541c,
        0x5423,
        0x80,
        0x2_0000,
        0x2_0008,
        0x0200_0000,
        0x1000_0000,
        0x4000_0000,
        0o100,
        0o2000_0000,
        0o2000,
        0o4000,
        0o2_0600,
        0o6_0600,
        0o10_0644,
        u32::MAX as u64,
        HIGH,
        u64::MAX,
    ];
    marks.iter().flat_map(|&mark: &u64| [mark, mark | HIGH, mark.wrapping_sub(1)]).collect()
}

#[test]
fn every_number_gets_what_the_rules_say() {
    let values = boundaries();
    for (profile, sockets) in SHAPES {
        let rules = Rules::new(profile, sockets);
        for arch in ARCHES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            let plain = 0..=newest(arch) + 64;
            for number in plain.clone().chain(plain.map(|n| n | 0x4000_0000)).chain([u32::MAX]) {
                let decision = look_up(arch, &rules, number);
                for &value in &values {
                    let call = call(arch, number, [value; 6]);
                    let expected = decide(decision, &call.args).code();
                    assert_eq!(run(&program, &call).value, expected, "{profile:?} {call:x?}");
                }
            }
        }
    }
}

#[test]
fn checked_calls_get_what_the_rules_say_for_pairs_of_values() {
    let values = boundaries();
    for (profile, sockets) in SHAPES {
        let rules = Rules::new(profile, sockets);
        for arch in ARCHES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            for (number, name) in arch.calls() {
                let decision = rules.decision(name);
                let Decision::Checked(_) = decision else { continue };
                for &a in &values {
                    for &b in &values {
                        for args in [[a, b, b, b, b, b], [b, a, b, b, b, b], [b, b, a, b, b, b]] {
                            let outcome = run(&program, &call(arch, number, args));
                            assert_eq!(outcome.value, decide(decision, &args).code(), "{name}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn programs_are_valid_and_their_paths_short() {
    for (profile, sockets) in SHAPES {
        for arch in ARCHES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            assert_valid(&program);
            assert!(program.len() < 400, "{} instructions", program.len());
            let steps: Vec<usize> = arch
                .calls()
                .map(|(number, _)| run(&program, &call(arch, number, [0; 6])).steps)
                .collect();
            let average = steps.iter().sum::<usize>() / steps.len();
            let worst = steps.iter().copied().max().unwrap_or(0);
            assert!(average <= 12, "{profile:?}: {average} instructions on average");
            assert!(worst <= 24, "{profile:?}: {worst} instructions at worst");
        }
    }
}

#[test]
fn arguments_are_read_only_where_they_decide() {
    for (profile, sockets) in SHAPES {
        let rules = Rules::new(profile, sockets);
        for arch in ARCHES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            for (number, name) in arch.calls() {
                let checked = matches!(rules.decision(name), Decision::Checked(_));
                let outcome = run(&program, &call(arch, number, [0; 6]));
                assert_eq!(outcome.read_arguments, checked, "{name}");
            }
        }
    }
}

#[test]
fn every_name_in_a_profile_is_a_system_call() {
    for (profile, sockets) in SHAPES {
        for name in Rules::new(profile, sockets).names() {
            assert!(ARCHES.iter().any(|arch| number(arch, name).is_some()), "{name}");
        }
    }
}

/// Decisions of every form the compiler has to translate.
const DECISIONS: [Decision<'_>; 6] = {
    const MIXED: &[Clause<'_>] = &[
        (&[masked_equals(1, 0xf0, 0x30), differs(1, 7)], EPERM),
        (&[has_any(1, 0x8000_0000)], KillProcess),
        (&[masked_equals(1, 0xff, 0)], ENOSYS),
    ];
    [
        Decision::Always(Allow),
        Decision::Always(EPERM),
        Decision::Always(KillProcess),
        Decision::Checked(&[(&[equals(0, 1), equals(5, 2)], ENOSYS)]),
        Decision::Checked(&[(&[equals(0, 0)], EPERM), (&[has_any(0, 3)], ENOSYS)]),
        Decision::Checked(MIXED),
    ]
};

fn arguments() -> impl Strategy<Value = [u64; 6]> {
    let value = prop_oneof![any::<u64>(), 0..64_u64, proptest::sample::select(boundaries())];
    proptest::array::uniform6(value)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_get_what_the_rules_say(
        shape in 0..SHAPES.len(),
        arch in 0..ARCHES.len(),
        number in prop_oneof![0..600_u32, any::<u32>()],
        args in arguments(),
    ) {
        let (profile, sockets) = SHAPES[shape];
        let decision = look_up(ARCHES[arch], &Rules::new(profile, sockets), number);
        let program = filter_for(ARCHES[arch], &Rules::new(profile, sockets));
        let outcome = run(&program, &call(ARCHES[arch], number, args));
        prop_assert_eq!(outcome.value, decide(decision, &args).code());
    }

    /// Long tables also exercise jumps beyond 255 instructions.
    #[test]
    fn any_table_compiles_to_an_equivalent_program(
        picks in proptest::collection::vec((1..40_u32, 0..DECISIONS.len()), 1..250),
        args in arguments(),
    ) {
        let mut table = Vec::new();
        let mut first = 0;
        for (width, pick) in picks {
            table.push(Range { first, decision: DECISIONS[pick] });
            first += width;
        }
        let program = compile(X86_64.audit, &table);
        assert_valid(&program);
        for (at, range) in table.iter().enumerate() {
            let last = table.get(at + 1).map_or(u32::MAX, |next| next.first - 1);
            for number in [range.first, last] {
                let outcome = run(&program, &call(&X86_64, number, args));
                prop_assert_eq!(outcome.value, decide(range.decision, &args).code());
            }
        }
    }
}

#[test]
fn ranges_are_ascending_and_merged() {
    for arch in ARCHES {
        let table = Rules::new(Profile::Default, Sockets::Inet).ranges(arch);
        assert_eq!(table[0].first, 0);
        for pair in table.windows(2) {
            assert!(pair[0].first < pair[1].first);
            assert_ne!(pair[0].decision, pair[1].decision);
        }
    }
}

#[test]
fn the_highest_number_can_be_like_no_other() {
    let decisions = [(0, Allow), (7, EPERM), (8, Allow), (u32::MAX, ENOSYS)];
    let table =
        decisions.map(|(first, action)| Range { first, decision: Decision::Always(action) });
    let program = compile(ARCHES[0].audit, &table);
    assert_valid(&program);
    for (number, action) in
        [(6, Allow), (7, EPERM), (8, Allow), (u32::MAX - 1, Allow), (u32::MAX, ENOSYS)]
    {
        assert_eq!(
            run(&program, &call(ARCHES[0], number, [0; 6])).value,
            action.code(),
            "{number}"
        );
    }
}
