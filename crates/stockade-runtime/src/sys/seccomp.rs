//! seccomp(2).

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use crate::failure::{Context, Failure, Outcome};
use crate::seccomp::Filter;

/// How many bytes an instruction has.
const INSTRUCTION: usize = size_of::<libc::sock_filter>();

/// Installs a filter on the calling thread, above those that are there, for ever; gives the descriptor
/// on which its notifications are read, if it has any.
///
/// It takes `CAP_SYS_ADMIN` in the user namespace, or no_new_privs. From here on the filter decides,
/// also about what the caller still has to do before `execve`.
pub(crate) fn install(filter: &Filter) -> Outcome<Option<OwnedFd>> {
    let length = filter.bytes.len() / INSTRUCTION;
    let len = u16::try_from(length)
        .map_err(|_| Failure::new(format!("a seccomp filter of {length} instructions")))?;
    let program = libc::sock_fprog { len, filter: filter.bytes.as_ptr().cast_mut().cast() };
    let flags = filter.flags;
    // SAFETY: the kernel reads the program and `len` instructions, which `bytes` holds, and writes
    // nothing; it copies them, so that their alignment does not matter.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    if result < 0 {
        let error = Err(io::Error::last_os_error());
        return error.context(|| format!("installing the seccomp filter, with flags {flags:#x}"));
    }
    if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER == 0 {
        return Ok(None);
    }
    let fd = i32::try_from(result).context(|| format!("seccomp(2) gave {result}"))?;
    // SAFETY: with this flag the result is a new descriptor, which nobody else has.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}
