//! What is asked.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;

use stockade::{Bytes, Mount, PolicyFormat};

use super::handles::{Error, Policy};
use super::pointers::{Place, answer, bytes, needed, optional_text, string, text};
use crate::failure::Failure;
use crate::words;

/// Limit in bytes: what the whole workload may hold. Default 256 MiB, at least 1 MiB.
pub const STOCKADE_CONTROL_MEMORY: i32 = 200;
/// Limit in nanoseconds: processor time of all tasks together. Default 10 s, at least 1 ms.
pub const STOCKADE_CONTROL_CPU_TIME: i32 = 201;
/// Limit in nanoseconds: from start to end, sleeping included. Default 30 s, at least 1 ms.
pub const STOCKADE_CONTROL_WALL_TIME: i32 = 202;
/// Limit in thousandths of a core: 500 is half a core. Not bounded unless set.
pub const STOCKADE_CONTROL_CPUS: i32 = 203;
/// Limit as a count: tasks alive at once; threads count. Default 64.
pub const STOCKADE_CONTROL_PROCESSES: i32 = 204;
/// Limit as a count: open files of each process. Default 256, at least 8.
pub const STOCKADE_CONTROL_OPEN_FILES: i32 = 205;
/// Limit in bytes: any one file that is written. Default 64 MiB.
pub const STOCKADE_CONTROL_FILE_SIZE: i32 = 206;
/// Limit in bytes: all writable in-memory directories together. Default 64 MiB, at least 64 KiB.
pub const STOCKADE_CONTROL_DISK: i32 = 207;
/// Limit in bytes: each of standard output and standard error. Default 1 MiB.
pub const STOCKADE_CONTROL_OUTPUT: i32 = 208;
/// Limit as a count: instructions of WebAssembly. Not bounded unless set; modules alone.
pub const STOCKADE_CONTROL_FUEL: i32 = 209;
/// The files a program sees.
pub const STOCKADE_CONTROL_FILESYSTEM: i32 = 210;
/// The network a program reaches.
pub const STOCKADE_CONTROL_NETWORK: i32 = 211;
/// The system calls a program may use.
pub const STOCKADE_CONTROL_SYSCALLS: i32 = 212;
/// What a program may do that an ordinary user may not: nothing.
pub const STOCKADE_CONTROL_PRIVILEGES: i32 = 213;
/// The processes a program sees, and that none outlives the run.
pub const STOCKADE_CONTROL_PROCESS_TREE: i32 = 214;
/// Objects of System V and POSIX that processes share.
pub const STOCKADE_CONTROL_IPC: i32 = 215;
/// The host's /usr, /bin, /sbin and /lib*, read-only, with a minimal /etc and /dev, a /proc of the
/// sandbox's own and an in-memory /tmp. The default.
pub const STOCKADE_BASE_SYSTEM: i32 = 500;
/// Nothing but /dev, /proc and /tmp.
pub const STOCKADE_BASE_EMPTY: i32 = 501;
/// No network at all. The default.
pub const STOCKADE_NETWORK_NONE: i32 = 510;
/// A loopback interface of the sandbox's own.
pub const STOCKADE_NETWORK_LOOPBACK: i32 = 511;
/// The host's network, unfiltered.
pub const STOCKADE_NETWORK_HOST: i32 = 512;
/// System calls of interpreters, compilers and virtual machines. The default.
pub const STOCKADE_SYSCALLS_DEFAULT: i32 = 520;
/// System calls of compiled programs and simple scripts, and no other.
pub const STOCKADE_SYSCALLS_STRICT: i32 = 521;
/// A run that reaches the limit of output is stopped. The default.
pub const STOCKADE_OUTPUT_STOP: i32 = 530;
/// What is beyond the limit of output is dropped, and the report says so.
pub const STOCKADE_OUTPUT_TRUNCATE: i32 = 531;
/// The program may read what it is given.
pub const STOCKADE_READ_ONLY: i32 = 540;
/// The program may read and change what it is given.
pub const STOCKADE_READ_WRITE: i32 = 541;
/// For stockade_policy_set_limit: no bound.
pub const STOCKADE_UNLIMITED: u64 = u64::MAX;

/// A policy with every default, all of which are closed: no network, no file of the host's but its system
/// directories, none of its environment, and a bound on every quantity.
///
/// Free it by stockade_policy_free. Errors: STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_new(
    policy: *mut *mut Policy,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        Place::new(policy, "policy")?.give(Policy::default());
        Ok(())
    })
}

/// A policy from JSON, such as `{ "limits": { "memory": "64MiB", "wall_time": "2s" } }`, of at most 1 MiB.
/// The manual has every key.
///
/// Free it by stockade_policy_free. Errors: STOCKADE_INVALID_POLICY names the unknown key, the value that
/// makes no sense or the place of the mistake; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_from_json(
    text: *const c_char,
    policy: *mut *mut Policy,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || parse(text, PolicyFormat::Json, policy))
}

/// A policy from TOML; else as stockade_policy_from_json.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_from_toml(
    text: *const c_char,
    policy: *mut *mut Policy,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || parse(text, PolicyFormat::Toml, policy))
}

unsafe fn parse(
    string: *const c_char,
    format: PolicyFormat,
    policy: *mut *mut Policy,
) -> Result<(), Failure> {
    let string = text(string, "text")?;
    let place = Place::new(policy, "policy")?;
    place.give(Policy::parse(string, format)?);
    Ok(())
}

