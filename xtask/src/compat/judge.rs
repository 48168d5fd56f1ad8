//! Programs as a judge gets them, under the profile `strict`.

use super::place::{self, Call, Place};
use super::programs::skip;
use crate::test::tally::Tally;
use crate::{Outcome, command};
use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// The answer to the numbers that [`input`] writes: their count, sum, median, and how many are prime.
pub(super) const ANSWER: &str = "5000 24997500 4998 610\n";

/// A source, and the words that compile it, to which its own path and `-o` are added.
struct Source {
    name: &'static str,
    /// The name of the file.
    file: &'static str,
    text: &'static str,
    compiler: &'static [&'static str],
}

const C: (&str, &str) = ("sum.c", include_str!("judge/sum.c"));
const CPP: (&str, &str) = ("sum.cpp", include_str!("judge/sum.cpp"));
const RUST: (&str, &str) = ("sum.rs", include_str!("judge/sum.rs"));

const fn source(
    name: &'static str,
    (file, text): (&'static str, &'static str),
    compiler: &'static [&'static str],
) -> Source {
    Source { name, file, text, compiler }
}

const SOURCES: [Source; 6] = [
    source("C", C, &["gcc", "-O2"]),
    source("C, static", C, &["gcc", "-O2", "-static"]),
    source("C++ with a thread", CPP, &["g++", "-O2", "-pthread"]),
    source("C++ with a thread, static", CPP, &["g++", "-O2", "-pthread", "-static"]),
    source("Rust with a thread", RUST, &["rustc", "-O"]),
    source(
        "Rust with a thread, static",
        RUST,
        &["rustc", "-O", "-C", "target-feature=+crt-static"],
    ),
];

const STRICT: [&str; 2] = ["--syscalls", "strict"];

/// Nothing of the host is there but the program.
const ALONE: [&str; 4] = ["--syscalls", "strict", "--base", "empty"];

/// Five thousand numbers without order: every second one below ten thousand.
pub(super) fn input() -> String {
    let numbers = (0..5000_u32).map(|n| n * 3571 % 5000 * 2);
    numbers.map(|even| format!("{}\n", even + u32::from(even % 4 == 0))).collect()
}

pub(super) fn run(place: &Place) -> Outcome<Tally> {
    println!("\nprograms of a judge, outside and under `strict` inside");
    let folder = place.programs();
    let failure = |error| format!("{}: {error}", folder.display());
    let numbers = folder.join("numbers.txt");
    fs::write(&numbers, input()).map_err(failure)?;
    let mut tally = Tally::default();
    for (number, source) in SOURCES.iter().enumerate() {
        let program = folder.join(format!("judge-{number}"));
        if let Some(reason) = compile(source, folder, &program)? {
            skip(&mut tally, source.name, &reason);
            continue;
        }
        let program = program.to_string_lossy();
        let is_static = source.name.ends_with("static");
        let base = if is_static { &ALONE[..] } else { &STRICT };
        let options = [base, &["--ro", &program]].concat();
        let words = [&*program];
        let call = Call { words: &words, env: &[], input: Some(&numbers), options: &options };
        answers(&mut tally, source.name, &place.both(call)?);
    }
    let script = place.folder.join("judge.py");
    let words = [crate::host::PYTHON, "-I", &script.to_string_lossy()];
    let call = Call { words: &words, env: &[], input: Some(&numbers), options: &STRICT };
    answers(&mut tally, "Python", &place.both(call)?);
    ended(place, &mut tally)?;
    Ok(tally)
}

/// Compiles a source; gives the reason where there is no compiler for it.
fn compile(source: &Source, folder: &Path, program: &Path) -> Outcome<Option<String>> {
    let [compiler, options @ ..] = source.compiler else { return Err("no compiler".to_owned()) };
    // The toolchain that compiled this program has a compiler too.
    let beside =
        env::var_os("CARGO").and_then(|cargo| Some(Path::new(&cargo).parent()?.to_owned()));
    let first: Vec<_> = beside.into_iter().filter(|_| *compiler == "rustc").collect();
    let Some(compiler) = command::find(compiler, &first) else {
        return Ok(Some(format!("no {compiler} here")));
    };
    let file = folder.join(source.file);
    fs::write(&file, source.text).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(compiler);
    command::run(command.args(options).arg("-o").args([program, &file]).current_dir(folder))?;
    // Whatever the umask says.
    fs::set_permissions(program, Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(None)
}

/// Both sides must have given the answer.
fn answers(tally: &mut Tally, name: &str, outputs: &[Output; 2]) {
    let wrong = outputs[0].stdout != ANSWER.as_bytes();
    let fault = place::fault(outputs).or(wrong.then(|| "gave a wrong answer".to_owned()));
    match fault {
        None => {
            println!("{name} ... the same answer");
            tally.passed += 1;
        }
        Some(fault) => {
            println!("{name} ... FAILED: it {fault}");
            tally.failed += 1;
        }
    }
}

/// A call that is not on the list ends its program, and the verdict says so.
fn ended(place: &Place, tally: &mut Tally) -> Outcome {
    let name = "a call outside of the list";
    let text = include_str!("judge/outside.c");
    let program = place.programs().join("judge-outside");
    let source = source("", ("outside.c", text), &["gcc", "-O2", "-Wno-unused-result"]);
    if let Some(reason) = compile(&source, place.programs(), &program)? {
        skip(tally, name, &reason);
        return Ok(());
    }
    let program = program.to_string_lossy();
    let options = [&STRICT[..], &["--ro", &program]].concat();
    let call = Call { words: &[&*program], env: &[], input: None, options: &options };
    let [outside, inside] = place.both(call)?;
    if outside.stdout == b"before\nafter\n" && is_ended(&inside) {
        println!("{name} ... ended the program");
        tally.passed += 1;
    } else {
        let shown = place::shown("inside", &inside);
        println!("{name} ... FAILED: it did not end the program\n{shown}");
        tally.failed += 1;
    }
    Ok(())
}

/// Whether a program was ended as the manual says.
pub(super) fn is_ended(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.code() == Some(124)
        && output.stdout == b"before\n"
        && said.contains("stockade: stopped:")
        && said.contains("system call")
}
