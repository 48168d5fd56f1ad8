//! The golden tables: what the compiled filters answer to every number, as text that is reviewed.
//!
//! `tests/it/syscalls.rs` of the namespace backend holds a kernel against the same files.

use std::fmt::Write;
use std::{env, fs};

use super::*;
use crate::interpret::paths::{Condition, paths};

/// Where this is set, the tables are written and not compared.
const WRITE: &str = "STOCKADE_WRITE_TABLE";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/syscalls");

const HEAD: &str = "\
# What the filters answer to each system call of ARCH: number, name, `default`, `strict`.
#
# `allow` lets it through, `kill` ends the process, an errno fails it, `success` does nothing. A star
# means that the arguments matter: the answer is the one to arguments of all bits, and what is refused
# follows. `aN` is the low half of argument N. A section with a condition holds what differs under it.
#
# Computed from the compiled programs; after a change of a profile, run `cargo xtask table`.
";

/// An entry into the kernel: its heading, the architecture the filter sees, bits of every number.
struct Abi {
    title: &'static str,
    audit: u32,
    bits: u32,
    /// The highest number the kernel knows here and `Arch` does not.
    newest: u32,
}

const fn abi(title: &'static str, audit: u32) -> Abi {
    Abi { title, audit, bits: 0, newest: 0 }
}

const I386: Abi = abi("i386", 0x4000_0003);
const ARM: Abi = abi("arm", 0x4000_0028);
const X32: Abi = Abi { title: "x32", audit: X86_64.audit, bits: 0x4000_0000, newest: 547 };

/// The files: name, architecture, entries.
const FILES: [(&str, &Arch, &[Abi]); 2] = [
    ("x86_64", &X86_64, &[abi("64-bit", X86_64.audit), X32, I386]),
    ("aarch64", &AARCH64, &[abi("64-bit", AARCH64.audit), ARM]),
];

/// What a filter is made from besides the profile: its condition in a heading, sockets, and whether
/// hidden memory is allowed. The first is what the others differ from.
const VARIANTS: [(&str, Sockets, bool); 3] = [
    ("", Sockets::UnixOnly, true),
    (", with a network", Sockets::Inet, true),
    (", where no group counts memory", Sockets::UnixOnly, false),
];

fn program(arch: &Arch, profile: Profile, sockets: Sockets, hidden: bool) -> Vec<Instruction> {
    let mut rules = Rules::new(profile, sockets);
    if !hidden {
        rules.refuse_hidden_memory();
    }
    filter_for(arch, &rules)
}

/// Answers to one number, by profile.
#[derive(Clone, PartialEq, Eq)]
struct Row {
    name: &'static str,
    answers: [Answer; 2],
}

#[derive(Clone, PartialEq, Eq)]
struct Answer {
    /// To arguments of all bits.
    cell: String,
    /// Which arguments are refused, and how.
    refused: Vec<String>,
}

fn answer(program: &[Instruction], call: &Call) -> Answer {
    let paths = paths(program, call.number, call.arch);
    let checked = paths.len() > 1;
    let star = if checked { "*" } else { "" };
    let cell = format!("{}{star}", word(run(program, call).value));
    let refusal = |(conditions, value): &(Vec<Condition>, u32)| {
        let conditions: Vec<String> = simplest(conditions).iter().map(text).collect();
        format!("{} where {}", word(*value), conditions.join(", "))
    };
    let refused = paths.iter().filter(|(_, value)| checked && *value != Allow.code());
    Answer { cell, refused: refused.map(refusal).collect() }
}

fn word(value: u32) -> String {
    const ERRNO: u32 = libc::SECCOMP_RET_ERRNO;
    let errno = |errno: i32| ERRNO | errno as u32;
    match value {
        libc::SECCOMP_RET_ALLOW => "allow".into(),
        libc::SECCOMP_RET_KILL_PROCESS => "kill".into(),
        ERRNO => "success".into(),
        value if value == errno(libc::EPERM) => "EPERM".into(),
        value if value == errno(libc::ENOSYS) => "ENOSYS".into(),
        value if value == errno(libc::ENOTSOCK) => "ENOTSOCK".into(),
        value if value == errno(libc::EAFNOSUPPORT) => "EAFNOSUPPORT".into(),
        value if value == errno(libc::EPROTONOSUPPORT) => "EPROTONOSUPPORT".into(),
        other => panic!("the table has no word for {other:#x}"),
    }
}

/// Without the differences that an equality implies.
fn simplest(conditions: &[Condition]) -> Vec<Condition> {
    let implied = |one: &Condition| {
        !one.holds
            && one.code == IF_EQUAL
            && conditions
                .iter()
                .any(|other| other.holds && other.code == IF_EQUAL && other.operand == one.operand)
    };
    conditions.iter().filter(|one| !implied(one)).copied().collect()
}

const IF_EQUAL: u16 = 0x15;

fn text(condition: &Condition) -> String {
    let Condition { operand: (argument, high, mask), code, k, holds } = *condition;
    let mut text = format!("a{argument}{}", if high { ".high" } else { "" });
    let mut and = |mask: u32| {
        write!(text, " & {mask:#x}").expect("a string takes everything");
    };
    if mask != u32::MAX {
        and(mask);
    }
    let value = if code == IF_EQUAL {
        k
    } else {
        and(k);
        0
    };
    let equal = (code == IF_EQUAL) == holds;
    let value = if value == 0 { "0".to_owned() } else { format!("{value:#x}") };
    format!("{text} {} {value}", if equal { "=" } else { "!=" })
}

