//! [`Digest`]: the name of bytes, by which they are found and checked.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256, Sha512};
use stockade_core::{Error, ErrorKind};

use crate::failure::through_reader;

/// How a digest is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, which nearly every image uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name that digests begin with.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits follow.
    const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// The digest of some bytes: `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` and 128.
///
/// One that was parsed holds nothing else, so it may become part of a path.
///
/// ```
/// use stockade_oci::Digest;
/// let digest = Digest::of(b"");
/// assert!(digest.to_string().starts_with("sha256:e3b0c44298fc1c14"));
/// assert!("sha256:../../../etc/passwd".parse::<Digest>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// A text that is no digest.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no digest")]
pub(crate) struct NotADigest {
    text: String,
}

impl From<NotADigest> for Error {
    fn from(error: NotADigest) -> Self {
        Self::new(ErrorKind::InvalidPolicy, error).with_hint(
            "a digest is `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` and 128",
        )
    }
}

impl Digest {
    /// The SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// How it is computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first digits, by which people tell digests apart.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }

    /// A file's name for it.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}", self.algorithm.name(), self.hex)
    }

    /// Where an image layout keeps what it names.
    pub(crate) fn blob_path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm.name(), self.hex)
    }

    /// From the parts that file names hold.
    pub(crate) fn from_parts(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let fits = hex.len() == algorithm.digits()
            && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self { algorithm, hex: hex.to_owned() })
    }

    pub(crate) fn read(text: &str) -> Result<Self, NotADigest> {
        let parsed = text.split_once(':').and_then(|(name, hex)| {
            let algorithm = Algorithm::ALL.into_iter().find(|known| known.name() == name)?;
            Self::from_parts(algorithm, hex)
        });
        parsed.ok_or_else(|| NotADigest { text: shown(text) })
    }
}

/// As much of a text of somebody else's as an error should hold.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] naming a text that is no digest.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self::read(text)?)
    }
}

/// Its text.
impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

/// A digest in the making.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha256(hasher) => {
                Digest { algorithm: Algorithm::Sha256, hex: hex(&hasher.finalize()) }
            }
            Self::Sha512(hasher) => {
                Digest { algorithm: Algorithm::Sha512, hex: hex(&hasher.finalize()) }
            }
        }
    }
}

/// How many bytes a [`Verifier`] expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// This many, as a descriptor says.
    Exactly(u64),
    /// No more than this many, where nothing says how many there are.
    AtMost(u64),
}

/// Bytes that are not what their digest or their descriptor says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error("what should be {expected} is {found}")]
    Digest { expected: Digest, found: Digest },
    #[error("what should be the {size} bytes of {expected} ends after {found}")]
    Short { expected: Digest, size: u64, found: u64 },
    #[error("{expected} goes on after {size} bytes, where it should end")]
    Long { expected: Digest, size: u64 },
}

impl From<Mismatch> for Error {
    fn from(error: Mismatch) -> Self {
        Self::new(ErrorKind::InvalidPolicy, error)
            .with_hint("the image is damaged or was tampered with; get it again")
    }
}

/// A reader that hashes what goes through it, and fails at the end if that is not what was expected.
///
/// Who stops earlier calls [`finish`](Self::finish), which reads the rest.
///
/// ```
/// use std::io::Read;
/// use stockade_oci::{Digest, Size, Verifier};
/// let digest = Digest::of(b"bytes");
/// let mut text = String::new();
/// Verifier::new(&b"bytes"[..], digest.clone(), Size::Exactly(5)).read_to_string(&mut text)?;
/// assert!(Verifier::new(&b"other"[..], digest, Size::Exactly(5)).read_to_string(&mut text).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Verifier<R> {
    inner: R,
    /// Taken when the end was reached.
    hasher: Option<Hasher>,
    expected: Digest,
    size: Size,
    seen: u64,
    verdict: Option<Mismatch>,
}

impl<R> fmt::Debug for Verifier<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, size, seen, .. } = self;
        f.debug_struct("Verifier")
            .field("expected", expected)
            .field("size", size)
            .field("seen", seen)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Verifier<R> {
    /// Expects of a reader the bytes that have this digest.
    pub fn new(inner: R, expected: Digest, size: Size) -> Self {
        let hasher = Some(Hasher::new(expected.algorithm));
        Self { inner, hasher, expected, size, seen: 0, verdict: None }
    }

    /// Reads what is left, and judges.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] if digest or size differ, else what reading says.
    pub fn finish(mut self) -> stockade_core::Result<()> {
        match io::copy(&mut self, &mut io::sink()) {
            Ok(_) => Ok(()),
            Err(error) => Err(match self.verdict.take() {
                Some(mismatch) => mismatch.into(),
                None => Error::new(ErrorKind::Io, error),
            }),
        }
    }

    /// The reader, for someone who verifies its bytes otherwise.
    pub(crate) fn into_unverified(self) -> R {
        self.inner
    }

    /// What was found wrong so far: the cause of an error that somebody else may have wrapped.
    pub(crate) fn mismatch(&self) -> Option<&Mismatch> {
        self.verdict.as_ref()
    }

    fn wrong(&mut self, mismatch: Mismatch) -> io::Error {
        self.verdict = Some(mismatch.clone());
        through_reader(mismatch)
    }

    fn judge(&mut self) -> io::Result<()> {
        let expected = || self.expected.clone();
        if let Size::Exactly(size) = self.size
            && self.seen < size
        {
            let short = Mismatch::Short { expected: expected(), size, found: self.seen };
            return Err(self.wrong(short));
        }
        match self.hasher.take().map(Hasher::finish) {
            Some(found) if found != self.expected => {
                let other = Mismatch::Digest { expected: expected(), found };
                Err(self.wrong(other))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Verifier<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(mismatch) = &self.verdict {
            return Err(through_reader(mismatch.clone()));
        }
        if buf.is_empty() || self.hasher.is_none() {
            return Ok(0);
        }
        let read = self.inner.read(buf)?;
        if read == 0 {
            self.judge()?;
            return Ok(0);
        }
        self.seen = self.seen.saturating_add(read as u64);
        let (Size::Exactly(size) | Size::AtMost(size)) = self.size;
        if self.seen > size {
            let long = Mismatch::Long { expected: self.expected.clone(), size };
            return Err(self.wrong(long));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buf[..read]);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
