//! Directories of containers, and who may change them.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::cgroup::Cgroup;
use crate::state::{Init, Phase, Status};
use crate::walls::Walls;

/// A directory of a test's own, removed with it.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-oci-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("nobody else has this name");
        Self { path }
    }

    /// A home beneath it that does not exist yet.
    pub(crate) fn home(&self) -> Home {
        Home::new(Some(&self.path.join("a/root")), true).expect("it is absolute")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A state with the first process given.
pub(crate) fn state(id: &str, init: Option<Init>) -> State {
    let cgroup: Cgroup = Cgroup::plan(&Spec::default(), id, false, false).expect("it is planned");
    State {
        oci_version: "1.0.2".into(),
        id: id.into(),
        bundle: "/bundle".into(),
        rootfs: "/bundle/rootfs".into(),
        annotations: [("a".to_owned(), "b".to_owned())].into(),
        created: "2026-01-02T03:04:05.678901234Z".into(),
        owner: 0,
        rootless: false,
        walls: Walls::Full,
        phase: Phase::Created,
        init,
        cgroup,
    }
}

fn says<T>(outcome: Outcome<T>, words: &str) {
    let failure = outcome.err().expect("it fails").to_string();
    assert!(failure.contains(words), "{failure:?} has no {words:?}");
}

#[test]
fn ids_are_those_of_runc() {
    for id in ["a", "0", "_", "+", "-", "a.b", "..a", "...", "A_b+c-d.e", &"x".repeat(255)] {
        assert!(is_id(id), "{id}");
    }
    for id in ["", ".", "..", "a/b", "/", "../a", "a b", "a\n", "ä", "a\0", "a:b", &"x".repeat(256)]
    {
        assert!(!is_id(id), "{id}");
        let scratch = Scratch::new();
        says(scratch.home().reserve(id), "invalid container ID format");
        says(scratch.home().look(id), "invalid container ID format");
        assert_eq!(fs::read_dir(&scratch.path).expect("it is there").count(), 0, "{id}");
    }
}

#[test]
fn an_id_is_taken_once() {
    let scratch = Scratch::new();
    let home = scratch.home();
    assert_eq!(home.ids().expect("no directory is no container"), [""; 0]);
    says(home.load("one"), "container does not exist");
    let (entry, lock) = home.reserve("one").expect("it is free");
    assert!(entry.path().is_dir());
    says(home.reserve("one"), "container with given ID already exists");
    // One that is being made is listed, and not there for those who ask for it.
    assert_eq!(home.ids().expect("it is listed"), ["one"]);
    says(home.load("one"), "container does not exist");
    entry.save(&state("one", None), &lock).expect("it is written");
    home.load("one").expect("it is there now");
    entry.remove(lock).expect("it is removed");
    assert!(home.look("one").expect("it is looked for").is_none());
    home.reserve("one").expect("it is free again");
}

#[test]
fn of_many_who_take_an_id_one_gets_it() {
    let scratch = Scratch::new();
    let home = scratch.home();
    let winners = std::thread::scope(|scope| {
        let takers: Vec<_> =
            (0..16).map(|_| scope.spawn(|| home.reserve("id").map(drop).is_ok())).collect();
        takers
            .into_iter()
            .map(|taker| taker.join().expect("none panics"))
            .filter(|&won| won)
            .count()
    });
    assert_eq!(winners, 1);
}

#[test]
fn a_state_comes_back_as_it_was() {
    let scratch = Scratch::new();
    let (entry, lock) = scratch.home().reserve("id").expect("it is free");
    let init = Init::of(std::process::id().cast_signed()).expect("this is a process");
    let state = state("id", Some(init.clone()));
    entry.save(&state, &lock).expect("it is written");
    let (entry, back) = scratch.home().load("id").expect("it is there");
    assert_eq!(serde_json::to_value(&back).ok(), serde_json::to_value(&state).ok());
    assert_eq!(back.init, Some(init));
    assert_eq!(back.status(&entry), Status::Running);
    let mode = fs::metadata(entry.path().join(STATE)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    entry.save_config(b"{}", &lock).expect("it is written");
    assert_eq!(entry.config_text().expect("it is there"), b"{}");
}

#[test]
fn a_reader_never_sees_half_a_state() {
    let scratch = Scratch::new();
    let (entry, lock) = scratch.home().reserve("id").expect("it is free");
    let mut state = state("id", None);
    entry.save(&state, &lock).expect("it is written");
    let reader = scratch.home();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                let (_, state) = reader.load("id").expect("it is whole at any moment");
                assert!(state.annotations["a"].bytes().all(|byte| byte == b'x' || byte == b'b'));
                count += 1;
            }
            count
        });
        for size in (0..300).map(|step| step * 97) {
            state.annotations.insert("a".into(), "x".repeat(size));
            entry.save(&state, &lock).expect("it is written");
        }
        done.store(true, Ordering::Relaxed);
        assert!(read.join().expect("no read failed") > 0);
    });
}

