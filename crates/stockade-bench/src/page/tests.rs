mod any;
mod fixture;
mod markup;

use proptest::prelude::*;

use self::markup::Document;
use super::family::{Label, Labels};
use super::scale::Scale;
use super::{page, plot, text};
use crate::{Mode, PhaseTime, Results, Series};

fn read(results: &Results) -> Document {
    Document::read(&page(results))
}

#[test]
fn the_whole_page_is_balanced_and_stays_within_its_plots() {
    let document = read(&fixture::whole());
    assert_eq!(document.named("section"), 11);
    assert!(!document.text.contains("Not measured in this run"), "every section has its figure");
    assert!(document.named("title") >= document.named("svg") / 2, "figures have titles");
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page(&fixture::whole());
    for other in ["<script", "src=", "url(", "@import", "http:", "https:", "<link", "<img"] {
        assert!(!page.contains(other), "{other}");
    }
}

#[test]
fn the_head_tells_the_machine_and_the_command() {
    let text = read(&fixture::whole()).text;
    for part in [
        "6.0.0-made-up",
        "8 GiB",
        "0.41 before, 1.87 after",
        "12 to 300",
        "2001-02-03 04:05:06 UTC",
        "0.0.0-test",
        "stockade bench --html test.html",
        "How to read it",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("A quick run."));
    assert!(read(&Results { quick: true, ..fixture::whole() }).text.contains("A quick run."));
}

#[test]
fn a_mode_that_did_not_run_has_its_reason_and_no_bar() {
    let text = read(&fixture::whole()).text;
    assert_eq!(text.matches("C5 firejail").count(), 1);
    assert!(text.contains("Not run here") && text.contains("C5 firejailnot installed"));
    assert!(text.contains("Every run failed: crun: cannot set up cgroup: Permission denied"));
    assert!(text.contains("30 of 300 failed: exit status 1: container is not running"));
}

