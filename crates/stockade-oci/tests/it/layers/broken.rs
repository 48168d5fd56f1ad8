//! Archives that are broken, or that two readers would read differently.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use stockade_core::{Error, ErrorKind};
use stockade_oci::layer::Bounds;
use tar::EntryType;

use super::fixture::{Layer, Place, header, refusal};

fn refused(bytes: impl Read) -> Error {
    let place = Place::new();
    let error = place.unpacker(Bounds::default()).apply(bytes).expect_err("a broken layer");
    place.assert_host_is_untouched();
    error
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn sizes_that_disagree_are_refused() {
    for (size, shown) in [("0", "0"), ("3", "3"), ("5", "5"), ("8589934592", "8589934592")] {
        let layer = Layer::new().extended(&[("size", size.as_bytes())]).file("x", "four");
        let message = refusal(&[layer]);
        let wanted = format!(
            "in the layer, entry `x` has the size 4 in its header and {shown} in its extended header"
        );
        assert_eq!(message, wanted);
    }
    for size in ["", "-1", "+4", " 4", "4 ", "0x4", "99999999999999999999"] {
        let layer = Layer::new().extended(&[("size", size.as_bytes())]).file("x", "four");
        let message = refusal(&[layer]);
        assert!(message.ends_with("has no valid extended header"), "{size}: {message}");
    }
    // An attribute's value that looks like the end of its record hides nothing.
    let value = b"x\n11 size=512\n".as_slice();
    let records = [("SCHILY.xattr.user.x", value), ("size", b"9")];
    refusal(&[Layer::new().extended(&records).file("x", "four")]);
    let place = Place::new();
    let records = [("SCHILY.xattr.user.x", value), ("size", b"4"), ("path", b"y")];
    place.unpack(&[Layer::new().extended(&records).file("x", "four").file("z", "")]);
    assert_eq!(place.text("y"), "four");
}

#[test]
fn a_size_that_only_the_extended_header_can_say_is_taken_from_there() {
    // It is beyond what the layer has, and is found to be: it is not taken for nothing.
    let layer = Layer::new().extended(&[("size", b"8589934592")]).file("x", "");
    let error = refused(layer.bytes().as_slice());
    assert_eq!(error.to_string(), "in the layer, entry `x` ends early");
}

#[test]
fn a_size_in_binary_is_not_cut() {
    let mut over = header(EntryType::Regular, "x", 0o644);
    over.as_old_mut().size = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4];
    let error = refused(Layer::new().raw(over, b"four").bytes().as_slice());
    assert!(error.to_string().ends_with("has no valid size"), "{error}");
    let place = Place::new();
    let mut fits = header(EntryType::Regular, "x", 0o644);
    fits.as_old_mut().size = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4];
    place.unpack(&[Layer::new().raw(fits, b"four")]);
    assert_eq!(place.text("x"), "four");
}

#[test]
fn what_is_said_twice_is_refused() {
    let long = |layer: Layer, kind| layer.entry(header(kind, "././@LongLink", 0), b"y\0");
    let name = EntryType::GNULongName;
    let target = EntryType::GNULongLink;
    for layer in [
        Layer::new().extended(&[("path", b"a"), ("path", b"b")]),
        Layer::new().extended(&[("size", b"0"), ("size", b"0")]),
        Layer::new().extended(&[("linkpath", b"a"), ("linkpath", b"b")]),
        Layer::new().extended(&[("path", b"a")]).extended(&[("size", b"0")]),
        long(long(Layer::new(), name), name),
        long(long(Layer::new(), target), target),
        long(Layer::new().extended(&[("path", b"a")]), name),
        long(Layer::new().extended(&[("linkpath", b"a")]), target),
    ] {
        let message = refusal(&[layer.link("x", "t")]);
        assert!(message.ends_with(" twice"), "{message}");
    }
}

#[test]
fn what_describes_all_entries_may_not_name_or_measure_them() {
    for key in ["path", "linkpath", "size", "GNU.sparse.size"] {
        let global = EntryType::XGlobalHeader;
        let layer = Layer::new().extended_as(global, &[("comment", b"c"), (key, b"1")]);
        let message = refusal(&[layer.file("x", "")]);
        assert!(message.ends_with(&format!("sets `{key}` for all entries that follow")));
    }
    let place = Place::new();
    let layer = Layer::new().extended_as(EntryType::XGlobalHeader, &[("comment", b"c")]);
    place.unpack(&[layer.file("x", "y")]);
    assert_eq!(place.text("x"), "y");
}

#[test]
fn records_that_are_none_are_refused() {
    for data in [
        "nonsense",
        "11 path=y\n",
        "8 path=y\n",
        "9 path=y",
        "0 path=y\n",
        "3 \n",
        "8 path y\n",
        "5 =y\n",
        "99999999999999999999999 path=y\n",
        "9 path=yy\n\n",
    ] {
        let data = data.as_bytes();
        let extended = header(EntryType::XHeader, "PaxHeader", 0o644);
        let place = Place::new();
        let applied = place.apply(&[Layer::new().entry(extended, data).file("x", "")]);
        let error = applied.expect_err("not a record");
        assert!(error.to_string().ends_with("has no valid extended header"), "{error}");
    }
    let extended = header(EntryType::XHeader, "PaxHeader", 0o644);
    let place = Place::new();
    place.unpack(&[Layer::new().entry(extended, b"9 path=y\n").file("x", "z")]);
    assert_eq!(place.text("y"), "z");
}

