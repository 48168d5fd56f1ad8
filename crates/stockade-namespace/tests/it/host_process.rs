//! The process that uses the library: whatever state it is in, and however it ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio as Pipes};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use stockade_conformance::{Job, Scratch};
use stockade_core::{Mount, Stdio};
use stockade_guests as guests;

use crate::alone::{alone, is_alone, itself};
use crate::machine::{cgroups, descendants, is_alive, is_root, soon, subject};
use crate::view::printed;

/// As many processes as there are of four sandboxes at least.
const ALL: usize = 7;

/// Acts as a host: starts sandboxes, says the warden's process id, and waits to be killed.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn act_as_a_host() {
    let Some(subject) = subject() else { return };
    let start = |guest: &guests::Guest| Job::new(&subject, guest).start(Stdio::captured());
    let _runs = [
        start(&guests::SLEEP_FOREVER),
        start(&guests::SPIN),
        start(&guests::GRANDCHILD_HOLDS_PIPE),
        start(&guests::IGNORE_SIGNALS_AND_STOP),
    ];
    let warden = subject.backend().warden_id().expect("there is a warden");
    let all = || descendants(warden);
    assert!(soon(|| all().len() >= ALL), "init and workload of each: {:?}", all());
    println!("\nwarden {warden}");
    std::io::stdout().flush().expect("somebody reads it");
    // Ends by itself, should the parent forget it.
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_host_killed_in_mid_run_leaves_nothing_alive() {
    if is_alone() {
        return act_as_a_host();
    }
    dies_and_leaves_nothing("a_host_killed_in_mid_run_leaves_nothing_alive", |warden| {
        let all = descendants(warden);
        assert!(all.len() >= 7, "init and workload of each: {all:?}");
    });
}

#[test]
fn a_host_killed_while_its_warden_is_stopped_leaves_nothing_alive() {
    if is_alone() {
        return act_as_a_host();
    }
    dies_and_leaves_nothing(
        "a_host_killed_while_its_warden_is_stopped_leaves_nothing_alive",
        |warden| {
            let pid = i32::try_from(warden).ok().and_then(Pid::from_raw).expect("a process id");
            kill_process(pid, Signal::STOP).expect("it is ours");
        },
    );
}

#[test]
fn a_host_killed_while_it_has_roots_built_leaves_nothing_alive() {
    if is_alone() {
        return build_roots_without_end();
    }
    for _ in 0..5 {
        // Most of the time one is being built.
        let name = "a_host_killed_while_it_has_roots_built_leaves_nothing_alive";
        dies_and_leaves_nothing(name, |_| thread::sleep(Duration::from_millis(50)));
    }
}

/// Has new roots built by a warden, one after the other, until it is killed.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn build_roots_without_end() {
    let Some(subject) = subject() else { return };
    println!("\nwarden {}", subject.backend().warden_id().expect("there is a warden"));
    let begun = Instant::now();
    // Ends by itself, should the parent forget it.
    while begun.elapsed() < Duration::from_secs(60) {
        // Many files take a while.
        let all =
            (0..1000).map(|n| Mount::file(format!("/files/{n}"), format!("{:?}", begun.elapsed())));
        let job = all.fold(Job::new(&subject, &guests::HELLO), Job::mount);
        let _ = job.try_prepare();
    }
}

/// Starts the test `name` of this file as a host, kills it after `before` was called with its
/// warden's process id, and looks for what is left.
fn dies_and_leaves_nothing(name: &str, before: impl FnOnce(u32)) {
    if subject().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let mut host = itself(module_path!(), name)
        .env("TMPDIR", scratch.path())
        .stdin(Pipes::null())
        .stdout(Pipes::piped())
        .spawn()
        .expect("the test binary starts");
    let output = BufReader::new(host.stdout.take().expect("it is piped"));
    let warden = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("warden ")?.parse().ok())
        .expect("the host starts its sandboxes");
    before(warden);
    let mut all = descendants(warden);
    all.push(warden);

    host.kill().expect("it is ours");
    host.wait().expect("it has ended");
    assert!(soon(|| !all.iter().copied().any(is_alive)), "{all:?}");
    assert!(soon(|| cgroups(host.id()).is_empty()), "{:?}", cgroups(host.id()));
    let left: Vec<_> = std::fs::read_dir(scratch.path()).expect("it was made above").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn descriptors_that_a_threaded_host_leaks_are_not_inside() {
    let Some(subject) = crate::machine::subject_with_proc() else { return };
    alone(module_path!(), "descriptors_that_a_threaded_host_leaks_are_not_inside", || {
        // Threads that end with the process.
        for _ in 0..8 {
            thread::spawn(|| {
                loop {
                    thread::yield_now();
                }
            });
        }
        let mut leaked: Vec<OwnedFd> = Vec::new();
        for _ in 0..16 {
            let (one, other) = UnixStream::pair().expect("sockets can be made");
            leaked.extend([OwnedFd::from(one), OwnedFd::from(other)]);
            leaked.push(File::open("/").expect("it is there").into());
        }
        for fd in &leaked {
            fcntl_setfd(fd, FdFlags::empty()).expect("it is open");
        }
        // The warden of this one is launched while they are open, that of the other was before.
        let late = crate::machine::subject();
        for subject in [Some(&subject), late.as_ref()].into_iter().flatten() {
            let report = Job::new(subject, &guests::LIST_FDS).run();
            assert_eq!(printed(&report).lines().count(), 3, "{}", printed(&report));
        }
    });
}

