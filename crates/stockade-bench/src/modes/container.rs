//! Containers: runc and crun with a bundle of the benchmark's own, Docker with an image of its own.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::native::program;
use super::system::{Entry, entries};
use super::tools::{checked, version};
use super::{mode, words};
use crate::options::Session;
use crate::race::Entrant;
use crate::scratch::installed;
use crate::spawn::{PATIENCE, probe, run_silently};
use crate::{Mode, WORK, archive};

pub(super) fn entrants(session: &Session<'_>) -> Vec<Entrant<'static>> {
    vec![oci(session, "runc"), oci(session, "crun"), docker(session)]
}

fn oci(session: &Session<'_>, tool: &'static str) -> Entrant<'static> {
    let is_root = rustix::process::geteuid().is_root();
    let mut mode = mode(tool, tool, "container", "cold");
    mode.walls = words(match is_root {
        true => &[
            "mount, pid, network, IPC, UTS and cgroup namespaces",
            "a root of its own, read-only",
            "no capabilities, no_new_privs",
            "cgroup limits on memory and tasks",
        ],
        false => &[
            "user, mount, pid, network, IPC and UTS namespaces",
            "a root of its own, read-only",
            "no capabilities, no_new_privs",
        ],
    });
    let Some(binary) = installed(tool) else {
        return Entrant::skipped(mode, format!("{tool} is not installed"));
    };
    mode.version = version(&binary, &session.scratch.path("said"));
    let bundle = match bundle(session, tool, is_root) {
        Ok(bundle) => bundle,
        Err(error) => return Entrant::broken(mode, format!("no bundle: {error}")),
    };
    let mut number = 0_u32;
    let process = std::process::id();
    checked(session, mode, move || {
        number += 1;
        let mut command = Command::new(&binary);
        command.arg("--root").arg(bundle.join("state")).args(["run", "--bundle"]).arg(&bundle);
        command.arg(format!("stockade-bench-{tool}-{process}-{number}"));
        command
    })
}

/// A root of links and empty directories, and a configuration; see the OCI runtime specification.
fn bundle(session: &Session<'_>, tool: &str, is_root: bool) -> io::Result<PathBuf> {
    let bundle = session.scratch.dir(tool)?;
    let root = session.scratch.dir(&format!("{tool}/rootfs"))?;
    // It is `/` for a program that is not root.
    fs::set_permissions(&root, Permissions::from_mode(0o755))?;
    let mut mounts = vec![
        mount("proc", "/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("tmpfs", "/dev", "tmpfs", &["nosuid", "mode=755", "size=65536k"]),
        mount("tmpfs", "/tmp", "tmpfs", &["nosuid", "nodev"]),
    ];
    ["proc", "dev", "tmp"].iter().try_for_each(|name| fs::create_dir(root.join(name)))?;
    for entry in entries() {
        match entry {
            Entry::Dir(name) => {
                fs::create_dir(inside(&root, name))?;
                mounts.push(mount("bind", name, name, &["rbind", "ro", "nosuid", "nodev"]));
            }
            Entry::Link(name, target) => symlink(target, inside(&root, name))?,
        }
    }
    fs::write(bundle.join("config.json"), config(mounts, is_root).to_string())?;
    Ok(bundle)
}

fn inside(root: &Path, name: &str) -> PathBuf {
    root.join(name.trim_start_matches('/'))
}

fn mount(kind: &str, target: &str, source: &str, options: &[&str]) -> Value {
    json!({ "destination": target, "type": kind, "source": source, "options": options })
}

fn config(mounts: Vec<Value>, is_root: bool) -> Value {
    let mut spaces = vec!["pid", "network", "ipc", "uts", "mount"];
    spaces.push(if is_root { "cgroup" } else { "user" });
    let spaces: Vec<Value> = spaces.into_iter().map(|space| json!({ "type": space })).collect();
    let mut linux = json!({
        "namespaces": spaces,
        "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug"],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    });
    let mut user = json!({ "uid": 65534, "gid": 65534 });
    if is_root {
        linux["resources"] = json!({ "memory": { "limit": 256 << 20 }, "pids": { "limit": 64 } });
    } else {
        let map = |id: u32| json!([{ "containerID": 0, "hostID": id, "size": 1 }]);
        linux["uidMappings"] = map(rustix::process::geteuid().as_raw());
        linux["gidMappings"] = map(rustix::process::getegid().as_raw());
        user = json!({ "uid": 0, "gid": 0 });
    }
    let none: [&str; 0] = [];
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": user,
            "args": [program()],
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/tmp",
            "capabilities": {
                "bounding": none, "effective": none, "inheritable": none, "permitted": none,
                "ambient": none,
            },
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "stockade",
        "mounts": mounts,
        "linux": linux,
    })
}

