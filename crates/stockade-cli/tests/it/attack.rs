//! `stockade doctor --attack`.

use serde_json::Value;

use crate::command::{Outcome, TempDir, call, stockade};
use crate::doctor::without_namespaces;

fn attack(words: &[&str]) -> Outcome {
    call(&[&["doctor", "--attack"], words].concat())
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// The status where no attack got through.
fn status(found: &Value) -> i32 {
    let backends = found["backends"].as_array().expect("a list");
    let attacked = backends.iter().all(|backend| backend["error"].is_null());
    if attacked { 0 } else { 125 }
}

/// That a backend was not attacked, and why.
fn could_not_be_attacked(backend: &Value, why: &str) {
    let error = backend["error"].as_str().expect("a reason");
    assert!(error.contains(why), "{error}");
    assert!(backend["hint"].is_string(), "{backend:#}");
    for count in ["held", "breached", "not_applicable"] {
        assert_eq!(backend[count], 0, "{backend:#}");
    }
    assert_eq!(backend["attacks"], Value::Array(Vec::new()));
}

#[test]
fn attacks_are_held_and_the_json_has_the_documented_keys() {
    let outcome = attack(&["--json"]);
    let found = json(&outcome);
    assert_eq!(found["breached"], false, "{found:#}");
    assert_eq!(outcome.code, status(&found), "{found:#}");
    assert_eq!(found["schema"], 1);
    for (index, name) in ["namespace", "wasm"].into_iter().enumerate() {
        let backend = &found["backends"][index];
        assert_eq!(backend["backend"], name);
        let count = |member: &str| backend[member].as_u64().expect("a count");
        let attacks = backend["attacks"].as_array().expect("a list");
        let sum = count("held") + count("breached") + count("not_applicable");
        assert_eq!(attacks.len() as u64, sum);
        assert_eq!(backend["error"].is_null(), count("held") > 0, "{backend:#}");
        for attack in attacks {
            for key in ["name", "story", "class", "wall", "finding", "detail", "elapsed_ms"] {
                assert!(!attack[key].is_null(), "{key} of {attack}");
            }
        }
    }
}

#[test]
fn a_bad_policy_is_refused_before_any_attack() {
    let outcome = call(&["doctor", "--attack", "--policy", "/no/such/policy.toml"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (125, ""), "{outcome:?}");
}

#[test]
fn what_only_attacks_take_needs_them() {
    let outcome = stockade().args(["doctor", "--thorough"]).output().expect("it runs");
    assert_eq!(outcome.status.code(), Some(2));
}

/// Only modules can have their instructions counted.
#[test]
fn a_backend_that_cannot_meet_the_policy_is_one_line_and_the_status() {
    let dir = TempDir::new();
    let policy = dir.file("policy.toml", "[limits]\nfuel = 1_000_000_000\n");
    let with = |words: &[&str]| attack(&[words, &["--policy", &policy]].concat());

    let outcome = with(&["--json"]);
    let found = json(&outcome);
    assert_eq!((outcome.code, &found["breached"]), (125, &false.into()), "{found:#}");
    could_not_be_attacked(&found["backends"][0], "fuel");
    let wasm = &found["backends"][1];
    assert!(wasm["error"].is_null() && wasm["hint"].is_null(), "{wasm:#}");
    assert!(wasm["held"].as_u64() > Some(0), "{wasm:#}");

    let outcome = with(&["--backend", "namespace"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (125, ""), "{outcome:?}");
    let (_, said) = outcome.stdout.split_once("\nnamespace\n").expect("a title");
    assert!(said.starts_with("  could not be attacked: "), "{said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("fuel") && said.contains("; hint: "), "{said}");
    assert!(!said.contains("n/a") && !said.contains("wasm"), "{said}");
}

#[test]
fn where_one_backend_is_missing_the_status_says_so_unless_the_other_is_asked_for() {
    let name = "where_one_backend_is_missing_the_status_says_so_unless_the_other_is_asked_for";
    let Some(outcome) = without_namespaces(name, "doctor --attack --json") else { return };
    let found = json(&outcome);
    assert_eq!((outcome.code, &found["breached"]), (125, &false.into()), "{found:#}");
    could_not_be_attacked(&found["backends"][0], "namespace");
    assert!(found["backends"][1]["held"].as_u64() > Some(0), "{found:#}");

    let words = "doctor --attack --backend wasm --json";
    let outcome = without_namespaces(name, words).expect("there was one before");
    let found = json(&outcome);
    let names: Vec<_> = found["backends"].as_array().expect("a list").iter().collect();
    assert_eq!((outcome.code, names.len()), (0, 1), "{outcome:?}");
    assert_eq!(found["backends"][0]["backend"], "wasm");
}
