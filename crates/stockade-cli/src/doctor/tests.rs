use serde_json::json;
use stockade::{Ability, Control, Error, ErrorKind, Support};

use super::Findings;
use super::backend::{BackendFindings, ControlFindings};
use super::host::{Host, hierarchies};
use super::screen::render_at;

const DELEGATE: &str =
    "delegate one: `systemd-run --scope a-command-that-is-longer-than-a-narrow-line`";

fn support() -> Support {
    Support::new("namespace", |control| match control {
        Control::Memory => Ability::approximated("polling", "misses peaks", Some(DELEGATE)),
        Control::Processes => Ability::approximated("counting", "misses bursts", Some(DELEGATE)),
        Control::Cpus => Ability::unavailable("no rate", Some("mount it")),
        Control::Fuel => Ability::unavailable("nothing counts", None),
        Control::Filesystem => Ability::enforced("mounts; Landlock ABI 7"),
        _ => Ability::enforced("the kernel"),
    })
}

fn available() -> BackendFindings {
    BackendFindings {
        backend: "namespace".to_owned(),
        available: true,
        error: None,
        hint: None,
        default_policy: false,
        unmet: vec![Control::Memory, Control::Processes],
        tried: Vec::new(),
        controls: Control::ALL.map(|control| ControlFindings::of(&support(), control)).into(),
    }
}

fn missing() -> BackendFindings {
    let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = Error::new(ErrorKind::Setup, source).with_hint("enable user namespaces");
    BackendFindings::missing(&support(), &error, Vec::new())
}

fn findings(backend: BackendFindings) -> Findings {
    Findings::conclude(Host::default(), vec![backend])
}

#[test]
fn a_control_has_every_member_whatever_its_status() {
    let of = |control| ControlFindings::of(&support(), control);
    let expected = json!([
        { "control": "memory", "status": "approximated", "mechanism": "polling",
          "reason": "misses peaks", "fix": DELEGATE },
        { "control": "fuel", "status": "unavailable", "mechanism": null,
          "reason": "nothing counts", "fix": null },
        { "control": "disk", "status": "enforced", "mechanism": "the kernel",
          "reason": null, "fix": null },
    ]);
    let controls = [Control::Memory, Control::Fuel, Control::Disk].map(of);
    assert_eq!(serde_json::to_value(controls).expect("findings are JSON"), expected);
}

#[test]
fn advice_is_given_once_and_what_helps_most_comes_first() {
    let advice = findings(available()).advice;
    let fixes: Vec<_> = advice.iter().map(|advice| advice.fix.as_str()).collect();
    assert_eq!(fixes[..2], [DELEGATE, "mount it"]);
    assert!(fixes[2].contains("--best-effort memory,processes"), "{fixes:?}");
    assert_eq!((advice[0].helps.len(), fixes.len()), (2, 3));

    let fixes: Vec<_> = findings(missing()).advice.into_iter().map(|advice| advice.fix).collect();
    assert_eq!(fixes, ["enable user namespaces", DELEGATE, "mount it"]);
}

#[test]
fn a_missing_second_wall_is_advised_though_files_are_enforced() {
    let one_wall = Support::new("namespace", |_| Ability::enforced("mounts; no Landlock here"));
    let files = ControlFindings::of(&one_wall, Control::Filesystem);
    let found = BackendFindings { unmet: Vec::new(), controls: vec![files], ..available() };
    let advice = findings(found).advice;
    assert_eq!(advice.len(), 1);
    assert!(advice[0].fix.contains("lsm="), "{advice:?}");
}

#[test]
fn a_backend_that_is_not_available_still_answers_for_every_control() {
    let missing = missing();
    assert_eq!(missing.error.as_deref(), Some("permission denied"));
    assert_eq!(missing.controls.len(), Control::ALL.len());
    assert!(missing.controls.iter().all(|found| found.status == "unavailable"));
    assert!(missing.controls.iter().all(|found| found.reason.is_some()));
    assert!(!findings(missing).default_policy);
}

#[test]
fn advice_to_ask_doctor_is_not_given_by_doctor() {
    let hint = |hint: &str| {
        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = Error::new(ErrorKind::Setup, source).with_hint(hint);
        BackendFindings::missing(&support(), &error, Vec::new()).hint
    };
    assert_eq!(hint("`stockade doctor` shows it"), None);
    assert_eq!(
        hint("a newer kernel; `stockade doctor` shows it").as_deref(),
        Some("a newer kernel")
    );
}

#[test]
fn prose_keeps_to_the_width_and_a_command_stays_whole() {
    for width in [60, 72, 100] {
        let text = render_at(&findings(available()), width);
        for control in Control::ALL {
            assert!(text.contains(control.name()), "no {control} in\n{text}");
        }
        assert!(
            text.contains("$ systemd-run --scope a-command-that-is-longer-than-a-narrow-line\n")
        );
        let long = |line: &&str| !line.contains("$ ") && line.chars().count() > usize::from(width);
        assert_eq!(text.lines().find(long), None, "wider than {width}:\n{text}");
    }
}

#[test]
fn hierarchies_are_told_by_their_controllers() {
    assert_eq!(hierarchies("0::/user.slice\n"), Some("v2"));
    assert_eq!(hierarchies("9:name=systemd:/\n0::/\n"), Some("v2"));
    assert_eq!(hierarchies("2:cpu,cpuacct:/\n1:name=systemd:/\n"), Some("v1"));
    assert_eq!(hierarchies("2:memory:/\n0::/\n"), Some("hybrid"));
    assert_eq!(hierarchies(""), None);
}
