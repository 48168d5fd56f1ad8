//! What a program is and sees inside, and how its end is passed on.

use std::fs;

use crate::command::{TempDir, run, run_reported};

/// Runs a program that must succeed; what it printed.
fn printed(words: &[&str]) -> String {
    let outcome = run(words);
    assert_eq!(outcome.code, 0, "{words:?}: {outcome:?}");
    outcome.stdout
}

#[test]
fn the_status_is_the_programs_own() {
    for code in [0, 1, 7, 124, 255] {
        let outcome = run(&["sh", "-c", &format!("exit {code}")]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (code, ""));
    }
}

#[test]
fn a_signal_is_128_and_its_number() {
    for (signal, name, number) in [("SEGV", "SIGSEGV", 11), ("KILL", "SIGKILL", 9)] {
        let (outcome, report) = run_reported(&["sh", "-c", &format!("kill -{signal} $$")]);
        assert_eq!(outcome.code, 128 + number, "{outcome:?}");
        let expected = serde_json::json!({ "kind": "signaled", "signal": name, "number": number });
        assert_eq!(report["verdict"], expected);
    }
}

#[test]
fn the_environment_is_the_policys_and_nothing_else() {
    let mut lines: Vec<_> =
        printed(&["--env", "A=b c", "env"]).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let expected = ["A=b c", "HOME=/tmp", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"];
    assert_eq!(lines, expected);
}

#[test]
fn no_privilege_is_left() {
    let status = printed(&["cat", "/proc/self/status"]);
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start_matches(':').trim().to_owned())
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(set).as_deref(), Some("0000000000000000"), "{set}");
    }
    assert_eq!(field("NoNewPrivs").as_deref(), Some("1"));
    assert_eq!(field("Seccomp").as_deref(), Some("2"));
}

#[test]
fn there_is_no_network() {
    let interfaces = printed(&["cat", "/proc/net/dev"]);
    let names = interfaces.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
    assert_eq!(names.filter(|name| *name != "lo").count(), 0, "{interfaces}");
    let connect = "\
import socket
try: socket.create_connection(('127.0.0.1', 9), 2)
except OSError as error: print(error.errno)";
    let no_such_family = "97\n";
    assert_eq!(printed(&["--", "python3", "-c", connect]), no_such_family);
}

#[test]
fn only_its_own_processes_are_seen() {
    let listing = "for entry in /proc/[0-9]*; do echo ${entry#/proc/}; done";
    let seen = printed(&["sh", "-c", listing]);
    let all_small = seen.lines().all(|pid| pid.parse().is_ok_and(|pid: u32| pid < 10));
    assert!(all_small && seen.lines().count() < 5, "{seen}");
}

#[test]
fn a_host_file_is_seen_only_where_it_is_mounted() {
    let dir = TempDir::new();
    let file = dir.file("secret", "told");
    assert_ne!(run(&["cat", &file]).code, 0);
    assert_eq!(printed(&["--ro", &file, "cat", &file]), "told");
    assert_eq!(printed(&["--ro", &format!("{file}:/data/s"), "cat", "/data/s"]), "told");
}

#[test]
fn a_read_only_mount_is_not_written_and_a_writable_one_is() {
    let dir = TempDir::new();
    let mount = format!("{}:/data", dir.path().display());
    assert_ne!(run(&["--ro", &mount, "sh", "-c", "echo x > /data/made"]).code, 0);
    assert!(!dir.path().join("made").exists());
    printed(&["--rw", &mount, "sh", "-c", "echo x > /data/made"]);
    assert_eq!(fs::read_to_string(dir.path().join("made")).expect("a file"), "x\n");
}

#[test]
fn a_tmpfs_and_a_working_directory_are_given() {
    let words = ["--tmpfs", "/scratch:1MiB", "--cwd", "/scratch"];
    let program = ["sh", "-c", "echo x > made; pwd; cat made"];
    assert_eq!(printed(&[&words[..], &program].concat()), "/scratch\nx\n");
}

#[test]
fn a_policy_file_is_obeyed_and_options_go_before_it() {
    let dir = TempDir::new();
    let file =
        dir.file("policy.toml", "[process]\nhostname = \"judge\"\nenv = { PATH = \"/bin\" }");
    let words = ["--policy", &file, "--env", "A=1"];
    let program = ["sh", "-c", "cat /proc/sys/kernel/hostname; echo $PATH $A"];
    assert_eq!(printed(&[&words[..], &program].concat()), "judge\n/bin 1\n");
}

#[test]
fn the_report_has_every_control_asked_for_and_goes_to_standard_error_for_a_dash() {
    let outcome = run(&["--report", "-", "true"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stderr).expect("JSON");
    assert_eq!(report["backend"], "namespace");
    assert_eq!(report["verdict"], serde_json::json!({ "kind": "exited", "code": 0 }));
    let receipt = report["enforcement"].as_array().expect("a receipt");
    // All sixteen but `cpus` and `fuel`, which the default policy does not ask for.
    assert_eq!(receipt.len(), 14, "{report:#}");
}
