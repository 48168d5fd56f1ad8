//! Seccomp filters as bytes: two profiles of Stockade's, and whatever a [`Ruleset`] says, compiled to
//! classic BPF.
//!
//! Everything here is pure; whoever is to be filtered installs the bytes right before `execve`. See
//! seccomp(2) and the kernel's `Documentation/userspace-api/seccomp_filter.rst`.
//!
//! ```
//! use stockade_seccomp::{Profile, Sockets};
//!
//! let filter = stockade_seccomp::bytes(Profile::Default, Sockets::UnixOnly, true);
//! // An array of `struct sock_filter`, which are 8 bytes long.
//! assert_eq!(filter.len() % 8, 0);
//! ```
#![forbid(unsafe_code)]

mod compile;
#[cfg(fuzzing)]
mod fuzzing;
#[cfg(any(test, fuzzing))]
mod interpret;
mod numbers;
mod profile;
mod rule;
mod ruleset;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

#[cfg(fuzzing)]
#[doc(hidden)]
pub use fuzzing::any_table_compiles;
pub use rule::{Action, Comparison, Condition};
pub use ruleset::{Rule, Ruleset, RulesetError};

/// Which set of rules a workload runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A denylist that ordinary programs do not notice.
    Default,
    /// An allowlist for judged programs; a call outside it kills the process.
    Strict,
}

/// Which address families `socket` and `socketpair` may use under [`Profile::Default`].
///
/// [`Profile::Strict`] has no sockets at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sockets {
    /// `AF_UNIX` only.
    UnixOnly,
    /// Also TCP and UDP over `AF_INET` and `AF_INET6`.
    Inet,
}

/// One classic BPF instruction, laid out as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    /// Operation.
    code: u16,
    /// Instructions to skip when the condition holds.
    jt: u8,
    /// Instructions to skip when it does not.
    jf: u8,
    /// Operand.
    k: u32,
}

/// A program that is valid as it stands: at most 4096 instructions, forward jumps, a final return.
fn filter(profile: Profile, sockets: Sockets, hidden_memory: bool) -> Vec<Instruction> {
    let mut rules = profile::Rules::new(profile, sockets);
    if !hidden_memory {
        rules.refuse_hidden_memory();
    }
    filter_for(numbers::NATIVE, &rules)
}

/// The filter of a profile for the architecture this library is compiled for, as the bytes that
/// seccomp(2) reads; compiled once for each combination.
///
/// It leaves the calls a launcher makes between installing it and `execve` unconditional: `execve`,
/// `execveat`, `write`, `close`, `futex`, `exit`, `exit_group`. Without `hidden_memory`, memory that no
/// process maps cannot be made either.
pub fn bytes(profile: Profile, sockets: Sockets, hidden_memory: bool) -> Arc<[u8]> {
    type Known = HashMap<(Profile, Sockets, bool), Arc<[u8]>>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let compile = || compiled(profile, sockets, hidden_memory).into();
    Arc::clone(known.entry((profile, sockets, hidden_memory)).or_insert_with(compile))
}

/// The same as [`bytes`], compiled anew.
pub fn compiled(profile: Profile, sockets: Sockets, hidden_memory: bool) -> Vec<u8> {
    to_bytes(&filter(profile, sockets, hidden_memory))
}

fn filter_for(arch: &numbers::Arch, rules: &profile::Rules) -> Vec<Instruction> {
    compile::compile(arch.audit, &rules.ranges(arch))
}

/// The instructions as the array of `struct sock_filter` that seccomp(2) reads: 8 bytes each, in
/// native byte order.
fn to_bytes(program: &[Instruction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    bytes
}

/// The mechanism as a report names it.
pub fn describe(profile: Profile) -> &'static str {
    match profile {
        Profile::Default => "seccomp-bpf default profile",
        Profile::Strict => "seccomp-bpf strict profile",
    }
}
