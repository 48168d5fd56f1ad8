//! Roots that a program may write to: what it changes is its own, in memory and gone with the run, and
//! the directory on the host stays as it is.

mod claims;
mod lesser;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use stockade_conformance::{Job, Scratch};
use stockade_core::{
    Base, Bytes, Control, Limit, Mount, Policy, ProgramSource, Report, Stdio, Verdict,
};
use stockade_guests::{CHANGE_FILES, Guest, MOUNTS, OVERWRITE, WRITE_FILE};

use crate::machine::{Subject, has_cgroup, has_overlay, is_root, subject, subject_with_proc};
use crate::view::printed;

/// When some of a root's files were changed last, in seconds of the epoch.
const OLD: u64 = 1_000_000_000;

/// A root with some files, owned by whoever runs the test, and what it was at first.
struct Tree {
    scratch: Scratch,
    root: PathBuf,
}

impl Tree {
    fn new() -> Self {
        let scratch = Scratch::new();
        let root = scratch.dir("root");
        for dir in ["dev", "proc", "tmp", "bin", "etc", "etc/deep", "var", "var/lib", "data"] {
            fs::create_dir(root.join(dir)).expect("its parent was made before");
        }
        for guest in [CHANGE_FILES, MOUNTS, OVERWRITE, WRITE_FILE] {
            guest.install(&root.join("bin")).expect("there is room");
        }
        fs::write(root.join("etc/hosts"), "of the root\n").expect("there is room");
        fs::write(root.join("etc/deep/file"), "deep\n").expect("there is room");
        fs::write(root.join("var/old"), "old\n").expect("there is room");
        symlink("hosts", root.join("etc/link")).expect("nothing is there");
        fs::set_permissions(root.join("etc/hosts"), Permissions::from_mode(0o640)).expect("ours");
        for name in ["etc/hosts", "var/lib"] {
            let file = File::open(root.join(name)).expect("it is there");
            file.set_modified(UNIX_EPOCH + Duration::from_secs(OLD)).expect("it is ours");
        }
        Self { scratch, root }
    }

    fn job<'a>(&self, subject: &'a Subject, guest: &Guest, args: &[&str]) -> Job<'a> {
        let mut job = Job::new(subject, guest).args(args).policy(|policy| {
            policy.filesystem.base = Base::WritableRootfs(self.root.clone());
            policy.process.cwd = "/".to_owned();
            // The root has it already.
            policy.filesystem.mounts.clear();
        });
        job.program.source = ProgramSource::Executable(format!("/bin/{}", guest.name).into());
        job
    }

    /// What came of each step, and how the run went.
    fn steps(&self, subject: &Subject, steps: &[&str]) -> (Said, Report) {
        said(self.job(subject, &CHANGE_FILES, steps).run())
    }

    /// Everything that can be told of it: kinds, modes, owners, times and contents.
    fn state(&self) -> BTreeMap<PathBuf, String> {
        let mut state = BTreeMap::new();
        describe(&self.root, &mut state);
        state
    }
}

fn describe(at: &Path, state: &mut BTreeMap<PathBuf, String>) {
    let meta = fs::symlink_metadata(at).expect("it is there");
    let (mode, owner) = (meta.mode(), (meta.uid(), meta.gid(), meta.nlink(), meta.ino()));
    let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
    let contents = if meta.is_symlink() {
        fs::read_link(at).expect("a link").into_os_string().into_encoded_bytes()
    } else if meta.is_file() {
        fs::read(at).expect("it can be read")
    } else {
        Vec::new()
    };
    let sum = contents.iter().fold(0u64, |sum, byte| {
        sum.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(*byte) + 1)
    });
    state.insert(at.to_owned(), format!("{mode:o} {owner:?} {times:?} {sum:x}"));
    if meta.is_dir() {
        for entry in fs::read_dir(at).expect("it can be read") {
            describe(&entry.expect("an entry").path(), state);
        }
    }
}

/// Steps and what came of each.
struct Said(Vec<(String, String)>);

impl Said {
    fn of(&self, step: &str) -> &str {
        let found = self.0.iter().find(|(said, _)| said == step);
        &found.unwrap_or_else(|| panic!("{step} in {:?}", self.0)).1
    }

