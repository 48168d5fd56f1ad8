//! Sandboxes that wait, built and unused, for the next start.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use stockade_conformance::Job;
use stockade_core::{Control, ErrorKind, MAX_WARM, Prepared, Report, Stdio, Verdict};
use stockade_guests as guests;

use crate::alone::alone;
use crate::machine::{Subject, cgroups, descendants, is_alive, is_root, soon, status, subject};

fn waiting(subject: &Subject) -> u64 {
    subject.backend().census().expect("the warden answers").waiting
}

/// The processes that wait right before their `execve`.
pub(crate) fn waiters(subject: &Subject) -> Vec<u32> {
    let mut all = descendants(subject.backend().warden_id().expect("there is a warden"));
    all.retain(|pid| status(*pid, "Name").is_some_and(|name| name == "stockade-wait"));
    all
}

/// Has `count` sandboxes wait, and waits for them.
pub(crate) fn warm(subject: &Subject, prepared: &dyn Prepared, count: usize) {
    prepared.warm(count).expect("it is no wish too many");
    assert!(soon(|| waiters(subject).len() == count), "{:?}", subject.backend().census());
}

pub(crate) fn start(prepared: &dyn Prepared) -> Report {
    let run = prepared.start(Stdio::captured()).expect("it starts");
    Job::wait(run).expect("it is reported")
}

/// Whether a run began in a sandbox that had waited: then nothing was built in its time.
pub(crate) fn had_waited(report: &Report) -> bool {
    let phase = |name| report.timings.phases.iter().find(|phase| phase.name == name);
    ["clone", "mounts", "fork", "limits"]
        .into_iter()
        .all(|name| phase(name).is_some_and(|phase| phase.ns == 0))
}

#[test]
fn a_start_takes_a_sandbox_that_waits_and_another_takes_its_place() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    assert!(!had_waited(&start(&*prepared)));
    warm(&subject, &*prepared, 3);
    assert_eq!(subject.backend().census().expect("the warden answers").runs, 0);
    for _ in 0..12 {
        let report = start(&*prepared);
        assert!(had_waited(&report), "{:?}", report.timings);
        assert!(report.verdict.success(), "{:?}", report.verdict);
        assert_eq!(report.stdout, b"hello\n");
        assert!(soon(|| waiters(&subject).len() == 3), "{:?}", subject.backend().census());
    }
    // More at once than wait.
    let runs: Vec<_> =
        (0..6).map(|_| prepared.start(Stdio::captured()).expect("it starts")).collect();
    for run in runs {
        assert!(Job::wait(run).expect("it is reported").verdict.success());
    }
}

#[test]
fn sandboxes_of_every_kind_wait() {
    let Some(subject) = subject() else { return };
    type Change = fn(&mut stockade_core::Policy);
    let changes: [Change; 4] = [
        |policy| policy.syscalls.profile = stockade_core::SyscallProfile::Strict,
        |policy| policy.network.mode = stockade_core::NetworkMode::Loopback,
        |policy| policy.network.mode = stockade_core::NetworkMode::Host,
        |policy| policy.limits.open_files = stockade_core::Limit::At(8),
    ];
    for change in changes {
        let prepared = Job::new(&subject, &guests::HELLO).policy(change).prepare();
        prepared.warm(1).expect("it is no wish too many");
        assert!(soon(|| had_waited(&start(&*prepared))), "{:?}", prepared.plan().policy);
        let report = start(&*prepared);
        assert!(report.verdict.success(), "{:?}", report.verdict);
    }
}

