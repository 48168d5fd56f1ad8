//! On the control groups of this machine, below the group that the test is in.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

/// A container's groups, with a process in them that does what it is told once it is inside.
pub(super) struct Container {
    pub(super) cgroup: Cgroup,
    pub(super) child: Child,
}

impl Container {
    /// `None` where groups cannot be made, after saying so.
    pub(super) fn new(test: &str, value: serde_json::Value, script: &str) -> Option<Self> {
        let mut cgroup = plan(test)?;
        cgroup.create(Some(&resources(value))).expect("groups below the own one");
        Some(Self::inside(cgroup, script))
    }

    pub(super) fn inside(cgroup: Cgroup, script: &str) -> Self {
        let script = format!("read go; {script}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a shell");
        let pid = i32::try_from(child.id()).expect("a pid");
        let entered = cgroup.enter(pid);
        // The end of its input is a line enough.
        drop(child.stdin.take());
        let container = Self { cgroup, child };
        entered.expect("the process goes into the groups");
        container
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    pub(super) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("it is a child")
    }

    /// Where the group of a controller is.
    pub(super) fn dir(&self, controller: &str) -> Option<PathBuf> {
        let group = self.cgroup.groups.iter().find(|group| group.has(controller))?;
        Some(PathBuf::from(group.shown()))
    }

    pub(super) fn read(&self, controller: &str, file: &str) -> Option<String> {
        let path = self.dir(controller)?.join(file);
        Some(fs::read_to_string(path).expect("the file is there").trim().to_owned())
    }

    /// Waits until so many processes are inside.
    pub(super) fn holds(&self, count: usize) {
        until(|| self.cgroup.pids().expect("there are groups").len() >= count);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.cgroup.remove();
    }
}

/// Groups without a process, which do not outlive the test.
pub(super) struct Empty(pub(super) Cgroup);

impl Drop for Empty {
    fn drop(&mut self) {
        self.0.made = true;
        let _ = self.0.remove();
    }
}

