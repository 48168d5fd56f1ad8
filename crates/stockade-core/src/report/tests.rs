use serde_json::{Value, json};

use super::{Phase, Report, Verdict};
use crate::{Ability, Control, Plan, Policy, Support};

fn sample() -> Report {
    let support = Support::new("namespace", |control| Ability::enforced(control.name()));
    let plan = Plan::resolve(&Policy::default(), &support).expect("everything is enforced");
    let (limit, observed) = (64 << 20, 64 << 20);
    let mut report =
        Report::new(&plan, Verdict::Limit { control: Control::Memory, limit, observed });
    report.timings.phases.push(Phase::new("clone", 7));
    report.stdout = b"captured".to_vec();
    report
}

/// The names of an object's members, in the order of the alphabet.
fn keys(value: &Value) -> String {
    let members = value.as_object().expect("an object");
    let mut names: Vec<_> = members.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

#[test]
fn the_json_has_exactly_the_documented_fields() {
    let json = serde_json::to_value(sample()).expect("a report is JSON");
    assert_eq!(
        keys(&json),
        "backend backend_reason enforcement output policy_hash timings usage verdict version"
    );
    assert_eq!(keys(&json["verdict"]), "control kind limit observed");
    assert_eq!(
        keys(&json["usage"]),
        "cpu_system_ns cpu_user_ns fuel peak_memory peak_processes stderr_bytes stdout_bytes \
         wall_ns"
    );
    assert_eq!(keys(&json["output"]), "stderr_truncated stdout_truncated");
    assert_eq!(keys(&json["enforcement"][0]), "control mechanism reason status");
    assert_eq!(keys(&json["timings"]), "phases prepare_ns start_ns teardown_ns");
    assert_eq!(json["timings"]["phases"], json!([{ "name": "clone", "ns": 7 }]));
}

#[test]
fn what_is_absent_is_null_and_not_left_out() {
    let json = serde_json::to_value(sample()).expect("a report is JSON");
    assert_eq!(json["usage"]["fuel"], Value::Null);
    assert_eq!(json["enforcement"][0]["reason"], Value::Null);
}

#[test]
fn every_verdict_has_its_documented_form() {
    let exited = Verdict::Exited { code: 7 };
    let signaled = Verdict::Signaled { signal: "SIGSEGV".to_owned(), number: 11 };
    let denied = Verdict::Denied { control: Control::Syscalls, detail: "ptrace".to_owned() };
    let trapped = Verdict::Trapped { trap: "unreachable".to_owned(), backtrace: None };
    let forms = [
        (exited, json!({ "kind": "exited", "code": 7 })),
        (signaled, json!({ "kind": "signaled", "signal": "SIGSEGV", "number": 11 })),
        (denied, json!({ "kind": "denied", "control": "syscalls", "detail": "ptrace" })),
        (trapped, json!({ "kind": "trapped", "trap": "unreachable", "backtrace": null })),
        (Verdict::Cancelled, json!({ "kind": "cancelled" })),
    ];
    for (verdict, form) in forms {
        assert_eq!(serde_json::to_value(&verdict).expect("a verdict is JSON"), form);
        assert_eq!(serde_json::from_value::<Verdict>(form).expect("and back"), verdict);
    }
}

#[test]
fn a_report_survives_json_but_for_the_captured_output() {
    let report = sample();
    let text = serde_json::to_string(&report).expect("a report is JSON");
    let mut back: Report = serde_json::from_str(&text).expect("and back");
    assert!(back.stdout.is_empty());
    back.stdout.clone_from(&report.stdout);
    assert_eq!(back, report);
}