#[test]
fn a_warden_holds_nothing_of_its_host() {
    let Some(subject) = subject() else { return };
    alone(module_path!(), "a_warden_holds_nothing_of_its_host", || {
        let scratch = Scratch::new();
        let file = File::create(scratch.path().join("leaked")).expect("a file can be made");
        fcntl_setfd(&file, FdFlags::empty()).expect("it is open");
        let late = crate::machine::subject().expect("there is one already");
        let warden = late.backend().warden_id().expect("there is a warden");
        let open = std::fs::read_dir(format!("/proc/{warden}/fd"));
        // A warden of another user does not let itself be looked at.
        for entry in open.into_iter().flatten().flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            assert!(!target.starts_with(scratch.path()), "{}", target.display());
        }
        drop(subject);
    });
}

#[test]
fn a_sandbox_holds_one_plan_and_nothing_of_its_wardens_state() {
    let Some(subject) = subject() else { return };
    if !is_root() {
        return;
    }
    let _others =
        [Job::new(&subject, &guests::HELLO).prepare(), Job::new(&subject, &guests::CAT).prepare()];
    let run = Job::new(&subject, &guests::SLEEP_FOREVER).start(Stdio::captured());
    let warden = subject.backend().warden_id().expect("there is a warden");
    assert!(soon(|| descendants(warden).len() == 2), "{:?}", descendants(warden));
    let init = descendants(warden)[0];
    let (wardens, inits) = (mappings(warden), mappings(init));
    let plans = |of: &[Mapping]| of.iter().filter(|one| one.name.contains("stockade-plan")).count();
    assert_eq!((plans(&wardens), plans(&inits)), (3, 1));
    // Its state is the largest by far that it has for itself.
    let own = |of: &[Mapping]| {
        of.iter().filter(|one| one.private && one.name.is_empty()).map(|one| one.size).max()
    };
    assert!(own(&wardens).is_some_and(|size| size > 1 << 20), "{:?}", own(&wardens));
    assert!(own(&inits).is_none_or(|size| size < 1 << 16), "{:?}", own(&inits));
    run.killer().kill();
    Job::wait(run).expect("the run is reported");
}

/// A line of proc_pid_maps(5).
struct Mapping {
    size: u64,
    private: bool,
    name: String,
}

fn mappings(pid: u32) -> Vec<Mapping> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it is there");
    let mapping = |line: &str| {
        let mut fields = line.split_whitespace();
        let (from, to) = fields.next()?.split_once('-')?;
        let at = |hex| u64::from_str_radix(hex, 16).ok();
        let private = fields.next()?.ends_with('p');
        Some(Mapping {
            size: at(to)? - at(from)?,
            private,
            name: fields.nth(3).unwrap_or_default().to_owned(),
        })
    };
    text.lines().filter_map(mapping).collect()
}

#[test]
fn a_host_that_ignores_its_children_works() {
    if is_alone() {
        let Some(subject) = subject() else { return };
        assert!(Job::new(&subject, &guests::HELLO).run().verdict.success());
        return;
    }
    if subject().is_none() {
        return;
    }
    let itself = itself(module_path!(), "a_host_that_ignores_its_children_works");
    // A signal that is ignored stays so in what is executed.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"trap "" CHLD; exec "$0" "$@""#]).arg(itself.get_program());
    shell.args(itself.get_args());
    for (key, value) in itself.get_envs().filter_map(|(key, value)| Some((key, value?))) {
        shell.env(key, value);
    }
    let output = shell.stdin(Pipes::null()).output().expect("the shell starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
