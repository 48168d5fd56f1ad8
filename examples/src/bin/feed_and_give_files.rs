//! How do I give a program input and files, and get a file back?
//!
//! Prints:
//!
//! ```text
//! result.txt: 3 words of 16 letters
//! writing to the input: [Errno 30] Read-only file system: '/data/unit.txt'
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::{env, fs, process};

use stockade::{Mount, Policy, Program, Stdio};
use stockade_examples::accept_approximations;

const SCRIPT: &str = r#"
import sys
words = sys.stdin.read().split()
unit = open("/data/unit.txt").read().strip()
with open("/results/result.txt", "w") as out:
    print(len(words), "words of", sum(map(len, words)), unit, file=out)
try:
    open("/data/unit.txt", "w")
except OSError as error:
    print("writing to the input:", error)
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = env::temp_dir().join(format!("stockade-example-{}", process::id()));
    let (data, results) = (home.join("data"), home.join("results"));
    fs::create_dir_all(&data)?;
    fs::create_dir_all(&results)?;
    fs::write(data.join("unit.txt"), "letters\n")?;

    let program = Program::executable("python3").arg("/job/main.py");
    let sandbox = stockade::auto(&program)?;
    let mut policy = Policy::default();
    policy.filesystem.mounts = vec![
        Mount::read_only(&data, "/data"),
        // Whoever owns the directory owns what appears in it, as root and rootless.
        Mount::read_write(&results, "/results"),
        // A file that exists nowhere on the host.
        Mount::file("/job/main.py", SCRIPT),
    ];
    accept_approximations(&mut policy, &*sandbox);

    let prepared = sandbox.prepare(&policy, &program)?;
    let report = prepared.start(Stdio::captured().stdin("stockade runs code"))?.wait()?;
    let result = fs::read_to_string(results.join("result.txt"));
    fs::remove_dir_all(&home)?;

    assert!(report.verdict.success(), "{}", String::from_utf8_lossy(&report.stderr));
    print!("result.txt: {}", result?);
    print!("{}", String::from_utf8_lossy(&report.stdout));
    Ok(())
}
