//! On version 2: a group of the hierarchy that a hybrid host has, taken for where all is mounted. It has
//! no controllers of use, but all of the core, and runs programs.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::real::{Container, Empty};
use super::*;
use crate::sys::bpf;

/// A group that stands for a mount point, and one below it, the only one of a container.
struct Host {
    cgroup: Empty,
    point: PathBuf,
    lent: Option<Lent>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.cgroup.0.made = true;
        let _ = self.cgroup.0.remove();
        let _ = fs::remove_dir(&self.point);
    }
}

/// What the real mount point hands on for the time of one test.
pub(super) struct Lent {
    undo: Option<(PathBuf, String)>,
    /// Not of two at once: the first to end would take it from the other.
    _alone: MutexGuard<'static, ()>,
}

impl Lent {
    /// Whether it does, and that it is as it was in the end.
    pub(super) fn new(point: &Path, controller: &str, now: bool) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let file = point.join("cgroup.subtree_control");
        let enabled = fs::read_to_string(&file).expect("a mount point");
        let undo = if enabled.split_whitespace().any(|name| name == controller) {
            None
        } else {
            if now {
                fs::write(&file, format!("+{controller}")).expect("it is offered");
            }
            Some((file, format!("-{controller}")))
        };
        Self { undo, _alone: alone }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((file, line)) = &self.undo {
            let _ = fs::write(file, line);
        }
    }
}

impl Host {
    fn new(test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skip(test, "not root");
            return None;
        }
        let name = unique(test);
        let mut cgroup = Cgroup::plan(&spec(Some("/inner")), "id", false, false).expect("/proc");
        cgroup.groups.retain(|group| group.version == Version::V2);
        cgroup.alone = true;
        let Some(group) = cgroup.groups.first_mut() else {
            skip(test, "no control groups of version 2");
            return None;
        };
        let point = Path::new(&group.point).join(name);
        if let Err(error) = fs::create_dir(&point) {
            skip(test, &format!("no control group can be made: {error}"));
            return None;
        }
        group.point = point.to_str().expect("text").to_owned();
        Some(Self { cgroup: Empty(cgroup), point, lent: None })
    }

    /// Has the mount point above hand on a controller.
    fn lend(&mut self) -> Option<String> {
        let above = self.point.parent().expect("a mount point");
        let offered = fs::read_to_string(above.join("cgroup.controllers")).ok()?;
        let controller = offered.split_whitespace().next()?.to_owned();
        self.lent = Some(Lent::new(above, &controller, true));
        Some(controller)
    }

    fn run(&mut self, value: serde_json::Value, script: &str) -> Container {
        let mut cgroup = self.cgroup.0.clone();
        cgroup.create(Some(&resources(value))).expect("a group");
        Container::inside(cgroup, script)
    }
}

#[test]
fn a_program_decides_on_devices() {
    let test = "a_program_decides_on_devices";
    let deny = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    let script = "echo x > /dev/null && head -c1 /dev/zero && ! head -c0 /dev/kmsg";
    let Some(mut host) = Host::new(test) else { return };
    assert!(host.run(deny, script).wait().success());
    let some = json!({ "devices": [
        { "allow": true, "type": "c", "major": 1, "access": "rwm" },
        { "allow": false, "type": "c", "major": 1, "minor": 11, "access": "w" }
    ] });
    let script = "head -c0 /dev/kmsg && ! (: > /dev/kmsg) && ! (: <> /dev/kmsg)";
    assert!(host.run(some, script).wait().success());
}

#[test]
fn a_program_of_a_container_before_is_taken_away() {
    let test = "a_program_of_a_container_before_is_taken_away";
    let Some(mut host) = Host::new(test) else { return };
    let cgroup = &mut host.cgroup.0;
    cgroup.create(None).expect("a group");
    let attached = |cgroup: &Cgroup| {
        let doors = cgroup.doors().expect("the group is there").expect("there is no unit");
        bpf::attached_programs(doors.birthplace().expect("the group is there"))
            .expect("it may be asked")
            .len()
    };
    assert_eq!(attached(cgroup), 1);
    cgroup.create(None).expect("it is empty");
    assert_eq!(attached(cgroup), 1);
    let all = json!({ "devices": [{ "allow": true, "access": "rwm" }] });
    cgroup.create(Some(&resources(all))).expect("it is empty");
    assert_eq!(attached(cgroup), 0);
    cgroup.remove().expect("all goes");
}

#[test]
fn version_2_freezes_and_kills_at_once() {
    let test = "version_2_freezes_and_kills_at_once";
    let Some(mut host) = Host::new(test) else { return };
    let mut container = host.run(json!({}), "while :; do sh -c :; done");
    container.cgroup.freeze().expect("it freezes while it forks");
    assert!(container.cgroup.is_frozen());
    assert!(container.cgroup.stats().expect("there is a group").pids.current >= 1);
    container.cgroup.signal(Signal::KILL).expect("what is frozen dies too");
    container.wait();
    container.cgroup.remove().expect("all goes");
    container.cgroup.doors().expect_err("there is no group");
}

#[test]
fn a_process_goes_where_init_is_when_the_group_is_no_leaf() {
    let test = "a_process_goes_where_init_is_when_the_group_is_no_leaf";
    let Some(mut host) = Host::new(test) else { return };
    let Some(controller) = host.lend() else {
        skip(test, "no controller on version 2");
        return;
    };
    let container = host.run(json!({}), "exec sleep 60");
    let group = PathBuf::from(container.cgroup.groups[0].shown());
    let inner = group.join("init scope/x");
    fs::create_dir_all(&inner).expect("a sub-group");
    fs::write(inner.join("cgroup.procs"), container.pid().to_string()).expect("it moves");
    let hand_on = format!("+{controller}");
    fs::write(group.join("cgroup.subtree_control"), hand_on).expect("no process is in the way");
    let second = std::process::Command::new("sleep").arg("60").spawn();
    let mut second = second.expect("a second process");
    let pid = i32::try_from(second.id()).expect("a pid");
    let alone = container.cgroup.enter(pid);
    let beside = container.cgroup.enter_beside(pid, Some(container.pid()));
    let inside = fs::read_to_string(inner.join("cgroup.procs")).expect("it is there");
    let _ = second.kill();
    let _ = second.wait();
    alone.expect_err("the group hands on controllers");
    beside.expect("init is in another");
    assert!(inside.lines().any(|line| line == pid.to_string()), "{inside}");
}

#[test]
fn a_limit_without_controller_says_so_and_leaves_nothing() {
    let test = "a_limit_without_controller_says_so_and_leaves_nothing";
    let Some(mut host) = Host::new(test) else { return };
    let cgroup = &mut host.cgroup.0;
    let group = cgroup.groups[0].clone();
    let offered = fs::read_to_string(host.point.join("cgroup.controllers"));
    if offered.expect("it is there").contains("memory") {
        skip(test, "version 2 has memory here");
        return;
    }
    let memory = resources(json!({ "memory": { "limit": 1_048_576 } }));
    let failure = cgroup.create(Some(&memory)).expect_err("no such file").to_string();
    assert!(failure.contains("`1048576` to memory.max"), "{failure}");
    assert!(failure.contains("the controller `memory` is not available there"), "{failure}");
    assert!(!Path::new(&group.shown()).exists());
}
