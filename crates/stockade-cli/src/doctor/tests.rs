use stockade::doctor::{BackendFindings, ControlFindings, Findings, Host, Waiting};
use stockade::{Ability, Control, Support};

use super::screen::{head, render_at};

const DELEGATE: &str =
    "delegate one: `systemd-run --scope a-command-that-is-longer-than-a-narrow-line`";

fn findings() -> Findings {
    let support = Support::new("namespace", |control| match control {
        Control::Memory => Ability::approximated("polling", "misses peaks", Some(DELEGATE)),
        Control::Fuel => Ability::unavailable("nothing counts", None),
        _ => Ability::enforced("the kernel"),
    });
    let mut found = BackendFindings::default();
    found.backend = "namespace".to_owned();
    found.available = true;
    found.unmet = vec![Control::Memory];
    found.controls = Control::ALL.map(|control| ControlFindings::of(&support, control)).into();
    Findings::conclude(Host::default(), vec![found])
}

#[test]
fn prose_keeps_to_the_width_and_a_command_stays_whole() {
    for width in [60, 72, 100] {
        let text = render_at(&findings(), width);
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
fn what_waits_is_said_if_anything_does() {
    let said = |sandboxes, helpers, uid| {
        let mut waiting = Waiting::default();
        waiting.sandboxes = Some(sandboxes);
        waiting.helpers = Some(helpers);
        let mut host = Host::default();
        host.uid = Some(uid);
        host.waiting = waiting;
        head("1", &host, 100)
    };
    assert_eq!(said(0, 0, 0).lines().count(), 1);
    let last = |text: String| text.lines().last().map(str::to_owned);
    let root = last(said(8, 2, 0)).expect("a line");
    assert_eq!(root, "8 sandboxes wait for a start, built by 2 helper processes");
    let user = last(said(1, 1, 1000)).expect("a line");
    assert_eq!(user, "1 sandbox of this user waits for a start, built by 1 helper process");
}
