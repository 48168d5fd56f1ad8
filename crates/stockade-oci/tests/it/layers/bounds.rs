//! What is too much.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use stockade_core::{Error, ErrorKind};
use stockade_oci::layer::Bounds;
use tar::EntryType;

use super::fixture::{Layer, Place, header, refusal};

/// What is refused by bounds that are changed so.
fn beyond(change: impl Fn(&mut Bounds), layers: &[Vec<u8>]) -> (Place, Error) {
    let mut bounds = Bounds::default();
    change(&mut bounds);
    let place = Place::new();
    let mut unpacker = place.unpacker(bounds);
    let (last, lower) = layers.split_last().expect("a layer");
    for layer in lower {
        unpacker.apply(layer.as_slice()).expect("within bounds");
    }
    let error = unpacker.apply(last.as_slice()).expect_err("beyond bounds");
    place.assert_host_is_untouched();
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{error}");
    (place, error)
}

#[test]
fn a_file_beyond_the_bound_is_refused_before_it_is_written() {
    for size in [(16 << 30) + 1, 1 << 40, u64::MAX] {
        let mut giant = header(EntryType::Regular, "giant", 0o644);
        giant.set_size(size);
        let layer = Layer::new().raw(giant, b"");
        let (place, error) = beyond(|_| {}, &[layer.bytes()]);
        assert_eq!(
            error.to_string(),
            "in the layer, entry `giant` goes beyond the bound of 17179869184 bytes for the contents of \
             all layers"
        );
        assert!(error.hint().is_some() && !place.has("giant"));
    }
}

#[test]
fn bytes_are_counted_over_all_layers() {
    let layer = Layer::new().file("a", &"x".repeat(600)).bytes();
    let (_, error) = beyond(|bounds| bounds.bytes = 1000, &[layer.clone(), layer]);
    assert!(error.to_string().contains("1000 bytes"), "{error}");
}

#[test]
fn a_bomb_is_refused() {
    let mut giant = header(EntryType::Regular, "bomb", 0o644);
    giant.set_size(1 << 30);
    giant.set_cksum();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(giant.as_bytes()).expect("memory");
    std::io::copy(&mut std::io::repeat(0).take(16 << 20), &mut encoder).expect("memory");
    let packed = encoder.finish().expect("memory");
    let (place, error) = beyond(|bounds| bounds.bytes = 1 << 20, &[packed]);
    assert!(error.to_string().contains("entry `bomb`"), "{error}");
    assert!(!place.has("bomb"));
}

#[test]
fn what_describes_entries_counts_too_and_is_not_held_whatever_its_size() {
    let long = |size: u64| {
        let mut name = header(EntryType::GNULongName, "././@LongLink", 0);
        name.set_size(size);
        Layer::new().raw(name, b"")
    };
    let (_, error) = beyond(|_| {}, &[long(1 << 40).bytes()]);
    assert!(error.to_string().contains("1099511627776 bytes"), "{error}");
    let record = vec![b'x'; 900_000];
    let one = Layer::new().extended(&[("comment", &record)]).file("a", "");
    let (_, error) = beyond(|bounds| bounds.bytes = 1 << 20, &[one.bytes(), one.bytes()]);
    assert!(error.to_string().contains("bytes for the contents"), "{error}");
    let global = Layer::new().extended_as(EntryType::XGlobalHeader, &[("comment", b"x")]);
    let (_, error) = beyond(|bounds| bounds.entries = 1, &[global.bytes(), global.bytes()]);
    assert!(error.to_string().contains("the bound of 1 entries"), "{error}");
}

#[test]
fn entries_are_counted_over_all_layers() {
    let layer = Layer::new().file("a", "").file("a", "").file(".wh.b", "").bytes();
    let (_, error) = beyond(|bounds| bounds.entries = 5, &[layer.clone(), layer]);
    assert!(error.to_string().contains("the bound of 5 entries"), "{error}");
}

#[test]
fn directories_that_no_entry_describes_count_as_entries() {
    let layer = Layer::new().file("a/b/c/x", "").file("a/b/y", "").bytes();
    let (_, error) = beyond(|bounds| bounds.entries = 4, std::slice::from_ref(&layer));
    assert_eq!(
        error.to_string(),
        "in the layer, entry `a/b/y` goes beyond the bound of 4 entries for all layers"
    );
    let (_, error) = beyond(|bounds| bounds.entries = 2, &[layer]);
    assert!(error.to_string().contains("entry `a/b/c/x`"), "{error}");
}

#[test]
fn a_long_name_is_refused_and_not_repeated_at_length() {
    let name = "n/".repeat(2500);
    for layer in [
        Layer::new().extended(&[("path", name.as_bytes())]),
        Layer::new().entry(header(EntryType::GNULongName, "././@LongLink", 0), name.as_bytes()),
    ] {
        let message = refusal(&[layer.file("x", "")]);
        assert!(
            message.contains("has a name of 5000 bytes, where at most 4096 can be"),
            "{message}"
        );
        assert!(message.len() < 400, "{message}");
    }
    let component = "n".repeat(256);
    let layer = Layer::new().extended(&[("path", component.as_bytes())]).file("x", "");
    let message = refusal(&[layer]);
    assert!(message.contains("component of its name of 256 bytes"), "{message}");
}

#[test]
fn a_deep_name_is_refused() {
    let name = "d/".repeat(10_000);
    let layer = Layer::new().extended(&[("path", name.as_bytes())]).file("x", "").bytes();
    let (_, error) = beyond(|bounds| bounds.path = 1 << 20, std::slice::from_ref(&layer));
    assert!(error.to_string().contains("is 10000 directories deep"), "{error}");
    let (_, error) = beyond(
        |bounds| {
            bounds.path = 1 << 20;
            bounds.depth = 1 << 20;
        },
        &[layer],
    );
    assert!(error.to_string().contains("paths are longer"), "{error}");
}

#[test]
fn links_do_not_make_implied_directories_deeper() {
    let deep = "d/".repeat(200);
    let layer = Layer::new()
        .extended(&[("linkpath", deep.as_bytes())])
        .link("l", "x")
        .extended(&[("path", format!("l/{deep}x").as_bytes())])
        .file("x", "");
    let message = refusal(&[layer]);
    assert!(message.contains("257 directories deep"), "{message}");
}

#[test]
fn names_of_directories_are_bounded() {
    let layer = Layer::new().directory("aaaa", 0o755).directory("aaaa", 0o700).bytes();
    let more = Layer::new().directory("aaaa", 0o755).directory("bbbbbbb", 0o755).bytes();
    let (_, error) = beyond(|bounds| bounds.names = 10, &[layer.clone(), layer, more]);
    assert!(error.to_string().contains("entry `bbbbbbb` goes beyond the bound of 10 bytes"));
}

#[test]
fn a_long_target_is_refused() {
    let target = "t/".repeat(2048);
    let layer = Layer::new().extended(&[("linkpath", target.as_bytes())]).link("x", "t");
    let message = refusal(&[layer]);
    assert_eq!(
        message,
        "in the layer, entry `x` has a link target of 4096 bytes, where at most 4095 can be"
    );
}

#[test]
fn a_gigabyte_of_zeros_behind_the_end_is_not_waited_for() {
    let end = Layer::new().bytes();
    let place = Place::new();
    let endless = end.as_slice().chain(std::io::repeat(0));
    place.unpacker(Bounds::default()).apply(endless).expect_err("there is no end");
}