#[test]
fn nothing_waits_for_a_program_that_is_gone_or_no_longer_wanted() {
    let Some(subject) = subject() else { return };
    alone(module_path!(), "nothing_waits_for_a_program_that_is_gone_or_no_longer_wanted", || {
        let warden = subject.backend().warden_id().expect("there is a warden");
        let prepared = Job::new(&subject, &guests::HELLO).prepare();
        warm(&subject, &*prepared, 4);
        warm(&subject, &*prepared, 2);
        prepared.warm(0).expect("it is no wish too many");
        assert!(soon(|| descendants(warden).is_empty()), "{:?}", subject.backend().census());
        warm(&subject, &*prepared, 2);
        drop(prepared);
        assert!(soon(|| descendants(warden).is_empty()), "{:?}", subject.backend().census());
        let idle = || {
            let census = subject.backend().census().expect("the warden answers");
            census.waiting == 0 && census.plans == 0 && census.runs == 0
        };
        assert!(soon(idle), "{:?}", subject.backend().census());

        // The policy asks as well, and what it asks for ends with its sandbox.
        let job = Job::new(&subject, &guests::HELLO).policy(|policy| policy.warm = 2);
        let prepared = job.prepare();
        assert!(soon(|| waiters(&subject).len() == 2));
        drop((prepared, subject));
        assert!(soon(|| !is_alive(warden)));
        assert!(soon(|| cgroups(std::process::id()).is_empty()));
    });
}

#[test]
fn too_many_are_refused() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    let error = prepared.warm(MAX_WARM + 1).expect_err("it is too many");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert!(error.hint().is_some());
    let job = Job::new(&subject, &guests::HELLO).policy(|policy| policy.warm = MAX_WARM + 1);
    let error = job.try_prepare().err().expect("it is too many");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
}

#[test]
fn as_many_wait_as_there_may_be_and_all_serve() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    prepared.warm(MAX_WARM).expect("it is no wish too many");
    // Less where the kernel bounds what may be under way between processes of a user.
    let count = || waiters(&subject).len();
    let mut last = count();
    assert!(soon(|| {
        thread::sleep(Duration::from_millis(500));
        std::mem::replace(&mut last, count()) == count() && last > 32
    }));
    let runs: Vec<_> =
        (0..last).map(|_| prepared.start(Stdio::captured()).expect("it starts")).collect();
    for run in runs {
        let report = Job::wait(run).expect("it is reported");
        assert!(report.verdict.success() && had_waited(&report), "{report:?}");
    }
}

#[test]
fn who_waits_holds_its_gate_and_streams_and_nothing_else() {
    let Some(subject) = subject() else { return };
    if !is_root() {
        return;
    }
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    warm(&subject, &*prepared, 2);
    for pid in waiters(&subject) {
        let held: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("root may look")
            .map(|entry| fs::read_link(entry.expect("an entry").path()).expect("a link"))
            .collect();
        let (pipes, others): (Vec<_>, Vec<_>) =
            held.iter().partition(|link| link.to_string_lossy().starts_with("pipe:"));
        assert_eq!(pipes.len(), 3, "{held:?}");
        assert_eq!(others.len(), 1, "{held:?}");
        assert!(others[0].to_string_lossy().contains("eventfd"), "{held:?}");
        let is = |key, value: &str| assert_eq!(status(pid, key).as_deref(), Some(value), "{key}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            is(set, "0000000000000000");
        }
        is("NoNewPrivs", "1");
        is("Seccomp", "2");
    }
}

/// The caller's own id is the sandbox's where there is no other, and the walls must still hold.
#[test]
fn nobody_of_the_same_id_can_look_into_who_waits() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    warm(&subject, &*prepared, 1);
    let warden = subject.backend().warden_id().expect("there is a warden");
    let all = descendants(warden);
    assert_eq!(all.len(), 2, "an init and a program that waits: {all:?}");
    for pid in all {
        if rustix::process::geteuid().is_root() {
            // Root may. Its own id may not: what is not dumpable has files of root's (proc_pid(5)).
            let user = status(pid, "Uid").expect("it waits");
            assert!(!user.split_whitespace().any(|id| id == "0"), "{pid} is {user}");
            let files = fs::metadata(format!("/proc/{pid}/mem")).expect("it waits");
            assert_eq!(files.uid(), 0, "{pid} can be looked into by {user}");
            continue;
        }
        for file in ["mem", "environ", "maps", "root", "cwd", "fd/0"] {
            let opened = fs::File::open(format!("/proc/{pid}/{file}"));
            let error = opened.err().and_then(|error| error.raw_os_error());
            assert!(matches!(error, Some(libc::EACCES | libc::EPERM)), "{pid} {file}: {error:?}");
        }
    }
}

