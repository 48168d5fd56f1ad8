//! `stockade bench`.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::command::{Outcome, TempDir, call, stockade};

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is no list"))
}

const RESULTS: &str = "schema version date command quick host modes host_size concurrency live \
    endurance growth footprint overhead targets";
const HOST: &str = "kernel cpus memory_bytes cgroup user load_before load_after";
const MODE: &str = "id name family start version walls note skipped runs failures failure wall_ns \
    cpu_ns phases";
const GROWTH: &str = "runs host_bytes host_files helper_bytes helper_files";
const TARGET: &str = "id what target measured unit met note";

#[test]
fn results_have_the_documented_keys_and_what_fails_is_shown_as_failing() {
    let dir = TempDir::new();
    let (json, html) = (dir.path().join("results.json"), dir.path().join("results.html"));
    let scratch = dir.path().join("scratch");
    fs::create_dir(&scratch).expect("a fresh directory");
    let mut command = stockade();
    command.args(["bench", "--quick", "--long", "--rounds", "2", "--tool", "/bin/false", "--json"]);
    command.arg(&json).arg("--html").arg(&html).env("TMPDIR", &scratch);
    let outcome = Outcome::from(command.output().expect("it runs"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.stderr, "", "no progress without a terminal");
    let left: Vec<_> = fs::read_dir(&scratch).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");

    let text = fs::read_to_string(&json).expect("it was written");
    let results: Value = serde_json::from_str(&text).expect("JSON");
    let named = |names: &'static str| names.split_whitespace().collect::<BTreeSet<_>>();
    assert_eq!(keys(&results), named(RESULTS));
    assert_eq!(keys(&results["host"]), named(HOST));
    assert_eq!((&results["schema"], &results["quick"]), (&Value::from(1), &Value::from(true)));
    for mode in list(&results, "modes") {
        assert_eq!(keys(mode), named(MODE), "{mode}");
        let (runs, failures) = (mode["runs"].as_u64(), mode["failures"].as_u64());
        let samples = list(mode, "wall_ns").len() as u64;
        assert_eq!(runs, failures.map(|failures| failures + samples), "{mode}");
        assert!(samples > 0 || !mode["skipped"].is_null() || !mode["failure"].is_null(), "{mode}");
    }
    let runs: Vec<_> = list(&results, "growth")
        .iter()
        .map(|growth| {
            assert_eq!(keys(growth), named(GROWTH));
            growth["runs"].as_u64()
        })
        .collect();
    assert_eq!(runs, (0..=10).map(|stretch| Some(stretch * 2)).collect::<Vec<_>>());
    for series in list(&results, "endurance") {
        assert_eq!(list(series, "points").len(), 10, "{series}");
    }
    assert_eq!(results["endurance"][0]["mode"], "plain");
    let ids: Vec<&str> =
        list(&results, "targets").iter().filter_map(|t| t["id"].as_str()).collect();
    for id in ["P1", "P2", "P3", "P4", "P5", "P7", "P8", "P9", "P10", "P11"] {
        assert!(ids.contains(&id), "{id} of {ids:?}");
    }
    for target in list(&results, "targets") {
        assert_eq!(keys(target), named(TARGET));
    }

    let mode = |id: &str| {
        let found = list(&results, "modes").iter().find(|mode| mode["id"] == id);
        found.unwrap_or_else(|| panic!("{id} is missing"))
    };
    assert_eq!(list(mode("plain"), "wall_ns").len(), 2);
    let broken = mode("tool");
    assert_eq!((&broken["runs"], &broken["failures"]), (&Value::from(2), &Value::from(2)));
    assert!(
        broken["failure"].as_str().is_some_and(|why| why.contains("exit status: 1")),
        "{broken}"
    );
    assert!(outcome.stdout.contains("FAILED in 2 of 2 runs"), "{}", outcome.stdout);
    assert!(fs::read_to_string(&html).is_ok_and(|page| page.contains("<")));
}

#[test]
fn no_round_at_all_is_a_misuse() {
    assert_eq!(call(&["bench", "--rounds", "0"]).code, 2);
}
