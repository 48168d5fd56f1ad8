//! Whiteouts are about lower layers, and never about their own.

use super::fixture::{Layer, Place};

fn lower() -> Layer {
    Layer::new()
        .file("d/old", "lower")
        .file("d/both", "lower")
        .file("d/sub/old", "lower")
        .file("d/sub/deep/old", "lower")
        .link("d/link", "old")
        .file("e", "lower")
}

#[test]
fn a_whiteout_removes_what_a_lower_layer_has() {
    let place = Place::new();
    place.unpack(&[lower(), Layer::new().file(".wh.e", "").file("d/.wh.sub", "")]);
    assert!(!place.has("e") && !place.has(".wh.e") && !place.has("d/sub"));
    assert_eq!(place.text("d/old"), "lower");
}

#[test]
fn a_whiteout_of_nothing_does_nothing() {
    let place = Place::new();
    place.unpack(&[
        Layer::new().file(".wh.x", "").file("x/y/.wh.z", "").file("x/.wh..wh..opq", ""),
        lower(),
        Layer::new().file(".wh.x", "").file("e/.wh.x", "").file("n/.wh.x", ""),
    ]);
    assert!(!place.has("x") && !place.has("n"));
    assert_eq!(place.text("e"), "lower");
}

#[test]
fn a_whiteout_spares_its_own_layer_in_either_order() {
    let own = |layer: Layer| layer.file("e", "upper").file("d/sub/new", "upper");
    let whiteouts = |layer: Layer| layer.file(".wh.e", "").file("d/.wh.sub", "");
    for upper in [whiteouts(own(Layer::new())), own(whiteouts(Layer::new()))] {
        let place = Place::new();
        place.unpack(&[lower(), upper]);
        assert_eq!(place.text("e"), "upper");
        assert_eq!(place.text("d/sub/new"), "upper");
        assert!(!place.has("d/sub/old") && !place.has("d/sub/deep"));
        assert!(place.has("d/old"));
    }
}

#[test]
fn an_opaque_directory_has_only_its_own_layer_in_either_order() {
    let own = |layer: Layer| {
        layer
            .directory("d", 0o755)
            .file("d/both", "upper")
            .file("d/sub/new", "upper")
            .directory("d/empty", 0o755)
    };
    let opaque = |layer: Layer| layer.file("d/.wh..wh..opq", "");
    let twice = opaque(own(opaque(Layer::new())));
    for upper in [opaque(own(Layer::new())), own(opaque(Layer::new())), twice] {
        let place = Place::new();
        place.unpack(&[lower(), upper]);
        assert_eq!(place.text("d/both"), "upper");
        assert_eq!(place.text("d/sub/new"), "upper");
        assert!(place.has("d/empty"));
        for gone in ["d/old", "d/link", "d/sub/old", "d/sub/deep"] {
            assert!(!place.has(gone), "{gone}");
        }
        assert_eq!(place.text("e"), "lower");
    }
}

#[test]
fn the_root_can_be_opaque() {
    let place = Place::new();
    place.unpack(&[lower(), Layer::new().file("new", "upper").file(".wh..wh..opq", "")]);
    assert!(!place.has("d") && !place.has("e"));
    assert_eq!(place.text("new"), "upper");
}

#[test]
fn a_whiteout_is_for_the_layers_below_alone() {
    let place = Place::new();
    let hide = Layer::new().file(".wh.e", "").file("d/.wh..wh..opq", "");
    place.unpack(&[lower(), hide.clone(), lower()]);
    assert!(place.has("e") && place.has("d/sub/deep/old"));
    let place = Place::new();
    place.unpack(&[lower(), lower(), hide]);
    assert!(!place.has("e") && !place.has("d/sub"));
}

#[test]
fn a_directory_is_known_by_every_path_that_leads_to_it() {
    let place = Place::new();
    place.unpack(&[
        lower().link("alias", "d"),
        Layer::new()
            .file("alias/both", "upper")
            .file("d/.wh.both", "")
            .file("alias/.wh.old", "")
            .file("d/sub/new", "upper")
            .file("alias/sub/.wh..wh..opq", ""),
    ]);
    assert_eq!(place.text("d/both"), "upper");
    assert!(!place.has("d/old") && !place.has("d/sub/old"));
    assert_eq!(place.text("d/sub/new"), "upper");
}

#[test]
fn what_a_layer_replaces_is_its_own() {
    let place = Place::new();
    place.unpack(&[
        lower(),
        Layer::new()
            .file("d", "upper")
            .directory("d", 0o755)
            .file("d/x", "upper")
            .file(".wh.d", ""),
    ]);
    assert_eq!(place.text("d/x"), "upper");
    assert!(!place.has("d/old"));
}

#[test]
fn a_link_made_above_does_not_make_the_name_below_one_of_its_own() {
    let place = Place::new();
    place.unpack(&[lower(), Layer::new().hard_link("f", "e").file(".wh.e", "")]);
    assert_eq!(place.text("f"), "lower");
    assert!(!place.has("e"));
}
