//! Trees built for real: every such test runs itself again in namespaces of its own, so that
//! whatever it mounts is gone with it.
#![allow(clippy::print_stdout, reason = "a skip is printed, and the inner test talks to the outer")]

mod hostile;
mod namespaces;
mod options;
mod ordinary;
mod special;

use std::env;
use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags};
use serde_json::{Value, json};

use super::options::RDONLY;
use super::{Rootfs, Situation};
use crate::failure::Outcome;
use crate::sys::mounts::{MountAttributes, mount_setattr};

/// Whether `mount_setattr` is missing, as before Linux 5.12.
pub(super) static OLD_KERNEL: AtomicBool = AtomicBool::new(false);

/// The directory of a test that runs in its own namespaces.
const ROOM: &str = "STOCKADE_TEST_ROOM";

/// Runs the test `name` of `module` once more, as root in new namespaces, and says whether this
/// already is that run. `more` are arguments of `unshare`.
fn isolated(module: &str, name: &str, more: &[&str]) -> bool {
    if env::var_os(ROOM).is_some() {
        return true;
    }
    let rootless = more.contains(&"--user");
    if !rootless && !rustix::process::geteuid().is_root() {
        println!("SKIP: {name}: not root");
        return false;
    }
    let room = env::temp_dir().join(format!("stockade-rootfs-{}-{name}", std::process::id()));
    fs::create_dir(&room).expect("a new directory");
    let run = again(module, name, more).env(ROOM, &room).output();
    fs::remove_dir(&room).expect("nothing was left in the directory");
    let run = run.expect("unshare of util-linux");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    print!("{said}");
    false
}

/// The command that runs a test in new namespaces.
fn again(module: &str, name: &str, more: &[&str]) -> Command {
    let (_, module) = module.split_once("::").expect("a module of this crate");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--ipc", "--uts", "--kill-child"])
        .args(more)
        .arg(env::current_exe().expect("this program"))
        .args(["--exact", &format!("{module}::{name}"), "--nocapture", "--test-threads=1"]);
    command
}

/// A bundle in a filesystem of its own, with a secret beside it.
struct Bundle {
    dir: PathBuf,
    outside: PathBuf,
}

const SECRET: &str = "untouched";

impl Bundle {
    fn new() -> Self {
        // Whatever is wrong with what is tested, or was broken to see a test fail: the host that it
        // could reach cannot be written to from here.
        let host = rustix::fs::open("/", OFlags::PATH, Mode::empty()).expect("the root");
        let read_only = MountAttributes { set: RDONLY, ..MountAttributes::default() };
        mount_setattr(host.as_fd(), true, &read_only).expect("a read-only host");
        let room = PathBuf::from(env::var_os(ROOM).expect("in a room"));
        rustix::mount::mount("tmpfs", &room, "tmpfs", rustix::mount::MountFlags::empty(), None)
            .expect("a tmpfs");
        let Self { dir, outside } = Self::there();
        fs::create_dir_all(dir.join("rootfs")).expect("a directory");
        fs::create_dir_all(outside.join("deep/er")).expect("a directory");
        fs::write(outside.join("secret"), SECRET).expect("a file");
        fs::write(outside.join("deep/secret"), SECRET).expect("a file");
        Self { dir, outside }
    }

    /// The one that was made before, in an outer namespace.
    fn there() -> Self {
        let room = PathBuf::from(env::var_os(ROOM).expect("in a room"));
        Self { dir: room.join("bundle"), outside: room.join("outside") }
    }

