//! How do I run a thousand jobs, several at a time?
//!
//! Prints (as root, on two cores that others use as well):
//!
//! ```text
//! 1000 jobs by 8 threads in 1.15 s: 872 a second
//! the sum of their answers: 499500
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use stockade::{Policy, Prepared, Program, Result, Stdio};
use stockade_examples::accept_approximations;

const JOBS: u64 = 1000;
const THREADS: usize = 8;

fn main() -> Result<()> {
    // The same program each time, with other input: prepare once, start many times. Where the
    // arguments differ, prepare one of each; that costs some microseconds.
    let program = Program::executable("sh").args(["-c", "read number; echo $number"]);
    let sandbox = stockade::auto(&program)?;
    let mut policy = Policy::default();
    accept_approximations(&mut policy, &*sandbox);
    let prepared = sandbox.prepare(&policy, &program)?;

    let (next, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= JOBS {
                return Ok(());
            }
            sum.fetch_add(job(&*prepared, number)?, Ordering::Relaxed);
        }
    };
    let begun = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    let seconds = begun.elapsed().as_secs_f64();

    let rate = JOBS as f64 / seconds;
    println!("{JOBS} jobs by {THREADS} threads in {seconds:.2} s: {rate:.0} a second");
    println!("the sum of their answers: {}", sum.load(Ordering::Relaxed));
    assert_eq!(sum.into_inner(), JOBS * (JOBS - 1) / 2);
    Ok(())
}

/// One run: a number in, the same number out.
fn job(prepared: &dyn Prepared, number: u64) -> Result<u64> {
    let report = prepared.start(Stdio::captured().stdin(format!("{number}\n")))?.wait()?;
    let answer = String::from_utf8_lossy(&report.stdout).trim().parse();
    Ok(answer.unwrap_or_else(|_| panic!("job {number}: {:?}", report.verdict)))
}
