//! Runs a second, of one thread and of several.

use std::thread;
use std::time::{Duration, Instant};

use stockade_benches::Failure;

use crate::Run;

/// How long each contender runs before the next has its turn.
const TURN: Duration = Duration::from_millis(500);
const TURNS: usize = 6;

/// Prints the median of what each did in its turns.
pub(crate) fn print(contenders: &[(&str, Run)]) -> Result<(), Failure> {
    println!("\nruns a second, the median of {TURNS} turns of {TURN:?}");
    println!("{:38} {:>10} {:>10} {:>8}", "", "1 thread", "2 threads", "ratio");
    let mut rates = vec![[Vec::new(), Vec::new()]; contenders.len()];
    for _ in 0..TURNS {
        for ((_, run), rates) in contenders.iter().zip(&mut rates) {
            for (threads, rates) in [1, 2].into_iter().zip(rates) {
                rates.push(rate(threads, run)?);
            }
        }
    }
    for ((name, _), rates) in contenders.iter().zip(rates) {
        let [one, two] = rates.map(median);
        println!("{name:38} {one:>10.0} {two:>10.0} {:>7.2}x", two / one);
    }
    Ok(())
}

fn rate(threads: usize, run: &Run) -> Result<f64, Failure> {
    let begun = Instant::now();
    let turn = || -> Result<u32, String> {
        let mut runs = 0;
        while begun.elapsed() < TURN {
            run().map_err(|error| error.to_string())?;
            runs += 1;
        }
        Ok(runs)
    };
    let runs: Result<Vec<_>, _> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(turn)).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|runs| runs.unwrap_or_else(|_| Err("a run panicked".to_owned()))).collect()
    });
    Ok(f64::from(runs?.iter().sum::<u32>()) / begun.elapsed().as_secs_f64())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
