use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{Policy, Prepared, Program, Sandbox, Stdio};

use super::{NamespacePrepared, waiters};
use crate::host::Host;
use crate::prepare::Blueprint;
use crate::sandbox::NamespaceSandbox;
use crate::warden::Waiters;

/// A program whose sandboxes can be had to wait, unless there is nothing to build them from.
fn prepared(sandbox: &NamespaceSandbox) -> NamespacePrepared {
    let begun = Instant::now();
    let wardens = sandbox.wardens();
    let mut policy = Policy::default();
    policy.best_effort = stockade_core::Control::ALL.into_iter().collect();
    let abi = wardens.landlock_abi;
    let program = Program::executable("true");
    let blueprint = Blueprint::draw(&wardens.host, sandbox.support(), abi, &policy, &program);
    let blueprint = blueprint.expect("it can be had everywhere");
    NamespacePrepared::new(wardens.clone(), blueprint, begun).expect("the warden lives")
}

#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn sandbox_on(host: Host) -> Option<NamespaceSandbox> {
    let sandbox = NamespaceSandbox::on(host);
    if let Err(error) = &sandbox {
        assert_eq!(error.kind(), stockade_core::ErrorKind::Unsupported, "{error:?}");
        println!("SKIP: {}: {error}", thread::current().name().unwrap_or_default());
    }
    sandbox.ok()
}

fn sandbox() -> Option<NamespaceSandbox> {
    sandbox_on(Host::look())
}

/// The inits of what waits.
fn inits(sandbox: &NamespaceSandbox) -> Vec<String> {
    let warden = sandbox.warden_id().expect("there is a warden");
    let path = format!("/proc/{warden}/task/{warden}/children");
    let text = fs::read_to_string(path).expect("the warden lives");
    text.split_whitespace().map(str::to_owned).collect()
}

fn soon(mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if done() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn what_has_waited_too_long_is_replaced() {
    let Some(sandbox) = sandbox() else { return };
    let prepared = prepared(&sandbox);
    let registration = prepared.registration().expect("the warden lives");
    let short = Waiters { age: Duration::from_millis(300), ..waiters(2) };
    registration.warm(short).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).len() == 2));
    let first = inits(&sandbox);
    assert!(soon(|| {
        let now = inits(&sandbox);
        now.len() == 2 && now.iter().all(|pid| !first.contains(pid))
    }));
    // None but those that wait is ended: what was taken is its taker's, however long it takes.
    let taken = registration.waiting().expect("one waits");
    thread::sleep(Duration::from_millis(1500));
    let ends = taken.begin(&stockade_core::Input::Empty).expect("its gate is there");
    let mut news = [rustix::event::PollFd::new(&ends.socket, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut news, None).expect("it can be waited for");
    let mut board = [0u8; 512];
    let (bytes, _) =
        rustix::net::recv(&ends.socket, &mut board[..], rustix::net::RecvFlags::empty())
            .expect("it reports");
    let account = crate::account::Account::read(&board[..bytes]);
    assert_eq!(account.get(stockade_warden::wire::board::Word::Stop), 0);
    assert_ne!(account.get(stockade_warden::wire::board::Word::TimeExec), 0);
}

#[test]
fn nothing_waits_while_memory_is_short() {
    let Some(sandbox) = sandbox() else { return };
    let prepared = prepared(&sandbox);
    let registration = prepared.registration().expect("the warden lives");
    registration.warm(waiters(2)).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).len() == 2));
    let more_than_there_is = Waiters { floor: u64::MAX, ..waiters(2) };
    registration.warm(more_than_there_is).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).is_empty()));
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(sandbox.census().expect("the warden lives").waiting, 0);
    let run = prepared.start(Stdio::captured()).expect("it starts");
    assert!(run.wait().expect("it is reported").verdict.success());
    registration.warm(waiters(2)).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).len() == 2));
}

/// Directories with files like those of a cgroup and the one above it, removed when dropped.
struct Groups(PathBuf);

impl Groups {
    fn new(name: &str) -> Self {
        let top = format!("stockade-{name}-{}", std::process::id());
        let groups = Self(std::env::temp_dir().join(top));
        fs::create_dir_all(groups.inner()).expect("a folder can be made");
        for group in [groups.outer(), groups.inner()] {
            fs::write(group.join("cgroup.procs"), "").expect("a file can be written");
        }
        groups
    }