#[test]
fn time_that_was_waited_is_not_the_runs() {
    let Some(subject) = subject() else { return };
    let job = Job::new(&subject, &guests::HELLO)
        .policy(|policy| policy.limits.wall_time = Duration::from_millis(400).into());
    let prepared = job.prepare();
    warm(&subject, &*prepared, 2);
    thread::sleep(Duration::from_millis(900));
    let report = start(&*prepared);
    assert!(had_waited(&report) && report.verdict.success(), "{report:?}");
    assert!(report.usage.wall_ns < 400_000_000, "{:?}", report.usage);
}

#[test]
fn limits_hold_from_the_start_on() {
    let Some(subject) = subject() else { return };
    let limited = |control: Control, job: Job<'_>| {
        let prepared = job.prepare();
        warm(&subject, &*prepared, 1);
        let report = start(&*prepared);
        assert!(had_waited(&report), "{:?}", report.timings);
        let by = match report.verdict {
            Verdict::Limit { control, .. } => Some(control),
            _ => None,
        };
        assert_eq!(by, Some(control), "{:?}", report.verdict);
        drop(prepared);
        assert!(soon(|| waiters(&subject).is_empty()));
    };
    let short = |policy: &mut stockade_core::Policy| {
        policy.limits.wall_time = Duration::from_millis(300).into();
    };
    limited(Control::WallTime, Job::new(&subject, &guests::SLEEP_FOREVER).policy(short));
    let brief = |policy: &mut stockade_core::Policy| {
        policy.limits.cpu_time = Duration::from_millis(200).into();
    };
    limited(Control::CpuTime, Job::new(&subject, &guests::SPIN).policy(brief));
    limited(Control::Memory, Job::new(&subject, &guests::MEMORY_BOMB));
    limited(Control::Processes, Job::new(&subject, &guests::FORK_BOMB));
}

#[test]
fn a_run_that_waited_is_killed_and_dropped_like_any_other() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::SLEEP_FOREVER).prepare();
    warm(&subject, &*prepared, 2);
    let run = prepared.start(Stdio::captured()).expect("it starts");
    let killer = run.killer();
    thread::spawn(move || killer.kill());
    assert_eq!(Job::wait(run).expect("it is reported").verdict, Verdict::Cancelled);
    drop(prepared.start(Stdio::streamed()).expect("it starts"));
    drop(prepared);
    let warden = subject.backend().warden_id().expect("there is a warden");
    assert!(soon(|| descendants(warden).is_empty()));
}

#[test]
fn one_that_was_killed_while_it_waited_is_not_given_out() {
    let Some(subject) = subject() else { return };
    if !is_root() {
        // The kernel lets nobody else kill them: they have another id, or more capabilities.
        return;
    }
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    for round in 0..3 {
        warm(&subject, &*prepared, 3);
        for pid in waiters(&subject).into_iter().take(round + 1) {
            let pid = Pid::from_raw(pid as i32).expect("a process id");
            // The first death may have taken the others along: its packet is one of those on the shelf.
            let killed = kill_process(pid, Signal::KILL);
            assert!(matches!(killed, Ok(()) | Err(Errno::SRCH)), "{killed:?}");
        }
        // One that was taken before its death was noticed has failed; it has not been a run.
        let run = prepared.start(Stdio::captured()).expect("it starts");
        match Job::wait(run) {
            Ok(report) => assert!(report.verdict.success(), "{:?}", report.verdict),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Setup, "{error:?}"),
        }
        for _ in 0..5 {
            assert!(soon(|| waiting(&subject) <= waiters(&subject).len() as u64));
            assert!(start(&*prepared).verdict.success());
        }
    }
    assert!(soon(|| waiting(&subject) == 3), "{:?}", subject.backend().census());
}

