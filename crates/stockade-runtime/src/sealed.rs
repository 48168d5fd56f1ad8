//! Keeps this program's file from whoever runs in a container.
//!
//! A process in a container that shows this program as its `/proc/PID/exe` would let root inside open
//! the file on the host's disk, and write to it as soon as nobody executes it (CVE-2019-5736). So this
//! program runs from a mount of its file alone, which is read-only and is mounted nowhere; or, where
//! mounts may not be made, from a copy in memory that cannot be changed.

#[cfg(test)]
mod tests;

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use rustix::fs::{self, CWD, MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::{self, OpenTreeFlags};
use rustix::thread;

use crate::failure::{Context as _, Failure, Outcome};
use crate::sys::process::{exec_descriptor, set_read_only};

/// This program's file, as the kernel has it.
const FILE: &str = "/proc/self/exe";

/// Says that this program was executed by [`ensure`]. It is not what is trusted: it only stops a second
/// attempt where the first made no difference.
const MARK: &str = "STOCKADE_OCI_SEALED";

/// The commands that get into a container.
pub(crate) const COMMANDS: [&str; 3] = ["create", "run", "exec"];

/// What nobody may do to a copy in memory.
const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// Executes this program once more, with the same arguments, from where nobody can write to it. Returns
/// at once where it already is there.
///
/// Needed before a process of this program gets into a container; asking about one needs it not.
pub(crate) fn ensure() -> Outcome<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = fs::openat(CWD, FILE, flags, Mode::empty())
        .context(|| format!("cannot open {FILE}: is /proc mounted?"))?;
    if is_sealed(file.as_fd())? {
        // It was executed by a descriptor, and would be called after it.
        let _ = thread::set_name(c"stockade-oci");
        return Ok(());
    }
    if env::var_os(MARK).is_some() {
        return Err(Failure::new(format!(
            "this program is not protected against being overwritten, though it was executed again for \
             that ({MARK} is set)"
        )));
    }
    let file = match mounted(file.as_fd()) {
        Ok(file) => file,
        // No right to mount, or a kernel before 5.12.
        Err(Errno::PERM | Errno::NOSYS | Errno::INVAL) => {
            copied().context(|| "cannot copy this program into memory".into())?
        }
        Err(error) => {
            return Err(error).context(|| "cannot mount this program read-only".into());
        }
    };
    Err(execute(file.as_fd())).context(|| "cannot execute this program again".into())
}

/// Where this program is on the host, if it was executed again.
pub(crate) fn original() -> Option<PathBuf> {
    env::var_os(MARK).map(PathBuf::from)
}

/// Whether nobody can write to the file, through this mount or at all.
fn is_sealed(file: BorrowedFd<'_>) -> Outcome<bool> {
    let about = fs::fstatvfs(file).context(|| FILE.into())?;
    if about.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(true);
    }
    // Most files cannot have seals. One of memory, which may, has no name in any folder.
    if fs::fstat(file).context(|| FILE.into())?.st_nlink != 0 {
        return Ok(false);
    }
    let file = File::open(FILE).context(|| FILE.into())?;
    Ok(fs::fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SEALS)))
}

/// A mount of the file alone, read-only and mounted nowhere.
fn mounted(file: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = mount::open_tree(file, "", flags)?;
    set_read_only(tree.as_fd(), true)?;
    Ok(tree)
}

/// A copy of the file in memory, sealed.
fn copied() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy = match fs::memfd_create("stockade-oci", flags | MemfdFlags::EXEC) {
        // Linux before 6.3.
        Err(Errno::INVAL) => fs::memfd_create("stockade-oci", flags)?,
        copy => copy?,
    };
    let mut copy = File::from(copy);
    io::copy(&mut File::open(FILE)?, &mut copy)?;
    fs::fcntl_add_seals(&copy, SEALS)?;
    Ok(copy.into())
}

/// This program once more, from that file. Returns only why not.
fn execute(file: BorrowedFd<'_>) -> Errno {
    let string = |text: OsString| CString::new(text.into_vec()).unwrap_or_default();
    let arguments: Vec<_> = env::args_os().map(string).collect();
    let original = std::fs::read_link(FILE).unwrap_or_default();
    let mark = (OsString::from(MARK), original.into_os_string());
    let variables = env::vars_os().filter(|(name, _)| name != OsStr::new(MARK)).chain([mark]);
    let variables: Vec<_> = variables
        .map(|(mut variable, value)| {
            variable.push("=");
            variable.push(value);
            string(variable)
        })
        .collect();
    exec_descriptor(file, &arguments, &variables)
}
