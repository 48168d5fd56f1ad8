//! Roots that bring a `/proc` and devices of their own, to be taken for the sandbox's or to lead
//! elsewhere, as in CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use stockade_conformance::{Job, Scratch};
use stockade_core::{Base, ErrorKind, Mount, Result, Stdio, Verdict};
use stockade_guests::{CAT, Guest, IDENTIFY, OVERWRITE, PROC_WRITE};

use crate::elsewhere::{Place, role, say, there};
use crate::machine::{Subject, is_root, subject_with_proc};
use crate::view::printed;

/// What the trees have in their places, or lead to.
const PLACES: [&str; 10] = [
    "dev/null",
    "dev/full",
    "dev/console",
    "dev/pts/0",
    "proc/self/attr/exec",
    "proc/sys/kernel/core_pattern",
    "proc/sys/kernel/sysrq",
    "proc/sysrq-trigger",
    "proc/kcore",
    "proc/keys",
];
/// Directories that lie in the way of those.
const WAY: [&str; 9] = [
    "dev",
    "dev/pts",
    "proc",
    "proc/self",
    "proc/self/attr",
    "proc/sys",
    "proc/sys/kernel",
    "tmp",
    "guest",
];
const UNTOUCHED: &str = "nobody may write here\n";

/// A root of the host's, and a file beside it that must stay as it is.
struct Tree {
    _scratch: Scratch,
    root: PathBuf,
    sentinel: PathBuf,
    /// Whether programs may write to the root, in a layer of their own.
    writable: bool,
    /// Settings of the kernel's that such trees are made for.
    settings: [String; 2],
}

fn settings() -> [String; 2] {
    ["core_pattern", "sysrq"].map(|name| {
        let path = Path::new("/proc/sys/kernel").join(name);
        // Kernels are built without one or the other.
        fs::read_to_string(path).unwrap_or_default()
    })
}

impl Tree {
    /// One that has what every root must have.
    fn new() -> Self {
        let scratch = Scratch::new();
        let root = scratch.dir("root");
        for way in WAY {
            fs::create_dir(root.join(way)).expect("its parent was made before");
        }
        for guest in [CAT, IDENTIFY, OVERWRITE, PROC_WRITE] {
            guest.install(&root.join("guest")).expect("there is room");
        }
        let sentinel = scratch.file("sentinel", UNTOUCHED);
        // Whoever reaches it can write to it.
        fs::set_permissions(&sentinel, Permissions::from_mode(0o666)).expect("it is ours");
        Self { _scratch: scratch, root, sentinel, writable: false, settings: settings() }
    }

    fn written_to(mut self) -> Self {
        self.writable = true;
        self
    }

    /// Puts something into every place.
    fn plant(self, what: impl Fn(&Self, &Path)) -> Self {
        for place in PLACES {
            what(&self, &self.root.join(place));
        }
        self
    }

