//! How long each [`Path`] takes, by criterion: `cargo bench -p stockade-benches`.
//!
//! `paths --count NAME TIMES` does one of them so often and nothing else: under valgrind, the
//! difference of two counts is what `cargo xtask instructions` asks for. `--names` prints their names.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use criterion::Criterion;
use stockade_benches::{Failure, PATHS, Path};

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--count", name, times] => {
            let path = PATHS.iter().find(|path| path.name == *name).ok_or("no such path")?;
            count(path, times.parse()?)
        }
        ["--names"] => {
            PATHS.iter().for_each(|path| println!("{}", path.name));
            Ok(())
        }
        _ => time(),
    }
}

fn count(path: &Path, times: u32) -> Result<(), Failure> {
    let mut work = path.ready()?;
    (0..times).try_for_each(|_| work())
}

fn time() -> Result<(), Failure> {
    let mut criterion = Criterion::default().configure_from_args();
    for path in PATHS {
        let mut work = path.ready()?;
        let mut failure = None;
        criterion.bench_function(path.name, |bencher| {
            bencher.iter(|| failure = work().err().or(failure.take()));
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
    criterion.final_summary();
    Ok(())
}