#[test]
fn a_new_warden_has_as_many_waiting() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    warm(&subject, &*prepared, 2);
    let theirs = descendants(subject.backend().warden_id().expect("there is a warden"));
    let warden = subject.backend().warden_id().expect("there is a warden");
    let warden = Pid::from_raw(warden as i32).expect("a process id");
    kill_process(warden, Signal::KILL).expect("it is ours");
    assert!(soon(|| !theirs.iter().copied().any(is_alive)), "{theirs:?}");
    assert!(start(&*prepared).verdict.success());
    assert!(soon(|| waiters(&subject).len() == 2));
    assert!(had_waited(&start(&*prepared)));
}

#[test]
fn threads_share_what_waits_and_no_run_is_had_twice() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::ECHO_STDIN).prepare();
    warm(&subject, &*prepared, 8);
    thread::scope(|scope| {
        for thread in 0..8 {
            let prepared = &prepared;
            scope.spawn(move || {
                for number in 0..50 {
                    let text = format!("{thread}/{number}");
                    let stdio = Stdio::captured().stdin(text.as_str());
                    let run = prepared.start(stdio).expect("it starts");
                    let report = Job::wait(run).expect("it is reported");
                    assert_eq!(String::from_utf8_lossy(&report.stdout), text);
                }
            });
        }
    });
    assert!(soon(|| waiters(&subject).len() == 8), "{:?}", subject.backend().census());
}

#[test]
fn a_program_that_cannot_be_executed_fails_as_it_does_without() {
    let Some(subject) = subject() else { return };
    let scratch = stockade_conformance::Scratch::new();
    let path = scratch.path().join("program");
    fs::write(&path, guests::HELLO.image).expect("a file can be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, mode).expect("it is ours");
    let mut policy = stockade_conformance::Subject::policy(&subject);
    policy.filesystem.mounts.push(stockade_core::Mount::read_only(scratch.path(), "/data"));
    let program = stockade_core::Program::executable("/data/program");
    let prepared = stockade_core::Sandbox::prepare(subject.backend(), &policy, &program)
        .expect("it can be prepared");
    warm(&subject, &*prepared, 1);
    fs::remove_file(&path).expect("it is ours");
    let run = prepared.start(Stdio::captured()).expect("it starts");
    let error = Job::wait(run).expect_err("there is nothing to execute");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}

#[test]
fn a_sandbox_that_cannot_be_built_is_not_tried_over_and_over() {
    let Some(subject) = subject() else { return };
    let scratch = stockade_conformance::Scratch::new();
    let below = scratch.path().join("below");
    fs::create_dir(&below).expect("a directory can be made");
    let mut policy = stockade_conformance::Subject::policy(&subject);
    policy.filesystem.mounts.push(stockade_core::Mount::read_only(&below, "/data"));
    policy.process.cwd = "/data/deeper".to_owned();
    let program = stockade_core::Program::executable("true");
    fs::create_dir(below.join("deeper")).expect("a directory can be made");
    let prepared = stockade_core::Sandbox::prepare(subject.backend(), &policy, &program)
        .expect("it can be prepared");
    fs::remove_dir(below.join("deeper")).expect("it is empty");
    prepared.warm(4).expect("it is no wish too many");
    let (begun, mut seen) = (Instant::now(), std::collections::BTreeSet::new());
    let warden = subject.backend().warden_id().expect("there is a warden");
    while begun.elapsed() < Duration::from_millis(1500) {
        seen.extend(descendants(warden));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(seen.len() <= 16, "{} processes were tried", seen.len());
    let run = prepared.start(Stdio::captured()).expect("it starts");
    assert_eq!(Job::wait(run).expect_err("it cannot be built").kind(), ErrorKind::Setup);
}