    fn outer(&self) -> PathBuf {
        self.0.join("outer")
    }

    fn inner(&self) -> PathBuf {
        self.0.join("outer/inner")
    }

    /// How many sandboxes wait in the end, of two that are wanted, once the files say this.
    fn waiting(&self, sandbox: &NamespaceSandbox, group: &Path, files: &[(&str, u64)]) -> usize {
        let before = inits(sandbox);
        for (file, value) in files {
            fs::write(group.join(file), format!("{value}\n")).expect("a file can be written");
        }
        // Each step here changes the number, and none is looked at twice in a second.
        soon(|| inits(sandbox).len() == 2 - before.len());
        inits(sandbox).len()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const MIB: u64 = 1 << 20;

/// A sandbox whose host is in the inner of these groups, with two that wait.
fn grouped(groups: &Groups) -> Option<(NamespaceSandbox, NamespacePrepared)> {
    let mut host = Host::look();
    host.memory_group = Some(groups.inner());
    let sandbox = sandbox_on(host)?;
    let prepared = prepared(&sandbox);
    prepared.warm(2).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).len() == 2));
    Some((sandbox, prepared))
}

#[test]
fn nothing_waits_while_a_group_of_version_2_is_nearly_full() {
    let groups = Groups::new("memory-v2");
    let (outer, inner) = (groups.outer(), groups.inner());
    let cache = |bytes: u64| {
        let text = format!("anon 7\nactive_file 0\ninactive_file {bytes}\nslab_reclaimable 0\n");
        fs::write(outer.join("memory.stat"), text).expect("a file can be written");
    };
    cache(0);
    fs::write(inner.join("memory.max"), "max\n").expect("a file can be written");
    fs::write(inner.join("memory.current"), "1\n").expect("a file can be written");
    let Some((sandbox, _prepared)) = grouped(&groups) else { return };
    let waiting = |group: &Path, files: &[_]| groups.waiting(&sandbox, group, files);
    let full = [("memory.max", 4096 * MIB), ("memory.current", 4096 * MIB - 127 * MIB)];
    assert_eq!(waiting(&outer, &full), 0);
    // What is cached can be given up.
    cache(2 * MIB);
    assert_eq!(waiting(&outer, &[]), 2);
    assert_eq!(waiting(&outer, &[("memory.high", 4000 * MIB)]), 0);
    // An eighth of a small limit is enough.
    assert_eq!(waiting(&outer, &[("memory.current", 3000 * MIB)]), 2);
    assert_eq!(waiting(&inner, &[("memory.max", 64 * MIB), ("memory.current", 57 * MIB)]), 0);
    assert_eq!(waiting(&inner, &[("memory.current", 55 * MIB)]), 2);
}

#[test]
fn nothing_waits_while_a_group_of_version_1_is_nearly_full() {
    let groups = Groups::new("memory-v1");
    let (outer, inner) = (groups.outer(), groups.inner());
    let unlimited = i64::MAX.to_string();
    fs::write(inner.join("memory.limit_in_bytes"), unlimited).expect("a file can be written");
    fs::write(inner.join("memory.usage_in_bytes"), "1\n").expect("a file can be written");
    let Some((sandbox, _prepared)) = grouped(&groups) else { return };
    let waiting = |files: &[_]| groups.waiting(&sandbox, &outer, files);
    let (limit, usage) = ("memory.limit_in_bytes", "memory.usage_in_bytes");
    assert_eq!(waiting(&[(limit, 64 * MIB), (usage, 57 * MIB)]), 0);
    let stat = format!("inactive_file 0\ntotal_inactive_file {}\ntotal_active_file 9\n", 2 * MIB);
    fs::write(outer.join("memory.stat"), stat).expect("a file can be written");
    assert_eq!(waiting(&[]), 2);
    assert_eq!(waiting(&[(usage, 60 * MIB)]), 0);
    // The group is gone; nothing there bounds anything any more.
    fs::remove_dir_all(groups.outer()).expect("it is ours");
    assert_eq!(waiting(&[]), 2);
}
