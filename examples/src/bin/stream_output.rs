//! How do I read a program's output while it runs?
//!
//! Prints:
//!
//! ```text
//! step 1 of 3
//! step 2 of 3
//! step 3 of 3
//! 2 of 3 lines came before the program had ended
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::io::{BufRead, BufReader};

use stockade::{Policy, Program, Stdio};
use stockade_examples::accept_approximations;

const SCRIPT: &str = "for i in 1 2 3; do echo \"step $i of 3\"; read answer; done";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = Program::executable("sh").args(["-c", SCRIPT]);
    let sandbox = stockade::auto(&program)?;
    let mut policy = Policy::default();
    accept_approximations(&mut policy, &*sandbox);

    let prepared = sandbox.prepare(&policy, &program)?;
    let mut run = prepared.start(Stdio::streamed())?;
    let mut input = run.stdin().ok_or("standard input is streamed")?;
    let output = run.stdout().ok_or("standard output is streamed")?;

    // The program waits for an answer after each line, so a line that is read while more are to
    // come was read while it ran.
    let mut early = 0;
    for line in BufReader::new(output).lines() {
        println!("{}", line?);
        if early < 2 {
            early += 1;
            input.write_all(b"go on\n")?;
        } else {
            // Nobody waits any more: the end of input ends the last `read`.
            input = Box::new(std::io::sink());
        }
    }
    let report = run.wait()?;
    println!("{early} of 3 lines came before the program had ended");
    // The last `read` found the end of its input, which is status 1.
    assert_eq!(report.verdict, stockade::Verdict::Exited { code: 1 });
    Ok(())
}
