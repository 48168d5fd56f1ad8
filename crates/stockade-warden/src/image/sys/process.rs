//! Processes, ids, capabilities, limits and filters.

use super::{Errno, Fd, Result, c_path, call, nr, plain};

const PIDFD_SEND_SIGNAL: usize = 424;
const PIDFD_OPEN: usize = 434;

const PR_SET_PDEATHSIG: usize = 1;
const PR_SET_DUMPABLE: usize = 4;
const PR_SET_NAME: usize = 15;
const PR_CAPBSET_DROP: usize = 24;
const PR_SET_SECUREBITS: usize = 28;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const PR_GET_NO_NEW_PRIVS: usize = 39;
const PR_CAP_AMBIENT: usize = 47;
const PR_CAP_AMBIENT_CLEAR_ALL: usize = 4;
/// NOROOT, NO_SETUID_FIXUP, KEEP_CAPS off and NO_CAP_AMBIENT_RAISE, each locked.
const SECUREBITS: usize = 0b1110_1111;

pub const SIGKILL: usize = 9;
pub(super) const SIGCHLD: usize = 17;
const SIG_SETMASK: usize = 2;
const WNOHANG: usize = 1;
const WALL: usize = 0x4000_0000;
const RLIMIT_NOFILE: u32 = 7;

/// The capability that lets init end processes of another id.
pub const CAP_KILL: u32 = 5;

pub fn unshare(flags: u64) -> Result<()> {
    // SAFETY: takes a number.
    unsafe { plain(nr::UNSHARE, [flags as usize]) }.map(drop)
}

pub fn enter_namespace(fd: Fd, kind: u64) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(nr::SETNS, [fd as usize, kind as usize]) }.map(drop)
}

pub fn pid() -> i32 {
    // SAFETY: takes nothing.
    unsafe { plain(nr::GETPID, []) }.map_or(0, |pid| pid as i32)
}

pub fn new_session() -> Result<()> {
    // SAFETY: takes nothing.
    unsafe { plain(nr::SETSID, []) }.map(drop)
}

/// Sends SIGKILL to a child that was not reaped yet.
pub fn kill(pid: i32) {
    // SAFETY: takes numbers.
    let _ = unsafe { plain(nr::KILL, [pid as usize, SIGKILL]) };
}

/// Sends SIGKILL to every process of this pid namespace but its init, which is the caller.
pub fn kill_all_others() {
    // SAFETY: takes numbers.
    let _ = unsafe { plain(nr::KILL, [usize::MAX, SIGKILL]) };
}

pub fn kill_pidfd(pidfd: Fd) {
    // SAFETY: takes numbers and a null pointer, as the call allows.
    let _ = unsafe { call(PIDFD_SEND_SIGNAL, [pidfd as usize, SIGKILL, 0, 0, 0, 0]) };
}