/// An image, removed with this value.
struct Image {
    docker: PathBuf,
    name: String,
}

impl Image {
    fn new(session: &Session<'_>, docker: &Path) -> Result<Self, String> {
        let tar = archive::tar("work", WORK);
        let file = session.scratch.file("image.tar", &tar).map_err(|error| error.to_string())?;
        let name = format!("stockade-bench-{}:latest", std::process::id());
        let mut command = Command::new(docker);
        command.arg("import").arg(file).arg(&name);
        probe(&mut command, &session.scratch.path("said"))?;
        Ok(Self { docker: docker.to_owned(), name })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let mut command = Command::new(&self.docker);
        // Whoever looks at the images would see it left.
        let _ = run_silently(command.args(["rmi", "--force", &self.name]), PATIENCE);
    }
}

/// On cgroup version 1 it would otherwise share the host's cgroup namespace.
const DOCKER: &str = "run --rm --network none --cgroupns private --read-only --user 65534:65534 \
    --cap-drop ALL --security-opt no-new-privileges --memory 256m --pids-limit 64 --name";
/// What begins the line about the daemon, among warnings.
const SERVER: &str = "server ";

fn docker(session: &Session<'_>) -> Entrant<'static> {
    let mode = mode("docker", "docker run", "container", "cold");
    let walls = words(&[
        "mount, pid, network, IPC, UTS and cgroup namespaces",
        "a root of its own, read-only",
        "no capabilities, no_new_privs",
        "cgroup limits on memory and tasks",
    ]);
    let note = "a static program in an image of one file; the daemon's CPU time is not seen";
    let mut mode = Mode { walls, note: Some(note.to_owned()), ..mode };
    let Some(binary) = installed("docker") else {
        return Entrant::skipped(mode, "docker is not installed");
    };
    let said = session.scratch.path("said");
    let mut info = Command::new(&binary);
    info.args([
        "info",
        "--format",
        &format!("{SERVER}{{{{.ServerVersion}}}} {{{{.SecurityOptions}}}}"),
    ]);
    let server = match probe(&mut info, &said) {
        Ok(server) => server,
        Err(failure) => return Entrant::skipped(mode, format!("no daemon answers: {failure}")),
    };
    let mut about = server.lines().filter_map(|line| line.trim().strip_prefix(SERVER));
    if let Some((version, options)) = about.next().and_then(|about| about.split_once(' ')) {
        mode.version = Some(version.to_owned());
        let filter = options.contains("name=seccomp");
        mode.walls.extend(filter.then(|| "Docker's seccomp profile".to_owned()));
    }
    let image = match Image::new(session, &binary) {
        Ok(image) => image,
        Err(failure) => return Entrant::broken(mode, failure),
    };
    let mut number = 0_u32;
    let mut entrant = checked(session, mode, move || {
        number += 1;
        let mut command = Command::new(&binary);
        let name = format!("stockade-bench-{}-{number}", std::process::id());
        command.args(DOCKER.split_whitespace()).args([&name, &image.name, "/work", "true"]);
        command
    });
    entrant.cpu = false;
    entrant
}
