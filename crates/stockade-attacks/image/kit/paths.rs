//! Paths that are put together, and how files are opened.

use super::{Errno, open, refused, through};

pub const O_EXCL: usize = 0o200;
pub const O_TRUNC: usize = 0o1000;
pub const O_NONBLOCK: usize = 0o4000;
pub const O_DIRECTORY: usize = if cfg!(target_arch = "aarch64") { 0o40_000 } else { 0o200_000 };
/// A file without a name, which is gone when it is closed.
pub const O_TMPFILE: usize = 0o20_000_000 | O_DIRECTORY;

/// A path made of parts.
pub struct Joined {
    bytes: [u8; 4096],
    len: usize,
}

/// Puts parts behind each other; what is too long is cut.
pub fn join(parts: &[&[u8]]) -> Joined {
    let mut joined = Joined { bytes: [0; 4096], len: 0 };
    for byte in parts.iter().copied().flatten() {
        if joined.len + 1 < joined.bytes.len() {
            joined.bytes[joined.len] = *byte;
            joined.len += 1;
        }
    }
    joined
}

impl Joined {
    /// The path with its final NUL, as calls take it.
    pub fn with_nul(&self) -> &[u8] {
        &self.bytes[..=self.len]
    }
}

/// The decimal digits of a number.
pub struct Decimal {
    bytes: [u8; 20],
    begin: usize,
}

pub fn decimal(mut number: usize) -> Decimal {
    let mut decimal = Decimal { bytes: [b'0'; 20], begin: 20 };
    loop {
        decimal.begin -= 1;
        decimal.bytes[decimal.begin] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return decimal;
        }
    }
}

impl Decimal {
    pub fn digits(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }
}

/// Through with the first of these paths that can be opened; each ends with NUL.
pub fn open_any(what: &str, names: &[&[u8]], flags: usize) -> ! {
    let mut answer = Errno::ENOENT;
    for name in names {
        match open(name, flags) {
            Ok(_) => {
                let name = core::str::from_utf8(&name[..name.len() - 1]).unwrap_or("?");
                through(format_args!("{name} is open"))
            }
            Err(errno) => answer = errno,
        }
    }
    refused(what, answer)
}