pub(super) fn until(mut come: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !come() {
        assert!(Instant::now() < deadline, "it does not come true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Groups below the own one on a host with version 1.
pub(super) fn plan(test: &str) -> Option<Cgroup> {
    if !rustix::process::geteuid().is_root() {
        skip(test, "not root");
        return None;
    }
    let cgroup =
        Cgroup::plan(&spec(Some(&unique(test))), "id", false, false).expect("/proc is there");
    if cgroup.alone || cgroup.groups.is_empty() {
        skip(test, "no control groups of version 1");
        return None;
    }
    let writable = |group: &Group| rustix::fs::access(&group.point, rustix::fs::Access::WRITE_OK);
    if cgroup.groups.iter().any(|group| writable(group).is_err()) {
        skip(test, "control groups are read-only");
        return None;
    }
    Some(cgroup)
}

#[test]
fn a_process_is_in_every_group_and_all_of_them_go() {
    let test = "a_process_is_in_every_group_and_all_of_them_go";
    let Some(mut container) = Container::new(test, json!({}), "exec sleep 60") else { return };
    let pid = container.pid();
    for group in &container.cgroup.groups {
        let text = fs::read_to_string(format!("{}/cgroup.procs", group.shown()));
        let text = text.expect("the group is there");
        assert!(text.lines().any(|line| line == pid.to_string()), "{}", group.shown());
    }
    assert_eq!(container.cgroup.pids().expect("there are groups"), [pid]);
    container.cgroup.remove().expect("what is inside is killed");
    assert_eq!(container.wait().signal(), Some(9));
    for group in &container.cgroup.groups {
        assert!(!Path::new(&group.shown()).exists(), "{}", group.shown());
    }
    container.cgroup.remove().expect("again is fine");
    assert!(container.cgroup.pids().expect("gone groups are empty").is_empty());
}

#[test]
fn a_process_goes_into_every_group_by_itself() {
    let test = "a_process_goes_into_every_group_by_itself";
    let Some(cgroup) = plan(test) else { return };
    let mut cgroup = Empty(cgroup);
    cgroup.0.create(None).expect("groups below the own one");
    let doors = cgroup.0.doors().expect("all are there").expect("no unit is to be started");
    assert!(doors.birthplace().is_some() || cgroup.0.freezers().count() == 1);
    // A thread stands for a process that has only one; `cgroup.procs` would move all of them.
    let id = std::thread::scope(|scope| {
        let inside = || {
            doors.pass(true).expect("the thread goes into the groups");
            let text = fs::read_to_string("/proc/thread-self/cgroup").expect("/proc is there");
            for group in cgroup.0.groups.iter().filter(|group| group.version == Version::V1) {
                let name = group.controllers.join(",");
                let is =
                    |line: &str| line.contains(&format!(":{name}:")) && line.ends_with(&group.path);
                assert!(text.lines().any(is), "{name}: {text}");
            }
        };
        scope.spawn(inside).join()
    });
    id.expect("it comes to an end");
}

#[test]
fn limits_are_what_was_asked_for() {
    let test = "limits_are_what_was_asked_for";
    let value = json!({
        "memory": { "limit": 67_108_864, "swap": 134_217_728, "reservation": 33_554_432 },
        "cpu": { "shares": 512, "quota": 20_000, "period": 50_000, "cpus": "0" },
        "pids": { "limit": 17 },
    });
    let Some(container) = Container::new(test, value, "exec sleep 60") else { return };
    let expected = [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.memsw.limit_in_bytes", "134217728"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "20000"),
        ("cpu", "cpu.cfs_period_us", "50000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("pids", "pids.max", "17"),
    ];
    for (controller, file, value) in expected {
        assert_eq!(container.read(controller, file).as_deref(), Some(value), "{file}");
    }
    // Both up and down, whatever was there before.
    for (limit, swap) in [(200_000_000, 300_000_000), (50_003_968, 60_002_304), (-1, 0)] {
        let memory = json!({ "memory": { "limit": limit, "swap": swap } });
        container.cgroup.update(&resources(memory)).expect("the kernel takes it");
    }
    let total = container.read("memory", "memory.memsw.limit_in_bytes").expect("it is there");
    assert_eq!(total, "9223372036854771712");
    let failure = container
        .cgroup
        .update(&resources(json!({ "pids": { "limit": 5 }, "cpu": { "shares": 1 } })))
        .expect_err("the kernel brings it into its range")
        .to_string();
    assert_eq!(failure, "the minimum allowed cpu-shares is 2");
    assert_eq!(container.read("cpu", "cpu.shares").as_deref(), Some("512"));
    assert_eq!(container.read("pids", "pids.max").as_deref(), Some("17"));
}

#[test]
fn devices_outside_of_the_rules_cannot_be_opened() {
    let test = "devices_outside_of_the_rules_cannot_be_opened";
    let deny = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    let script = "echo x > /dev/null && head -c1 /dev/zero && ! head -c0 /dev/kmsg";
    let Some(mut container) = Container::new(test, deny, script) else { return };
    assert!(container.wait().success());
    let mut allow = Container::new(
        test,
        json!({ "devices": [{ "allow": true, "access": "rwm" }] }),
        "head -c0 /dev/kmsg",
    )
    .expect("as before");
    assert!(allow.wait().success());
}

#[test]
fn a_paused_container_does_not_run_and_goes_on() {
    let test = "a_paused_container_does_not_run_and_goes_on";
    let script = "while :; do sh -c :; done";
    let Some(container) = Container::new(test, json!({}), script) else { return };
    assert!(!container.cgroup.is_frozen());
    for _ in 0..5 {
        container.cgroup.freeze().expect("it freezes while it forks");
        assert!(container.cgroup.is_frozen());
        let used = || container.cgroup.stats().expect("there are groups").cpu_total();
        // A process counts as frozen a moment before it has left its processor.
        std::thread::sleep(Duration::from_millis(10));
        let before = used();
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(used(), before);
        container.cgroup.thaw().expect("it thaws");
        assert!(!container.cgroup.is_frozen());
        until(|| used() > before);
    }
    container.cgroup.freeze().expect("it freezes");
    container.cgroup.remove().expect("what is frozen is killed too");
}

#[test]
fn version_1_alone_freezes_and_kills_too() {
    let test = "version_1_alone_freezes_and_kills_too";
    let Some(mut cgroup) = plan(test) else { return };
    cgroup.groups.retain(|group| group.version == Version::V1);
    cgroup.create(None).expect("groups below the own one");
    let mut container = Container::inside(cgroup, "while :; do sh -c :; done");
    container.cgroup.freeze().expect("it freezes while it forks");
    assert_eq!(container.read("freezer", "freezer.state").as_deref(), Some("FROZEN"));
    assert!(container.cgroup.is_frozen());
    // A paused one stays so when it is only told something.
    container.cgroup.signal(Signal::CONT).expect("it is told");
    assert!(container.cgroup.is_frozen());
    container.cgroup.signal(Signal::KILL).expect("it is killed");
    assert_eq!(container.wait().signal(), Some(9));
    until(|| container.cgroup.pids().expect("there are groups").is_empty());
}

#[test]
fn every_process_gets_a_signal_and_none_escapes_by_forking() {
    let test = "every_process_gets_a_signal_and_none_escapes_by_forking";
    let script = "for n in 1 2 3 4 5; do (trap '' HUP; while :; do sh -c :; done) & done; wait";
    let Some(mut container) = Container::new(test, json!({}), script) else { return };
    container.holds(6);
    container.cgroup.signal(Signal::TERM).expect("all are there");
    assert_eq!(container.wait().signal(), Some(15));
    until(|| container.cgroup.pids().expect("there are groups").is_empty());
    assert!(!container.cgroup.is_frozen());
}

#[test]
fn statistics_count_what_is_used() {
    let test = "statistics_count_what_is_used";
    let value = json!({ "pids": { "limit": 9 }, "memory": { "limit": 67_108_864 } });
    let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; exec sleep 60";
    let Some(mut container) = Container::new(test, value, script) else { return };
    let mut line = [0];
    let output = container.child.stdout.as_mut().expect("a pipe");
    io::Read::read_exact(output, &mut line).expect("it has counted");
    let stats = container.cgroup.stats().expect("there are groups");
    assert_eq!((stats.pids.current, stats.pids.limit), (1, 9));
    assert_eq!(stats.memory.usage.limit, 67_108_864);
    assert!(stats.memory.usage.usage > 0);
    let value = serde_json::to_value(stats).expect("it is plain data");
    assert!(value["cpu"]["usage"]["total"].as_u64().is_some_and(|time| time > 1_000_000));
    assert!(value["memory"]["raw"]["hierarchical_memory_limit"].is_u64());
    assert_eq!(value["cpuset"]["cpus"][0], json!(0));
}

#[test]
fn want_of_memory_is_heard_of() {
    let test = "want_of_memory_is_heard_of";
    let value = json!({ "memory": { "limit": 8_388_608, "swap": 8_388_608 } });
    let script = "x=$(head -c 64000000 /dev/zero | tr '\\0' x)";
    let Some(mut container) = Container::new(test, value, &format!("sleep 0.3; {script}")) else {
        return;
    };
    let mut oom = container.cgroup.oom().expect("memory is counted");
    assert!(ready(&oom, 20));
    assert!(oom.read().expect("an event").killed);
    container.wait();
    while ready(&oom, 0) {
        oom.read().expect("an event");
    }
    container.cgroup.remove().expect("all goes");
    assert!(ready(&oom, 20));
    assert!(oom.read().expect("an event").over);
}

pub(super) fn ready(oom: &Oom, seconds: i64) -> bool {
    let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let mut fds = [PollFd::from_borrowed_fd(oom.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).expect("a good descriptor") == 1
}

#[test]
fn what_is_remembered_is_enough_to_go_on() {
    let test = "what_is_remembered_is_enough_to_go_on";
    let Some(container) = Container::new(test, json!({}), "exec sleep 60") else { return };
    let text = serde_json::to_string(&container.cgroup).expect("it is plain data");
    let cgroup: Cgroup = serde_json::from_str(&text).expect("it was written so");
    assert_eq!(cgroup.pids().expect("there are groups"), [container.pid()]);
    cgroup.remove().expect("all goes");
}
