//! Extended headers: what POSIX calls pax records.
//!
//! Records are told apart by their lengths, as POSIX has it, and not by their line ends: a value may hold
//! one. Whatever decides which file gets which bytes may stand there once, so that no two readers of an
//! archive see different files in it.

use super::error::Refusal;
use super::timestamp;

/// What of an extended header counts here. The rest, ids and extended attributes above all, is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) linkpath: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// Seconds and nanoseconds.
    pub(super) mtime: Option<(i64, u32)>,
}

const MALFORMED: Refusal = Refusal::Malformed { field: "extended header" };

impl Extended {
    /// The header that describes the next entry.
    pub(super) fn parse(data: &[u8]) -> Result<Self, Refusal> {
        let mut extended = Self::default();
        for record in Records(data) {
            let (key, value) = record?;
            match key {
                b"path" => once(&mut extended.path, name("name", value)?, "a name")?,
                b"linkpath" => {
                    once(&mut extended.linkpath, name("link target", value)?, "a link target")?;
                }
                b"size" => once(&mut extended.size, decimal(value).ok_or(MALFORMED)?, "a size")?,
                b"mtime" => extended.mtime = timestamp::parse(value),
                _ if key.starts_with(b"GNU.sparse.") => return Err(Refusal::Sparse),
                _ => {}
            }
        }
        Ok(extended)
    }

    /// The header that describes all entries that follow: it may say nothing that counts.
    pub(super) fn check_global(data: &[u8]) -> Result<(), Refusal> {
        for record in Records(data) {
            let (key, _) = record?;
            if matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.") {
                return Err(Refusal::Global(key.to_vec()));
            }
        }
        Ok(())
    }
}

fn once<T>(field: &mut Option<T>, value: T, what: &'static str) -> Result<(), Refusal> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refusal::Twice { what }),
    }
}

fn name(field: &'static str, value: &[u8]) -> Result<Vec<u8>, Refusal> {
    match value {
        [] => Err(Refusal::Empty { field }),
        _ if value.contains(&0) => Err(Refusal::Nul { field }),
        _ => Ok(value.to_vec()),
    }
}

/// Digits alone: no sign, no space.
fn decimal(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// `LENGTH KEY=VALUE` and a line end, over and over; LENGTH counts all of it.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.split();
        if record.is_none() {
            self.0 = &[];
        }
        Some(record.ok_or(MALFORMED))
    }
}

impl<'a> Records<'a> {
    fn split(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let space = self.0.iter().position(|&byte| byte == b' ')?;
        let length = usize::try_from(decimal(&self.0[..space])?).ok()?;
        let record = self.0.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|&byte| byte == b'=')?;
        self.0 = &self.0[length..];
        match equals {
            0 => None,
            _ => Some((&record[..equals], &record[equals + 1..])),
        }
    }
}
