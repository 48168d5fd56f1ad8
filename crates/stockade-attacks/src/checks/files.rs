//! Files of the host, and ways out of the tree that was given.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, RenameFlags, makedev, mknodat, renameat_with};
use stockade_core::{Access, Base, Mount, Policy, Result};

use super::{Check, Control, Finding, refused};
use crate::arena::{Arena, Bout, chain};
use crate::sentinel::{Folder, unstaged};

pub(super) const fn launcher_overwrite() -> Check {
    refused(
        "opens for writing what the first process of its world was started from",
        "CVE-2019-5736",
        Control::Filesystem,
    )
}

pub(super) const fn proc_self_exe_interpreter() -> Check {
    let story = "becomes, once it was looked at, a script that names its launcher to run it";
    let play = |arena: &Arena<'_>| {
        let folder = Folder::new()?;
        let script = folder.file("entry", b"#!/attacks proc_self_exe_interpreter\n")?;
        fs::set_permissions(&script, Permissions::from_mode(0o755)).map_err(unstaged)?;
        let swap = || fs::write(&script, b"#!/proc/self/exe\n").map_err(unstaged);
        let bout = || arena.bout().bind(&folder, "/own", Access::Ro, "/entry").starting_there();
        if arena.is_walled() {
            // As it was looked at, it runs: what is refused later is refused for what it became.
            bout().run()?;
        }
        match bout().prepared(&swap).run() {
            Ok(ended) => Ok(ended.refused()),
            Err(refusal) => Ok(Finding::Held(chain(&refusal))),
        }
    };
    Check { play, ..refused(story, "CVE-2019-5736", Control::Filesystem) }
}

pub(super) const fn dotdot_walk() -> Check {
    let story = "walks up from wherever it can stand to a file outside";
    Check { play: outside, ..refused(story, "CVE-2024-21626", Control::Filesystem) }
}

pub(super) const fn proc_root_walk() -> Check {
    let story = "takes the ways of /proc to the root of a process, and a file outside";
    Check { play: outside, ..refused(story, "CVE-2016-9962", Control::Filesystem) }
}

/// Tells the attack of a file that no sandbox has.
fn outside(arena: &Arena<'_>) -> Result<Finding> {
    let folder = Folder::new()?;
    arena.bout().arg(folder.file("secret", b"secret\n")?).refused()
}

pub(super) const fn symlink_out() -> Check {
    let story = "follows links of its own making out of a writable bind";
    let play = |arena: &Arena<'_>| {
        let (folder, own) = (Folder::new()?, Folder::new()?);
        let bout = arena.bout().arg(folder.file("secret", b"secret\n")?);
        bout.bind(&own, "/own", Access::Rw, "").refused()
    };
    Check { play, ..refused(story, "CVE-2018-15664", Control::Filesystem) }
}

pub(super) const fn swapped_source() -> Check {
    let story = "has its bind swapped for a link to elsewhere, once it was looked at";
    let play = |arena: &Arena<'_>| {
        let (outer, elsewhere) = (Folder::new()?, Folder::new()?);
        let inner = outer.inside("inner")?;
        let before = elsewhere.state()?;
        let swap = || {
            let moved = fs::rename(inner.path(), outer.path().join("moved"));
            moved.and_then(|()| symlink(elsewhere.path(), inner.path())).map_err(unstaged)
        };
        let bout = || arena.bout().bind(&inner, "/own", Access::Rw, "/planted");
        if arena.is_walled() {
            // As it was looked at, it runs.
            bout().run()?;
        }
        let ended = bout().prepared(&swap).run();
        Ok(match (elsewhere.state()? == before, ended) {
            (true, Ok(_)) => Finding::Held("it wrote where it was looked at".to_owned()),
            (true, Err(refusal)) => Finding::Held(chain(&refusal)),
            (false, _) => Finding::Breached("it wrote elsewhere".to_owned()),
        })
    };
    Check { play, ..refused(story, "CVE-2021-30465", Control::Filesystem) }
}

/// How long the host waits for an attack to be where it wants to be.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) const fn moved_directory() -> Check {
    let story = "walks up from a directory that is moved out of its bind";
    let play = |arena: &Arena<'_>| {
        let outer = Folder::new()?;
        outer.file("secret", b"secret\n")?;
        let inner = outer.inside("inner")?;
        let bout = arena.bout().bind(&inner, "/inner", Access::Rw, "");
        let ended = bout.run_with(|| {
            let begun = Instant::now();
            while !inner.path().join("ready").exists() && begun.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(1));
            }
            // Where this fails, the attack says that nobody moved it.
            let _ = fs::rename(inner.path().join("moved"), outer.path().join("moved"));
        })?;
        Ok(ended.refused())
    };
    Check { play, ..refused(story, "CVE-2015-2925", Control::Filesystem) }
}