#[test]
fn a_curve_of_a_mode_that_fails_ends_below_the_top() {
    let mut results = fixture::nothing();
    results.modes =
        vec![Mode { wall_ns: vec![10, 10, 10], failures: 1, runs: 4, ..Mode::default() }];
    let page = page(&results);
    let curve = page
        .split("<path class=\"line other\" d=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    assert_eq!(curve, Some("M0 1000V250"), "three of four");
    assert!(page.contains("1 failed"));
    results.modes[0].failures = 0;
    assert!(super::page(&results).contains("d=\"M0 1000V0\""), "all");
}

#[test]
fn protection_and_the_number_of_runs_stand_beside_each_bar() {
    let text = read(&fixture::whole()).text;
    let row = "namespaces, cgroup limits";
    assert!(!text.contains(row));
    assert!(text.contains("300user, mount, pid, network, IPC and UTS namespaces · cgroup limits"));
    assert!(text.contains("300the same as N5"), "a list stands once");
    assert!(text.contains("With fewer than 100 samples"), "there is a mode with 12");
}

#[test]
fn phases_are_those_of_namespaces() {
    let mut results = fixture::whole();
    let phase = |mode: &mut Mode| {
        let phase = PhaseTime { name: "made up".to_owned(), p50_ns: 5 };
        mode.phases = vec![phase];
        mode.family.clone()
    };
    assert_eq!(phase(&mut results.modes[8]), "wasm");
    assert!(!page(&results).contains("made up: 5 ns"));
    assert_eq!(phase(&mut results.modes[7]), "namespace");
    assert!(page(&results).contains("made up: 5 ns"));
}

#[test]
fn a_target_is_met_or_missed_in_words() {
    let text = read(&fixture::whole()).text;
    for part in [
        "2 met, 2 missed, 1 not judged",
        "1.72 ×met",
        "3.40 ×missed",
        "–not measured",
        "1,627 a secondmet",
        "19missed",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn what_was_not_measured_says_so() {
    let document = read(&fixture::nothing());
    assert_eq!(document.text.matches("Not measured in this run.").count(), 10);
    assert_eq!(document.named("svg"), 0);
    let mut results = fixture::nothing();
    results.live = vec![Series { mode: "a".to_owned(), x: "b".to_owned(), points: Vec::new() }];
    assert_eq!(read(&results).text, document.text, "a series without points is no figure");
}

#[test]
fn many_runs_are_compared_from_first_to_last_and_left_out_unless_they_were_asked_for() {
    let document = read(&fixture::whole());
    assert!(document.text.contains("last p50 1.00 × the first"), "{}", document.text);
    assert!(document.text.contains("–"), "what could not be read");
    let mut results = fixture::whole();
    results.endurance[0].points[9].p50_ns *= 3;
    let last = results.endurance[0].points[9].p50_ns as f64;
    let ratio = text::ratio(last / results.endurance[0].points[0].p50_ns as f64);
    assert!(read(&results).text.contains(&format!("last p50 {ratio} the first")), "{ratio}");
    (results.endurance, results.growth) = (Vec::new(), Vec::new());
    assert!(!read(&results).text.contains("over many runs"));
}

#[test]
fn keys_of_modes_are_no_ids_of_targets() {
    let results = fixture::whole();
    let keys: Vec<String> =
        Labels::new(&results.modes).modes().map(|(_, label)| label.key.clone()).collect();
    assert!(keys.iter().all(|key| !key.starts_with('P')), "{keys:?}");
}

#[test]
fn text_of_the_results_stays_text() {
    let mut results = fixture::whole();
    let evil = "<script>alert(\"1\")</script>\u{1b}[31m\u{202e}";
    results.modes[0].name = evil.to_owned();
    results.modes[0].walls = vec![evil.to_owned()];
    let page = page(&results);
    assert!(!page.contains("<script") && !page.contains(['\u{1b}', '\u{202e}']));
    assert!(
        Document::read(&page).text.contains("<script>alert(\"1\")</script>\u{fffd}[31m\u{fffd}")
    );
}

#[test]
fn numbers_have_three_digits_and_a_unit() {
    let times = [0, 999, 1_000, 37_140, 999_999, 1_240_000, 499_400_000, 2_000_000_000, u64::MAX];
    assert_eq!(
        times.map(text::time),
        ["0 ns", "999 ns", "1 µs", "37.1 µs", "1 ms", "1.24 ms", "499 ms", "2 s", "1.84e10 s"]
    );
    assert_eq!(
        [0.0, 1023.0, 1536.0, 8e9].map(text::bytes),
        ["0 B", "1,023 B", "1.5 KiB", "7.45 GiB"]
    );
    assert_eq!(text::bytes(u64::MAX as f64), "16 EiB");
    assert_eq!(
        [f64::NAN, -1500.0, 0.004, 12.34].map(text::digits),
        ["–", "-1,500", "0.004", "12.3"]
    );
    assert_eq!(
        [1.004, 1.72, 31.6, f64::INFINITY].map(text::ratio),
        ["1.00 ×", "1.72 ×", "31.6 ×", "–"]
    );
}

#[test]
fn axes_end_at_round_values() {
    let axis = Scale::round_log([37e3, 480e6]);
    assert_eq!(axis.ticks(6), [1e5, 1e6, 1e7, 1e8]);
    assert_eq!((axis.at(2e4), axis.at(5e8)), (0.0, 1.0));
    assert_eq!(Scale::round_log([110.0, 190.0]).ticks(6), [100.0, 200.0]);
    assert_eq!(Scale::linear([1627.0]).ticks(6), [0.0, 500.0, 1000.0, 1500.0, 2000.0]);
    assert_eq!(Scale::linear([]).at(0.0), 0.0);
    let threads = Scale::tight_log(&[0.0, 1.0, 10.0, 100.0]);
    assert_eq!((threads.at(0.0), threads.at(100.0)), (0.0, 1.0));
    assert!(threads.at(1.0) > 0.15, "zero stands apart");
    assert_eq!(Scale::tight_log(&[5.0]).at(5.0), 0.5);
}

#[test]
fn numbers_beyond_an_axis_stand_at_its_end() {
    for axis in [Scale::linear([f64::MAX]), Scale::round_log([f64::MIN_POSITIVE, f64::MAX])] {
        assert_eq!([0.0, f64::NAN, f64::NEG_INFINITY].map(|value| axis.at(value)), [0.0; 3]);
        assert_eq!([f64::MAX, f64::INFINITY].map(|value| axis.at(value)), [1.0; 2]);
        assert!(axis.ticks(6).iter().all(|tick| tick.is_finite()));
    }
    assert_eq!(Scale::linear([5e-324]).at(1.0), 1.0);
}

#[test]
fn labels_do_not_cover_each_other() {
    let placed = plot::apart(&[100.0, 101.0, 5.0, 258.0, 259.0], 260.0);
    assert_eq!(placed, [100.0, 114.0, 5.0, 246.0, 260.0]);
    assert!(plot::apart(&[9.0; 90], 260.0).iter().all(|y| (0.0..=260.0).contains(y)));
}

#[test]
fn keys_count_within_a_family() {
    let results = fixture::whole();
    let labels = Labels::new(&results.modes);
    let key = |id| labels.of(id).key;
    assert_eq!(["fork", "namespace_warm", "runc"].map(key), ["B2", "N6", "C3"]);
    let Label { key, name, .. } = labels.of("another");
    assert_eq!((key.as_str(), name), ("–", "another"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_results_are_a_page(results in any::results()) {
        let document = read(&results);
        prop_assert!(document.elements.iter().all(|(name, _)| name != "evil"));
    }
}
