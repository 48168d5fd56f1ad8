//! Ordinary programs under the default profile.

use super::ground::{self, Ground};
use super::place::{self, Call, Place};
use crate::Outcome;
use crate::command;
use crate::test::tally::Tally;
use std::process::Command;

/// One program: what it needs, how its version is asked, and a shell script. The script runs in an
/// empty folder, says the same every time, and fails if anything does.
pub(super) struct Sample {
    pub(super) name: &'static str,
    /// The tool it is about, and the Debian package that brings it.
    pub(super) tool: [&'static str; 2],
    version: &'static str,
    pub(super) script: &'static str,
}

pub(super) const SAMPLES: [Sample; 8] = [
    Sample {
        name: "C: compile, link and run",
        tool: ["gcc", "gcc"],
        version: "gcc --version",
        script: include_str!("programs/c.sh"),
    },
    Sample {
        name: "C++: compile, link and run",
        tool: ["g++", "g++"],
        version: "g++ --version",
        script: include_str!("programs/cpp.sh"),
    },
    Sample {
        name: "git: commit, merge, clone, collect",
        tool: ["git", "git"],
        version: "git --version",
        script: include_str!("programs/git.sh"),
    },
    Sample {
        name: "SQLite: journals, locks, search",
        tool: ["sqlite3", "sqlite3"],
        version: "echo sqlite3 $(sqlite3 --version | cut -d ' ' -f 1)",
        script: include_str!("programs/sqlite.sh"),
    },
    Sample {
        name: "Node: files, workers, children, HTTP",
        tool: ["node", "nodejs"],
        version: "echo node $(node --version)",
        script: include_str!("programs/node.sh"),
    },
    Sample {
        name: "Perl: processes, pipes, sockets, signals",
        tool: ["perl", "perl"],
        version: "perl -e 'print \"perl $^V\"'",
        script: include_str!("programs/perl.sh"),
    },
    Sample {
        name: "shell: find, sort, tar, gzip, awk, locks",
        tool: ["bash", "bash"],
        version: "bash --version",
        script: include_str!("programs/shell.sh"),
    },
    Sample {
        name: "Java: a JVM makes a key",
        tool: ["java", "openjdk-17-jre-headless"],
        version: "java --version",
        script: include_str!("programs/java.sh"),
    },
];

/// Runs all of them, and numpy with pandas.
pub(super) fn run(place: &Place, ground: &Ground) -> Outcome<Tally> {
    println!("\nordinary programs, outside and inside");
    let mut tally = Tally::default();
    for sample in &SAMPLES {
        let [tool, package] = sample.tool;
        if command::find(tool, &[]).is_none() {
            skip(&mut tally, sample.name, &format!("no {tool} here; Debian has it in {package}"));
            continue;
        }
        let words = ["/bin/sh", "-ec", sample.script];
        let version = command::read(Command::new("/bin/sh").args(["-c", sample.version]))?;
        let call = Call { words: &words, env: &[], input: None, options: &[] };
        compare(place, &mut tally, sample.name, version.lines().next().unwrap_or(""), call)?;
    }
    arrays(place, ground, &mut tally)?;
    Ok(tally)
}

fn arrays(place: &Place, ground: &Ground, tally: &mut Tally) -> Outcome {
    let name = "numpy and pandas: arrays, tables, files, threads";
    if let Some(reason) =
        [&ground.python, &ground.libraries].into_iter().find_map(|it| it.as_ref().err())
    {
        skip(tally, name, reason);
        return Ok(());
    }
    let folder = &place.folder;
    let [python, script, path] =
        [ground::python(folder), folder.join("arrays.py"), ground::libraries(folder)]
            .map(|path| path.to_string_lossy().into_owned());
    let env = [("PYTHONPATH", path.as_str()), ("PYTHONDONTWRITEBYTECODE", "1")];
    let call = Call { words: &[&python, &script], env: &env, input: None, options: &[] };
    compare(place, tally, name, "numpy 2.4.6, pandas 3.1.1", call)
}

/// Runs a program on both sides and counts it.
fn compare(place: &Place, tally: &mut Tally, name: &str, version: &str, call: Call) -> Outcome {
    let outputs = place.both(call)?;
    match place::fault(&outputs) {
        None => {
            println!("{name} ... the same ({version})");
            tally.passed += 1;
        }
        Some(fault) => {
            println!("{name} ... FAILED ({version}): it {fault}");
            tally.failed += 1;
        }
    }
    Ok(())
}

/// Says that a program could not be tried.
pub(super) fn skip(tally: &mut Tally, name: &str, reason: &str) {
    println!("SKIP: {name}: {reason}");
    tally.skip(name, reason);
}
