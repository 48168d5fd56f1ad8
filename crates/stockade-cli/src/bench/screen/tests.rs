use stockade::bench::Mode;

use super::*;

#[test]
fn times_have_three_digits_that_count() {
    assert_eq!(
        [7, 1_234, 12_345, 1_234_567, 123_456_789, 2_500_000_000].map(time),
        ["7.00 ns", "1.23 µs", "12.3 µs", "1.23 ms", "123 ms", "2.50 s"]
    );
    assert_eq!([0, 1 << 30, 1536].map(size), ["0 B", "1 GiB", "1.5 KiB"]);
}

#[test]
fn what_cannot_be_read_after_so_many_runs_is_a_dash() {
    let growth = |helper_bytes| Growth {
        runs: 7,
        host_bytes: 2 << 20,
        host_files: 3,
        helper_bytes,
        helper_files: None,
    };
    let text = super::growth(&[growth(Some(1024)), growth(None)]).expect("there is something");
    let rows: Vec<Vec<&str>> =
        text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [vec!["7", "2", "MiB", "3", "1", "KiB", "-"], vec!["7", "2", "MiB", "3", "-", "-"]]
    );
    assert_eq!(super::growth(&[]), None);
}

#[test]
fn what_failed_is_shown_as_failing_and_what_is_missing_as_missing() {
    let plain = Mode {
        name: "plain process".to_owned(),
        family: "plain".to_owned(),
        runs: 2,
        wall_ns: vec![1_000_000, 3_000_000],
        ..Mode::default()
    };
    let broken = Mode {
        name: "a tool".to_owned(),
        runs: 2,
        failures: 2,
        failure: Some("exit status: 1".to_owned()),
        ..Mode::default()
    };
    let missing = Mode {
        name: "another".to_owned(),
        skipped: Some("not installed".to_owned()),
        ..Mode::default()
    };
    let all = [plain, broken, missing];
    let table = modes(&all);
    assert!(table.contains("1.00x") && table.contains("a tool"), "{table}");
    assert!(!table.contains("another"), "{table}");
    let words = walls(&all, "0.1.0", 80).expect("there is something to say");
    assert!(words.contains("FAILED in 2 of 2 runs: exit status: 1"), "{words}");
    assert!(words.contains("skipped: not installed"), "{words}");
}
