//! The removal of trees, of any depth and without permission.

use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{Mode, OFlags};
use stockade_core::ErrorKind;
use stockade_oci::layer::remove_tree;

use super::fixture::Place;

#[test]
fn a_tree_goes_with_all_that_is_in_it() {
    let place = Place::new();
    let top = place.path("tree");
    for name in ["a/b/c", "a/b/d", ".lifted-0/x", "a/.lifted-1/y/z"] {
        fs::create_dir_all(top.join(name)).expect("directories");
        fs::write(top.join(name).join("file"), "x").expect("a file");
    }
    fs::write(top.join(".lifted-2"), "").expect("a file");
    symlink(place.host(), top.join("a/host")).expect("a link");
    symlink(place.host(), top.join("a/b/c/host")).expect("a link");
    for number in 0..3000 {
        fs::write(top.join(format!("a/b/{number}")), "").expect("a file");
    }
    remove(&place, "tree").expect("the tree of the test's own");
    assert!(!place.has("tree"));
    place.assert_host_is_untouched();
}

#[test]
fn a_tree_goes_whatever_its_modes() {
    let place = Place::new();
    let top = place.path("tree");
    fs::create_dir_all(top.join("a/b/c")).expect("directories");
    fs::write(top.join("a/b/file"), "x").expect("a file");
    for name in ["a/b/file", "a/b/c", "a/b", "a", ""] {
        fs::set_permissions(top.join(name), Permissions::from_mode(0o000)).expect("its owner");
    }
    remove(&place, "tree").expect("the tree of the test's own");
    assert!(!place.has("tree"));
}

#[test]
fn a_tree_goes_however_deep_it_is() {
    let place = Place::new();
    let mut at = OwnedFd::from(File::open(place.path("")).expect("it was made"));
    for _ in 0..5000 {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).expect("a directory");
        rustix::fs::mkdirat(&at, "e", Mode::RWXU).expect("a directory");
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        at = rustix::fs::openat(&at, "d", flags, Mode::empty()).expect("it was made");
    }
    remove(&place, "d").expect("the tree of the test's own");
    assert!(!place.has("d") && place.has("e"));
}

#[test]
fn a_link_goes_and_what_it_leads_to_stays() {
    let place = Place::new();
    symlink(place.host(), place.path("l")).expect("a link");
    remove(&place, "l").expect("a link of the test's own");
    assert!(!place.has("l"));
    place.assert_host_is_untouched();
}

#[test]
fn what_is_not_there_is_removed_already() {
    remove(&Place::new(), "nothing").expect("nothing to do");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let place = Place::new();
    for name in ["", ".", "..", "../host", "a/b", "a\0b", "/"] {
        let error = remove(&place, name).expect_err("not a name");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{error}");
    }
    place.assert_host_is_untouched();
}

fn remove(place: &Place, name: &str) -> stockade_core::Result<()> {
    let root = File::open(place.path("")).expect("it was made");
    remove_tree(root.as_fd(), name.as_ref())
}
