//! What [`Ruleset`] says of itself, by example; and any of them.

mod naive;

use super::*;
use crate::interpret::assert_valid;
use crate::{Comparison, Condition, Rule, Ruleset, RulesetError};

const EINVAL: Action = Errno(libc::EINVAL as u16);
fn rule(names: &str, action: Action, conditions: &[(u8, Comparison)]) -> Rule {
    let conditions = conditions.iter();
    Rule {
        names: names.split_whitespace().map(str::to_owned).collect(),
        action,
        conditions: conditions
            .map(|&(argument, comparison)| Condition { argument, comparison })
            .collect(),
    }
}

fn ruleset<const N: usize>(default: Action, rules: [Rule; N]) -> Ruleset {
    Ruleset { default, rules: rules.into() }
}

/// What the compiled filter answers, on both architectures; it must be the same.
#[track_caller]
fn answer(ruleset: &Ruleset, name: &str, args: [u64; 6]) -> Option<Action> {
    const ACTIONS: [Action; 10] = [
        Allow,
        Action::Log,
        Action::Trace(7),
        Action::Notify,
        EPERM,
        EINVAL,
        ENOSYS,
        Action::Trap,
        Action::KillThread,
        KillProcess,
    ];
    let values = ARCHES.map(|arch| {
        let program = ruleset.compile_for(arch).expect("it is short");
        let number = number(arch, name).expect("both architectures have it");
        run(&program, &call(arch, number, args)).value
    });
    assert_eq!(values[0], values[1], "{name}");
    ACTIONS.into_iter().find(|action| action.code() == values[0])
}

#[test]
fn every_action_is_the_kernels() {
    let codes = [
        (Allow, 0x7fff_0000_u32),
        (Action::Log, 0x7ffc_0000),
        (Action::Trace(0x1234), 0x7ff0_1234),
        (Action::Notify, 0x7fc0_0000),
        (Errno(0xffff), 0x0005_ffff),
        (Action::Trap, 0x0003_0000),
        (Action::KillThread, 0),
        (KillProcess, 0x8000_0000),
    ];
    for (action, code) in codes {
        assert_eq!(action.code(), code);
        let other = if action == Allow { EPERM } else { Allow };
        for arch in ARCHES {
            let ruleset = ruleset(other, [rule("getpid", action, &[])]);
            let program = ruleset.compile_for(arch).expect("it is short");
            let number = number(arch, "getpid").expect("both architectures have it");
            assert_eq!(run(&program, &call(arch, number, [0; 6])).value, code);
        }
    }
}

