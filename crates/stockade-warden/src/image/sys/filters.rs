//! Walls a process builds around itself: Landlock and seccomp.

use super::{Errno, Fd, Result, call, nr, plain};

const LANDLOCK_CREATE_RULESET: usize = 444;
const LANDLOCK_ADD_RULE: usize = 445;
const LANDLOCK_RESTRICT_SELF: usize = 446;

/// A Landlock ruleset that handles these rights.
pub fn landlock_ruleset(fs: u64, net: u64, scopes: u64) -> Result<Fd> {
    let attr = [fs, net, scopes];
    let args = [attr.as_ptr() as usize, size_of_val(&attr), 0, 0, 0, 0];
    // SAFETY: reads the attributes; trailing zeros are fine for a kernel that knows fewer.
    unsafe { call(LANDLOCK_CREATE_RULESET, args) }.map(|fd| fd as Fd)
}

/// The newest Landlock ABI of the kernel; zero where there is none.
pub fn landlock_abi() -> u64 {
    // SAFETY: a null pointer of size zero with the version flag only asks.
    unsafe { call(LANDLOCK_CREATE_RULESET, [0, 0, 1, 0, 0, 0]) }.unwrap_or(0) as u64
}

/// Allows `rights` beneath what `fd` refers to.
pub fn landlock_allow(ruleset: Fd, fd: Fd, rights: u64) -> Result<()> {
    #[repr(C, packed)]
    struct PathBeneath {
        rights: u64,
        fd: Fd,
    }
    let rule = PathBeneath { rights, fd };
    let args = [ruleset as usize, 1, &raw const rule as usize, 0, 0, 0];
    // SAFETY: reads one packed rule.
    unsafe { call(LANDLOCK_ADD_RULE, args) }.map(drop)
}

pub fn landlock_restrict(ruleset: Fd) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(LANDLOCK_RESTRICT_SELF, [ruleset as usize, 0]) }.map(drop)
}

/// Installs a seccomp filter of 8-byte instructions.
pub fn install_filter(instructions: &[u8]) -> Result<()> {
    #[repr(C)]
    struct Program {
        len: u16,
        filter: usize,
    }
    let len = u16::try_from(instructions.len() / 8).map_err(|_| Errno::EINVAL)?;
    let program = Program { len, filter: instructions.as_ptr() as usize };
    // SAFETY: reads the program and its instructions; the kernel checks them. SET_MODE_FILTER.
    unsafe { call(nr::SECCOMP, [1, 0, &raw const program as usize, 0, 0, 0]) }.map(drop)
}
