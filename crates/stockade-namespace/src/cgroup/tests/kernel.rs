//! Against the kernel that runs the tests.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stockade_warden::wire::board::Word;

use super::super::name::Name;
use super::super::recipe::Recipe;
use super::super::{Base, Bounds, Cgroups, Hierarchies, files, sweep};

/// What cgroups can do here, if they bound memory and tasks; else says why the test is skipped.
fn limiting(test: &str) -> Option<Cgroups> {
    let cgroups = Cgroups::probe(&Hierarchies::read().expect("/proc is mounted"));
    let lack = [&cgroups.memory, &cgroups.tasks].into_iter().find_map(|seat| seat.as_ref().err());
    let Some(lack) = lack else { return Some(cgroups) };
    super::skip(test, &lack.reason);
    None
}

fn path(dir: BorrowedFd<'_>) -> PathBuf {
    fs::read_link(format!("/proc/self/fd/{}", dir.as_raw_fd())).expect("it is open")
}

/// Does what the warden does at the start of a run.
fn follow(recipe: &Recipe, base: &Base) -> Vec<PathBuf> {
    let bases: Vec<PathBuf> = base.descriptors().map(path).collect();
    let groups: Vec<PathBuf> =
        recipe.groups.iter().map(|group| bases[group.parent as usize].join("run")).collect();
    groups.iter().for_each(|group| fs::create_dir(group).expect("a group"));
    for write in &recipe.writes {
        let file = groups[write.group as usize].join(write.file);
        if !write.optional || file.exists() {
            fs::write(file, &write.value).unwrap_or_else(|e| panic!("{}: {e}", write.file));
        }
    }
    groups
}

/// Reads what the recipe's counters tell of a word.
fn count(recipe: &Recipe, groups: &[PathBuf], word: Word) -> u64 {
    let counter = recipe.counters.iter().find(|counter| counter.word == word);
    let counter = counter.expect("it is counted");
    let text = fs::read_to_string(groups[counter.group as usize].join(counter.file));
    let text = text.expect("it is readable");
    // The whole key: `oom_kill_disable` stands before `oom_kill`.
    let mut lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let number = match counter.key {
        "" => lines.next().map(|words| words[0]),
        key => lines.find(|words| words[0] == key).map(|words| words[1]),
    };
    let number = number.expect("a number");
    number.parse::<u64>().expect("a number") * u64::from(counter.scale)
}