/// The policy as JSON, every key written out.
///
/// Errors: STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_to_json(
    policy: Option<&Policy>,
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let policy = needed(policy, "policy")?;
        Place::new(json, "json")?.give_text(policy.to_json()?);
        Ok(())
    })
}

/// Frees a policy. What was prepared or started with it goes on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_policy_free(policy: Option<Box<Policy>>) {
    drop(policy);
}

/// Sets what has few values, by the number of one: a STOCKADE_BASE, a STOCKADE_NETWORK, a STOCKADE_SYSCALLS,
/// or STOCKADE_OUTPUT_STOP or STOCKADE_OUTPUT_TRUNCATE.
///
/// Errors: STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_set(
    policy: Option<&mut Policy>,
    choice: i32,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || needed(policy, "policy")?.choose(choice))
}

/// Sets a limit: one of STOCKADE_CONTROL_MEMORY to STOCKADE_CONTROL_FUEL, in the unit that stands there, or
/// STOCKADE_UNLIMITED.
///
/// Errors: STOCKADE_INVALID_POLICY for an amount that makes no sense, and then the policy is as it was;
/// STOCKADE_INVALID_ARGUMENT for a control that is no limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_set_limit(
    policy: Option<&mut Policy>,
    control: i32,
    amount: u64,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || needed(policy, "policy")?.set_limit(words::control(control)?, amount))
}

/// Has a directory of the host, read-only, stand at `/`. It must hold /dev, /proc and /tmp as directories,
/// over which the sandbox's own are put.
///
/// Errors: STOCKADE_INVALID_POLICY for an empty path; STOCKADE_INVALID_ARGUMENT. Whether it exists is found
/// out when a program is prepared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_set_rootfs(
    policy: Option<&mut Policy>,
    path: *const c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || needed(policy, "policy")?.set_rootfs(PathBuf::from(string(path, "path")?)))
}

/// As stockade_policy_set_rootfs, and the program may write to it. What it writes is in memory, counts
/// towards the limit on disk and is gone with the run; the directory itself is not changed.
///
/// Errors: as those of stockade_policy_set_rootfs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_set_writable_rootfs(
    policy: Option<&mut Policy>,
    path: *const c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        needed(policy, "policy")?.set_writable_rootfs(PathBuf::from(string(path, "path")?))
    })
}

/// Shows the program a file or directory of the host, `source`, at the absolute path `target`. `access` is
/// STOCKADE_READ_ONLY or STOCKADE_READ_WRITE. A relative source is looked up from the working directory of
/// the process when a program is prepared.
///
/// Errors: STOCKADE_INVALID_POLICY for a target that is no plain absolute path or is used twice, and then
/// the policy is as it was; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_add_bind(
    policy: Option<&mut Policy>,
    source: *const c_char,
    target: *const c_char,
    access: i32,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let policy = needed(policy, "policy")?;
        let source = PathBuf::from(string(source, "source")?);
        policy.bind(source, text(target, "target")?, words::access(access)?)
    })
}

/// Puts an empty writable in-memory directory at `target`. Its `size` in bytes is a share of the limit
/// STOCKADE_CONTROL_DISK; with 0 it shares what /tmp has.
///
/// Errors: as stockade_policy_add_bind, and STOCKADE_INVALID_POLICY for less than 4096 bytes or more than
/// the limit leaves.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_add_tmpfs(
    policy: Option<&mut Policy>,
    target: *const c_char,
    size: u64,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let policy = needed(policy, "policy")?;
        let size = (size != 0).then_some(Bytes(size));
        policy.mount(Mount::tmpfs(text(target, "target")?, size))
    })
}

/// Puts a file at `target` that holds `length` bytes. Everybody inside may read and execute it, and nobody
/// change it.
///
/// Errors: as stockade_policy_add_bind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_add_file(
    policy: Option<&mut Policy>,
    target: *const c_char,
    contents: *const c_void,
    length: usize,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let policy = needed(policy, "policy")?;
        let contents = bytes(contents, length, "contents")?;
        policy.mount(Mount::file(text(target, "target")?, contents))
    })
}

/// Sets the working directory, an absolute path inside, "/tmp" by default, and the host name that the
/// program sees, "stockade" by default. NULL leaves one as it is.
///
/// Errors: STOCKADE_INVALID_POLICY, and then the policy is as it was; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_set_process(
    policy: Option<&mut Policy>,
    cwd: *const c_char,
    hostname: *const c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let policy = needed(policy, "policy")?;
        policy.set_process(optional_text(cwd, "cwd")?, optional_text(hostname, "hostname")?)
    })
}

/// Sets a variable of the program's environment, beside those that are there; NULL for `value` removes it.
/// There are HOME, LANG and PATH by default, and none of the host's.
///
/// Errors: STOCKADE_INVALID_POLICY for a name that is empty or has a `=`, and then the policy is as it was;
/// STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_set_env(
    policy: Option<&mut Policy>,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let policy = needed(policy, "policy")?;
        policy.set_env(text(name, "name")?, optional_text(value, "value")?)
    })
}

/// Allows a control to be weaker than asked where this host cannot do better, and the report then says how
/// weak it was; where it can, nothing changes. Every other control is enforced, or nothing starts. Without
/// control groups, as for most users in containers, these are memory, cpu_time, processes and cpus.
///
/// Errors: STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_policy_set_best_effort(
    policy: Option<&mut Policy>,
    control: i32,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        needed(policy, "policy")?.set_best_effort(words::control(control)?);
        Ok(())
    })
}
