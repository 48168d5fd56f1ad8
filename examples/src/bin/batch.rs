//! How do I grade many submissions, as many at once as this machine has room for?
//!
//! Prints (the last line with what this machine has):
//!
//! ```text
//! ada        passed
//! bruno      passed
//! chen       wrong answer: "2\n5\n" instead of "3\n7\n"
//! dora       ended with status 1: ZeroDivisionError: division by zero
//! emil       was stopped by its limit on cpu_time
//! fay        was stopped by its limit on memory
//! goran      was stopped by its limit on output
//! hana       was stopped by its limit on wall_time
//! iris       ended with status 1: OSError: [Errno 30] Read-only file system: '/usr/answers'
//! jan        passed
//! 10 submissions, 3 passed; 2.0 cores and 15.6 GiB to share
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stockade::batch::{self, Capacity, Job, Options};
use stockade::{Policy, Program, Report, Sandbox, Verdict};
use stockade_examples::accept_approximations;

/// Each is to print the sum of the two numbers of every line.
const SUBMISSIONS: [(&str, &str); 10] = [
    ("ada", "import sys\nfor line in sys.stdin: print(sum(map(int, line.split())))"),
    (
        "bruno",
        "while True:\n  try: a, b = input().split()\n  except EOFError: break\n  print(int(a) + int(b))",
    ),
    (
        "chen",
        "import sys\nfor line in sys.stdin: print(sum(map(int, line.split())) - 1 - (line[0] == '3'))",
    ),
    ("dora", "1 / 0"),
    ("emil", "while True: pass"),
    ("fay", "x = []\nwhile True: x.append(bytearray(1 << 20))"),
    ("goran", "while True: print('3')"),
    ("hana", "import time; time.sleep(60)"),
    ("iris", "open('/usr/answers', 'w')"),
    ("jan", "import sys; print(*(sum(map(int, l.split())) for l in sys.stdin), sep='\\n')"),
];
const INPUT: &str = "1 2\n3 4\n";
const EXPECTED: &[u8] = b"3\n7\n";

fn main() -> stockade::Result<()> {
    let sandbox: Arc<dyn Sandbox> = stockade::auto(&Program::executable("python3"))?.into();
    let mut policy = Policy::default();
    policy.limits.memory = (64 << 20).into();
    policy.limits.cpu_time = Duration::from_secs(1).into();
    policy.limits.wall_time = Duration::from_secs(5).into();
    accept_approximations(&mut policy, &*sandbox);
    let policy = Arc::new(policy);

    // The jobs are made as they are needed: nothing here holds a million of them at once.
    let jobs = SUBMISSIONS.iter().map(move |(_, code)| {
        let program = Program::executable("python3").args(["-c", code]);
        Job::new(sandbox.clone(), policy.clone(), program).stdin(INPUT)
    });
    // What they share is what this host has to give, unless it is said otherwise.
    let capacity = Capacity::of_host()?;
    let mut options = Options::default();
    options.capacity = Some(capacity);

    // They come in the order in which they end.
    let mut marks = BTreeMap::new();
    for (index, result) in batch::run_all(jobs, options)? {
        marks.insert(index, mark(&result?));
    }
    for (index, mark) in &marks {
        println!("{:<10} {mark}", SUBMISSIONS[*index].0);
    }
    let passed = marks.values().filter(|mark| *mark == "passed").count();
    println!(
        "{} submissions, {passed} passed; {:.1} cores and {:.1} GiB to share",
        marks.len(),
        capacity.cpus.as_f64(),
        capacity.memory.0 as f64 / f64::from(1 << 30),
    );
    assert_eq!((marks.len(), passed), (10, 3), "{marks:?}");
    Ok(())
}

fn mark(report: &Report) -> String {
    match &report.verdict {
        Verdict::Exited { code: 0 } if report.stdout == EXPECTED => "passed".to_owned(),
        Verdict::Exited { code: 0 } => format!(
            "wrong answer: {:?} instead of {:?}",
            String::from_utf8_lossy(&report.stdout),
            String::from_utf8_lossy(EXPECTED),
        ),
        Verdict::Exited { code } => {
            let complaint = String::from_utf8_lossy(&report.stderr);
            let last = complaint.lines().last().unwrap_or("").to_owned();
            format!("ended with status {code}: {last}")
        }
        Verdict::Limit { control, .. } => format!("was stopped by its limit on {control}"),
        verdict => format!("{verdict:?}"),
    }
}
