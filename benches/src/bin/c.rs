//! What C pays for going through `stockade.h`: runs and calls by the Rust API and by a program of C,
//! which takes turns with this one.
//!
//! `make -C bindings/c bench`, or, after building it by hand,
//! `cargo run --release -p stockade-benches --bin c WORKER [ROUNDS=300]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio as Pipes};
use std::time::Duration;

use stockade::wasm::Imports;
use stockade::{NamespaceSandbox, Policy, Prepared, Program, Sandbox, Stdio, WasmSandbox};
use stockade_benches::{Failure, Machine, Race, repeat, time};

/// One that prints a line when it is run, and has a function for rows.
const MODULE: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\06\00\00\00")
    (data (i32.const 8) "hello\n")
    (func (export "row") (param i64) (result i64)
        (i64.add (local.get 0) (i64.const 1)))
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))"#;

const PROGRAM: &str = "/usr/bin/true";

/// The program of C, which runs what a letter stands for and says how long it took.
struct Worker {
    child: Child,
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Worker {
    fn start(program: &str, module: &std::path::Path) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        let mut child = command.arg(module).stdin(Pipes::piped()).stdout(Pipes::piped()).spawn()?;
        let ask = child.stdin.take();
        let answer = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(Self { child, ask, answer })
    }

    fn run(&mut self, letter: u8) -> Result<Duration, Failure> {
        self.ask.as_mut().ok_or("no pipe")?.write_all(&[letter])?;
        let mut line = String::new();
        self.answer.read_line(&mut line)?;
        Ok(Duration::from_nanos(line.trim().parse().map_err(|_| "the worker has ended")?))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // End of file is its end.
        self.ask = None;
        let _ = self.child.wait();
    }
}

fn main() -> Result<(), Failure> {
    let mut words = env::args().skip(1);
    let program = words.next().ok_or("name the worker: bindings/c/benches/worker.c, compiled")?;
    let rounds = words.next().map_or(Ok(300), |rounds| rounds.parse())?;
    println!("{}; the two programs in turn", Machine::look());

    let module = env::temp_dir().join(format!("stockade-bench-{}.wasm", std::process::id()));
    fs::write(&module, wat::parse_str(MODULE)?)?;
    let worker = Worker::start(&program, &module);
    let measured = worker.and_then(|worker| measure(&RefCell::new(worker), rounds, &module));
    fs::remove_file(&module)?;
    measured
}

fn measure(
    worker: &RefCell<Worker>,
    rounds: usize,
    module: &std::path::Path,
) -> Result<(), Failure> {
    let c = |letter: u8| move || worker.borrow_mut().run(letter);
    let (policy, program) = (Policy::default(), Program::executable(PROGRAM));
    let native = NamespaceSandbox::new()?;
    let prepared = native.prepare(&policy, &program)?;
    let warm = native.prepare(&policy, &program)?;
    warm.warm(8)?;
    let modules = WasmSandbox::new()?;
    let hello = modules.prepare(&policy, &Program::module_file(module))?;
    let library = modules.library(&policy, &Program::module_file(module), &Imports::new())?;
    let row = library.function::<i64, i64>("row")?;
    let mut instance = library.instantiate()?;

    let race = Race::new()
        .with("posix_spawn and wait, C", c(b's'))
        .with("cold, Rust", || {
            Ok(time(|| succeeded(native.run(&policy, &program)?.verdict.success()))?.1)
        })
        .with("cold, C", c(b'c'))
        .with("prepared once, Rust", || Ok(time(|| run(&*prepared))?.1))
        .with("prepared once, C", c(b'p'))
        .with("one of eight that wait, Rust", || Ok(time(|| run(&*warm))?.1))
        .with("one of eight that wait, C", c(b'w'))
        .run(rounds);
    println!("\n{race}");

    let mut value = 0;
    let race = Race::new()
        .with("a module that prints, Rust", || repeat(100, || run(&*hello)))
        .with("a module that prints, C", c(b'm'))
        .with("a module's function, Rust", || {
            repeat(1000, || {
                value = instance.call(&row, value)?.returned().ok_or("it has ended")?;
                Ok(())
            })
        })
        .with("a module's function, C", c(b'r'))
        .run(rounds);
    println!("\n{race}");
    Ok(())
}

fn run(prepared: &dyn Prepared) -> Result<(), Failure> {
    succeeded(prepared.start(Stdio::captured())?.wait()?.verdict.success())
}

fn succeeded(did: bool) -> Result<(), Failure> {
    if did { Ok(()) } else { Err("it did not succeed".into()) }
}