    /// What came of all of them, in order.
    fn all(&self) -> Vec<&str> {
        self.0.iter().map(|(_, outcome)| outcome.as_str()).collect()
    }
}

fn said(report: Report) -> (Said, Report) {
    assert!(report.verdict.success(), "{:?}: {}", report.verdict, printed(&report));
    let text = printed(&report);
    let lines = text.lines().filter_map(|line| line.rsplit_once(": "));
    (Said(lines.map(|(step, outcome)| (step.to_owned(), outcome.to_owned())).collect()), report)
}

fn mechanism(report: &Report) -> &str {
    let entry = report.enforcement.iter().find(|entry| entry.control == Control::Filesystem);
    entry.and_then(|entry| entry.mechanism.as_deref()).expect("it is in every report")
}

/// What an owner does with files, and how each of it ends.
const OWNERS: [(&str, &str); 27] = [
    ("read:/etc/hosts", "of the root"),
    ("stat:/etc/hosts", "640 1000:1000 1000000000"),
    ("stat:/", "755 1000:1000"),
    ("append:/etc/hosts=more", "ok"),
    ("write:/etc/deep/file=changed", "ok"),
    ("read:/etc/deep/file", "changed"),
    ("chmod:/etc/deep/file=600", "ok"),
    ("stat:/etc/deep/file", "600 1000:1000"),
    ("write:/new=new", "ok"),
    ("mkdir:/var/lib/x", "ok"),
    ("write:/var/lib/x/y=text", "ok"),
    // A file of the root moves like one of its own, a directory of it does not: copy it.
    ("rename:/var/old=/var/lib/x/old", "ok"),
    ("read:/var/lib/x/old", "old"),
    ("rename:/var/lib/x=/var/z", "ok"),
    ("rename:/etc/deep=/var/deep", "EXDEV"),
    ("unlink:/var/old", "ENOENT"),
    ("link:/new=/etc/new", "ok"),
    ("symlink:/new=/etc/symbolic", "ok"),
    ("unlink:/etc/link", "ok"),
    // A directory that is made where one of the root's was has nothing of it.
    ("unlink:/etc/deep/file", "ok"),
    ("rmdir:/etc/deep", "ok"),
    ("mkdir:/etc/deep", "ok"),
    ("list:/etc/deep", "ok"),
    ("list:/etc", "deep hosts new symbolic"),
    ("list:/", "bin data dev etc new proc tmp var"),
    // Neither is there a thing that hides others, nor one that opens a device.
    ("whiteout:/var/hidden", "E"),
    ("rmdir:/proc", "EBUSY"),
];

fn acts_as_owner(tree: &Tree, subject: &Subject) -> Report {
    let before = tree.state();
    let steps: Vec<&str> = OWNERS.iter().map(|(step, _)| *step).collect();
    let (said, report) = tree.steps(subject, &steps);
    let text = printed(&report);
    let bare = if lesser::is_bare(&report) { &lesser::BARE[..] } else { &[] };
    for ((step, usual), outcome) in OWNERS.iter().zip(said.all()) {
        let expected = bare.iter().find(|(other, _)| other == step).map_or(usual, |(_, less)| less);
        assert!(outcome.starts_with(expected), "{step}: {outcome}, not {expected}; {text}");
    }
    assert_eq!(tree.state(), before, "the host's directory has changed");
    report
}

#[test]
fn a_program_changes_its_root_as_its_owner_would_and_the_hosts_stays_as_it_is() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    let tree = Tree::new();
    let report = acts_as_owner(&tree, &subject);
    let is_overlay = mechanism(&report).ends_with("; an overlay in memory over the root");
    assert!(is_overlay || lesser::is_bare(&report), "{report:?}");
    // The next one finds what the first one found.
    acts_as_owner(&tree, &subject);
    // A root that can only be read says nothing of this.
    let job = tree.job(&subject, &CHANGE_FILES, &["write:/new=x", "write:/etc/hosts=x"]);
    let root = tree.root.clone();
    let (said, report) = said(job.policy(|p| p.filesystem.base = Base::Rootfs(root)).run());
    assert_eq!(said.all(), ["EROFS", "EROFS"]);
    assert!(!mechanism(&report).contains("in memory"), "{report:?}");
}