#[test]
fn nul_bytes_and_emptiness_are_refused() {
    for record in ["path", "linkpath"] {
        for value in [b"a\0b".as_slice(), b"", b"a\0"] {
            refusal(&[Layer::new().extended(&[(record, value)]).link("x", "t")]);
        }
    }
    for kind in [EntryType::GNULongName, EntryType::GNULongLink] {
        for value in [b"a\0b\0".as_slice(), b"\0", b"", b"a\0\0"] {
            let layer = Layer::new().entry(header(kind, "././@LongLink", 0), value);
            refusal(&[layer.link("x", "t")]);
        }
    }
    let message = refusal(&[Layer::new().link("x", "")]);
    assert_eq!(message, "in the layer, entry `x` has an empty link target");
}

#[test]
fn only_a_file_has_contents() {
    for kind in [EntryType::Directory, EntryType::Symlink, EntryType::Link] {
        let layer = Layer::new().file("t", "");
        let mut entry = header(kind, "x", 0o755);
        entry.as_old_mut().linkname[0] = b't';
        let message = refusal(&[layer.entry(entry, b"1234")]);
        let wanted = "in the layer, entry `x` has contents, 4 bytes, which only a file can have";
        assert_eq!(message, wanted);
    }
}

#[test]
fn an_archive_that_ends_early_is_refused() {
    let layer = Layer::new().file("a", "whole").file("b", &"x".repeat(2000));
    let whole = layer.cut();
    for (length, message) in [
        (whole.len() - 512, "in the layer, entry `b` ends early"),
        (whole.len() - 1, "in the layer, the header at byte 3584 ends early"),
        (1024 + 512, "in the layer, entry `b` ends early"),
        (1024 + 511, "in the layer, the header at byte 1024 ends early"),
        (1, "in the layer, the header at byte 0 ends early"),
    ] {
        let error = refused(&whole[..length]);
        assert_eq!(error.to_string(), message, "{length}");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    }
    let extended = Layer::new().extended(&[("path", b"y")]);
    let error = refused(extended.cut());
    assert!(error.to_string().ends_with("describes an entry that does not follow"), "{error}");
    let error = refused(extended.bytes().as_slice());
    assert!(error.to_string().ends_with("describes an entry that does not follow"), "{error}");
    let error = refused(&extended.cut()[..513]);
    assert_eq!(error.to_string(), "in the layer, the header at byte 0 ends early");
}

#[test]
fn compression_that_ends_early_or_is_broken_is_refused() {
    let noise: String = (0..4000_u32).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
    let bytes = Layer::new().file("a", &noise).bytes();
    let packed = gzip(&bytes);
    for cut in [3, 12, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
        assert_eq!(refused(&packed[..cut]).kind(), ErrorKind::InvalidPolicy, "{cut}");
    }
    let mut wrong_sum = packed.clone();
    let at = packed.len() - 6;
    wrong_sum[at] ^= 1;
    assert_eq!(refused(wrong_sum.as_slice()).kind(), ErrorKind::InvalidPolicy);
    refused([packed.as_slice(), b"garbage"].concat().as_slice());

    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let packed = ruzstd::encoding::compress_to_vec(bytes.as_slice(), level);
    for cut in [4, 5, packed.len() / 2, packed.len() - 5] {
        assert_eq!(refused(&packed[..cut]).kind(), ErrorKind::InvalidPolicy, "{cut}");
    }
    refused([packed.as_slice(), b"garbage"].concat().as_slice());
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 9, 0, 0, 0, 1];
    refused([packed.as_slice(), &skipped].concat().as_slice());
    // A window of several GiB, which is what it would make us allocate.
    refused([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xb0, 0x01, 0x00, 0x00].as_slice());
}

#[test]
fn what_follows_the_end_is_refused_unless_it_is_zeros() {
    let end = Layer::new().file("a", "x").bytes();
    let message = "in the layer, the end of the archive is followed by something else than zeros";
    let hidden = Layer::new().file("hidden", "y").bytes();
    for after in [b"garbage".to_vec(), hidden] {
        let error = refused([end.clone(), after].concat().as_slice());
        assert_eq!(error.to_string(), message);
    }
    let endless = std::io::repeat(0);
    assert_eq!(refused(end.as_slice().chain(endless)).to_string(), message);
    let place = Place::new();
    let padded = [end, vec![0; 10_000]].concat();
    place.unpacker(Bounds::default()).apply(padded.as_slice()).expect("zeros are no harm");
}

#[test]
fn headers_that_are_none_are_refused() {
    let mut wrong = Layer::new().file("a", "x").bytes();
    wrong[0] ^= 1;
    let error = refused(wrong.as_slice());
    assert_eq!(error.to_string(), "in the layer, the header at byte 0 has no valid checksum");
    refused(b"%PDF-1.7 is not an archive".as_slice());
    refused(std::io::repeat(b'x'));
    for field in [100..108, 124..136] {
        let mut entry = header(EntryType::Regular, "x", 0o644);
        entry.set_size(0);
        entry.as_mut_bytes()[field].fill(b'9');
        refused(Layer::new().raw(entry, b"").bytes().as_slice());
    }
}

#[test]
fn a_reader_that_fails_is_not_the_layers_fault() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    assert_eq!(refused(Failing).kind(), ErrorKind::Io);
    let layer = Layer::new().file("a", &"x".repeat(1000));
    let error = refused(layer.cut()[..1000].chain(Failing));
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.to_string(), "in the layer, entry `a` cannot be read");
}