/// An operator, what it compares with, and arguments with their answers.
type Operator = (fn(u64) -> Comparison, u64, &'static [(u64, bool)]);

#[test]
fn every_operator_compares_all_64_bits() {
    const VALUE: u64 = 0x5_0000_0007;
    let operators: [Operator; 6] = [
        (Comparison::Equal, VALUE, &[(VALUE, true), (7, false), (VALUE + 1, false)]),
        (Comparison::NotEqual, VALUE, &[(VALUE, false), (7, true), (0x5_0000_0008, true)]),
        (Comparison::Less, VALUE, &[(VALUE - 1, true), (VALUE, false), (0x4_ffff_ffff, true)]),
        (Comparison::AtMost, VALUE, &[(VALUE, true), (VALUE + 1, false), (0x6_0000_0000, false)]),
        (Comparison::AtLeast, VALUE, &[(VALUE, true), (VALUE - 1, false), (0x6_0000_0000, true)]),
        (Comparison::Greater, VALUE, &[(VALUE, false), (VALUE + 1, true), (0xffff_ffff, false)]),
    ];
    for (operator, value, arguments) in operators {
        let comparison = operator(value);
        let ruleset = ruleset(Allow, [rule("lseek", EINVAL, &[(1, comparison)])]);
        for &(argument, holds) in arguments {
            let expected = if holds { EINVAL } else { Allow };
            let args = [u64::MAX, argument, 0, 0, 0, 0];
            assert_eq!(
                answer(&ruleset, "lseek", args),
                Some(expected),
                "{comparison:x?} {args:x?}"
            );
        }
    }
}

#[test]
fn a_mask_reaches_into_both_halves() {
    let mask = 0xff_0000_00f0;
    // The value's other bits do not count.
    let masked = Comparison::Masked { mask, value: 0xab_1234_5630 };
    let ruleset = ruleset(Allow, [rule("lseek", EINVAL, &[(5, masked)])]);
    for (argument, expected) in [
        (0xab_0000_0030, EINVAL),
        (0x1ab_ffff_ff3f, EINVAL),
        (0x30, Allow),
        (0xab_0000_0040, Allow),
    ] {
        assert_eq!(answer(&ruleset, "lseek", [0, 0, 0, 0, 0, argument]), Some(expected));
    }
}

#[test]
fn conditions_of_a_rule_must_all_hold_and_its_rules_are_tried_in_order() {
    let rules = [
        rule("lseek", EINVAL, &[(0, Comparison::Equal(3)), (2, Comparison::Equal(1))]),
        rule("lseek", EPERM, &[(0, Comparison::Equal(3))]),
        rule("lseek", KillProcess, &[(2, Comparison::Equal(1))]),
    ];
    let ruleset = ruleset(Allow, rules);
    for (args, expected) in
        [([3, 1], EINVAL), ([3, 0], EPERM), ([4, 1], KillProcess), ([4, 0], Allow)]
    {
        let args = [args[0], 0, args[1], 0, 0, 0];
        assert_eq!(answer(&ruleset, "lseek", args), Some(expected));
    }
}

#[test]
fn conditions_on_one_argument_are_alternatives() {
    let either = [
        (0, Comparison::Equal(1)),
        (0, Comparison::Equal(2)),
        // As runc has it, this one is an alternative then as well.
        (1, Comparison::Equal(9)),
    ];
    let ruleset = ruleset(EPERM, [rule("socket getpid", Allow, &either)]);
    for (args, expected) in [([1, 0], Allow), ([2, 0], Allow), ([3, 9], Allow), ([3, 0], EPERM)] {
        let args = [args[0], args[1], 0, 0, 0, 0];
        assert_eq!(answer(&ruleset, "socket", args), Some(expected));
    }
}

#[test]
fn a_rule_without_conditions_decides_alone() {
    let some = [(0, Comparison::Equal(1))];
    let all = [(0, Comparison::Masked { mask: 0, value: 1 })];
    for always in [&[][..], &all] {
        let rules = [
            rule("socket", EINVAL, &some),
            rule("socket", KillProcess, always),
            rule("socket", Allow, &[]),
        ];
        let ruleset = ruleset(EPERM, rules);
        for family in [0, 1] {
            let args = [family, 0, 0, 0, 0, 0];
            assert_eq!(answer(&ruleset, "socket", args), Some(KillProcess));
        }
    }
}

#[test]
fn a_rule_that_says_what_is_so_anyway_is_none() {
    let rules = [
        rule("socket", EPERM, &[(0, Comparison::Equal(1))]),
        rule("socket", EPERM, &[]),
        rule("socket", Allow, &[(0, Comparison::AtMost(1))]),
    ];
    let ruleset = ruleset(EPERM, rules);
    assert_eq!(answer(&ruleset, "socket", [1, 0, 0, 0, 0, 0]), Some(Allow));
    assert_eq!(answer(&ruleset, "socket", [2, 0, 0, 0, 0, 0]), Some(EPERM));
}

#[test]
fn unknown_names_are_passed_over() {
    let with = ruleset(EPERM, [rule("getpid open_the_pod_bay_doors", Allow, &[])]);
    let without = ruleset(EPERM, [rule("getpid", Allow, &[])]);
    assert_eq!(with.compile(), without.compile());
    assert_eq!(
        ruleset(EPERM, [rule("nothing", Allow, &[])]).compile(),
        ruleset(EPERM, []).compile()
    );
}

#[test]
fn newer_calls_than_the_newest_named_look_absent_where_the_default_refuses() {
    for default in [EPERM, KillProcess, Action::KillThread, Action::Trap] {
        // The newest counts even if its rule says nothing.
        for newest in [Allow, default] {
            let rules = [rule("getpid", Allow, &[]), rule("openat2", newest, &[])];
            let ruleset = ruleset(default, rules);
            assert_eq!(answer(&ruleset, "openat2", [0; 6]), Some(newest));
            assert_eq!(answer(&ruleset, "clone3", [0; 6]), Some(default));
            assert_eq!(answer(&ruleset, "pidfd_getfd", [0; 6]), Some(ENOSYS));
        }
    }
    for default in [Allow, Action::Log, Action::Trace(7)] {
        let ruleset = ruleset(default, [rule("openat2", EPERM, &[])]);
        assert_eq!(answer(&ruleset, "pidfd_getfd", [0; 6]), Some(default));
    }
    // Without a named call there is no newest one.
    assert_eq!(answer(&ruleset(EPERM, []), "pidfd_getfd", [0; 6]), Some(EPERM));
}

#[test]
fn foreign_abis_are_refused_whatever_the_rules_say() {
    for default in [Allow, EPERM] {
        let ruleset = ruleset(default, [rule("getpid", Allow, &[]), rule("futex", EPERM, &[])]);
        for arch in ARCHES {
            let program = ruleset.compile_for(arch).expect("it is short");
            for audit in [0x4000_0003, 0x4000_0028, 0, u32::MAX] {
                let foreign = Call { arch: audit, ..call(arch, 1, [0; 6]) };
                assert_eq!(run(&program, &foreign).value, KillProcess.code());
            }
        }
        let program = ruleset.compile_for(&X86_64).expect("it is short");
        for number in [0, 39, 512, 0x3fff_ffff].map(|number| number | 0x4000_0000) {
            assert_eq!(run(&program, &call(&X86_64, number, [0; 6])).value, ENOSYS.code());
        }
    }
}

#[test]
fn what_the_kernel_would_not_take_is_an_error() {
    let wrong = ruleset(Allow, [rule("lseek", EPERM, &[(6, Comparison::Equal(0))])]);
    assert_eq!(wrong.compile(), Err(RulesetError::NoSuchArgument(6)));
    let message = wrong.compile().expect_err("it was").to_string();
    assert_eq!(message, "system calls have the arguments 0 to 5, and a rule tests argument 6");
    let many = |count: u64| {
        let one = |value| rule("lseek", EPERM, &[(0, Comparison::Equal(value))]);
        Ruleset { default: Allow, rules: (0..count).map(one).collect() }
    };
    let longest =
        (1000..1100).rev().find_map(|count| many(count).compile().ok()).expect("none fits");
    assert!(longest.len() / 8 > 4000, "{}", longest.len() / 8);
    let Err(RulesetError::TooLong(length)) = many(5000).compile() else { panic!("it fits") };
    assert!(length > 4096);
}

#[test]
fn calls_with_the_same_rules_share_their_code() {
    let names = "read write lseek ioctl mremap mlock munlock flock fsync getcwd chdir fchdir";
    let one = (0..50).map(|value| rule(names, EPERM, &[(0, Comparison::Equal(value))])).collect();
    let ruleset = Ruleset { default: Allow, rules: one };
    for arch in ARCHES {
        let program = ruleset.compile_for(arch).expect("it is short");
        assert_valid(&program);
        assert!(program.len() < 300, "{} instructions", program.len());
        for name in names.split_whitespace() {
            let number = number(arch, name).expect("both architectures have it");
            for (value, expected) in [(0, EPERM), (49, EPERM), (50, Allow)] {
                let call = call(arch, number, [value, 0, 0, 0, 0, 0]);
                assert_eq!(run(&program, &call).value, expected.code(), "{name}");
            }
        }
    }
}