#[test]
fn runs_at_the_same_time_do_not_see_each_others_changes() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    let tree = Tree::new();
    let before = tree.state();
    let mut steps = vec!["list:/".to_owned(), "read:/etc/hosts".to_owned()];
    for number in 0..200 {
        steps.push(format!("write:/mark{number}=x"));
        steps.push(format!("append:/etc/hosts={number}"));
    }
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    for warm in [0, 3] {
        let job = tree.job(&subject, &CHANGE_FILES, &steps).policy(|policy| policy.warm = warm);
        let prepared = job.prepare();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let run = prepared.start(Stdio::captured()).expect("it starts");
                        let (said, _) = said(Job::wait(run).expect("it is reported"));
                        assert_eq!(said.of("list:/"), "bin data dev etc proc tmp var");
                        assert_eq!(said.of("read:/etc/hosts"), "of the root");
                    }
                });
            }
        });
    }
    assert_eq!(tree.state(), before, "the host's directory has changed");
}

fn with_disk(disk: u64) -> impl Fn(&mut Policy) {
    move |policy| policy.limits.disk = Limit::At(Bytes(disk))
}

#[test]
fn what_is_written_to_the_root_counts_as_disk() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    let tree = Tree::new();
    let job = |guest, args: &[&str]| tree.job(&subject, guest, args).policy(with_disk(1 << 20));
    let report = job(&WRITE_FILE, &["/var/big", "2000000"]).run();
    let full = Verdict::Limit { control: Control::Disk, limit: 1 << 20, observed: 1 << 20 };
    assert_eq!(report.verdict, full, "{}", printed(&report));
    // With what is written elsewhere, it has one bound.
    for [first, second] in [["/etc/a", "/tmp/b"], ["/tmp/a", "/etc/b"]] {
        let steps = [format!("fill:{first}=600000"), format!("fill:{second}=600000")];
        let (said, _) = said(job(&CHANGE_FILES, &steps.each_ref().map(String::as_str)).run());
        assert_eq!(said.all(), ["ok", "ENOSPC"]);
    }
    // A file that is changed is copied first, whole.
    fs::write(tree.root.join("var/large"), vec![7; 2 << 20]).expect("there is room");
    let (said, _) = said(job(&CHANGE_FILES, &["append:/var/large=x", "write:/new=x"]).run());
    assert_eq!(said.all()[0], "ENOSPC");
    // So have names.
    let steps: Vec<String> = (0..400).map(|number| format!("mkdir:/var/{number}")).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let (said, _) = self::said(job(&CHANGE_FILES, &steps).run());
    assert_eq!((said.all()[0], said.all()[399]), ("ok", "ENOSPC"));
}

#[test]
fn what_is_written_to_the_root_counts_as_memory() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    if !has_cgroup(&subject) {
        return;
    }
    let tree = Tree::new();
    let job = tree.job(&subject, &WRITE_FILE, &["/var/big", "100000000"]).policy(|policy| {
        policy.limits.disk = Limit::Unlimited;
        policy.limits.file_size = Limit::Unlimited;
        policy.limits.memory = Limit::At(Bytes(32 << 20));
    });
    let report = job.run();
    let by_memory = matches!(report.verdict, Verdict::Limit { control: Control::Memory, .. });
    assert!(by_memory, "{:?}: {}", report.verdict, printed(&report));
}

#[test]
fn nothing_of_the_layer_is_in_sight() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject_with_proc() else { return };
    let tree = Tree::new();
    let (said, _) = tree.steps(&subject, &["list:/tmp", "list:/dev/shm", "list:/"]);
    assert_eq!(said.all(), ["ok", "ok", "bin data dev etc proc tmp var"]);
    let mut job = tree.job(&subject, &MOUNTS, &[]);
    let writable = printed(&job.run());
    job.policy.filesystem.base = Base::Rootfs(tree.root.clone());
    let read_only = printed(&job.run());
    let places = |table: &str| -> BTreeSet<String> {
        table.lines().map(|line| line.split(' ').nth(4).expect("a place").to_owned()).collect()
    };
    assert_eq!(places(&writable), places(&read_only), "{writable}");
    let root = writable.lines().find(|line| line.contains(" / / ")).expect("a root");
    for option in ["nosuid", "nodev", " - overlay "] {
        assert!(root.contains(option), "{option}: {root}");
    }
    for feature in ["redirect_dir=on", "metacopy=on", "index=on", "xino=on"] {
        assert!(!root.contains(feature), "{root}");
    }
}

