//! Modules that look where they have no business: in the host's files, environment and memory.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use stockade_core::{Access, Mount};

use super::{Bout, Check, Control, Ended, Finding, Play, Result, Verdict, attack, tells, told};
use crate::sentinel::{Folder, unstaged};

/// What is in a file that no module is given.
const SECRET: &str = "what the host keeps to itself";

/// How long a name on a path is a directory, or a link, before it is swapped again.
const TURN: Duration = Duration::from_micros(100);

const fn reads(story: &'static str, play: Play) -> Check {
    attack(story, "path traversal", Control::Filesystem, play)
}

/// A folder with a secret, and in it another that modules are given as `/data`.
struct Outside(Folder);

impl Outside {
    fn new() -> Result<Self> {
        let folder = Folder::new()?;
        folder.file("secret", SECRET.as_bytes())?;
        fs::create_dir(folder.path().join("inner")).map_err(unstaged)?;
        Ok(Self(folder))
    }

    fn inner(&self, name: &str) -> PathBuf {
        self.0.path().join("inner").join(name)
    }

    /// Tries whether an attack reads the secret. Without a wall it is given, at `opened`, what is
    /// called `name` in the folder.
    fn guards(&self, bout: Bout<'_>, access: Access, name: &str, opened: &str) -> Result<Finding> {
        let mount = match access {
            Access::Ro => Mount::read_only(self.inner(""), "/data"),
            _ => Mount::read_write(self.inner(""), "/data"),
        };
        let given = Mount::read_only(self.0.path().join(name), opened);
        let bout = bout.policy(|policy| policy.filesystem.mounts.push(mount));
        Ok(read(&bout.opened_by(|policy| policy.filesystem.mounts.push(given)).run()?))
    }
}

/// Whether what it printed is the secret.
fn read(ended: &Ended) -> Finding {
    let through = "it read a file that it was not given";
    match ended.verdict {
        Verdict::Exited { code: 0 } if ended.stdout != SECRET.as_bytes() => {
            Finding::NotApplicable("it read something else".to_owned())
        }
        _ => told(ended, through),
    }
}

pub(in crate::checks) const fn parent_folder() -> Check {
    reads("reads a file of the parent of the directory it is given", |arena| {
        Outside::new()?.guards(arena.bout(), Access::Ro, "secret", "/secret")
    })
}

pub(in crate::checks) const fn absolute_path() -> Check {
    reads("reads a file of the host by its absolute path", |arena| {
        let outside = Outside::new()?;
        let path = outside.0.path().join("secret").to_string_lossy().into_owned();
        outside.guards(arena.bout().arg(&path), Access::Ro, "secret", &path)
    })
}

pub(in crate::checks) const fn planted_link() -> Check {
    reads("reads a file through a link that leads out of the directory it is given", |arena| {
        let outside = Outside::new()?;
        symlink("../secret", outside.inner("link")).map_err(unstaged)?;
        outside.guards(arena.bout(), Access::Ro, "secret", "/secret")
    })
}

pub(in crate::checks) const fn own_link() -> Check {
    reads("makes a link that leads out of the directory it is given", |arena| {
        Outside::new()?.guards(arena.bout(), Access::Rw, "secret", "/secret")
    })
}

pub(in crate::checks) const fn swapped_link() -> Check {
    let story = "reads a file while a directory on its path is swapped for a link out of it";
    attack(story, "CVE-2021-30465", Control::Filesystem, |arena| {
        let outside = Outside::new()?;
        let away = outside.0.path().join("away");
        for (directory, contents) in [(outside.inner("place"), "harmless"), (away.clone(), SECRET)]
        {
            fs::create_dir(&directory).map_err(unstaged)?;
            fs::write(directory.join("file"), contents).map_err(unstaged)?;
        }
        symlink(&away, outside.inner("link")).map_err(unstaged)?;
        let over = AtomicBool::new(false);
        let opened = away.to_string_lossy();
        // A busy host may put the swapping off until the module is through.
        let runs = if arena.is_walled() { 1 } else { 20 };
        std::thread::scope(|scope| {
            scope.spawn(|| swap(&outside, &over));
            let mut finding = Ok(Finding::NotApplicable("it never ran".to_owned()));
            for _ in 0..runs {
                finding = outside.guards(arena.bout(), Access::Ro, "away", &opened);
                if !matches!(finding, Ok(Finding::Held(_))) {
                    break;
                }
            }
            over.store(true, Ordering::Relaxed);
            finding
        })
    })
}

