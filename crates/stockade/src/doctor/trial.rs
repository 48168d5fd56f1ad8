//! [`Trial`]: one thing that was done to find out, and what came of it.

use std::error::Error as StdError;

use serde::Serialize;
use stockade_core::{
    Control, Cpus, EnforcementStatus, Error, Mount, Policy, Program, Report, Sandbox, Verdict,
};

/// One thing that was done to find out, and what came of it.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// What was tried.
    pub what: &'static str,
    /// Whether it worked.
    pub ok: bool,
    /// What came of it, in words.
    pub found: String,
}

/// What is run in each backend.
pub(super) struct Probe {
    program: Program,
    mount: Option<Mount>,
}

/// Where the native program stands in its sandbox.
const TARGET: &str = "/stockade-doctor";

/// A module with an empty function `_start`.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x04\x01\x60\0\0\
    \x03\x02\x01\0\
    \x07\x0a\x01\x06_start\0\0\
    \x0a\x04\x01\x02\0\x0b";

/// Machine code that writes `ok` and a line feed to standard output and exits with 0.
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = b"\x01\x01\0\x10\x20\0\x80\xd2\x62\0\x80\xd2\x08\x08\x80\xd2\x01\0\0\xd4\
    \0\0\x80\xd2\xc8\x0b\x80\xd2\x01\0\0\xd4ok\n";
#[cfg(not(target_arch = "aarch64"))]
const CODE: &[u8] = b"\xb8\x01\0\0\0\xbf\x01\0\0\0\x48\x8d\x35\x10\0\0\0\xba\x03\0\0\0\x0f\x05\
    \xb8\xe7\0\0\0\x31\xff\x0f\x05ok\n";

const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

/// The smallest static executable: the headers of elf(5) and [`CODE`], loaded as one segment. It
/// needs no file of the host, so that what fails is a wall and not the program.
fn executable() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u16 = 64 + 56;
    let size = u64::from(HEADERS) + CODE.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    half(&mut file, 2); // an executable
    half(&mut file, MACHINE);
    word(&mut file, 1); // version
    long(&mut file, BASE + u64::from(HEADERS)); // entry
    long(&mut file, 64); // program headers
    long(&mut file, 0); // no sections
    word(&mut file, 0); // flags
    for value in [64, 56, 1, 0, 0, 0] {
        half(&mut file, value); // sizes and counts of headers
    }
    word(&mut file, 1); // a segment to load
    word(&mut file, 5); // readable and executable
    for value in [0, BASE, BASE, size, size, 0x1_0000] {
        long(&mut file, value); // offset, addresses, sizes, alignment
    }
    file.extend(CODE);
    file
}

impl Probe {
    /// A static program.
    pub(super) fn native() -> Self {
        let mount = Mount::file(TARGET, executable());
        Self { program: Program::executable(TARGET), mount: Some(mount) }
    }

    /// A module.
    pub(super) fn module() -> Self {
        Self { program: Program::module(MODULE), mount: None }
    }

    /// Runs it under the default policy, which is the question that counts.
    pub(super) fn by_default(&self, sandbox: &dyn Sandbox) -> Result<Report, Error> {
        self.run(sandbox, Policy::default())
    }

    /// Runs it with every control asked for, and whatever cannot be met accepted, so that the
    /// receipt has a line for each.
    pub(super) fn with_everything(&self, sandbox: &dyn Sandbox) -> Result<Report, Error> {
        let mut policy = Policy::default();
        policy.limits.cpus = "0.5".parse::<Cpus>().ok();
        policy.limits.fuel = Some(1_000_000);
        policy.best_effort.extend(Control::ALL);
        self.run(sandbox, policy)
    }

    /// Runs it under this policy.
    pub(super) fn run(&self, sandbox: &dyn Sandbox, mut policy: Policy) -> Result<Report, Error> {
        policy.filesystem.mounts.extend(self.mount.clone());
        sandbox.run(&policy, &self.program)
    }

    fn is_native(&self) -> bool {
        self.mount.is_some()
    }

    /// What came of a run.
    pub(super) fn trial(&self, what: &'static str, result: &Result<Report, Error>) -> Trial {
        match result {
            Ok(report) => self.judge(what, report),
            Err(error) if !error.unmet().is_empty() => {
                Trial { what, ok: false, found: unmet(error) }
            }
            Err(error) => Trial { what, ok: false, found: chain(error) },
        }
    }

    fn judge(&self, what: &'static str, report: &Report) -> Trial {
        let said = if self.is_native() { b"ok\n".as_slice() } else { b"" };
        if !report.verdict.success() || report.stdout != said {
            let found = format!("the program did not end as it should: {}", ended(&report.verdict));
            return Trial { what, ok: false, found };
        }
        let kind = if self.is_native() { "a static program" } else { "a module" };
        let with = |status| report.enforcement.iter().filter(|e| e.status == status).count();
        let mut found = format!(
            "{kind} ran for {:.1} ms and exited 0; {} controls enforced",
            report.usage.wall_ns as f64 / 1e6,
            with(EnforcementStatus::Enforced),
        );
        for (status, word) in [
            (EnforcementStatus::Approximated, "approximated"),
            (EnforcementStatus::NotEnforced, "not enforced"),
        ] {
            if with(status) > 0 {
                found.push_str(&format!(", {} {word}", with(status)));
            }
        }
        Trial { what, ok: true, found }
    }
}

/// The reasons are with the controls.
fn unmet(error: &Error) -> String {
    let names: Vec<_> = error.unmet().iter().map(|unmet| unmet.control.name()).collect();
    format!("refused before anything ran: {} would be weaker", names.join(", "))
}

fn ended(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Exited { code } => format!("exited {code}"),
        Verdict::Signaled { signal, .. } => format!("killed by {signal}"),
        Verdict::Limit { control, .. } => format!("stopped by its {control} limit"),
        Verdict::Denied { control, detail } => format!("denied by {control}: {detail}"),
        Verdict::Trapped { trap, .. } => format!("trapped: {trap}"),
        _ => "cancelled".to_owned(),
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
