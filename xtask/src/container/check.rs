//! What the `stockade` command must say in a container.

use crate::test::tally::Tally;
use std::process::Command;

/// One call of `stockade`.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) arguments: &'static [&'static str],
    /// Its exit status.
    pub(super) code: i32,
    /// All of its standard output, where that is known.
    pub(super) stdout: Option<&'static str>,
    /// What it says somewhere, on either stream.
    pub(super) says: &'static [&'static str],
}

const BEST_EFFORT: &str = "memory,cpu_time,processes";
const BEST_EFFORT_FILES: &str = "memory,cpu_time,processes,filesystem";

const REFUSAL: &str = "the helper process failed while making its user namespace";

/// With the system call filter.
pub(super) const FILTERED: [Check; 3] = [
    Check {
        name: "doctor says what is refused and which option allows it",
        arguments: &["doctor"],
        code: 1,
        stdout: None,
        says: &[REFUSAL, "(os error 1)", "podman run --security-opt seccomp=unconfined"],
    },
    Check {
        name: "doctor shows every limit of WebAssembly",
        arguments: &["doctor"],
        code: 1,
        stdout: None,
        says: &["wasm: WebAssembly modules", "enforced      memory", "enforced      fuel"],
    },
    Check {
        name: "a native program is refused before it runs",
        arguments: &["run", "--best-effort", BEST_EFFORT, "--", "echo", "ran"],
        code: 125,
        stdout: Some(""),
        says: &[
            REFUSAL,
            "hint: a seccomp filter refuses namespaces, as container engines do by default",
        ],
    },
];

/// Without the filter, with `/proc` covered in part.
pub(super) const MASKED: [Check; 3] = [
    Check {
        name: "a program is not run without /proc unless that was asked for",
        arguments: &["run", "--best-effort", BEST_EFFORT, "--", "echo", "ran"],
        code: 125,
        stdout: Some(""),
        says: &["filesystem: only approximated", "/proc is empty", "systempaths=unconfined"],
    },
    Check {
        name: "/proc is empty with best effort, and the report says so",
        arguments: &[
            "run",
            "--best-effort",
            BEST_EFFORT_FILES,
            "--report",
            "-",
            "--",
            "ls",
            "-A",
            "/proc",
        ],
        code: 0,
        stdout: Some(""),
        says: &["\"control\": \"filesystem\",\n      \"status\": \"approximated\""],
    },
    Check {
        name: "doctor says what covers /proc costs",
        arguments: &["doctor"],
        code: 1,
        stdout: None,
        says: &["approximated  filesystem", "unmask=ALL", "enforced      process_tree"],
    },
];

/// With neither.
pub(super) const OPEN: [Check; 2] = [
    Check {
        name: "a program runs, with /proc",
        arguments: &["run", "--best-effort", BEST_EFFORT, "--", "cat", "/proc/self/stat"],
        code: 0,
        stdout: None,
        says: &["2 (cat) "],
    },
    Check {
        name: "doctor finds every wall",
        arguments: &["doctor"],
        code: 1,
        stdout: None,
        says: &["enforced      filesystem", "enforced      network"],
    },
];

impl Check {
    /// Runs the call and counts it.
    pub(super) fn examine(&self, command: &mut Command, tally: &mut Tally) {
        let failure = match command.output() {
            Err(error) => Some(error.to_string()),
            Ok(output) => {
                let [stdout, stderr] = [&output.stdout, &output.stderr]
                    .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                self.fault(output.status.code(), &stdout, &stderr)
                    .map(|fault| format!("{fault}\n{stdout}{stderr}"))
            }
        };
        match failure {
            None => {
                println!("check {} ... ok", self.name);
                tally.passed += 1;
            }
            Some(failure) => {
                println!("check {} ... FAILED: {failure}", self.name);
                tally.failed += 1;
            }
        }
    }

    /// What is not as it should be.
    pub(super) fn fault(&self, code: Option<i32>, stdout: &str, stderr: &str) -> Option<String> {
        if code != Some(self.code) {
            return Some(format!("exit status {code:?} instead of {}", self.code));
        }
        if self.stdout.is_some_and(|expected| expected != stdout) {
            return Some("something else on standard output".to_owned());
        }
        let says = |words: &&&str| stdout.contains(**words) || stderr.contains(**words);
        let missing = self.says.iter().find(|words| !says(words))?;
        Some(format!("it does not say {missing:?}"))
    }
}
