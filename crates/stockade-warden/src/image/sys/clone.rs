//! New processes: `clone3(2)`, or `clone(2)` where it is not there.

use super::process::SIGCHLD;
use super::{Errno, Fd, Result, call, nr};

pub const CLONE_NEWNS: u64 = 0x0002_0000;
pub const CLONE_NEWCGROUP: u64 = 0x0200_0000;
pub const CLONE_NEWUTS: u64 = 0x0400_0000;
pub const CLONE_NEWIPC: u64 = 0x0800_0000;
pub const CLONE_NEWUSER: u64 = 0x1000_0000;
pub const CLONE_NEWPID: u64 = 0x2000_0000;
pub const CLONE_NEWNET: u64 = 0x4000_0000;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

const CLONE3: usize = 435;

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Which side of a clone this is.
pub enum Cloned {
    Child,
    Parent { pid: i32, pidfd: Fd },
}

/// Clones this process; memory is copied on write. With `cgroup`, the child is born in it.
pub fn clone(flags: u64, want_pidfd: bool, cgroup: Option<Fd>) -> Result<Cloned> {
    let mut pidfd: Fd = 0;
    let mut args = CloneArgs { flags, exit_signal: SIGCHLD as u64, ..CloneArgs::default() };
    if want_pidfd {
        args.flags |= CLONE_PIDFD;
        args.pidfd = &raw mut pidfd as u64;
    }
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup as u64;
    }
    let at = &raw const args as usize;
    // SAFETY: no CLONE_VM and no new stack, so the child goes on with a copy of everything. The
    // process has one thread, so no lock can be held by a thread that the child lacks.
    let cloned = match unsafe { call(CLONE3, [at, size_of::<CloneArgs>(), 0, 0, 0, 0]) } {
        // Containers refuse it so, since their filters cannot read its flags.
        Err(Errno::ENOSYS) if cgroup.is_none() => {
            let words = [args.flags as usize | SIGCHLD, 0, args.pidfd as usize, 0, 0, 0];
            // SAFETY: as above. Without a cgroup all flags fit into the older call's word.
            unsafe { call(nr::CLONE, words) }
        }
        other => other,
    };
    // SAFETY: the kernel has written the descriptor, if one was asked for, before it returned.
    let pidfd = unsafe { (&raw const pidfd).read_volatile() };
    match cloned? {
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent { pid: pid as i32, pidfd }),
    }
}
