//! [`Name`]: what a base directory is called, which tells who made it.

use std::fmt;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;

/// `stockade-PID-START-NONCE`: the owner's process id and start time in clock ticks since boot,
/// and sixteen random hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pid: u32,
    start: u64,
    nonce: u64,
}

impl Name {
    /// A new name of this process.
    ///
    /// # Errors
    /// If `/proc` does not tell when this process started.
    pub(super) fn new() -> io::Result<Self> {
        let pid = std::process::id();
        let start = start_time("self")?;
        Ok(Self { pid, start, nonce: RandomState::new().build_hasher().finish() })
    }

    /// The name, if it is one to the letter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("stockade-")?.split('-');
        let pid = parts.next()?.parse().ok()?;
        let start = parts.next()?.parse().ok()?;
        let nonce = u64::from_str_radix(parts.next()?, 16).ok()?;
        let name = Self { pid, start, nonce };
        // Numbers have many spellings; only one of them is ours.
        (name.to_string() == text).then_some(name)
    }

    /// Whether the owner is certainly gone, as this process's `/proc` shows it.
    pub(super) fn is_orphan(&self) -> bool {
        match start_time(&self.pid.to_string()) {
            Ok(start) => start != self.start,
            Err(error) => {
                error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stockade-{}-{}-{:016x}", self.pid, self.start, self.nonce)
    }
}

/// Field 22 of `/proc/PID/stat`; see proc_pid_stat(5).
fn start_time(process: &str) -> io::Result<u64> {
    let stat = fs::read(format!("/proc/{process}/stat"))?;
    // The second field is the program's name, in parentheses, and may hold anything.
    let stat = String::from_utf8_lossy(&stat);
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
    fields
        .and_then(|mut fields| fields.nth(19)?.parse().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}