pub(super) const fn host_files() -> Check {
    let story = "opens files of the host that no program needs";
    Check { exempt: own_tree, ..refused(story, "information leak", Control::Filesystem) }
}

pub(super) const fn host_devices() -> Check {
    refused("opens devices that reach beyond its world", "device access", Control::Filesystem)
}

pub(super) const fn overwrite_system() -> Check {
    let story = "opens files of the system for writing";
    Check { exempt: own_tree, ..refused(story, "tampering", Control::Filesystem) }
}

/// What attacks look for by its name may be something else where the policy brings files.
fn own_tree(policy: &Policy) -> Option<&'static str> {
    let filesystem = &policy.filesystem;
    let bound = filesystem.mounts.iter().any(|mount| matches!(mount, Mount::Bind { .. }));
    let own = bound || filesystem.base.rootfs().is_some();
    own.then_some("the policy binds files of the host, which may be those")
}

pub(super) const fn masked_proc() -> Check {
    refused("looks for what /proc tells of the host", "CVE-2025-31133", Control::Filesystem)
}

pub(super) const fn proc_sys_write() -> Check {
    refused("opens settings of the kernel for writing", "core_pattern", Control::Filesystem)
}

pub(super) const fn sys_write() -> Check {
    refused("opens what /sys has to write to", "uevent_helper", Control::Filesystem)
}

pub(super) const fn release_agent() -> Check {
    refused("mounts control groups, which start programs", "CVE-2022-0492", Control::Syscalls)
}

pub(super) const fn open_by_handle() -> Check {
    refused("opens files by their number in a file system", "shocker", Control::Syscalls)
}

pub(super) const fn setuid_file() -> Check {
    let story = "leaves files with the set-user-id bit in a writable bind";
    let play = |arena: &Arena<'_>| {
        let own = Folder::new()?;
        let ended = arena.bout().bind(&own, "/own", Access::Rw, "").run()?;
        for entry in fs::read_dir(own.path()).map_err(unstaged)? {
            let entry = entry.map_err(unstaged)?;
            if entry.metadata().map_err(unstaged)?.mode() & 0o6000 != 0 {
                return Ok(ended.through(format!("{:?} has the bit", entry.file_name())));
            }
        }
        Ok(ended.refused())
    };
    Check { play, ..refused(story, "set-user-id file", Control::Syscalls) }
}

pub(super) const fn file_capability() -> Check {
    let story = "gives a file in a writable bind a capability";
    let play = |arena: &Arena<'_>| {
        let own = Folder::new()?;
        arena.bout().bind(&own, "/own", Access::Rw, "").refused()
    };
    Check { play, ..refused(story, "CVE-2021-3847", Control::Privileges) }
}

pub(super) const fn device_node() -> Check {
    let story = "makes devices, and opens one that lies in a bind";
    let play = |arena: &Arena<'_>| {
        let own = Folder::new()?;
        // Only root can lay one there; without, the attack still makes its own.
        let staged = own.path().join("staged");
        let _ = mknodat(CWD, staged, FileType::CharacterDevice, Mode::from(0o666), makedev(1, 5));
        arena.bout().bind(&own, "/own", Access::Rw, "").refused()
    };
    Check { play, ..refused(story, "mknod", Control::Filesystem) }
}

pub(super) const fn readonly_bind_write() -> Check {
    let story = "changes a read-only bind in every way there is";
    Check { play: fixed, ..refused(story, "tampering", Control::Filesystem) }
}

pub(super) const fn rename_across() -> Check {
    let story = "moves files between a read-only and a writable bind";
    Check { play: fixed, ..refused(story, "tampering", Control::Filesystem) }
}

pub(super) const fn hard_link_out() -> Check {
    let story = "gives a file of a read-only bind a second name in a writable one";
    Check { play: fixed, ..refused(story, "tampering", Control::Filesystem) }
}

/// Gives the attack a directory that may only be read, and one of its own. The first must be as it
/// was, whatever the attack says.
fn fixed(arena: &Arena<'_>) -> Result<Finding> {
    let (fixed, own) = (Folder::new()?, Folder::new()?);
    fixed.file("file", b"may only be read\n")?;
    fs::create_dir(fixed.path().join("sub")).map_err(unstaged)?;
    let before = fixed.state()?;
    let bout = arena.bout().bind(&fixed, "/fixed", Access::Ro, "");
    let ended = bout.bind(&own, "/own", Access::Rw, "").run()?;
    match fixed.state()? == before {
        true => Ok(ended.refused()),
        false => Ok(ended.through("what may only be read has changed".to_owned())),
    }
}