#[test]
fn what_is_damaged_is_told_apart_from_what_is_missing() {
    let scratch = Scratch::new();
    let (entry, lock) = scratch.home().reserve("id").expect("it is free");
    assert!(entry.state().expect("none is no error").is_none());
    says(entry.config_text(), "config.json");
    for text in ["", "{", "{\"id\":1}", "null"] {
        fs::write(entry.path().join(STATE), text).expect("it is written");
        says(entry.state(), "state.json");
        says(scratch.home().load("id"), "state.json");
    }
    // A link leads nowhere else.
    fs::remove_file(entry.path().join(STATE)).expect("it is there");
    std::os::unix::fs::symlink("/etc/passwd", entry.path().join(STATE)).expect("it is made");
    says(entry.state(), "state.json");
    // What a killed command left does not stand in the way.
    fs::write(entry.path().join("state.json.new"), "half").expect("it is written");
    entry.save(&state("id", None), &lock).expect("it is replaced");
    entry.state().expect("it is whole").expect("it is there");
    entry.remove(lock).expect("nothing is left");
    assert_eq!(scratch.home().ids().expect("it is listed"), [""; 0]);
}

#[test]
fn only_directories_with_names_of_containers_are_listed() {
    let scratch = Scratch::new();
    let home = scratch.home();
    for id in ["b", "a"] {
        home.reserve(id).expect("it is free");
    }
    fs::write(home.root.join("file"), "").expect("it is written");
    fs::create_dir(home.root.join("no id")).expect("it is made");
    assert_eq!(home.ids().expect("it is listed"), ["a", "b"]);
    assert!(home.look("file").expect("it is looked for").is_none());
}

/// Not a test by itself: the other process of the tests below, which holds a lock and may delete.
#[test]
fn holder() {
    let (Ok(root), Ok(way)) =
        (std::env::var("STOCKADE_TEST_HOME"), std::env::var("STOCKADE_TEST_WAY"))
    else {
        return;
    };
    let entry = Home::new(Some(root.as_ref()), true).and_then(|home| home.find("id"));
    let entry = entry.expect("the test has made it");
    let lock = entry.lock().expect("the test does not hold it");
    fs::write(Path::new(&root).join("held"), "").expect("it is written");
    std::thread::sleep(Duration::from_millis(300));
    if way == "delete" {
        entry.remove(lock).expect("it is removed");
    } else if way == "hold" {
        std::thread::sleep(Duration::from_secs(60));
        drop(lock);
    }
}

/// Another process that holds the lock of `id`.
fn other(home: &Home, way: &str) -> Child {
    let exe = std::env::current_exe().expect("this is a program");
    let child = Command::new(exe)
        .args(["--exact", "home::tests::holder"])
        .env("STOCKADE_TEST_HOME", &home.root)
        .env("STOCKADE_TEST_WAY", way)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    while !home.root.join("held").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn a_lock_is_held_against_other_processes_until_it_is_given_up() {
    let scratch = Scratch::new();
    let home = scratch.home();
    drop(home.reserve("id").expect("it is free"));
    let mut child = other(&home, "release");
    let entry = home.find("id").expect("it is there");
    assert!(entry.try_lock().expect("it is asked for").is_none());
    drop(entry.lock().expect("it is given up in time"));
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_lock_ends_with_its_process() {
    let scratch = Scratch::new();
    let home = scratch.home();
    drop(home.reserve("id").expect("it is free"));
    let mut child = other(&home, "hold");
    let entry = home.find("id").expect("it is there");
    assert!(entry.try_lock().expect("it is asked for").is_none());
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let lock = entry.try_lock().expect("it is asked for").expect("nobody has it");
    entry.remove(lock).expect("what was left is removed");
}

#[test]
fn who_waits_for_a_container_that_is_deleted_finds_none() {
    let scratch = Scratch::new();
    let home = scratch.home();
    drop(home.reserve("id").expect("it is free"));
    let entry = home.find("id").expect("it is there");
    let mut child = other(&home, "delete");
    says(entry.lock(), "container does not exist");
    assert!(child.wait().expect("it ends").success());
    // The id is another's by now.
    drop(home.reserve("id").expect("it is free"));
    says(entry.lock(), "container does not exist");
}

#[test]
fn a_user_has_a_home_of_its_own() {
    let root = Home::new(None, true).expect("root has one");
    assert_eq!(root.root, Path::new("/run/stockade-oci"));
    let scratch = Scratch::new();
    let home = Home { root: scratch.path.join("stockade-oci"), is_users: true };
    home.reserve("id").expect("it is made");
    let mode = fs::metadata(&home.root).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o1711);
}
