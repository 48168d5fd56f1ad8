//! Whether engines can read it, and whether it is true.

use oci_spec::runtime::Features;

use super::*;

#[test]
fn the_specification_has_a_type_for_it() {
    let features: Features = serde_json::from_value(value()).expect("it is of this form");
    let linux = features.linux().as_ref().expect("it is there");
    let names = linux.capabilities().as_ref().expect("they are there");
    assert_eq!(names.len(), 41);
    assert_eq!(names.first().map(String::as_str), Some("CAP_CHOWN"));
    assert_eq!(names.last().map(String::as_str), Some("CAP_CHECKPOINT_RESTORE"));
    for name in names {
        serde_json::from_value::<oci_spec::runtime::Capability>(json!(name)).expect(name);
    }
}

#[test]
fn options_stand_once_and_in_order() {
    assert!(MOUNT_OPTIONS.is_sorted());
    let mut once = MOUNT_OPTIONS.to_vec();
    once.dedup();
    assert_eq!(once, MOUNT_OPTIONS);
}

#[test]
fn what_the_list_of_fields_refuses_is_not_promised() {
    let refused: Vec<&str> = stockade_oci::bundle::runtime::fields()
        .filter(|row| row.treatment == stockade_oci::bundle::Treatment::Refused)
        .map(|row| row.name)
        .collect();
    for (feature, field) in [("intelRdt", "linux.intelRdt"), ("netDevices", "linux.netDevices")] {
        let enabled = value()["linux"][feature]["enabled"] == true;
        assert_eq!(enabled, !refused.contains(&field), "{feature}");
    }
    for hook in HOOKS {
        assert!(!refused.contains(&format!("hooks.{hook}").as_str()), "{hook}");
    }
}
