//! Layers that reach for the host.

use std::fs;

use stockade_core::ErrorKind;
use tar::EntryType;

use super::fixture::{Layer, Place, header, refusal, refusal_of};

#[test]
fn a_name_that_climbs_is_refused() {
    for name in ["../x", "a/../../x", "/../x", "a/..", "..", "./../host/secret"] {
        let message = refusal(&[Layer::new().file(name, "x")]);
        assert_eq!(message, format!("in the layer, entry `{name}` has `..` in its name"));
        refusal(&[Layer::new().directory(name, 0o755)]);
        refusal(&[Layer::new().link(name, "x")]);
    }
    let message = refusal(&[Layer::new().hard_link("x", "../host/secret")]);
    assert_eq!(message, "in the layer, entry `x` has `..` in its name");
}

#[test]
fn an_absolute_name_begins_at_the_root() {
    let place = Place::new();
    let host = place.host();
    let name = host.join("new");
    place.unpack(&[Layer::new().file(name.to_str().expect("its own"), "x").file("//b///c", "y")]);
    assert_eq!(place.text(name.strip_prefix("/").expect("absolute").to_str().expect("same")), "x");
    assert_eq!(place.text("b/c"), "y");
}

#[test]
fn a_file_beneath_a_link_to_the_host_lands_inside() {
    let place = Place::new();
    let host = place.host();
    place.unpack(&[Layer::new().link("out", &host).file("out/new", "x").file("out/secret", "y")]);
    assert_eq!(place.text(&format!("{}/new", host.display())[1..]), "x");

    for climbing in ["../host", "../../../../../../../../host", "a/../../host"] {
        let place = Place::new();
        let layer = Layer::new().directory("a", 0o755).link("out", climbing);
        place.unpack(&[layer.clone().file("out/new", "x"), layer.directory("out/d", 0o700)]);
        assert_eq!(place.text("host/new"), "x", "`..` ends at the root");
    }
}

#[test]
fn a_directory_swapped_for_a_link_does_not_lead_out() {
    let place = Place::new();
    let host = place.host();
    // The last one asks for the directory of the entry before last, by the same name.
    place.unpack(&[Layer::new()
        .directory("d", 0o755)
        .file("d/one", "1")
        .link("d", &host)
        .file("d/two", "2")
        .file("d/secret", "3")]);
    assert!(!place.has("d/one"));
    assert_eq!(place.text(&format!("{}/two", host.display())[1..]), "2");
}

#[test]
fn a_way_that_is_gone_is_not_taken_again() {
    // `d/l` leads to the root, in which `d` itself is then replaced.
    let layer = Layer::new().link("d/l", "/").file("d/l/d", "x").file("d/l/x", "y");
    let message = refusal(&[layer]);
    assert_eq!(message, "in the layer, entry `d/l/x` has a parent that is not a directory");
    let place = Place::new();
    let upper = Layer::new().file("d/l/.wh.d", "").file("d/l/x", "y");
    place.unpack(&[Layer::new().link("d/l", "/"), upper]);
    assert!(!place.has("x"));
    assert_eq!(place.text("d/l/x"), "y");
}

#[test]
fn a_chain_of_links_does_not_lead_out() {
    let place = Place::new();
    place.unpack(&[Layer::new()
        .link("a", "..")
        .link("b", "a/..")
        .link("c", "b/host")
        .file("c/new", "x")]);
    assert_eq!(place.text("host/new"), "x");
    let message = refusal(&[Layer::new().link("l", "l").file("l/x", "")]);
    assert_eq!(
        message,
        "in the layer, entry `l/x` has a parent that leads through too many symbolic links"
    );
    // In the last one, what is missing is made each time round.
    for target in ["l/m", "new/../l"] {
        let message = refusal(&[Layer::new().link("l", target).file("l/x", "")]);
        assert!(message.contains("symbolic links"), "{message}");
    }
}

#[test]
fn a_link_of_the_kernel_is_not_followed() {
    let place = Place::new();
    let layer = Layer::new().link("l", "/proc/self/root").file("l/x", "");
    place.unpack(&[layer]);
    assert!(place.has("proc/self/root/x"), "these are names like others inside");
}

#[test]
fn a_hard_link_reaches_nothing_of_the_host() {
    let place = Place::new();
    let host = place.host();
    let secret = host.join("secret");
    for target in [secret.clone(), "out/secret".into(), "/out/secret".into()] {
        let place = Place::new();
        let layer = Layer::new().link("out", &host).hard_link("stolen", &target);
        let error = place.apply(&[layer]).expect_err("nothing is there inside");
        let wanted = format!(
            "in the layer, entry `stolen` links to `{}`, which does not exist",
            target.display()
        );
        assert_eq!(error.to_string(), wanted);
        assert!(!place.has("stolen"));
    }
    place.assert_host_is_untouched();
}

#[test]
fn a_hard_link_to_something_else_than_a_file_is_refused() {
    let place = Place::new();
    let layer = Layer::new().link("l", place.host().join("secret"));
    let message = refusal(&[layer.hard_link("stolen", "l")]);
    assert_eq!(message, "in the layer, entry `stolen` links to `l`, which is not a regular file");
    let layer = Layer::new().directory("d", 0o755);
    for target in ["d", "/", "."] {
        let message = refusal(&[layer.clone().hard_link("x", target)]);
        assert!(message.ends_with("which is not a regular file"), "{message}");
    }
}

