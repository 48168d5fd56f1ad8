//! Modes: what is kept, what is dropped, and what must not be in the way of who is not root.

use std::os::unix::fs::MetadataExt;

use tar::EntryType;

use super::fixture::{Layer, Place, header};

fn mode(place: &Place, name: &str) -> u32 {
    place.path(name).symlink_metadata().expect("it is there").mode() & 0o7777
}

#[test]
fn modes_are_kept_without_the_bits_that_lend_rights() {
    let place = Place::new();
    let file = |name, mode| header(EntryType::Regular, name, mode);
    place.unpack(&[Layer::new()
        .entry(file("both", 0o6755), b"x")
        .entry(file("user", 0o4711), b"x")
        .entry(file("group", 0o2755), b"x")
        .entry(file("none", 0), b"x")
        .entry(file("all", 0o777), b"x")
        .directory("tmp", 0o1777)
        .directory("shared", 0o2770)
        .entry(file("odd", 0o100_644), b"x")
        .extended(&[("SCHILY.xattr.security.capability", b"\x01\0\0\x02\n\0\0\0")])
        .entry(file("capable", 0o755), b"x")
        .file("implied/f", "x")]);
    for (name, wanted) in [
        ("both", 0o755),
        ("user", 0o711),
        ("group", 0o755),
        ("none", 0),
        ("all", 0o777),
        ("tmp", 0o1777),
        ("shared", 0o770),
        ("odd", 0o644),
        ("implied", 0o755),
    ] {
        assert_eq!(mode(&place, name), wanted, "{name}");
    }
    let mut names = [0; 256];
    let listed = rustix::fs::listxattr(place.path("capable"), &mut names).expect("a file");
    assert!(!names[..listed].windows(10).any(|window| window == b"capability"));
}

#[test]
fn all_belongs_to_who_unpacks() {
    let place = Place::new();
    let mut entry = header(EntryType::Regular, "f", 0o644);
    entry.set_uid(12_345);
    entry.set_gid(12_345);
    place.unpack(&[Layer::new().extended(&[("uid", b"54321")]).entry(entry, b"x")]);
    let found = place.path("f").metadata().expect("a file");
    assert_eq!(found.uid(), rustix::process::geteuid().as_raw());
}

#[test]
fn a_directory_takes_its_mode_when_all_is_in_it() {
    let place = Place::new();
    place.unpack(&[Layer::new()
        .directory("ro", 0o555)
        .file("ro/a", "1")
        .directory("ro/none", 0)
        .directory("ro/none/deeper", 0o555)
        .file("ro/none/deeper/b", "2")
        .directory("late", 0o700)
        .directory("late", 0o500)]);
    assert_eq!(mode(&place, "ro"), 0o555);
    assert_eq!(mode(&place, "ro/none"), 0);
    assert_eq!(mode(&place, "late"), 0o500);
    assert_eq!(place.text("ro/a"), "1");
}

#[test]
fn the_next_layer_gets_into_directories_that_deny_it() {
    let place = Place::new();
    let lower = Layer::new()
        .directory("/", 0)
        .directory("ro", 0o555)
        .file("ro/a", "1")
        .directory("ro/none", 0)
        .directory("ro/none/deeper", 0)
        .file("ro/none/deeper/b", "2")
        .directory("gone", 0)
        .file("gone/x/y", "");
    let upper =
        Layer::new().file("ro/none/deeper/c", "3").file("ro/.wh.a", "").file(".wh.gone", "");
    let third = Layer::new().directory("ro/none", 0o755).file("ro/none/deeper/.wh..wh..opq", "");
    place.unpack(&[lower, upper, third, Layer::new().directory("/", 0o755)]);
    assert_eq!(mode(&place, ""), 0o755);
    assert_eq!(mode(&place, "ro"), 0o555);
    assert_eq!(mode(&place, "ro/none"), 0o755);
    assert_eq!(mode(&place, "ro/none/deeper"), 0);
    assert!(!place.has("ro/a") && !place.has("gone"));
    assert!(!place.has("ro/none/deeper/c"));
}

#[test]
fn a_mode_is_for_the_directory_it_was_meant_for() {
    let place = Place::new();
    place.unpack(&[Layer::new()
        .directory("d", 0o500)
        .link("l", "d")
        .directory("l/inner", 0o500)
        .directory("other", 0o755)
        .link("d", "other")
        .link("l", "other")
        .directory("other/inner", 0o750)]);
    assert_eq!(mode(&place, "other"), 0o755);
    assert_eq!(mode(&place, "other/inner"), 0o750);
}

#[test]
fn a_directory_over_a_directory_keeps_what_is_in_it() {
    let place = Place::new();
    place.unpack(&[
        Layer::new().directory("d", 0o755).file("d/a", "1"),
        Layer::new().directory("d/", 0o711).file("d/b", "2"),
    ]);
    assert_eq!(mode(&place, "d"), 0o711);
    assert_eq!((place.text("d/a"), place.text("d/b")), ("1".into(), "2".into()));
}