#[test]
fn what_is_mounted_over_the_root_is_as_it_was_asked_for() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    let tree = Tree::new();
    let (fixed, own) = (tree.scratch.dir("fixed"), tree.scratch.dir("own"));
    fs::write(fixed.join("file"), "fixed").expect("there is room");
    fs::write(tree.root.join("var/lib/file"), "hidden").expect("there is room");
    let job = tree.job(
        &subject,
        &CHANGE_FILES,
        &[
            "write:/data/file=x",
            "read:/data/file",
            "write:/etc/deep/made=own",
            "write:/var/lib/file=x",
            "write:/var/old=x",
            "read:/var/old",
            "write:/tmp/late/file=x",
            "read:/tmp/late/file",
            "rename:/data/file=/var/file",
            "write:/data=x",
        ],
    );
    let report = job
        .mount(Mount::read_only(&fixed, "/data"))
        .mount(Mount::read_write(&own, "/etc/deep"))
        .mount(Mount::tmpfs("/var/lib", None))
        .mount(Mount::file("/var/old", "given"))
        .mount(Mount::read_only(&fixed, "/tmp/late"))
        .run();
    let (said, _) = said(report);
    let expected =
        ["EROFS", "fixed", "ok", "ok", "EROFS", "given", "EROFS", "fixed", "EXDEV", "EISDIR"];
    assert_eq!(said.all(), expected);
    assert_eq!(fs::read_to_string(own.join("made")).expect("it was made"), "own");
    assert_eq!(fs::read_to_string(fixed.join("file")).expect("it is there"), "fixed");
}

#[test]
fn a_program_that_overwrites_itself_changes_no_file_of_the_hosts() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject_with_proc() else { return };
    let tree = Tree::new();
    let before = tree.state();
    let paths = [
        "/bin/overwrite",
        "/proc/self/exe",
        "/proc/1/exe",
        "/proc/1/root/etc/hosts",
        "/proc/self/root/bin/mounts",
        "/bin/mounts",
        "/etc/hosts",
    ];
    let said = printed(&tree.job(&subject, &OVERWRITE, &paths).run());
    for refused in ["/bin/overwrite: ETXTBSY", "/proc/self/exe: ETXTBSY", "/proc/1/exe: E"] {
        assert!(said.contains(refused), "{refused}: {said}");
    }
    assert!(said.contains("/bin/mounts: ok") && said.contains("/etc/hosts: ok"), "{said}");
    assert_eq!(tree.state(), before, "the host's directory has changed");
    let after = printed(&tree.job(&subject, &MOUNTS, &[]).run());
    assert!(after.contains(" / / "), "{after}");
}

#[test]
fn files_of_others_can_be_read_and_not_changed() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    fs::write(tree.root.join("var/others"), "others\n").expect("there is room");
    fs::write(tree.root.join("var/closed"), "closed\n").expect("there is room");
    for (name, mode) in [("others", 0o666), ("closed", 0o600)] {
        let path = tree.root.join("var").join(name);
        std::os::unix::fs::chown(&path, Some(12345), Some(12345)).expect("root may");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("root may");
    }
    let before = tree.state();
    let steps = [
        "stat:/var/others",
        "read:/var/others",
        "append:/var/others=x",
        "read:/var/closed",
        "unlink:/var/others",
        "list:/var",
    ];
    let (said, _) = tree.steps(&subject, &steps);
    let all = said.all();
    assert!(all[0].starts_with("666 65534:65534"), "{all:?}");
    assert_eq!(all[1..5], ["others", "EACCES", "EACCES", "EOVERFLOW"], "{all:?}");
    assert_eq!(all[5], "closed lib old others");
    assert_eq!(tree.state(), before, "the host's directory has changed");
}