#[test]
fn a_whiteout_through_a_link_removes_nothing_of_the_host() {
    let place = Place::new();
    let host = place.host();
    let lower = Layer::new().link("out", &host).link("up", "../host");
    place.unpack(&[
        lower,
        Layer::new()
            .file("out/.wh.secret", "")
            .file("up/.wh.secret", "")
            .file("out/.wh..wh..opq", "")
            .file("up/.wh..wh..opq", ""),
    ]);
    assert!(place.has("out") && place.has("up"));
}

#[test]
fn a_whiteout_of_a_link_removes_the_link() {
    let place = Place::new();
    let lower = Layer::new().link("out", place.host());
    place.unpack(&[lower, Layer::new().file(".wh.out", "")]);
    assert!(!place.has("out"));
    // Nor does a directory that is removed take with it what its links lead to.
    let lower = Layer::new().link("d/out", place.host()).link("d/e/up", "../../../host");
    let place = Place::new();
    place.unpack(&[lower, Layer::new().file(".wh.d", "")]);
    assert!(!place.has("d"));
}

#[test]
fn reserved_names_are_refused() {
    for name in [
        ".wh..",
        ".wh...",
        ".wh.",
        "./.wh..",
        "d/.wh..",
        "d/.wh...",
        ".wh..wh.plnk",
        ".wh..wh.aufs",
        ".wh..wh.",
        "d/.wh.e/x",
        ".wh..wh..opq/x",
    ] {
        let lower = Layer::new().file("d/e", "");
        let message = refusal(&[lower, Layer::new().file(name, "")]);
        assert!(message.contains(&format!("entry `{name}` has a reserved name")), "{message}");
    }
}

#[test]
fn a_whiteout_that_is_no_empty_file_is_refused() {
    let wanted = "in the layer, entry `.wh.x` has the name of a whiteout, and is not an empty file";
    assert_eq!(refusal(&[Layer::new().file(".wh.x", "x")]), wanted);
    assert_eq!(refusal(&[Layer::new().directory(".wh.x", 0o755)]), wanted);
    assert_eq!(refusal(&[Layer::new().link(".wh.x", "x")]), wanted);
    let layer = Layer::new().file("a", "");
    assert_eq!(refusal(&[layer.hard_link(".wh.x", "a")]), wanted);
}

#[test]
fn the_root_is_a_directory_and_stays_one() {
    for name in ["/", ".", "./", "//./"] {
        let link = Layer::new().link(name, "/etc");
        let message = refusal(&[link]);
        assert!(message.ends_with("stands for the root itself, which can only be a directory"));
        let file = header(EntryType::Continuous, name, 0o644);
        refusal(&[Layer::new().entry(file, b"x")]);
        let layer = Layer::new().file("a", "");
        refusal(&[layer.hard_link(name, "a")]);
        Place::new().unpack(&[Layer::new().directory(name, 0o755)]);
    }
    refusal(&[Layer::new().file("", "x")]);
}

#[test]
fn devices_and_what_else_is_not_unpacked_is_refused_by_name() {
    for (kind, what) in [
        (EntryType::Char, "is a device node"),
        (EntryType::Block, "is a device node"),
        (EntryType::Fifo, "is a FIFO"),
        (EntryType::GNUSparse, "is a sparse file"),
        (EntryType::new(b'V'), "is of the unknown type V"),
        (EntryType::new(b'\n'), "is of the unknown type \\n"),
    ] {
        let layer = Layer::new().entry(header(kind, "dev/x", 0o666), b"");
        let message = refusal_of(ErrorKind::Unsupported, &[layer]);
        assert_eq!(message, format!("in the layer, entry `dev/x` {what}"));
    }
    for key in ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.realsize"] {
        let layer = Layer::new().extended(&[(key, b"1")]).file("x", "");
        let message = refusal_of(ErrorKind::Unsupported, &[layer]);
        assert!(message.ends_with("is a sparse file"), "{message}");
    }
}

#[test]
fn a_parent_that_is_a_file_is_refused() {
    for layer in [
        Layer::new().file("a", "").file("a/b", ""),
        Layer::new().file("a", "").file("a/b/c", ""),
        Layer::new().file("a", "").link("l", "a").file("l/b", ""),
        Layer::new().file("a", "").link("l", "a/x").directory("l/b", 0o755),
        Layer::new().file("a", "").hard_link("b", "a/x"),
    ] {
        let message = refusal(&[layer]);
        assert!(message.ends_with("has a parent that is not a directory"), "{message}");
    }
}

#[test]
fn a_directory_that_is_used_is_not_unpacked_into() {
    let place = Place::new();
    fs::write(place.path("old"), "").expect("a file");
    let root = fs::File::open(place.path("")).expect("it was made");
    let error = stockade_oci::layer::Unpacker::new(&root, Default::default())
        .err()
        .expect("it is not empty");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    let file = fs::File::open(place.path("old")).expect("it was made");
    let error = stockade_oci::layer::Unpacker::new(&file, Default::default())
        .err()
        .expect("it is no directory");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