/// Has `place` be a directory and a link by turns.
fn swap(outside: &Outside, over: &AtomicBool) {
    let [place, link, aside] = ["place", "link", "aside"].map(|name| outside.inner(name));
    let turns = [[(&place, &aside), (&link, &place)], [(&place, &link), (&aside, &place)]];
    for turn in turns.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        for (from, to) in turn {
            // One that fails leaves the attack with less to find, which its test would tell.
            let _ = fs::rename(from, to);
        }
        std::thread::sleep(TURN);
    }
}

pub(in crate::checks) const fn host_pipe() -> Check {
    let story = "opens a FIFO, which blocks until somebody opens its other end";
    attack(story, "blocked host", Control::Filesystem, |arena| {
        let folder = Folder::new()?;
        let path = folder.path().join("pipe");
        // Without its wall it is a file, which may be opened.
        if arena.is_walled() {
            let mode = Mode::from_raw_mode(0o600);
            mknodat(CWD, &path, FileType::Fifo, mode, 0).map_err(|errno| unstaged(errno.into()))?;
        } else {
            fs::write(&path, "").map_err(unstaged)?;
        }
        // With both its ends open, nothing blocks here whatever happens.
        let _ends = OpenOptions::new().read(true).write(true).open(&path).map_err(unstaged)?;
        tells(arena.bout().bind(&folder, "/data", Access::Ro, ""), "it is open")
    })
}

pub(in crate::checks) const fn host_environment() -> Check {
    attack("prints its environment", "environment leak", Control::ProcessTree, |arena| {
        let mut given = Default::default();
        let bout = arena.bout().policy(|policy| given = policy.process.env.clone());
        let text = |entry: (std::ffi::OsString, std::ffi::OsString)| {
            Some((entry.0.into_string().ok()?, entry.1.into_string().ok()?))
        };
        let mut hosts: Vec<(String, String)> = std::env::vars_os().filter_map(text).collect();
        hosts.retain(|(key, value)| given.get(key) != Some(value));
        if hosts.is_empty() {
            let reason = "the host's environment has nothing that the policy does not";
            return Ok(Finding::NotApplicable(reason.to_owned()));
        }
        let ended = bout.opened_by(|policy| policy.process.env.extend(hosts.clone())).run()?;
        let printed: Vec<&[u8]> = ended.stdout.split(|byte| *byte == 0).collect();
        let leaked = hosts
            .iter()
            .find(|(key, value)| printed.contains(&format!("{key}={value}").as_bytes()));
        Ok(match (&ended.verdict, leaked) {
            (_, Some((key, _))) => ended.through(format!("it has `{key}` of the host")),
            (Verdict::Exited { code: 0 }, None) => {
                Finding::Held("it has nothing of the host's environment".to_owned())
            }
            _ => told(&ended, ""),
        })
    })
}

pub(in crate::checks) const fn outside_memory() -> Check {
    let story = "has the host print what lies behind its memory";
    attack(story, "out-of-bounds read", Control::ProcessTree, |arena| {
        tells(arena.bout().opened_by_arg("grown"), "the host has printed it")
    })
}

pub(in crate::checks) const fn former_tenant() -> Check {
    let story = "looks for what its predecessor left in memory, tables and globals";
    attack(story, "leftovers of a former tenant", Control::Ipc, |arena| {
        let through = "it found something";
        if !arena.is_walled() {
            return Ok(told(&arena.bout().arg("leave").arg("look").run()?, through));
        }
        let mut finding = Finding::NotApplicable("nobody was there before".to_owned());
        for _ in 0..4 {
            let left = arena.bout().arg("leave").run()?;
            if left.verdict != (Verdict::Exited { code: 0 }) {
                return Ok(Finding::NotApplicable("its predecessor left nothing".to_owned()));
            }
            finding = told(&arena.bout().run()?, through);
            if !matches!(finding, Finding::Held(_)) {
                break;
            }
        }
        Ok(match finding {
            Finding::Held(_) => Finding::Held("it found nothing but zeros".to_owned()),
            other => other,
        })
    })
}
