//! The programs that tests and attacks run inside a sandbox.
//!
//! Each is one C file that misbehaves in one way, or tells what it sees from inside. The build
//! compiles them to static executables, so that they run under any root, even an empty one:
//! `programs/portable` holds what plain libc can do, `programs/native` what only Linux can. The
//! portable ones are compiled to modules of WASI preview 1 as well.
//!
//! A guest exits with 0 when it did what its story says, 1 when it could not for a reason of its
//! own, 2 when its arguments are wrong, and 3 when an errno refused it; it then prints a line such
//! as `fork: EAGAIN` on standard output. Its arguments are in the second line of its source.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// One program built for the sandbox.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    /// The name of its source file without the ending, and of the installed executable.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub story: &'static str,
    /// Absolute path of the static executable as built, there as long as the build folder is.
    pub path: &'static str,
    /// The executable's bytes.
    pub image: &'static [u8],
    /// The bytes of the same program as a module, unless only Linux can do what it does.
    pub module: Option<&'static [u8]>,
}

impl Guest {
    /// Writes the executable into the directory `dir`, with mode 0755 whatever the umask, and
    /// returns its path. A file of that name is overwritten.
    ///
    /// A thread that spawns a process at the same moment may pass the open file on for an instant,
    /// so that running the executable fails with `ETXTBSY` (`execve(2)`): install first, or run
    /// [`path`](Self::path).
    ///
    /// # Errors
    /// That of `open(2)`, `write(2)` or `chmod(2)`: `dir` is missing, full or not writable, or the
    /// file is being executed.
    pub fn install(&self, dir: &Path) -> io::Result<PathBuf> {
        let path = dir.join(self.name);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&path)?;
        file.write_all(self.image)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        Ok(path)
    }
}

include!(concat!(env!("OUT_DIR"), "/guests.rs"));
