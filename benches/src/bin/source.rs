//! What a line of source costs: Python and JavaScript in WebAssembly, each run in a fresh instance and
//! with its report; alone, and alternating with the interpreters of this machine in plain processes.
//!
//! `stockade runtime install python`, then
//! `cargo run --release -p stockade-benches --bin source [ROUNDS=1000]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::process::{Command, Stdio};
use std::time::Duration;

use stockade::runtime::{Language, Runtime};
use stockade::{ErrorKind, Policy, Prepared, Sandbox, WasmSandbox};
use stockade_benches::{Failure, Machine, Race, time};

/// A language, a line that prints `42`, and the interpreter that the machine may have.
const LINES: [(Language, &str, [&str; 2]); 2] = [
    (Language::Python, "print(6 * 7)", ["python3", "-c"]),
    (Language::JavaScript, "console.log(6 * 7)", ["node", "-e"]),
];

fn main() -> Result<(), Failure> {
    let rounds = std::env::args().nth(1).map_or(Ok(1000), |rounds| rounds.parse())?;
    println!("{}; alternating", Machine::look());
    let sandbox = WasmSandbox::new()?;
    for (language, line, interpreter) in LINES {
        let runtime = match Runtime::find(language) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("\n{language}: {error}; {}", error.hint().unwrap_or_default());
                continue;
            }
            found => found?,
        };
        let prepared = sandbox.prepare(&Policy::default(), &runtime.code(line))?;
        // A process in between leaves nothing of an instance in the processor's caches.
        let alone =
            Race::new().with("fresh instance and report, one by one", || instance(&*prepared));
        println!("\n{language}: {line}\n{}", alone.run(rounds));
        let race = Race::new()
            .with("the same, after a process", || instance(&*prepared))
            .with(format!("{} in a plain process", interpreter[0]), || plain(interpreter, line));
        println!("{}", race.run(rounds.div_ceil(4)));
    }
    Ok(())
}

fn instance(prepared: &dyn Prepared) -> Result<Duration, Failure> {
    let (report, time) = time(|| Ok(prepared.start(stockade::Stdio::captured())?.wait()?))?;
    expect(&report.stdout).map(|()| time)
}

fn plain([program, flag]: [&str; 2], line: &str) -> Result<Duration, Failure> {
    let mut command = Command::new(program);
    let command = command.args([flag, line]).stdin(Stdio::null());
    let (output, time) = time(|| Ok(command.output()?))?;
    expect(&output.stdout).map(|()| time)
}

fn expect(printed: &[u8]) -> Result<(), Failure> {
    if printed == b"42\n" { Ok(()) } else { Err(format!("it printed {printed:?}").into()) }
}