fn table(name: &str, arch: &Arch, abis: &[Abi]) -> String {
    let mut page = HEAD.replace("ARCH", name);
    for abi in abis {
        let rows = |(_, sockets, hidden): (&str, Sockets, bool)| -> Vec<Row> {
            let programs = [Profile::Default, Profile::Strict]
                .map(|profile| program(arch, profile, sockets, hidden));
            (0..=newest(arch).max(abi.newest) + 64)
                .map(|number| {
                    let call = Call {
                        number: number | abi.bits,
                        arch: abi.audit,
                        pointer: 0,
                        args: [u64::MAX; 6],
                    };
                    let named = (abi.bits, abi.audit) == (0, arch.audit);
                    let known = arch.calls().find(|(known, _)| named && *known == number);
                    Row {
                        name: known.map_or("-", |(_, name)| name),
                        answers: [0, 1].map(|profile| answer(&programs[profile], &call)),
                    }
                })
                .collect()
        };
        let plain = rows(VARIANTS[0]);
        section(&mut page, abi.title, plain.iter().enumerate());
        for variant in &VARIANTS[1..] {
            let rows = rows(*variant);
            let others = rows.iter().enumerate().filter(|(number, row)| plain[*number] != **row);
            section(&mut page, &format!("{}{}", abi.title, variant.0), others);
        }
    }
    page
}

/// Writes rows, numbers without a name that are answered alike as one; nothing, if there are none.
fn section<'a>(page: &mut String, title: &str, rows: impl Iterator<Item = (usize, &'a Row)>) {
    let mut runs: Vec<(usize, usize, &Row)> = Vec::new();
    for (number, row) in rows {
        match runs.last_mut() {
            Some((_, last, run)) if *run == row && row.name == "-" && *last + 1 == number => {
                *last = number;
            }
            _ => runs.push((number, number, row)),
        }
    }
    if runs.is_empty() {
        return;
    }
    writeln!(page, "\n[{title}]").expect("a string takes everything");
    for (first, last, row) in runs {
        let numbers = if first == last { format!("{first}") } else { format!("{first}-{last}") };
        let [default, strict] = &row.answers;
        writeln!(page, "{numbers:>8} {:<24} {:<14} {}", row.name, default.cell, strict.cell)
            .expect("a string takes everything");
        refusals(page, row);
    }
}

fn refusals(page: &mut String, row: &Row) {
    let [default, strict] = row.answers.clone().map(|answer| answer.refused);
    let lists = if default == strict {
        vec![("default, strict", default)]
    } else {
        vec![("default", default), ("strict", strict)]
    };
    for (who, list) in lists {
        for refusal in list {
            writeln!(page, "       | {who}: {refusal}").expect("a string takes everything");
        }
    }
}

#[test]
fn the_tables_are_those_of_the_compiled_filters() {
    for (name, arch, abis) in FILES {
        let path = format!("{FOLDER}/{name}.txt");
        let current = table(name, arch, abis);
        if env::var_os(WRITE).is_some() {
            fs::write(&path, current).expect("the table can be written");
            continue;
        }
        let committed = fs::read_to_string(&path).expect("the table is there");
        for (line, (is, was)) in current.lines().zip(committed.lines()).enumerate() {
            assert_eq!(is, was, "{path}:{}: changed on purpose? run: cargo xtask table", line + 1);
        }
        assert!(current == committed, "{path} is of other filters; run: cargo xtask table");
    }
}

/// Two conditions at once need no section of their own.
#[test]
fn what_differs_with_a_network_and_without_groups_adds_up() {
    for (_, arch, _) in FILES {
        for profile in [Profile::Default, Profile::Strict] {
            let of = |sockets, hidden| program(arch, profile, sockets, hidden);
            let [plain, network, counted] =
                VARIANTS.map(|(_, sockets, hidden)| of(sockets, hidden));
            let both = of(Sockets::Inet, false);
            for number in 0..=newest(arch) + 64 {
                let call = call(arch, number, [u64::MAX; 6]);
                let [plain, network, counted, both] =
                    [&plain, &network, &counted, &both].map(|program| answer(program, &call));
                let expected = if network == plain { counted } else { network };
                assert!(both == expected, "{number}");
            }
        }
    }
}

#[test]
fn every_call_takes_one_path_and_ends_as_it_says() {
    let values = equivalence::boundaries();
    for (_, arch, _) in FILES {
        for (profile, sockets) in SHAPES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            for (number, name) in arch.calls() {
                let paths = paths(&program, number, arch.audit);
                for (index, &value) in values.iter().enumerate() {
                    let other = values[(index * 7 + 3) % values.len()];
                    let call = call(arch, number, [value, other, value, other, value, other]);
                    let taken: Vec<u32> = paths
                        .iter()
                        .filter(|(conditions, _)| conditions.iter().all(|one| one.met(&call)))
                        .map(|(_, value)| *value)
                        .collect();
                    assert_eq!(taken, [run(&program, &call).value], "{name} {call:x?}");
                }
            }
        }
    }
}