/// A tree whose places may be links to a directory that nobody may write to.
struct Tree {
    root: Folder,
    elsewhere: Folder,
}

impl Tree {
    const PLACES: [&str; 5] = ["dev", "proc", "tmp", "etc", "data"];

    fn new() -> Result<Self> {
        let (root, elsewhere) = (Folder::new()?, Folder::new()?);
        for place in Self::PLACES {
            fs::create_dir(root.path().join(place)).map_err(unstaged)?;
        }
        for place in ["etc/deep", "dev/shm"] {
            fs::create_dir(root.path().join(place)).map_err(unstaged)?;
        }
        fs::create_dir(elsewhere.path().join("deep")).map_err(unstaged)?;
        fs::create_dir(elsewhere.path().join("shm")).map_err(unstaged)?;
        root.file("attacks", b"")?;
        Ok(Self { root, elsewhere })
    }

    /// Puts a link in the place of a directory.
    fn link(&self, place: &str) -> Result<()> {
        let at = self.root.path().join(place);
        fs::remove_dir_all(&at).map_err(unstaged)?;
        symlink(self.elsewhere.path(), at).map_err(unstaged)
    }

    /// A run in this tree, with something mounted at places of it.
    fn bout<'a>(&self, arena: &Arena<'a>, stamp: usize) -> Bout<'a> {
        let root = self.root.path();
        let seen = if arena.is_walled() { Path::new("") } else { root };
        arena.bout().arg(seen).policy(|policy| {
            policy.filesystem.base = Base::Rootfs(root.to_owned());
            policy.filesystem.mounts = vec![
                Mount::tmpfs("/data", None),
                Mount::tmpfs("/etc/deep", None),
                // Another root for every stamp.
                Mount::file("/tmp/stamp", stamp.to_string()),
            ];
            policy.process.cwd = "/".to_owned();
        })
    }
}

pub(super) const fn symlink_targets() -> Check {
    let story = "has links in its tree where the sandbox mounts something";
    let play = |arena: &Arena<'_>| {
        // As it should be, it runs: what is refused later is refused for its links.
        let honest = Tree::new()?;
        if arena.is_walled() {
            honest.bout(arena, 0).run()?;
        }
        let mut refusals = 0;
        for place in Tree::PLACES {
            let tree = Tree::new()?;
            tree.link(place)?;
            let before = tree.elsewhere.state()?;
            // Refused or not, nothing may be written there.
            refusals += usize::from(tree.bout(arena, 0).run().is_err());
            if tree.elsewhere.state()? != before {
                return Ok(Finding::Breached(format!("written through the link at {place}")));
            }
        }
        let held = format!("nothing is written through links, and {refusals} trees are refused");
        Ok(Finding::Held(held))
    };
    Check { play, ..refused(story, "CVE-2021-30465", Control::Filesystem) }
}

/// For how long sandboxes are started while a place is swapped for a link and back.
const RACE: Duration = Duration::from_secs(4);

pub(super) const fn mount_target_race() -> Check {
    let story = "swaps a directory for a link while the sandbox mounts there";
    let play = |arena: &Arena<'_>| {
        let tree = Tree::new()?;
        let (place, link) = (tree.root.path().join("data"), tree.root.path().join("link"));
        symlink(tree.elsewhere.path(), &link).map_err(unstaged)?;
        let before = tree.elsewhere.state()?;
        let over = AtomicBool::new(false);
        let (mut tried, mut started, mut breached) = (0, 0, false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // It works, or the next try does.
                    let _ = renameat_with(CWD, &place, CWD, &link, RenameFlags::EXCHANGE);
                }
            });
            let begun = Instant::now();
            while begun.elapsed() < RACE && !breached {
                tried += 1;
                started += usize::from(tree.bout(arena, tried).run().is_ok());
                breached = tree.elsewhere.state().is_ok_and(|state| state != before);
            }
            over.store(true, Ordering::Relaxed);
        });
        Ok(match (breached, started) {
            (true, _) => Finding::Breached(format!("written elsewhere after {tried} runs")),
            (false, 0) => Finding::NotApplicable("no run began".to_owned()),
            (false, _) => Finding::Held(format!("{started} of {tried} runs wrote where meant")),
        })
    };
    Check { play, long: true, ..refused(story, "CVE-2021-30465", Control::Filesystem) }
}
