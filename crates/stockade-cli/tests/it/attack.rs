//! `stockade doctor --attack`.

use serde_json::Value;

use crate::command::{call, stockade};

#[test]
fn attacks_are_held_and_the_json_has_the_documented_keys() {
    let outcome = call(&["doctor", "--attack", "--json"]);
    let found: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!((outcome.code, &found["breached"]), (0, &Value::from(false)), "{found:#}");
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
