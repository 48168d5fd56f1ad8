use std::io::{self, Read};

use proptest::prelude::*;
use stockade_core::ErrorKind;

use super::{Algorithm, Digest, Mismatch, Size, Verifier};

#[test]
fn known_digests_come_out() {
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Digest::of(b"").to_string(), empty);
    let digest: Digest = empty.parse().expect("a digest");
    assert_eq!((digest.algorithm(), digest.short()), (Algorithm::Sha256, "e3b0c44298fc"));
    let abc = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
               2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
    let digest: Digest = abc.parse().expect("a digest");
    let mut read = Vec::new();
    let mut verifier = Verifier::new(&b"abc"[..], digest.clone(), Size::Exactly(3));
    verifier.read_to_end(&mut read).expect("it is what was promised");
    assert_eq!((read.as_slice(), digest.to_string().as_str()), (&b"abc"[..], abc));
}

#[test]
fn what_is_no_digest_is_refused_by_name() {
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for bad in [
        hex.to_owned(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("SHA256:{hex}"),
        format!("sha512:{hex}"),
        format!("sha256:{hex}0"),
        format!("sha256:{}", &hex[1..]),
        format!(" sha256:{hex}"),
        format!("sha256:{hex}\n"),
        format!("sha256:../{}", &hex[3..]),
        format!("sha256:{}\0", &hex[1..]),
        format!("sha256:{}é", &hex[2..]),
        format!("md5:{}", &hex[..32]),
        "sha256:".to_owned(),
        String::new(),
    ] {
        let error = bad.parse::<Digest>().expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        assert!(error.hint().is_some());
    }
    let long = "x".repeat(100_000).parse::<Digest>().expect_err("it is refused");
    assert!(long.to_string().len() < 1000);
}

fn verify(bytes: &[u8], expected: &Digest, size: Size) -> Result<usize, Mismatch> {
    let mut verifier = Verifier::new(bytes, expected.clone(), size);
    let mut read = Vec::new();
    let result = verifier.read_to_end(&mut read);
    match (result, verifier.mismatch().cloned()) {
        (Ok(count), None) => Ok(count),
        (Err(error), Some(mismatch)) => {
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            let again = verifier.read(&mut [0; 1]).expect_err("it stays wrong");
            assert_eq!(again.to_string(), error.to_string());
            Err(mismatch)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn size_and_digest_are_both_looked_at() {
    let digest = Digest::of(b"bytes");
    let expected = digest.clone();
    assert_eq!(verify(b"bytes", &digest, Size::Exactly(5)), Ok(5));
    assert_eq!(verify(b"bytes", &digest, Size::AtMost(5)), Ok(5));
    assert_eq!(verify(b"", &Digest::of(b""), Size::Exactly(0)), Ok(0));
    assert_eq!(
        verify(b"bytes", &digest, Size::Exactly(6)),
        Err(Mismatch::Short { expected: expected.clone(), size: 6, found: 5 })
    );
    for size in [Size::Exactly(4), Size::AtMost(4)] {
        let long = Mismatch::Long { expected: expected.clone(), size: 4 };
        assert_eq!(verify(b"bytes", &digest, size), Err(long));
    }
    let found = Digest::of(b"bytez");
    assert_eq!(
        verify(b"bytez", &digest, Size::Exactly(5)),
        Err(Mismatch::Digest { expected, found })
    );
}

#[test]
fn who_stops_early_is_told_at_the_end() {
    let digest = Digest::of(b"bytes");
    for (bytes, sound) in [(b"bytes", true), (b"bytez", false)] {
        let mut verifier = Verifier::new(&bytes[..], digest.clone(), Size::Exactly(5));
        verifier.read_exact(&mut [0; 2]).expect("two bytes");
        let finished = verifier.finish();
        assert_eq!(finished.is_ok(), sound);
        if let Err(error) = finished {
            assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        }
    }
    // A reader that is asked for nothing is not at its end.
    let mut verifier = Verifier::new(&b"bytes"[..], digest, Size::Exactly(5));
    assert_eq!(verifier.read(&mut []).expect("nothing"), 0);
    verifier.finish().expect("all is well");
}

proptest! {
    #[test]
    fn any_change_is_found(mut bytes in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, flip in 1_u8..) {
        let digest = Digest::of(&bytes);
        let size = Size::Exactly(bytes.len() as u64);
        prop_assert!(verify(&bytes, &digest, size).is_ok());
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(verify(&bytes, &digest, size).is_err());
    }

    #[test]
    fn a_digest_is_never_a_path(text in "(sha256:|sha512:)?[0-9a-f./:]{0,130}") {
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text);
            prop_assert!(digest.hex().bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
