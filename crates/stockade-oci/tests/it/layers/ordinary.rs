//! Layers as tools make them.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use stockade_oci::layer::Bounds;
use tar::EntryType;

use super::fixture::{Layer, Place, header};

fn sample() -> Vec<u8> {
    let noise: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let file = header(EntryType::Regular, "d/noise", 0o644);
    Layer::new().directory("d/", 0o755).entry(file, &noise).file("d/b", "text").bytes()
}

#[test]
fn layers_are_unpacked_however_they_are_compressed() {
    let sample = sample();
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    let (one, two) = sample.split_at(100_000);
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3].to_vec();
    for (what, packed) in [
        ("plain", sample.clone()),
        ("gzip", gzip(&sample)),
        ("gzip in two members", [gzip(one), gzip(two)].concat()),
        ("zstd", zstd(&sample)),
        ("zstd in two frames", [zstd(one), skipped.clone(), zstd(two), skipped].concat()),
    ] {
        let place = Place::new();
        let applied =
            place.unpacker(Bounds::default()).apply(Sip(&packed)).expect("an ordinary layer");
        assert_eq!((applied.entries, applied.bytes), (3, 300_004), "{what}");
        assert_eq!(fs::read(place.path("d/noise")).expect("a file"), sample[1024..301_024]);
        assert_eq!(place.text("d/b"), "text");
    }
}

/// A few bytes at a time.
struct Sip<'a>(&'a [u8]);

impl Read for Sip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(3);
        self.0.read(&mut into[..most])
    }
}

#[test]
fn what_tar_writes_is_read() {
    let place = Place::new();
    let mut builder = tar::Builder::new(Vec::new());
    let long = format!("{}/{}", "directory".repeat(20), "name".repeat(50));
    let mut entry = header(EntryType::Regular, "", 0o600);
    entry.set_size(4);
    builder.append_data(&mut entry, &long, b"long".as_slice()).expect("memory");
    let mut link = header(EntryType::Symlink, "", 0o777);
    link.set_size(0);
    builder.append_link(&mut link, "link", &long).expect("memory");
    let bytes = builder.into_inner().expect("memory");
    place.unpacker(Bounds::default()).apply(bytes.as_slice()).expect("an ordinary layer");
    assert_eq!(place.text(&long), "long");
    assert_eq!(place.text("link"), "long");
}

#[test]
fn nothing_at_all_is_an_empty_layer() {
    let place = Place::new();
    let mut unpacker = place.unpacker(Bounds::default());
    for layer in [[].as_slice(), &[0; 512], &[0; 1024]] {
        assert_eq!(unpacker.apply(layer).expect("empty").entries, 0);
    }
}

#[test]
fn names_need_not_be_text() {
    let place = Place::new();
    let name = [0xff, b'\n', 0xfe];
    let mut entry = header(EntryType::Regular, "", 0o644);
    entry.as_old_mut().name[..3].copy_from_slice(&name);
    let layer = Layer::new().entry(entry, b"x").extended(&[("path", b"a\nb \xff")]).file("y", "z");
    place.unpack(&[layer]);
    assert!(place.path("").join(OsStr::from_bytes(&name)).exists());
    assert!(place.path("").join(OsStr::from_bytes(b"a\nb \xff")).exists());
}

#[test]
fn later_entries_replace_earlier_ones_of_any_type() {
    let base = Layer::new().file("target", "t");
    let add = [
        |layer: Layer| layer.file("x", "file"),
        |layer: Layer| layer.directory("x", 0o755).file("x/inner/deep", "d"),
        |layer: Layer| layer.link("x", "target"),
        |layer: Layer| layer.hard_link("x", "target"),
    ];
    for (before, first) in add.iter().enumerate() {
        for (after, then) in add.iter().enumerate() {
            for layers in [
                vec![base.clone(), then(first(Layer::new()))],
                vec![first(base.clone()), then(Layer::new())],
            ] {
                let place = Place::new();
                place.unpack(&layers);
                let found = place.path("x").symlink_metadata().expect("it is there");
                match after {
                    0 => assert_eq!(place.text("x"), "file", "{before}"),
                    1 => assert_eq!(place.text("x/inner/deep"), "d", "{before}"),
                    2 => assert!(found.is_symlink(), "{before}"),
                    _ => assert_eq!(found.nlink(), 2, "{before}"),
                }
                assert_eq!(place.text("target"), "t", "{before} {after}: links are not written to");
            }
        }
    }
}

#[test]
fn a_hard_link_can_be_named_after_itself() {
    let place = Place::new();
    place.unpack(&[Layer::new().file("a", "x").hard_link("a", "a").hard_link("a", "./a")]);
    assert_eq!(place.text("a"), "x");
    let place = Place::new();
    place.unpack(&[Layer::new()
        .file("a", "x")
        .link("l", ".")
        .hard_link("l/b", "l/a")
        .hard_link("b", "a")]);
    assert_eq!(place.path("b").metadata().expect("a file").nlink(), 2);
}

#[test]
fn a_hard_link_in_the_place_of_its_target_finds_none() {
    let place = Place::new();
    let error = place
        .apply(&[Layer::new().file("d/a", "x").hard_link("d", "d/a")])
        .expect_err("it goes with the directory");
    assert!(error.to_string().ends_with("links to `d/a`, which does not exist"), "{error}");
}

#[test]
fn a_link_to_a_directory_that_is_made_later_is_followed() {
    let place = Place::new();
    place.unpack(&[Layer::new()
        .link("var/run", "/run")
        .link("var/lock", "../run/./lock")
        .file("var/run/a/pid", "1")
        .file("var/lock/b", "2")]);
    assert_eq!(place.text("run/a/pid"), "1");
    assert_eq!(place.text("run/lock/b"), "2");
    assert_eq!(place.path("run").metadata().expect("a directory").mode() & 0o7777, 0o755);
}

#[test]
fn a_link_keeps_its_target_as_it_is() {
    for target in ["/../..//x/", "../host/secret", "n o t h i n g", "l"] {
        let place = Place::new();
        place.unpack(&[Layer::new().link("l", target)]);
        assert_eq!(fs::read_link(place.path("l")).expect("a link"), OsStr::new(target));
    }
}

#[test]
fn times_are_those_of_the_archive() {
    let place = Place::new();
    let at = |name: &str| {
        let found = place.path(name).symlink_metadata().expect("it is there");
        (found.mtime(), found.mtime_nsec())
    };
    let mut old = header(EntryType::Regular, "old", 0o644);
    old.as_old_mut().mtime = [0xff; 12];
    place.unpack(&[Layer::new()
        .directory("d", 0o755)
        .extended(&[("mtime", b"1234567890.25")])
        .file("d/f", "x")
        .link("d/l", "f")
        .extended(&[("mtime", b"-5.5")])
        .file("before", "")
        .extended(&[("mtime", b"99999999999999999999")])
        .file("after", "")
        .extended(&[("mtime", b"253402300800")])
        .file("far", "")
        .extended(&[("mtime", b"nonsense")])
        .file("none", "")
        .entry(old, b"")]);
    assert_eq!(at("d"), (1_000_000_000, 0));
    assert_eq!(at("d/f"), (1_234_567_890, 250_000_000));
    assert_eq!(at("d/l"), (1_000_000_000, 0));
    assert_eq!((at("before"), at("far")), ((0, 0), (0, 0)));
    assert_eq!(at("after"), (1_000_000_000, 0), "what cannot be read says nothing");
    assert_eq!(at("none"), (1_000_000_000, 0));
    assert_eq!(at("old"), (0, 0));
}
