//! What C pays for going through `stockade.h`: runs and calls by a program of Rust and by one of C, which
//! take turns, and are driven alike.
//!
//! `make -C bindings/c bench`, or, with `bindings/c/benches/worker.c` compiled by hand,
//! `cargo run --release -p stockade-benches --bin c WORKER [ROUNDS=1000]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio as Pipes};
use std::thread;
use std::time::Duration;

use stockade::wasm::Imports;
use stockade::{NamespaceSandbox, Policy, Prepared, Program, Sandbox, Stdio, WasmSandbox};
use stockade_benches::{Failure, Machine, Race, repeat};

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
/// The word by which this program is the worker of Rust.
const WORK: &str = "--worker";
/// What a helper process does after a run, such as to build another sandbox that waits, is over by then:
/// the next contender is not to run beside that.
const REST: Duration = Duration::from_millis(10);

fn main() -> Result<(), Failure> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [WORK, module] => work(Path::new(module)),
        [program] => race(program, 1000),
        [program, rounds] => race(program, rounds.parse()?),
        _ => Err("name the worker: bindings/c/benches/worker.c, compiled".into()),
    }
}

/// A program that runs what a letter stands for, and says how long it took.
struct Worker {
    child: Child,
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Worker {
    fn start(command: &mut Command, module: &Path) -> Result<RefCell<Self>, Failure> {
        let mut child = command.arg(module).stdin(Pipes::piped()).stdout(Pipes::piped()).spawn()?;
        let ask = child.stdin.take();
        let answer = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(RefCell::new(Self { child, ask, answer }))
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

/// Has both workers take turns.
fn race(program: &str, rounds: usize) -> Result<(), Failure> {
    println!("{}; the two programs in turn", Machine::look());
    let module = env::temp_dir().join(format!("stockade-bench-{}.wasm", std::process::id()));
    fs::write(&module, wat::parse_str(MODULE)?)?;
    let raced = race_with(program, &module, rounds);
    fs::remove_file(&module)?;
    raced
}

fn race_with(program: &str, module: &Path, rounds: usize) -> Result<(), Failure> {
    let c = &Worker::start(&mut Command::new(program), module)?;
    let rust = &Worker::start(Command::new(env::current_exe()?).arg(WORK), module)?;
    let run = |worker: &RefCell<Worker>, letter| worker.borrow_mut().run(letter);
    let rested = |worker: &RefCell<Worker>, letter| {
        thread::sleep(REST);
        run(worker, letter)
    };
    let race = Race::new()
        .with("posix_spawn and wait, C", || rested(c, b's'))
        .with("cold, Rust", || rested(rust, b'c'))
        .with("cold, C", || rested(c, b'c'))
        .with("cold, the backend chosen, C", || rested(c, b'a'))
        .with("prepared once, Rust", || rested(rust, b'p'))
        .with("prepared once, C", || rested(c, b'p'))
        .with("one of eight that wait, Rust", || rested(rust, b'w'))
        .with("one of eight that wait, C", || rested(c, b'w'))
        .run(rounds);
    println!("\n{race}");
    let race = Race::new()
        .with("a module that prints, Rust", || run(rust, b'm'))
        .with("a module that prints, C", || run(c, b'm'))
        .with("a module's function, Rust", || run(rust, b'r'))
        .with("a module's function, C", || run(c, b'r'))
        .run(rounds);
    println!("\n{race}");
    Ok(())
}

/// The worker of Rust: as that of C, letter by letter.
fn work(module: &Path) -> Result<(), Failure> {
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
    let mut value = 0;
    let mut call = || {
        value = instance.call(&row, value)?.returned().ok_or("it has ended")?;
        Ok(())
    };

    let mut out = io::stdout().lock();
    for letter in io::stdin().lock().bytes() {
        let time = match letter? {
            b'c' => repeat(1, || succeeded(native.run(&policy, &program)?.verdict.success()))?,
            b'p' => repeat(1, || run(&*prepared))?,
            b'w' => repeat(1, || run(&*warm))?,
            b'm' => repeat(100, || run(&*hello))?,
            b'r' => repeat(1000, &mut call)?,
            _ => continue,
        };
        writeln!(out, "{}", time.as_nanos())?;
        out.flush()?;
    }
    Ok(())
}

fn run(prepared: &dyn Prepared) -> Result<(), Failure> {
    succeeded(prepared.start(Stdio::captured())?.wait()?.verdict.success())
}

fn succeeded(did: bool) -> Result<(), Failure> {
    if did { Ok(()) } else { Err("it did not succeed".into()) }
}
