//! Help, version, and command lines that mean nothing.

use crate::command::{call, run};

#[test]
fn a_misused_command_line_is_status_2() {
    for words in [
        &[][..],
        &["fly"],
        &["run"],
        &["run", "--memory", "lots", "true"],
        &["run", "--memroy", "1MiB", "true"],
        &["policy", "check"],
    ] {
        let outcome = call(words);
        assert_eq!(outcome.code, 2, "{words:?}: {outcome:?}");
        assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty());
    }
}

#[test]
fn help_goes_to_standard_output_without_colour() {
    let help = call(&["run", "--help"]);
    assert_eq!(help.code, 0);
    assert!(!help.stdout.contains('\x1b'));
    for part in ["Limits:", "Files:", "Process:", "Exit status:", "Examples:", "--best-effort"] {
        assert!(help.stdout.contains(part), "no {part} in {}", help.stdout);
    }
}

#[test]
fn the_version_names_version_and_architecture() {
    let version = call(&["version"]);
    let expected =
        format!("stockade {} {}-linux\n", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    assert_eq!((version.code, version.stdout), (0, expected));
}

#[test]
fn a_senseless_policy_is_status_125_and_names_key_and_value() {
    for (option, value, named) in [
        ("--memory", "1", "`limits.memory = 1`"),
        ("--wall-time", "0s", "`limits.wall_time = 0s`"),
        ("--processes", "0", "`limits.processes = 0`"),
        ("--tmpfs", "/a/../b", "/a/../b`"),
        ("--cwd", "tmp", "`process.cwd = tmp`"),
    ] {
        let outcome = run(&[option, value, "true"]);
        assert_eq!(outcome.code, 125, "{outcome:?}");
        assert!(outcome.stderr.starts_with("stockade: error: "), "{outcome:?}");
        assert!(outcome.stderr.contains(named), "{outcome:?}");
        assert!(outcome.stderr.contains("\nstockade: hint: "), "{outcome:?}");
    }
}

#[test]
fn what_cannot_be_started_is_status_125_and_named() {
    let cases = [
        (&["no-such-program"][..], "no-such-program"),
        (&["/no/such/program"], "/no/such/program"),
        (&["/usr"], "/usr"),
        (&["--ro", "/no/such/source:/data", "true"], "/no/such/source"),
        (&["--rootfs", "/no/such/root", "true"], "/no/such/root"),
        (&["--fuel", "1000", "true"], "fuel"),
    ];
    for (words, named) in cases {
        let outcome = run(words);
        assert_eq!(outcome.code, 125, "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains(named), "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains("stockade: hint: "), "{words:?}: {outcome:?}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_run() {
    let outcome = run(&["--report", "/no/such/dir/report.json", "echo", "ran"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (125, ""));
    assert!(outcome.stderr.contains("/no/such/dir/report.json"), "{outcome:?}");
}