    fn job<'a>(&self, subject: &'a Subject, guest: &Guest, paths: &[&str]) -> Job<'a> {
        let base = if self.writable { Base::WritableRootfs } else { Base::Rootfs };
        Job::new(subject, guest).args(paths).policy(|policy| {
            policy.filesystem.base = base(self.root.clone());
            // The root has it already.
            policy.filesystem.mounts.clear();
        })
    }

    fn run(&self, subject: &Subject, guest: &Guest, paths: &[&str]) -> String {
        let report = self.job(subject, guest, paths).run();
        let said = printed(&report);
        let refused = Verdict::Exited { code: 3 };
        assert!(report.verdict.success() || report.verdict == refused, "{:?}", report.verdict);
        said
    }

    /// What it brings is not there, and what leads elsewhere leads nowhere.
    fn holds_nothing_of_its_own(&self, subject: &Subject) {
        let places = PLACES.map(|place| format!("/{place}"));
        let places = places.each_ref().map(String::as_str);
        let seen = self.run(subject, &IDENTIFY, &[&["/proc"], &places[..]].concat());
        for place in ["/proc"].iter().chain(&places) {
            let line = seen.lines().find_map(|line| line.strip_prefix(place)?.strip_prefix(": "));
            is_the_kernels(place, line.unwrap_or_else(|| panic!("{place}: {seen}")));
        }
        if Path::new("/proc/keys").exists() {
            assert_eq!(self.run(subject, &CAT, &["/proc/keys"]), "");
        }
        let wrote = self.run(subject, &OVERWRITE, &places);
        assert!(wrote.starts_with("/dev/null: ok\n/dev/full: ENOSPC\n"), "{wrote}");
        assert!(!wrote.contains("kernel/core_pattern: ok"), "{wrote}");
        let said = self.run(subject, &PROC_WRITE, &[]);
        // Where the root is written to, the null device that covers a switch can be opened.
        let covered = if self.writable { "/proc/sysrq-trigger" } else { "none" };
        let opened = said.lines().find(|line| line.ends_with(": ok") && !line.starts_with(covered));
        assert_eq!(opened, None, "{said}");
        self.is_untouched();
    }

    fn is_untouched(&self) {
        assert_eq!(fs::read_to_string(&self.sentinel).expect("it is there"), UNTOUCHED);
        assert_eq!(settings(), self.settings);
    }
}

/// Whether what was said of `place` is what the sandbox has there: devices of the kernel's, its own
/// `/proc` (magic number 0x9fa0, statfs(2)), and the null device over what is masked.
fn is_the_kernels(place: &str, said: &str) {
    let right = match place {
        "/dev/null" => said.starts_with("char 1:3 "),
        "/dev/full" => said.starts_with("char 1:7 "),
        "/dev/console" | "/dev/pts/0" => said == "ENOENT",
        // Kernels are built without some of them.
        _ if !Path::new(place).exists() => said == "ENOENT",
        "/proc/sysrq-trigger" | "/proc/kcore" | "/proc/keys" => said.starts_with("char 1:3 "),
        _ => said.ends_with(" 0:0 on 0x9fa0"),
    };
    assert!(right, "{place}: {said}");
}

fn link(to: impl AsRef<Path>, at: &Path) {
    symlink(to, at).expect("nothing is there");
}

#[test]
fn a_planted_proc_and_planted_devices_are_not_there() {
    let Some(subject) = subject_with_proc() else { return };
    let files = Tree::new().plant(|_, at| fs::write(at, UNTOUCHED).expect("it can be made"));
    let directories = Tree::new().plant(|_, at| fs::create_dir(at).expect("it can be made"));
    let pipes = Tree::new().plant(|_, at| {
        mknodat(CWD, at, FileType::Fifo, Mode::from(0o666), 0).expect("anybody may make one");
    });
    let links = Tree::new().plant(|tree, at| link(&tree.sentinel, at));
    let pattern = Tree::new().plant(|_, at| link("/proc/sys/kernel/core_pattern", at));
    // To each other, and out of the root.
    let trigger = Tree::new().plant(|_, at| {
        let device = at.components().any(|part| part.as_os_str() == "dev");
        let outside = "/../../../../../../../../proc/sysrq-trigger";
        link(if device { outside } else { "/dev/null" }, at);
    });
    for tree in [files, directories, pipes, links, pattern, trigger] {
        tree.holds_nothing_of_its_own(&subject);
        tree.written_to().holds_nothing_of_its_own(&subject);
    }
}

