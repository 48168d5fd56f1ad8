//! A service manager is played by a script. The real one is in the virtual machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use stockade_core::{Ability, Control};

use super::*;
use crate::cgroup::Hierarchies;

/// A program in a folder of its own, removed with it.
struct Launcher(PathBuf);

impl Launcher {
    fn new(name: &str, script: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stockade-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let launcher = Self(folder);
        // Written by another process: one that is forked here meanwhile would hold it open.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#;
        let written =
            Command::new("sh").args(["-c", write]).arg(launcher.path()).arg(script).status();
        assert!(written.expect("sh starts").success());
        launcher
    }

    fn path(&self) -> PathBuf {
        self.0.join("launcher")
    }

    fn manager(&self, own: &Path) -> Manager {
        Manager::pretend(self.path(), own.to_owned())
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A host that is wanting a group, and is given this manager to ask.
fn wanting(manager: Manager) -> Host {
    let mut host = Host::look();
    let lack = || Err(Lack { reason: "undelegated".to_owned(), fix: Some("delegate".to_owned()) });
    host.cgroups = Cgroups {
        parents: Vec::new(),
        memory: lack(),
        tasks: lack(),
        cpu_time: lack(),
        cpu_rate: lack(),
        home: Home::Wanting(manager),
    };
    host
}

fn memory(host: &Host) -> Ability {
    host.support(0, false).ability(Control::Memory)
}

/// What comes of it, if namespaces can be made here.
fn wardens(host: Host) -> Option<Wardens> {
    match Wardens::new(host) {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        other => Some(other.expect("there is a warden, in a scope or not")),
    }
}

#[test]
fn without_a_scope_the_answer_is_the_one_before_and_says_what_was_tried() {
    let last = r#"for word; do :; done; exec "$word""#;
    for (name, script, said) in [
        ("declines", "echo Failed to connect to bus: No such file >&2; exit 1", "connect to bus"),
        ("hangs", "exec sleep 600", "did not come to an end"),
        ("lies", last, "the helper is not in stockade-"),
        ("vanishes", "exit 0", "the helper process that holds"),
        ("silent", "exit 3", "nothing was said"),
    ] {
        let launcher = Launcher::new(name, script);
        let own = Path::new("/sys/fs/cgroup/own");
        let Some(wardens) = wardens(wanting(launcher.manager(own))) else { continue };
        let Ability::Approximated { reason, fix, .. } = memory(&wardens.host) else {
            panic!("{:?}", memory(&wardens.host))
        };
        assert!(reason.contains("undelegated; a scope of"), "{reason}");
        assert!(reason.contains(said), "{name}: {reason}");
        assert_eq!(fix.as_deref(), Some("delegate"));
        assert_eq!(wardens.host.cgroups.home, Home::Given);
    }
    let nobody = Manager::pretend("/nonexistent".into(), "/sys/fs/cgroup/own".into());
    if let Some(wardens) = wardens(wanting(nobody)) {
        assert!(format!("{:?}", memory(&wardens.host)).contains("cannot execute the helper"));
    }
}

#[test]
fn looking_asks_nobody() {
    let touched = Launcher::new("looked", "touch \"${0%/*}/asked\"; exit 1");
    let host = wanting(touched.manager(Path::new("/sys/fs/cgroup/own")));
    assert!(matches!(memory(&host), Ability::Approximated { .. }));
    assert!(!touched.0.join("asked").exists());
    drop(wardens(host));
    assert!(touched.0.join("asked").exists());
}

/// Groups that a script made, removed once they are empty.
struct Groups(PathBuf);

impl Groups {
    fn new() -> Option<Self> {
        let own = Hierarchies::read().expect("/proc is mounted").v2?.own;
        let dir = own.join(format!("manager-{}", std::process::id()));
        fs::create_dir(&dir).is_ok().then_some(Self(dir))
    }

    /// The scopes, each with the processes in its leaf.
    fn scopes(&self) -> Vec<(PathBuf, String)> {
        let entries = fs::read_dir(&self.0)
            .expect("it was made")
            .filter_map(|entry| Some(entry.ok()?.path()));
        let leaf = |dir: &PathBuf| fs::read_to_string(dir.join("main/cgroup.procs"));
        entries
            .filter_map(|dir| leaf(&dir).ok().map(|leaf| (dir, leaf.trim().to_owned())))
            .collect()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for _ in 0..200 {
            self.scopes().iter().for_each(|(dir, _)| {
                let _ = fs::remove_dir(dir.join("main")).and_then(|()| fs::remove_dir(dir));
            });
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// What systemd-run does to the process that it is: puts it into a group of the unit's name.
fn obliging(groups: &Groups) -> String {
    format!(
        "for word; do case $word in --unit=*) unit=${{word#--unit=}};; esac; done\n\
         mkdir '{dir}'/$unit && echo $$ > '{dir}'/$unit/cgroup.procs && exec \"$word\"",
        dir = groups.0.display()
    )
}

/// Kills the warden and waits until that is noticed.
fn kill(wardens: &Wardens, warden: u32) {
    let link = wardens.link(false).expect("it is there");
    let warden = i32::try_from(warden).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(warden, Signal::KILL).expect("it is ours");
    assert!((0..100).any(|_| link.has_gone(50)));
}

#[test]
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn each_warden_has_a_scope_of_its_own_and_the_host_stays_where_it_is() {
    let name = "each_warden_has_a_scope_of_its_own_and_the_host_stays_where_it_is";
    let before = fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted");
    let Some(groups) = Groups::new() else {
        println!("SKIP: {name}: no writable cgroup2");
        return;
    };
    let launcher = Launcher::new("obliging", &obliging(&groups));
    let own = groups.0.parent().expect("it was made in there");
    let Some(wardens) = wardens(wanting(launcher.manager(own))) else {
        println!("SKIP: {name}: no namespaces");
        return;
    };
    assert!(matches!(wardens.host.cgroups.home, Home::Scope(_)), "{:?}", wardens.host.cgroups);
    let first = wardens.link(false).expect("there is one").pid;
    let second = wardens.link(true).expect("there can be another").pid;
    let mut inside: Vec<_> = groups.scopes().into_iter().map(|(_, processes)| processes).collect();
    inside.sort();
    let mut expected = [first.to_string(), second.to_string()];
    expected.sort();
    assert_eq!(inside, expected);
    // What the launcher was given is not the warden's.
    for stream in [1, 2] {
        let target = fs::read_link(format!("/proc/{first}/fd/{stream}")).expect("root may look");
        assert_eq!(target, Path::new("/dev/null"));
    }
    for parent in &wardens.host.cgroups.parents {
        assert!(parent.dir.starts_with(&groups.0), "{parent:?}");
    }
    // Base directories are beside the leaf.
    for (scope, _) in groups.scopes() {
        let entries = fs::read_dir(scope).expect("it is there").filter_map(|entry| entry.ok());
        let bases =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("stockade-"));
        assert_eq!(bases.count(), 1);
    }

    kill(&wardens, first);
    let third = wardens.link(false).expect("it is replaced").pid;
    assert!(groups.scopes().iter().any(|(_, processes)| *processes == third.to_string()));
    assert_eq!(fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted"), before);

    // Plans were made for a scope.
    kill(&wardens, third);
    let gone = launcher.path();
    fs::remove_file(&gone).expect("it was written");
    let error = wardens.link(false).expect_err("no scope can be had any more");
    assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
    assert!(error.hint().is_some());
    drop(wardens);
}
