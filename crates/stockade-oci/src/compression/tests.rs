use std::io::{self, Read, Write};

use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::Compression;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn read(compression: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
    assert_eq!(Compression::of(bytes), compression);
    let mut plain = Vec::new();
    compression.reader(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

#[test]
fn one_member_or_several_are_read() {
    let (first, second) = ("one ".repeat(100_000), "two".to_owned());
    let (first, second) = (first.as_bytes(), second.as_bytes());
    let both = [first, second].concat();
    assert_eq!(read(Compression::None, &both).expect("plain"), both);
    let members = [gzip(first), gzip(second)].concat();
    assert_eq!(read(Compression::Gzip, &members).expect("gzip"), both);
    let skipped: &[u8] = &[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let frames = [zstd(first), skipped.to_vec(), zstd(second), skipped.to_vec()].concat();
    assert_eq!(read(Compression::Zstd, &frames).expect("zstd"), both);
    let frames = [skipped.to_vec(), zstd(first), zstd(second)].concat();
    assert_eq!(read(Compression::Zstd, &frames).expect("zstd"), both);
}

#[test]
fn what_is_cut_short_or_followed_by_something_else_is_an_error() {
    let text = "text ".repeat(1000);
    let skipped: &[u8] = &[0x5a, 0x2a, 0x4d, 0x18, 9, 0, 0, 0, 1];
    for (compression, whole) in
        [(Compression::Gzip, gzip(text.as_bytes())), (Compression::Zstd, zstd(text.as_bytes()))]
    {
        for cut in 8..whole.len() - 1 {
            read(compression, &whole[..cut]).expect_err("it is cut short");
        }
        read(compression, &[&whole[..], b"followed"].concat()).expect_err("it is followed");
    }
    read(Compression::Zstd, &[&zstd(b"text")[..], skipped].concat()).expect_err("it is cut short");
}
