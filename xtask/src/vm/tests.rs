use super::machine::Machine;
use super::results::Results;
use super::{debian, disk, judge};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const OK: &str = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";

/// What `inside.sh` prints when each tier runs one binary.
fn whole() -> String {
    let tier = |name| format!("==> tier {name}\n==> start it\n{OK}\n==> status 0\n");
    ["root", "user", "bare", "session", "login"].map(tier).concat() + "==> done\n"
}

fn read(text: &str) -> Results {
    let mut results = Results::default();
    for line in text.lines() {
        results.read(line);
    }
    results
}

#[test]
fn a_machine_whose_tiers_all_pass_is_good() {
    let counts = read(&whole()).finish();
    assert_eq!(counts.values().map(|tally| tally.passed).collect::<Vec<_>>(), [2; 5]);
    assert_eq!(judge(read(&whole()), None), Ok(()));
}

#[test]
fn a_failed_test_inside_is_a_failure() {
    let failed = whole().replacen("2 passed; 0 failed", "1 passed; 1 failed", 1);
    assert!(judge(read(&failed), None).is_err());
}

#[test]
fn a_binary_that_dies_inside_is_a_failure() {
    let died = whole().replacen("==> status 0", "==> status 139", 1);
    assert!(judge(read(&died), None).is_err());
    let silent = whole().replacen("==> status 0\n", "", 1);
    assert!(judge(read(&silent), None).is_err());
}

#[test]
fn a_tier_that_runs_nothing_is_a_failure() {
    for gone in
        [whole().replacen("2 passed", "0 passed", 1), whole().replace("tier bare", "tier b")]
    {
        assert!(judge(read(&gone), None).is_err_and(|error| error.contains("no test ran")));
    }
}

#[test]
fn a_machine_that_goes_away_early_is_a_failure() {
    let early = whole().replace("==> done\n", "");
    assert!(judge(read(&early), None).is_err_and(|error| error.contains("went away")));
    assert_eq!(judge(read(&whole()), Some("it hangs".to_owned())), Err("it hangs".to_owned()));
}

#[test]
fn a_machine_that_hangs_is_killed_and_its_console_shown() {
    let console = std::env::temp_dir().join(format!("stockade-console-{}", std::process::id()));
    std::fs::write(&console, "last words\n").expect("a file can be written");
    let begun = Instant::now();
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo $$; exec sleep 600"]);
    let mut machine =
        Machine::start(&mut shell, &console, Duration::from_secs(1)).expect("sh starts");
    let pid = machine.line().expect("it says its number");
    assert_eq!(machine.line(), None);
    let complaint = machine.end().expect("it hangs");
    assert!(complaint.contains("in time") && complaint.contains("last words"), "{complaint}");
    assert!(!Path::new("/proc").join(pid).exists());
    assert!(begun.elapsed() < Duration::from_secs(60));
    std::fs::remove_file(console).expect("it was written above");
}

#[test]
fn libraries_are_found_in_each_form_of_line() {
    let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)\n\
                \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n\tlibnone.so => not found\n\
                \tstatically linked\n";
    let paths = ["/lib/x/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
    assert_eq!(disk::libraries(text), paths);
}

#[test]
fn the_kernels_package_is_what_the_latest_depends_on() {
    let text = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-1-cloud-amd64\n";
    assert_eq!(debian::named(text, "linux-image-"), ["linux-image-6.1.0-1-cloud-amd64"]);
    assert!(debian::named("linux-image-cloud-amd64\n", "linux-image-").is_empty());
}

#[test]
fn a_package_comes_with_all_it_needs_and_the_first_of_alternatives() {
    let text = "systemd\n  PreDepends: libc6\n |Depends: one\n |Depends: other\n  Depends: <virtual>\n\
                \x20   provider\n  Depends: mount\nlibc6\none\n  Depends: deep\nother\n\
                mount\n  Depends: systemd\nprovider\ndeep\n<virtual>\nunasked\n";
    let found = debian::closure(text, &["systemd"]);
    assert_eq!(found, ["deep", "libc6", "mount", "one", "systemd"]);
    assert!(debian::closure("", &["systemd"]).is_empty());
}
