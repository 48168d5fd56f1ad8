//! `cargo xtask`: the commands that set up, check and test this workspace.
//!
//! Everything that continuous integration runs is a subcommand here, so that a contributor can run
//! exactly the same thing.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

mod command;
mod compat;
mod container;
mod cross;
mod demo;
mod header;
mod host;
mod instructions;
mod lint;
mod nightly;
mod runtimes;
mod setup;
mod table;
mod test;
mod tidy;
mod valgrind;
mod vm;
mod workspace;

use std::env;
use std::process::ExitCode;

/// What went wrong, in words for the person at the terminal.
type Outcome<T = ()> = Result<T, String>;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  setup           check what the other commands need; as root on Debian or Ubuntu, install it
  test            run every test that this machine can run, and say what was skipped and why
  python-test     of these, the tests of the Python package alone
  c-test          of these, the tests of the C library alone
  container-test  run tests inside unprivileged containers
  compat-test     run ordinary programs outside and inside, and compare: [--long]
  instructions    count the instructions of each path, against the committed table: [--bless]
  vm-test         run the native tests in a virtual machine with cgroup version 2 and an older kernel
  demo            run a real untrusted program and one misbehaving guest per limit
  lint            formatting, clippy, documentation, tidy and licences
  tidy            the laws of the workspace: crate edges, lengths, unsafe islands, stubs
  header          write the header of the C binding from its sources
  table           write the tables that are committed: behaviours in the manual, system calls
  cross           type-check the native crates for aarch64
  fuzz            run fuzz targets: [--seconds N] [TARGET… | all]
  miri            run the unit tests of what does no I/O under Miri
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["setup"] => setup::run(),
        ["test"] => test::run(),
        ["python-test"] => test::run_python(),
        ["c-test"] => test::run_c(),
        ["container-test"] => container::run(),
        ["vm-test"] => vm::run(),
        ["demo"] => demo::run(),
        ["lint"] => lint::run(),
        ["header"] => header::run(),
        ["tidy"] => tidy::run(),
        ["table"] => table::run(),
        ["cross"] => cross::run(),
        ["miri"] => nightly::miri(),
        [] | ["help"] => help(),
        list if list.iter().any(|word| matches!(*word, "-h" | "--help")) => help(),
        ["compat-test", list @ ..] => compat::run(list),
        ["instructions", list @ ..] => instructions::run(list),
        ["fuzz", list @ ..] => nightly::fuzz::run(list),
        list => Err(format!("no such command: {}\n\n{HELP}", list.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> Outcome {
    print!("{HELP}");
    Ok(())
}
