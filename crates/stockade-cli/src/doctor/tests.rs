use serde_json::json;
use stockade::{Ability, Control, Error, ErrorKind, Support};

use super::{BackendFindings, Findings, Host, chain, examine, render};

fn support() -> Support {
    Support::new("namespace", |control| match control {
        Control::Memory => Ability::approximated("polling", "misses peaks", Some("delegate one")),
        Control::Fuel => Ability::unavailable("nothing counts", None),
        _ => Ability::enforced("the kernel"),
    })
}

#[test]
fn a_control_has_every_member_whatever_its_status() {
    let findings =
        [Control::Memory, Control::Fuel, Control::Disk].map(|control| examine(&support(), control));
    let expected = json!([
        { "control": "memory", "status": "approximated", "mechanism": "polling",
          "reason": "misses peaks", "fix": "delegate one" },
        { "control": "fuel", "status": "unavailable", "mechanism": null,
          "reason": "nothing counts", "fix": null },
        { "control": "disk", "status": "enforced", "mechanism": "the kernel",
          "reason": null, "fix": null },
    ]);
    assert_eq!(serde_json::to_value(findings).expect("findings are JSON"), expected);
}

#[test]
fn the_table_shows_every_control_and_the_fix() {
    let backend = BackendFindings {
        backend: "namespace".to_owned(),
        available: true,
        error: None,
        hint: None,
        controls: Control::ALL.map(|control| examine(&support(), control)).into(),
    };
    let host = Host { arch: "x86_64", kernel: None };
    let text = render(&Findings { version: "1", host, backends: vec![backend] });
    for control in Control::ALL {
        assert!(text.contains(control.name()), "{text}");
    }
    assert!(text.contains("fix: delegate one"), "{text}");
}

#[test]
fn a_backend_that_is_not_available_says_why() {
    let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = Error::new(ErrorKind::Setup, source).with_hint("enable user namespaces");
    let backend = BackendFindings {
        backend: "namespace".to_owned(),
        available: false,
        error: Some(chain(&error)),
        hint: error.hint().map(str::to_owned),
        controls: Vec::new(),
    };
    let host = Host { arch: "x86_64", kernel: None };
    let text = render(&Findings { version: "1", host, backends: vec![backend] });
    assert!(text.contains("not available: permission denied"), "{text}");
    assert!(text.contains("hint: enable user namespaces"), "{text}");
}
