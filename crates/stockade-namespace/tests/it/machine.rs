//! What this machine offers to a test, and what can be seen of it from outside a sandbox.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use stockade_conformance::{Native, Warmed};
use stockade_core::{Ability, Control, ErrorKind, Sandbox};
use stockade_namespace::NamespaceSandbox;

/// The backend under test.
pub(crate) type Subject = Native<NamespaceSandbox>;

/// How soon something is over that is over at once: a second, and what a busy machine adds.
pub(crate) const SOON: Duration = Duration::from_secs(3);

/// `time` on this machine: as many times longer as `STOCKADE_TEST_SLOW` says, where it is emulated.
pub(crate) fn patience(time: Duration) -> Duration {
    let factor = std::env::var("STOCKADE_TEST_SLOW").ok();
    time * factor.map_or(1, |factor| factor.parse().expect("STOCKADE_TEST_SLOW is a number"))
}

/// The backend, unless this host refuses user namespaces and was not declared to have them.
pub(crate) fn subject() -> Option<Subject> {
    match NamespaceSandbox::new() {
        Ok(sandbox) => Some(Native::new(sandbox)),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            expects("userns", &error.to_string());
            None
        }
        Err(error) => panic!("the backend does not start: {error:?}"),
    }
}

/// The same, with sandboxes that wait.
pub(crate) fn warmed() -> Option<Native<Warmed>> {
    match NamespaceSandbox::new() {
        Ok(sandbox) => Some(Native::new(Warmed::new(sandbox))),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            expects("userns", &error.to_string());
            None
        }
        Err(error) => panic!("the backend does not start: {error:?}"),
    }
}

/// Says that a test is skipped for want of `feature`; fails if the host was declared to have it.
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
pub(crate) fn expects(feature: &str, reason: &str) {
    let declared = std::env::var("STOCKADE_TEST_EXPECT").unwrap_or_default();
    let is_declared = declared.split(',').any(|word| word.trim() == feature);
    assert!(!is_declared, "the host was declared to have {feature}: {reason}");
    let thread = thread::current();
    println!("SKIP: {}: {reason}", thread.name().unwrap_or(feature));
}

/// The backend, unless its sandboxes have no `/proc` here.
pub(crate) fn subject_with_proc() -> Option<Subject> {
    let subject = subject()?;
    match subject.backend().support().ability(Control::Filesystem) {
        Ability::Enforced { .. } => Some(subject),
        other => {
            expects("proc", &format!("{other:?}"));
            None
        }
    }
}

/// Whether cgroups count memory here; else the test is skipped.
pub(crate) fn has_cgroup(subject: &Subject) -> bool {
    match subject.backend().support().ability(Control::Memory) {
        Ability::Enforced { .. } => true,
        other => {
            expects("cgroup", &format!("{other:?}"));
            false
        }
    }
}

/// Whether this kernel can lay one tree over another; else the test is skipped.
pub(crate) fn has_overlay() -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has = known.lines().any(|line| line.split_whitespace().last() == Some("overlay"));
    if !has {
        expects("overlay", "this kernel has no overlay filesystem");
    }
    has
}

/// The ABI of Landlock here; zero without it.
pub(crate) fn landlock(subject: &Subject) -> u32 {
    let ability = format!("{:?}", subject.backend().support().ability(Control::Filesystem));
    let abi = ability.split_once("Landlock ABI ").map_or("0", |(_, rest)| rest);
    let abi = abi.split(|digit: char| !digit.is_ascii_digit()).next();
    abi.and_then(|digits| digits.parse().ok()).expect("an ABI is a number")
}

/// Whether Landlock is here; else the test is skipped.
pub(crate) fn has_landlock(subject: &Subject) -> bool {
    let has = landlock(subject) > 0;
    if !has {
        expects("landlock", "this kernel has no Landlock, or it is off");
    }
    has
}

/// Whether Landlock keeps abstract sockets apart in the host's network, as it does from its ABI 6
/// on; else the test is skipped.
pub(crate) fn scopes_sockets(subject: &Subject) -> bool {
    let abi = landlock(subject);
    if abi < 6 {
        let feature = if abi == 0 { "landlock" } else { "landlock_scope" };
        expects(feature, &format!("Landlock has ABI {abi}, network `host` needs 6 for this"));
    }
    abi >= 6
}

/// Whether this process is root and may give out ids; else the test is skipped.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        expects("root", "this process does not run as root");
    }
    root
}

/// Waits until `done`, at most for [`SOON`] as this machine has it.
pub(crate) fn soon(mut done: impl FnMut() -> bool) -> bool {
    let (begun, patience) = (Instant::now(), patience(SOON));
    while begun.elapsed() < patience {
        if done() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    done()
}

/// A line's value in `/proc/PID/status`; `None` once the process is gone or a zombie.
pub(crate) fn status(pid: u32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = |key: &str| {
        let value = |line: &str| line.strip_prefix(key)?.strip_prefix(':').map(str::to_owned);
        text.lines().find_map(value)
    };
    let alive = !value("State")?.trim_start().starts_with(['Z', 'X']);
    value(key).filter(|_| alive).map(|value| value.trim().to_owned())
}

/// Whether a process is there and no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    status(pid, "State").is_some()
}

/// Every living process beneath `root`, itself not included.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .expect("/proc is mounted")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, status(pid, "PPid")?.parse().ok()?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, above)| *above == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Every living process beneath a warden that runs what nobody trusts. A sandbox's init has
/// reported when a run is over, and is on its way out.
pub(crate) fn workloads(warden: u32) -> Vec<u32> {
    let mut found = descendants(warden);
    found.retain(|pid| status(*pid, "Name").is_some_and(|name| name != "stockade-warden"));
    found
}

/// The cgroup directories that the process `host` has for its sandboxes, and all beneath them.
pub(crate) fn cgroups(host: u32) -> Vec<String> {
    let mut found = Vec::new();
    walk(Path::new("/sys/fs/cgroup"), &format!("stockade-{host}-"), false, &mut found);
    found
}

fn walk(dir: &Path, prefix: &str, inside: bool, found: &mut Vec<String>) {
    // Groups come and go while they are read.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let ours = inside || entry.file_name().to_string_lossy().starts_with(prefix);
        if ours {
            found.push(entry.path().display().to_string());
        }
        walk(&entry.path(), prefix, ours, found);
    }
}
