use super::build::{Artifact, Built};
use super::tally::{Reader, Skip, Tally};
use super::{programs, python, rootless, watch};
use crate::workspace::Metadata;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn read(lines: &str) -> (Tally, Vec<&str>) {
    let mut reader = Reader::default();
    let shown = lines.lines().filter(|line| reader.read(line)).collect();
    (reader.finish(), shown)
}

const RESULT: &str = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
                      finished in 0.01s";

#[test]
fn results_of_several_binaries_add_up() {
    let (tally, _) = read(&format!("{RESULT}\n{RESULT}\n"));
    assert_eq!(tally, Tally { passed: 6, failed: 0, skips: Vec::new() });
}

#[test]
fn a_failed_result_counts_its_failures() {
    let (tally, _) = read("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured");
    assert_eq!((tally.passed, tally.failed), (1, 2));
}

#[test]
fn a_test_that_prints_a_skip_is_skipped_and_not_passed() {
    let lines = format!(
        "successes:\n\n---- limits::memory stdout ----\nnoise\nSKIP: memory: no cgroup: v2 only\n\
         \nsuccesses:\n    limits::memory\n\n{RESULT}\n"
    );
    let (tally, shown) = read(&lines);
    let skip = Skip { name: "memory".to_owned(), reason: "no cgroup: v2 only".to_owned() };
    assert_eq!(tally, Tally { passed: 2, failed: 0, skips: vec![skip] });
    assert_eq!(shown, ["SKIP: memory: no cgroup: v2 only", RESULT]);
}

#[test]
fn a_skip_does_not_excuse_a_test_that_fails() {
    let (tally, _) = read(
        "failures:\n---- a stdout ----\nSKIP: a: none\nfailures:\n    a\n\
         test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured",
    );
    assert_eq!(tally, Tally { passed: 2, failed: 1, skips: Vec::new() });
}

#[test]
fn an_ignored_test_is_a_counted_skip() {
    let (tally, _) = read("test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured");
    assert_eq!((tally.passed, tally.skips.len()), (1, 2));
}

#[test]
fn the_output_of_failed_tests_is_shown() {
    let (_, shown) = read("successes:\nquiet\nfailures:\n\n---- a stdout ----\npanicked\n");
    assert_eq!(shown, ["failures:", "", "---- a stdout ----", "panicked"]);
}

#[test]
fn a_binary_that_dies_without_a_result_is_a_failure() {
    let tally = watch(Command::new("sh").args(["-c", "kill -9 $$"]), "").expect("sh starts");
    assert_eq!((tally.passed, tally.failed), (0, 1));
}

#[test]
fn a_program_counts_by_its_exit_status() {
    let mut tally = Tally::default();
    programs::one(&mut tally, "good", Path::new("/bin/true"), &[], "");
    programs::one(&mut tally, "bad", Path::new("/bin/false"), &[], "");
    programs::one(&mut tally, "none", Path::new("/nonexistent"), &[], "");
    assert_eq!((tally.passed, tally.failed), (1, 2));
    programs::one(&mut tally, "told", Path::new("/bin/sh"), &["-c", "exit 1"], "");
    programs::one(&mut tally, "skip", Path::new("/bin/echo"), &["SKIP: it: no reason"], "");
    assert_eq!((tally.passed, tally.failed, tally.skips.len()), (1, 3, 1));
}

#[test]
fn the_unprivileged_user_is_not_promised_the_cgroups_of_root() {
    assert_eq!(rootless::without_cgroups("userns,cgroup1,landlock,cgroup"), "userns,landlock");
}

#[test]
fn executables_are_filed_by_package_and_kind() {
    let metadata: Metadata = serde_json::from_str(
        r#"{"target_directory": "/w/target", "packages": [
            {"name": "stockade", "manifest_path": "/w/s/Cargo.toml", "dependencies": []},
            {"name": "stockade-cli", "manifest_path": "/w/c/Cargo.toml", "dependencies": []},
            {"name": "stockade-endurance", "manifest_path": "/w/n/Cargo.toml", "dependencies": []},
            {"name": "stockade-examples", "manifest_path": "/w/e/Cargo.toml", "dependencies": []}]}"#,
    )
    .expect("the sample is metadata");
    let mut built = Built::default();
    for (folder, name, kind, test) in [
        ("s", "it", "test", true),
        ("s", "stockade", "lib", true),
        ("c", "it", "test", true),
        ("c", "stockade", "bin", false),
        ("e", "stream", "bin", false),
        ("e", "stream", "bin", true),
        ("n", "soak", "bin", false),
    ] {
        let message = format!(
            r#"{{"manifest_path": "/w/{folder}/Cargo.toml", "executable": "/x/{name}",
                "target": {{"name": "{name}", "kind": ["{kind}"]}}, "profile": {{"test": {test}}}}}"#
        );
        let artifact: Artifact = serde_json::from_str(&message).expect("the sample is a message");
        built.add(&metadata, artifact);
    }
    assert_eq!(built.rootless.keys().collect::<Vec<_>>(), ["stockade-cli-it", "stockade-it"]);
    assert_eq!(built.examples.keys().collect::<Vec<_>>(), ["stream"]);
    assert_eq!(built.endurance.keys().collect::<Vec<_>>(), ["soak"]);
    assert_eq!(built.cli.as_deref(), Some(Path::new("/x/stockade")));
}

#[test]
fn a_folder_is_open_if_everybody_can_pass_all_above_it() {
    let outer = std::env::temp_dir().join(format!("stockade-open-{}", std::process::id()));
    let inner = outer.join("inner");
    fs::create_dir_all(&inner).expect("a folder");
    let close = |folder: &Path, mode| {
        fs::set_permissions(folder, Permissions::from_mode(mode)).expect("it is ours");
    };
    close(&inner, 0o755);
    let is_open = [0o755, 0o711, 0o700].map(|mode| {
        close(&outer, mode);
        rootless::is_open(&inner)
    });
    fs::remove_dir_all(&outer).expect("it is ours");
    let above = rootless::is_open(&std::env::temp_dir());
    assert_eq!(is_open, [above, above, false]);
    assert!(!rootless::is_open(Path::new("target")), "not from the root on");
}

#[test]
fn the_last_line_of_pytest_is_counted() {
    assert_eq!(python::summary("20 passed in 4.20s"), Some([20, 0, 0]));
    let line = "== 1 failed, 20 passed, 3 skipped, 2 errors in 64.20s (0:01:04) ==";
    assert_eq!(python::summary(line), Some([20, 3, 3]));
    assert_eq!(python::summary("no tests ran in 0.01s"), None);
    assert_eq!(python::summary("the answer lies in 3 books"), None);
}
