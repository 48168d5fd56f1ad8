//! [`Init`]: the first process of a container, told from any other that gets its id later.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Outcome};

/// A process by its id, its start and the boot it was started in. Ids are used again, and so are starts,
/// which count from the boot, by a state directory that outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Init {
    pub(crate) pid: i32,
    /// When it was started, in clock ticks since the boot.
    start: u64,
    boot: String,
}

impl Init {
    /// A process that is there, such as a child that has not been waited for.
    pub(crate) fn of(pid: i32) -> Outcome<Self> {
        let stat = stat(pid).context(|| format!("process {pid} cannot be looked at"))?;
        let stat = stat.ok_or_else(|| Failure::new(format!("process {pid} does not exist")))?;
        Ok(Self { pid, start: stat.start, boot: boot() })
    }

    /// Whether it is there and has not ended. One that nobody has waited for has ended.
    pub(crate) fn is_alive(&self) -> bool {
        let Ok(Some(stat)) = stat(self.pid) else { return false };
        stat.start == self.start && !stat.has_ended && boot() == self.boot
    }

    /// A descriptor of it, through which no other process can be meant; nothing if it has ended.
    pub(crate) fn open(&self) -> Outcome<Option<OwnedFd>> {
        if !self.is_alive() {
            return Ok(None);
        }
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let fd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(errno) => {
                return Err(errno).context(|| format!("process {pid} cannot be opened"));
            }
        };
        // It may have ended in between, and its id been given away. Once more, and what is open is it.
        Ok(self.is_alive().then_some(fd))
    }
}

struct Stat {
    start: u64,
    has_ended: bool,
}

/// What `/proc/PID/stat` tells; nothing if there is no such process.
fn stat(pid: i32) -> io::Result<Option<Stat>> {
    let text = match fs::read(format!("/proc/{pid}/stat")) {
        Ok(text) => text,
        // The second is what is said of a process that went away while it was read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(parse(&text))
}

/// Fields 3 and 22 (proc_pid_stat(5)). The second is the program's name, which may hold anything but is
/// the only one in parentheses, so that the last of them ends it.
fn parse(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X" | "x");
    let start = fields.nth(18)?.parse().ok()?;
    Some(Stat { start, has_ended })
}

/// Names this boot of the kernel. Where it is not shown, it is taken for the same one.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
