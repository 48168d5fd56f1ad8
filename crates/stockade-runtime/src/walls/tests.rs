use serde_json::json;

use super::*;

fn spec() -> Spec {
    let mounts = json!([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/in", "source": "/out", "options": ["rbind", "dev"]},
        {"destination": "/dev/own", "type": "bind", "source": "/dev/zero"},
    ]);
    let linux = json!({"maskedPaths": ["/proc/keys", "/own"]});
    let document = json!({"ociVersion": "1.0.2", "mounts": mounts, "linux": linux});
    serde_json::from_value(document).expect("a config")
}

#[test]
fn a_config_is_as_it_was_unless_all_walls_are_asked_for() {
    let mut raised = spec();
    Walls::Config.raise(&mut raised);
    assert_eq!(raised, spec());
}

#[test]
fn all_walls_mask_more_and_take_devices_and_privileges_from_binds() {
    let mut raised = spec();
    Walls::Full.raise(&mut raised);
    let masked = raised.linux().as_ref().and_then(|linux| linux.masked_paths().clone());
    let masked = masked.expect("paths");
    assert_eq!(masked.iter().filter(|path| *path == "/proc/keys").count(), 1, "{masked:?}");
    assert!(MASKED_PATHS.iter().all(|path| masked.contains(&(*path).to_owned())), "{masked:?}");
    assert!(masked.contains(&"/own".to_owned()), "{masked:?}");
    let options = |at: usize| raised.mounts().as_ref().and_then(|all| all[at].options().clone());
    assert_eq!(options(0), None);
    let bound = options(1).expect("options");
    assert_eq!(bound, ["rbind", "dev", "nodev", "nosuid"], "the last word counts");
    assert_eq!(options(2), None);
}