/// Runs a shell script in the groups.
fn shell(groups: &[PathBuf], script: &str) -> Child {
    let joins: String = groups
        .iter()
        .map(|group| format!("echo $$ > {}/cgroup.procs; ", group.display()))
        .collect();
    Command::new("sh")
        .args(["-c", &format!("set -e; {joins}set +e; {script}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts")
}

#[test]
fn the_task_limit_holds_and_is_told() {
    let Some(cgroups) = limiting("the_task_limit_holds_and_is_told") else { return };
    let mut base = Base::create(&cgroups.parents).expect("a base");
    let recipe = cgroups.recipe(&Bounds { processes: Some(4), ..Bounds::default() });
    let groups = follow(&recipe, &base);
    assert_eq!(count(&recipe, &groups, Word::ReadTasks), 4);
    let script = "for i in 1 2 3 4 5 6; do sleep 60 & done; wait";
    let mut child = shell(&groups, script);
    for _ in 0..500 {
        if count(&recipe, &groups, Word::TaskRefusals) > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(count(&recipe, &groups, Word::TaskRefusals) > 0);
    assert_eq!(count(&recipe, &groups, Word::PeakTasks), 4);
    // Removing kills those who still sleep.
    base.clear().expect("nothing is left");
    child.wait().expect("it ended");
    assert!(groups.iter().all(|group| !group.exists()));
}

#[test]
fn the_memory_limit_holds_and_is_told() {
    let Some(cgroups) = limiting("the_memory_limit_holds_and_is_told") else { return };
    let mut base = Base::create(&cgroups.parents).expect("a base");
    let limit = 16 << 20;
    let recipe = cgroups.recipe(&Bounds { memory: Some(limit), ..Bounds::default() });
    let groups = follow(&recipe, &base);
    assert_eq!(count(&recipe, &groups, Word::ReadMemory), limit);
    let status =
        shell(&groups, r"all=$(head -c 67108864 /dev/zero | tr '\0' a)").wait().expect("it ended");
    assert!(!status.success());
    let told = |word| recipe.counters.iter().any(|counter| counter.word == word);
    let word = if told(Word::OomEvents) { Word::OomEvents } else { Word::OomKills };
    assert!(count(&recipe, &groups, word) > 0);
    let peak = count(&recipe, &groups, Word::PeakMemory);
    assert!((limit / 2..=limit).contains(&peak), "{peak}");
    base.clear().expect("nothing is left");
}

#[test]
fn cpu_time_is_counted_and_the_rate_can_be_set() {
    let Some(cgroups) = limiting("cpu_time_is_counted_and_the_rate_can_be_set") else { return };
    let base = Base::create(&cgroups.parents).expect("a base");
    let recipe = cgroups.recipe(&Bounds { milli_cpus: Some(250), ..Bounds::default() });
    let groups = follow(&recipe, &base);
    assert_eq!(count(&recipe, &groups, Word::ReadQuota), 25_000);
    // Far below a tick of the timer.
    shell(&groups, "true").wait().expect("it ended");
    let system = recipe.counters.iter().any(|counter| counter.word == Word::SystemNs);
    let used = || {
        let system = if system { count(&recipe, &groups, Word::SystemNs) } else { 0 };
        count(&recipe, &groups, Word::UserNs) + system
    };
    // The last of it is counted when the process leaves its processor, which may be after it was
    // waited for.
    for _ in 0..500 {
        if used() > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(used() > 0);
}

#[test]
fn a_dropped_base_is_gone() {
    let Some(cgroups) = limiting("a_dropped_base_is_gone") else { return };
    let base = Base::create(&cgroups.parents).expect("a base");
    let paths: Vec<PathBuf> = base.descriptors().map(path).collect();
    assert!(!paths.is_empty() && paths.len() <= 4 && paths.iter().all(|path| path.exists()));
    for (path, parent) in paths.iter().zip(&cgroups.parents) {
        assert_eq!(path.parent(), Some(parent.dir.as_path()));
    }
    drop(base);
    assert!(paths.iter().all(|path| !path.exists()));
}

/// Directories that a test made, removed if it fails.
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.iter().rev().for_each(|dir| drop(fs::remove_dir(dir)));
    }
}

#[test]
fn sweeping_removes_what_the_dead_left_and_nothing_else() {
    let Some(cgroups) = limiting("sweeping_removes_what_the_dead_left_and_nothing_else") else {
        return;
    };
    let base = Base::create(&cgroups.parents).expect("a base");
    let living = base.descriptors().next().map(path).expect("a directory");
    let dir = living.parent().expect("a parent").to_owned();
    let pid = std::process::id();
    // No process can have the number 4194304, and this process did not start at tick 1.
    let dead = dir.join(format!("stockade-4194304-5-{pid:016x}"));
    let earlier = dir.join(format!("stockade-{pid}-1-{pid:016x}"));
    let locked = dir.join(format!("stockade-4194304-6-{pid:016x}"));
    let stranger = dir.join(format!("stockade-4194304-5-{pid:015x}"));
    let run = dead.join("run");
    let made = Made([&dead, &run, &earlier, &locked, &stranger].map(PathBuf::clone).into());
    made.0.iter().for_each(|dir| fs::create_dir(dir).expect("a group"));
    let lock = files::open_directory(&locked).expect("it opens");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("it locks");
    let mut sleeper = shell(&[run], "sleep 60 & sleep 60");

    sweep(&cgroups.parents);
    assert!(!dead.exists() && !earlier.exists());
    assert!(living.exists() && locked.exists() && stranger.exists());
    assert!(!sleeper.wait().expect("it ended").success());

    drop(lock);
    // A child that another test starts may hold a copy of the lock until it executes.
    for _ in 0..100 {
        if sweep(&cgroups.parents) > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!locked.exists() && living.exists() && stranger.exists());
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let dir = std::env::temp_dir().join(format!("stockade-link-{}", std::process::id()));
    fs::create_dir_all(dir.join("target/inner")).expect("a directory");
    let link = dir.join("stockade-4194304-5-0123456789abcdef");
    symlink(dir.join("target"), &link).expect("a link");
    let name = link.file_name().and_then(|name| name.to_str()).expect("a name");
    let above = files::open_directory(&dir).expect("it opens");
    assert!(files::open_child(above.as_fd(), name).is_err());
    sweep(&[super::parent(dir.to_str().expect("text"), super::Version::V1)]);
    assert!(link.is_symlink() && dir.join("target/inner").exists());
    fs::remove_dir_all(dir).expect("it is removed");
}

#[test]
fn a_name_is_one_to_the_letter() {
    let name = Name::new().expect("/proc is mounted");
    assert_eq!(Name::parse(&name.to_string()), Some(name));
    assert!(!name.is_orphan());
    for text in [
        "stockade-1-2-123",
        "stockade-01-2-0123456789abcdef",
        "stockade-1-2-0123456789ABCDEF",
        "stockade-1-2-0123456789abcdef-",
        "stockade-+1-2-0123456789abcdef",
        "stockade--1-2-0123456789abcdef",
        "Stockade-1-2-0123456789abcdef",
        "stockade",
        "",
    ] {
        assert_eq!(Name::parse(text), None, "{text}");
    }
}