    fn root(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    /// A directory beside the rootfs, with a file of the same name in it.
    fn volume(&self, name: &str) -> PathBuf {
        let volume = self.dir.join(name);
        fs::create_dir_all(&volume).expect("a directory");
        fs::write(volume.join(name), name).expect("a file");
        volume
    }

    fn build<'a>(&'a self, spec: &'a Spec) -> Outcome<Rootfs<'a>> {
        let mut rootfs = Rootfs::new(spec, &self.dir, situation())?;
        rootfs.build()?;
        Ok(rootfs)
    }

    /// All steps: the test is inside then.
    fn enter<'a>(&'a self, spec: &'a Spec) -> Outcome<Rootfs<'a>> {
        let rootfs = self.build(spec)?;
        rootfs.enter()?;
        rootfs.finish()?;
        Ok(rootfs)
    }

    /// Nothing beside the rootfs was written, made, or mounted on.
    #[track_caller]
    fn assert_untouched(&self) {
        let names = |dir: &Path| {
            let entries = fs::read_dir(dir).expect("the directory is there");
            let mut names: Vec<_> =
                entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&self.outside), ["deep", "secret"]);
        assert_eq!(names(&self.outside.join("deep")), ["er", "secret"]);
        assert!(names(&self.outside.join("deep/er")).is_empty());
        for secret in ["secret", "deep/secret"] {
            let text = fs::read_to_string(self.outside.join(secret)).expect("the secret is there");
            assert_eq!(text, SECRET);
        }
        let over: Vec<_> = mounts()
            .into_iter()
            .filter(|mount| mount.place.starts_with(&*self.outside.to_string_lossy()))
            .collect();
        assert!(over.is_empty(), "{over:?}");
    }
}

fn situation() -> Situation<'static> {
    Situation {
        user_namespace: false,
        cgroup_namespace: false,
        cgroup_mounts: &[],
        no_pivot: false,
        sources: Vec::new(),
    }
}

/// A configuration of these mounts, and `linux`.
fn spec(mounts: Value, linux: Value) -> Spec {
    let config = json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs" },
        "process": {
            "cwd": "/work/here", "args": ["/bin/true"], "user": { "uid": 0, "gid": 0 }
        },
        "mounts": mounts,
        "linux": linux,
    });
    serde_json::from_value(config).expect("a configuration")
}

fn proc_mount() -> Value {
    json!({ "destination": "/proc", "type": "proc", "source": "proc" })
}

fn dev_mount() -> Value {
    json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] })
}

/// A line of `mountinfo`.
#[derive(Debug)]
struct Mounted {
    root: String,
    place: String,
    options: String,
    propagation: String,
    kind: String,
    data: String,
}

impl Mounted {
    #[track_caller]
    fn assert_options(&self, options: &[&str]) {
        let there: Vec<&str> = self.options.split(',').collect();
        for option in options {
            match option.strip_prefix('!') {
                Some(option) => assert!(!there.contains(&option), "{option} of {self:?}"),
                None => assert!(there.contains(option), "{option} of {self:?}"),
            }
        }
    }
}

/// This mount namespace, as the procfs of this process says it.
fn mounts() -> Vec<Mounted> {
    let proc = super::proc().expect("a procfs");
    let file = proc.open("self/mountinfo", OFlags::RDONLY).expect("mountinfo");
    let text = std::io::read_to_string(fs::File::from(file)).expect("text");
    let line = |line: &str| {
        let (mount, filesystem) = line.split_once(" - ").expect("two parts");
        let mount: Vec<&str> = mount.split(' ').collect();
        let filesystem: Vec<&str> = filesystem.split(' ').collect();
        Mounted {
            root: mount[3].into(),
            place: mount[4].into(),
            options: mount[5].into(),
            propagation: mount[6..].join(" "),
            kind: filesystem[0].into(),
            data: filesystem[2].into(),
        }
    };
    text.lines().map(line).collect()
}

/// The topmost mount at a place.
#[track_caller]
fn mount_at(place: &str) -> Mounted {
    let at = mounts().into_iter().rfind(|mount| mount.place == place);
    at.unwrap_or_else(|| panic!("nothing is mounted at {place}: {:#?}", mounts()))
}

#[track_caller]
fn refused<T>(outcome: Outcome<T>) -> String {
    match outcome {
        Ok(_) => panic!("it was done"),
        Err(failure) => failure.to_string(),
    }
}