#[test]
fn a_filesystem_that_is_mounted_for_proc_is_not_there() {
    let name = "a_filesystem_that_is_mounted_for_proc_is_not_there";
    if role().is_some() {
        let subject = subject_with_proc().expect("it was there before");
        let mount = |words: &[&str], at: &Path| {
            let status = Command::new("mount").args(words).arg(at).status();
            assert!(status.expect("it starts").success(), "mount {words:?}");
        };
        let memory = Tree::new();
        let proc = memory.root.join("proc");
        mount(&["-t", "tmpfs", "tmpfs"], &proc);
        for way in WAY.iter().filter_map(|way| way.strip_prefix("proc/")) {
            fs::create_dir(proc.join(way)).expect("it was empty");
        }
        let memory = memory.plant(|tree, at| link(&tree.sentinel, at));
        memory.holds_nothing_of_its_own(&subject);

        let bound = Tree::new().plant(|tree, at| link(&tree.sentinel, at));
        let proc = bound.root.join("proc");
        let other = Tree::new().plant(|tree, at| link(&tree.sentinel, at));
        mount(&["--bind", &other.root.join("proc").display().to_string()], &proc);
        bound.holds_nothing_of_its_own(&subject);
        other.is_untouched();
        for place in [memory.root.join("proc"), proc] {
            let status = Command::new("umount").arg(place).status();
            assert!(status.expect("it starts").success());
        }
        return say("done");
    }
    if subject_with_proc().is_none() || !is_root() {
        return;
    }
    // Mounts of its own, which go with it.
    there(&Place::After(r#"exec unshare --mount "$0" "$@""#), module_path!(), name, "mount");
}

/// How many programs are started while places of their root are swapped for links and back.
const SPAWNS: usize = 1000;

#[test]
fn places_that_are_swapped_during_a_thousand_spawns_lead_nowhere() {
    let Some(subject) = subject_with_proc() else { return };
    let tree = Tree::new().plant(|_, at| fs::write(at, "").expect("it can be made"));
    let aside = |name: &str| tree.root.join("tmp").join(name.replace('/', "-"));
    link(&tree.sentinel, &aside("dev/null"));
    fs::create_dir(aside("dev")).expect("nothing is there");
    fs::write(aside("dev").join("null"), "").expect("nothing is there");
    // Directories that could be taken for the root's, in which everything leads out.
    let elsewhere = Tree::new().plant(|_, at| link(&tree.sentinel, at));
    link(elsewhere.root.join("proc"), &aside("proc"));
    let over = AtomicBool::new(false);
    let (mut started, mut right) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for name in ["dev/null", "dev", "proc"] {
                    for pause in [200, 1000] {
                        let (place, other) = (tree.root.join(name), aside(name));
                        renameat_with(CWD, place, CWD, other, RenameFlags::EXCHANGE)
                            .expect("both are there");
                        thread::sleep(Duration::from_micros(pause));
                    }
                }
            }
        });
        let stop = Stop(&over);
        for number in 0..SPAWNS {
            let guest = if number % 2 == 0 { IDENTIFY } else { OVERWRITE };
            let job = tree.job(&subject, &guest, &["/dev/null", "/proc", "/proc/keys"]);
            // What is built once is used again, so each is another root.
            let mut job = job.mount(Mount::file("/tmp/number", number.to_string()));
            if number % 4 > 1 {
                job.policy.filesystem.base = Base::WritableRootfs(tree.root.clone());
            }
            match once(&job).map_err(|error| (error.kind(), error)) {
                Ok(said) => {
                    started += 1;
                    // What is mounted moves with a place that is renamed, and the program sees what
                    // the root has there instead. But nothing uncovers what is masked.
                    assert!(!said.contains("/proc/keys: file"), "{said}");
                    let null = ["/dev/null: char 1:3 ", "/dev/null: ok\n"];
                    right += usize::from(null.iter().any(|null| said.starts_with(null)));
                }
                // Something else was where a directory must be.
                Err((ErrorKind::NotFound | ErrorKind::InvalidPolicy | ErrorKind::Setup, _)) => {}
                Err((_, error)) => panic!("{error:?}"),
            }
            tree.is_untouched();
        }
        drop(stop);
    });
    // Some are refused and some see what was swapped, but not all.
    assert!(
        (100..SPAWNS).contains(&started) && right > 0,
        "{started}, of which {right} were right"
    );
}

fn once(job: &Job<'_>) -> Result<String> {
    let report = Job::wait(job.try_prepare()?.start(Stdio::captured())?)?;
    assert!(report.verdict.success(), "{:?}: {}", report.verdict, printed(&report));
    Ok(printed(&report))
}

/// Ends the swapping, also when a check fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