/// Whether a signal could be sent; none is.
pub fn try_pidfd(pidfd: Fd) -> Result<()> {
    // SAFETY: takes numbers and a null pointer, as the call allows.
    unsafe { call(PIDFD_SEND_SIGNAL, [pidfd as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

/// A descriptor of this process, readable once it has ended.
pub fn own_pidfd() -> Result<Fd> {
    // SAFETY: takes numbers.
    unsafe { plain(PIDFD_OPEN, [pid() as usize, 0]) }.map(|fd| fd as Fd)
}

/// A reaped process.
pub struct Reaped {
    pub pid: i32,
    pub status: u32,
    pub user_ns: u64,
    pub system_ns: u64,
    /// Largest resident size of it or of a descendant it waited for, in bytes.
    pub max_resident: u64,
}

fn times(usage: &[u64; 18]) -> (u64, u64, u64) {
    let ns = |seconds: u64, micros: u64| seconds * 1_000_000_000 + micros * 1000;
    (ns(usage[0], usage[1]), ns(usage[2], usage[3]), usage[4] * 1024)
}

/// Waits for child `pid` (-1: any); `None` when `wait` is false and none has ended.
pub fn reap(pid: i32, wait: bool) -> Result<Option<Reaped>> {
    let mut status = 0u32;
    let mut usage = [0u64; 18];
    let options = WALL | if wait { 0 } else { WNOHANG };
    let (status_at, usage_at) = (&raw mut status as usize, usage.as_mut_ptr() as usize);
    loop {
        // SAFETY: writes one int and one rusage, which is 18 words.
        match unsafe { call(nr::WAIT4, [pid as usize, status_at, options, usage_at, 0, 0]) } {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(0) => return Ok(None),
            Ok(pid) => {
                let (user_ns, system_ns, max_resident) = times(&usage);
                let pid = pid as i32;
                return Ok(Some(Reaped { pid, status, user_ns, system_ns, max_resident }));
            }
        }
    }
}

/// CPU times and largest resident size of all reaped children: user ns, system ns, bytes.
pub fn children_usage() -> (u64, u64, u64) {
    let mut usage = [0u64; 18];
    let who = -1isize as usize;
    // SAFETY: writes one rusage.
    let _ = unsafe { call(nr::GETRUSAGE, [who, usage.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    times(&usage)
}

fn prctl(option: usize, a: usize, b: usize) -> Result<usize> {
    // SAFETY: only used with options that take numbers, see the callers.
    unsafe { plain(nr::PRCTL, [option, a, b, 0, 0]) }
}

/// Whether others of the same id may look into this process.
pub fn set_dumpable(dumpable: bool) {
    let _ = prctl(PR_SET_DUMPABLE, usize::from(dumpable), 0);
}

/// This process is killed when its parent ends.
pub fn die_with_parent() -> Result<()> {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0).map(drop)
}

pub fn set_name(name: &[u8]) {
    if let Ok(name) = c_path(name) {
        // SAFETY: reads at most 16 bytes up to the NUL.
        let _ = unsafe { call(nr::PRCTL, [PR_SET_NAME, name, 0, 0, 0, 0]) };
    }
}

/// No execve gives privileges any more. Gives what the kernel says about it afterwards.
pub fn no_new_privileges() -> Result<bool> {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0)?;
    prctl(PR_GET_NO_NEW_PRIVS, 0, 0).map(|set| set == 1)
}

pub fn set_ids(uid: u32, gid: u32) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(nr::SETRESGID, [gid as usize; 3]) }?;
    // SAFETY: takes numbers.
    unsafe { plain(nr::SETRESUID, [uid as usize; 3]) }.map(drop)
}

pub fn drop_groups() -> Result<()> {
    // SAFETY: no group is read from the null pointer.
    unsafe { call(nr::SETGROUPS, [0, 0, 0, 0, 0, 0]) }.map(drop)
}

/// Empties the bounding and ambient sets and locks the secure bits.
pub fn drop_bounding_set() -> Result<()> {
    for capability in 0..64 {
        match prctl(PR_CAPBSET_DROP, capability, 0) {
            Ok(_) => {}
            // The first number the kernel does not know.
            Err(Errno::EINVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    prctl(PR_SET_SECUREBITS, SECUREBITS, 0).map(drop)
}

const CAPABILITY_VERSION: [u32; 2] = [0x2008_0522, 0];

/// Makes `permitted` (bits 0 to 31) the effective and permitted set and empties the inheritable.
pub fn set_capabilities(permitted: u32) -> Result<()> {
    let header = CAPABILITY_VERSION;
    let data: [u32; 6] = [permitted, permitted, 0, 0, 0, 0];
    let args = [header.as_ptr() as usize, data.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: reads a header and two data records.
    unsafe { call(nr::CAPSET, args) }.map(drop)
}

/// The union of effective, permitted and inheritable set.
pub fn capabilities() -> Result<u64> {
    let mut header = CAPABILITY_VERSION;
    let mut data = [0u32; 6];
    let args = [header.as_mut_ptr() as usize, data.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: writes a header and two data records.
    unsafe { call(nr::CAPGET, args) }?;
    let low = data[0] | data[1] | data[2];
    let high = data[3] | data[4] | data[5];
    Ok(u64::from(low) | u64::from(high) << 32)
}

/// Sets soft and hard limit to `value`, or to the hard limit if that is lower; gives what the
/// kernel says afterwards.
pub fn set_rlimit(resource: u32, value: u64) -> Result<u64> {
    let old = rlimit(resource)?;
    let value = value.min(old[1]);
    let new = [value, value];
    let args = [0, resource as usize, new.as_ptr() as usize, 0, 0, 0];
    // SAFETY: reads one pair of limits.
    unsafe { call(nr::PRLIMIT64, args) }?;
    rlimit(resource).map(|now| now[0])
}

fn rlimit(resource: u32) -> Result<[u64; 2]> {
    let mut old = [0u64; 2];
    let args = [0, resource as usize, 0, old.as_mut_ptr() as usize, 0, 0];
    // SAFETY: writes one pair of limits.
    unsafe { call(nr::PRLIMIT64, args) }?;
    Ok(old)
}

/// Undoes what a host may have arranged for itself and no workload may inherit: real-time
/// scheduling, a raised priority, a weakened address space.
pub fn ordinary_scheduling() {
    const PRIO_PROCESS: usize = 0;
    let priority = [0u32];
    // SAFETY: reads one sched_param; SCHED_OTHER.
    let _ = unsafe { call(nr::SCHED_SETSCHEDULER, [0, 0, priority.as_ptr() as usize, 0, 0, 0]) };
    // The call answers 20 minus the nice value.
    // SAFETY: takes numbers.
    if unsafe { plain(nr::GETPRIORITY, [PRIO_PROCESS, 0]) }.is_ok_and(|value| value > 20) {
        // SAFETY: takes numbers.
        let _ = unsafe { plain(nr::SETPRIORITY, [PRIO_PROCESS, 0, 0]) };
    }
    // SAFETY: takes numbers; IOPRIO_WHO_PROCESS, no class.
    let _ = unsafe { plain(nr::IOPRIO_SET, [1, 0, 0]) };
    // SAFETY: takes a number; PER_LINUX.
    let _ = unsafe { plain(nr::PERSONALITY, [0]) };
}

/// As many descriptors as the hard limit allows.
pub fn raise_open_files() {
    if let Ok([_, hard]) = rlimit(RLIMIT_NOFILE) {
        let new = [hard, hard];
        // SAFETY: reads one pair of limits.
        let _ = unsafe {
            call(nr::PRLIMIT64, [0, RLIMIT_NOFILE as usize, new.as_ptr() as usize, 0, 0, 0])
        };
    }
}

pub fn set_hostname(name: &[u8]) -> Result<()> {
    // SAFETY: reads the slice.
    unsafe { call(nr::SETHOSTNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]) }.map(drop)
}

/// Number of CPUs this process may use.
pub fn cpu_count() -> u64 {
    let mut mask = [0u64; 128];
    let args = [0, size_of_val(&mask), mask.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: writes at most the mask's size.
    let _ = unsafe { call(nr::SCHED_GETAFFINITY, args) };
    mask.iter().map(|word| u64::from(word.count_ones())).sum::<u64>().max(1)
}

const fn only(signal: usize) -> u64 {
    1 << (signal - 1)
}

fn set_signal_mask(mask: u64) {
    let args = [SIG_SETMASK, &raw const mask as usize, 0, 8, 0, 0];
    // SAFETY: reads one 8-byte mask.
    let _ = unsafe { call(nr::RT_SIGPROCMASK, args) };
}

/// Every signal to its default action, none blocked.
pub fn default_signals() {
    let action = [0usize; 4];
    for signal in 1..=64 {
        let args = [signal, action.as_ptr() as usize, 0, 8, 0, 0];
        // SAFETY: reads one sigaction, whose handler is SIG_DFL. SIGKILL and SIGSTOP refuse.
        let _ = unsafe { call(nr::RT_SIGACTION, args) };
    }
    set_signal_mask(0);
}

/// Blocks SIGCHLD and gives a descriptor that tells of it.
pub fn child_signal_fd() -> Result<Fd> {
    let mask = only(SIGCHLD);
    set_signal_mask(mask);
    let args = [usize::MAX, &raw const mask as usize, 8, 0o2_004_000, 0, 0];
    // SAFETY: reads one 8-byte mask; SFD_CLOEXEC | SFD_NONBLOCK.
    unsafe { call(nr::SIGNALFD4, args) }.map(|fd| fd as Fd)
}

pub fn unblock_signals() {
    set_signal_mask(0);
}

/// Whether a descriptor has something to read, or has ended.
pub fn is_readable(fd: Fd) -> bool {
    const POLLIN: u64 = 1;
    let mut poll = [u64::from(fd as u32) | POLLIN << 32];
    let now = [0u64; 2];
    let args = [poll.as_mut_ptr() as usize, 1, now.as_ptr() as usize, 0, 0, 0];
    // SAFETY: reads and writes one pollfd, reads one timespec; no mask.
    let ready = unsafe { call(nr::PPOLL, args) };
    ready == Ok(1)
}

/// Waits until one of the two descriptors has something.
pub fn wait_either(first: Fd, second: Fd) {
    const POLLIN: u64 = 1;
    let mut fds = [u64::from(first as u32) | POLLIN << 32, u64::from(second as u32) | POLLIN << 32];
    // SAFETY: reads and writes two pollfds, 8 bytes each; no timeout, no mask.
    let _ = unsafe { call(nr::PPOLL, [fds.as_mut_ptr() as usize, 2, 0, 0, 0, 0]) };
}

/// Sleeps for so many nanoseconds, less than a second.
pub fn pause(ns: u64) {
    let time = [0, ns];
    // SAFETY: reads one timespec; there are no descriptors and no mask.
    let _ = unsafe { call(nr::PPOLL, [0, 0, time.as_ptr() as usize, 0, 0, 0]) };
}

/// Becomes another program. Returns only if that fails.
///
/// The addresses are those of NULL-terminated arrays of C strings, as [`super::Region`] holds.
pub fn execute(path: &[u8], argv: usize, envp: usize) -> Errno {
    let path = match c_path(path) {
        Ok(path) => path,
        Err(errno) => return errno,
    };
    // SAFETY: the kernel copies path, arguments and environment and checks every address itself;
    // on success nothing of this process's memory is left to be unsound.
    match unsafe { call(nr::EXECVE, [path, argv, envp, 0, 0, 0]) } {
        Err(errno) => errno,
        Ok(_) => Errno::ENOSYS,
    }
}
