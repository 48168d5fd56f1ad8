//! What this machine offers to the tests.

use crate::command;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The interpreter that the guests run, and that probes the kernel below.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// What a test runs inside to see whether the host stays healthy.
pub(crate) const STRESS: &str = "/usr/bin/stress-ng";

/// Asks the kernel for Landlock (`landlock_create_ruleset(2)`, number 444 on every architecture)
/// and for a user namespace whose capabilities count: some systems let one be made and then refuse
/// everything inside it, so a host name is set there.
const PROBE: &str = r#"
import ctypes, os
libc = ctypes.CDLL(None)
abi = libc.syscall(444, None, 0, 1)
if abi > 0:
    print("landlock")
if abi >= 6:
    print("landlock_scope")
uid = os.geteuid()
NEWUSER, NEWUTS = 0x10000000, 0x04000000
if libc.unshare(NEWUSER | NEWUTS) == 0:
    try:
        with open("/proc/self/uid_map", "w") as table:
            table.write(f"0 {uid} 1")
        if libc.sethostname(b"probe", 5) == 0:
            print("userns")
    except OSError:
        pass
"#;

/// Whether this process runs as uid 0.
pub(crate) fn is_root() -> bool {
    // The owner of /proc/self is the effective user of the process (proc(5)).
    fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

/// The features a test may count on, as words for `STOCKADE_TEST_EXPECT`.
///
/// `user` is asked instead of the current one when given.
pub(crate) fn features(user: Option<u32>) -> String {
    let mut probe = Command::new(PYTHON);
    probe.args(["-I", "-c", PROBE]).current_dir("/").stdin(Stdio::null());
    if let Some(id) = user {
        probe.uid(id).gid(id);
    }
    let found = command::read(&mut probe).unwrap_or_default();
    let mut words = vec!["userns", "landlock", "landlock_scope"];
    words.retain(|word| found.lines().any(|line| line == *word));
    if user.is_none() && is_root() && has_cgroup() {
        words.push("cgroup");
    }
    if has_stress() {
        words.push("stress-ng");
    }
    words.join(",")
}

/// Whether stress-ng is installed.
pub(crate) fn has_stress() -> bool {
    Path::new(STRESS).is_file()
}

/// Whether a group with a memory limit can be made below our own.
fn has_cgroup() -> bool {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    text.lines().filter_map(memory_group).any(|group| {
        let probe = group.join(format!("stockade-probe-{}", std::process::id()));
        fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok()
    })
}

/// The folder of our memory group, from one line of `/proc/self/cgroup` (cgroups(7)).
fn memory_group(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let path = path.trim_start_matches('/');
    if controllers.split(',').any(|name| name == "memory") {
        return Some(Path::new("/sys/fs/cgroup/memory").join(path));
    }
    let group = Path::new("/sys/fs/cgroup").join(path);
    let offered = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    let unified = controllers.is_empty() && offered.split_whitespace().any(|name| name == "memory");
    unified.then_some(group)
}
