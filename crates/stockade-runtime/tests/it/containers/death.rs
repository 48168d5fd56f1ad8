//! The runtime is killed in the middle of what it does.

use std::env;
use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use crate::container::{Container, reap, until};
use crate::runtime::{cannot_run, is_not_ours};

/// Places in the time that a command takes, each of which is met once in every command; fewer on a
/// machine that is emulated.
fn places() -> u32 {
    let given = env::var("STOCKADE_TEST_PLACES").ok();
    given.map_or(64, |text| text.parse().expect("STOCKADE_TEST_PLACES is a number"))
}

/// Kills a command of the runtime at a place of the time that it takes.
fn killed(container: &Container, words: &[&str], after: Duration) {
    let mut command = container.runtime();
    command.args(words);
    let file = |name: &str| File::create(container.file(name)).expect("a file");
    command.stdout(file("stdout")).stderr(file("stderr"));
    let mut child = command.spawn().expect("the runtime starts");
    let begun = Instant::now();
    while begun.elapsed() < after {
        thread::sleep(Duration::from_micros(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// How long a command takes when nothing ends it.
fn duration(command: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    command();
    begun.elapsed()
}

/// Whatever is left is removed by force, and then nothing is.
fn removed(container: &Container, when: &str) {
    // What was killed may have children that are still on their way out.
    until(&format!("force removes it, {when}"), || container.on(&["delete", "--force"]).code == 0);
    until(&format!("nothing is left, {when}: {:?}", container.traces()), || {
        reap_orphans();
        container.traces().is_empty()
    });
}

/// Waits for the first processes of containers whose makers were killed before they told their pids.
pub(super) fn reap_orphans() {
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
        let comm = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let dead = comm.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"));
        let ours = comm.contains("(sleep)") || comm.contains("stockade-oci");
        if let Some(pid) = rustix::process::Pid::from_raw(child).filter(|_| dead && ours) {
            let _ = reap(pid);
        }
    }
}

#[test]
fn a_runtime_killed_at_any_moment_leaves_what_delete_by_force_removes() {
    if cannot_run() || is_not_ours() {
        return;
    }
    let bundle =
        |container: &Container| container.bundle.path().to_str().expect("a name").to_owned();
    let mut probe = Container::sleeper();
    let create = duration(|| drop(probe.create().ok()));
    let start = duration(|| drop(probe.on(&["start"]).ok()));
    let delete = duration(|| drop(probe.on(&["delete", "--force"]).ok()));
    drop(probe);
    let places = places();
    for place in 0..places {
        let when = format!("killed at {place}/{places} of");
        let container = Container::sleeper();
        container.bundle.write();
        let words = ["create", "--bundle", &bundle(&container), &container.id];
        killed(&container, &words, create * place / places);
        removed(&container, &format!("{when} create"));

        let mut container = Container::sleeper();
        container.create().ok();
        killed(&container, &["start", &container.id], start * place / places);
        removed(&container, &format!("{when} start"));
        drop(container);

        let container = Container::sleeping();
        killed(&container, &["delete", "--force", &container.id], delete * place / places);
        removed(&container, &format!("{when} delete"));
    }
}
