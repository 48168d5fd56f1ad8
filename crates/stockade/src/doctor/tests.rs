use serde_json::json;
use stockade_core::{Ability, Control, Error, ErrorKind, Support};

use super::Findings;
use super::backend::{BackendFindings, ControlFindings};
use super::host::{Host, hierarchies};
use super::waiting::Waiting;

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
fn hierarchies_are_told_by_their_controllers() {
    assert_eq!(hierarchies("0::/user.slice\n"), Some("v2"));
    assert_eq!(hierarchies("9:name=systemd:/\n0::/\n"), Some("v2"));
    assert_eq!(hierarchies("2:cpu,cpuacct:/\n1:name=systemd:/\n"), Some("v1"));
    assert_eq!(hierarchies("2:memory:/\n0::/\n"), Some("hybrid"));
    assert_eq!(hierarchies(""), None);
}

/// A folder in which processes are described as in `/proc`, removed with it.
struct Processes(std::path::PathBuf);

impl Processes {
    fn new() -> Self {
        let name = format!("stockade-processes-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn add(&self, id: u32, name: &str, parent: u32, user: u32) {
        let folder = self.0.join(id.to_string());
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        // The second of its namespace, or one that came later.
        let inner = if id < 1000 { 2 } else { 3 };
        let text = format!(
            "Name:\t{name}\nUmask:\t0022\nPPid:\t{parent}\nUid:\t{user}\t9\t9\t9\nNSpid:\t{id}\t{inner}\n"
        );
        std::fs::write(folder.join("status"), text).expect("a file can be written");
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_waits_is_counted_by_its_helper_and_for_its_user() {
    let processes = Processes::new();
    let look = |user| {
        let found = Waiting::look_in(&processes.0, user);
        found.sandboxes.zip(found.helpers)
    };
    assert_eq!(look(0), None, "there is no such folder");
    for (helper, user, inits) in [(10, 1000, 11..13), (20, 1001, 21..22), (30, 1000, 31..32)] {
        processes.add(helper, "stockade-warden", 1, user);
        for init in inits {
            processes.add(init, "stockade-warden", helper, 7);
            processes.add(init + 100, "stockade-wait", init, 8);
        }
    }
    // A run with one that pretends, an orphan, and two more that pretend.
    processes.add(13, "stockade-warden", 10, 7);
    processes.add(113, "true", 13, 8);
    processes.add(1007, "stockade-wait", 13, 8);
    processes.add(200, "stockade-wait", 999, 1000);
    processes.add(201, "sh", 1, 1000);
    processes.add(202, "stockade-wait", 201, 1000);
    processes.add(203, "stockade-wait", 10, 1000);
    std::fs::create_dir_all(processes.0.join("self")).expect("a folder can be made");
    assert_eq!(look(1000), Some((3, 2)));
    assert_eq!(look(1001), Some((1, 1)));
    assert_eq!(look(1002), Some((0, 0)));
    assert_eq!(look(0), Some((4, 3)));
}
