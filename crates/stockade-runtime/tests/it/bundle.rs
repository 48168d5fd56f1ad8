//! [`Bundle`]: a directory with a configuration and the files of a small system.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::runtime::{BUSYBOX, TempDir};

/// What of busybox tests call by its own name.
const APPLETS: &str = "awk cat chgrp chmod chown cp cut dd df echo env false find grep head hostname id kill \
    ls mkdir mknod mount mv nc od ps pwd readlink realpath rm rmdir sed seq setsid sh sleep sort stat \
    stty sync tail test touch tr true tty umount uname usleep vi wc xargs yes";

/// A bundle that goes away with this value.
#[derive(Debug)]
pub(crate) struct Bundle {
    dir: TempDir,
    /// What config.json will say.
    pub(crate) config: Value,
}

impl Bundle {
    /// A container's, with these arguments, much like what `runc spec` writes, but writable and without
    /// a terminal. Its root is to be populated.
    pub(crate) fn new(args: &[&str]) -> Self {
        let dir = TempDir::new();
        Self { dir, config: config(args) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path of this file system's, from one that the container sees.
    pub(crate) fn root(&self, inside: &str) -> PathBuf {
        self.path().join("rootfs").join(inside.trim_start_matches('/'))
    }

    /// Writes config.json.
    pub(crate) fn write(&self) {
        fs::write(self.path().join("config.json"), self.config.to_string()).expect("a file");
    }

    /// Changes one place of the configuration, which a JSON pointer names: an object's member is put
    /// there, `-` adds to a list.
    pub(crate) fn set(&mut self, pointer: &str, value: Value) {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let mut at = &mut self.config;
        for part in parent.split('/').skip(1) {
            let next = match at {
                Value::Array(list) => &mut list[part.parse::<usize>().expect("an index")],
                other => &mut other[part],
            };
            at = next;
        }
        match at {
            Value::Array(list) if name == "-" => list.push(value),
            other => other[name] = value,
        }
    }

    /// What a user who is not root can have: one id, which is root inside, and no control groups.
    pub(crate) fn take_rights(&mut self) {
        let ids = [rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()];
        let maps = ids.map(|id| json!([{"containerID": 0, "hostID": id, "size": 1}]));
        self.set("/linux/namespaces/-", json!({"type": "user"}));
        for (name, map) in ["uidMappings", "gidMappings"].into_iter().zip(maps) {
            self.config["linux"][name] = map;
        }
        self.config["linux"].as_object_mut().expect("an object").remove("resources");
        // The group of terminals is none of its.
        self.config["mounts"][2]["options"] =
            json!(["nosuid", "noexec", "newinstance", "ptmxmode=0666"]);
    }

    /// Takes a namespace away, so that the host's is what the container has.
    pub(crate) fn without_namespace(&mut self, kind: &str) {
        let list = self.config["linux"]["namespaces"].as_array_mut().expect("a list");
        list.retain(|namespace| namespace["type"] != kind);
    }

    /// Joins the namespace of a process in the place of making one.
    pub(crate) fn join_namespace(&mut self, kind: &str, path: &str) {
        self.without_namespace(kind);
        self.set("/linux/namespaces/-", json!({"type": kind, "path": path}));
    }
}

/// The files of a small system.
pub(crate) fn populate(root: &Path) {
    for (name, mode) in [
        ("", 0o755),
        ("bin", 0o755),
        ("dev", 0o755),
        ("etc", 0o755),
        ("proc", 0o555),
        ("root", 0o700),
        ("sys", 0o555),
        ("tmp", 0o1777),
    ] {
        let dir = root.join(name);
        fs::create_dir(&dir).expect("a directory");
        fs::set_permissions(&dir, Permissions::from_mode(mode)).expect("its mode");
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).expect("a copy of busybox");
    for applet in APPLETS.split_whitespace() {
        symlink("busybox", root.join("bin").join(applet)).expect("a link");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").expect("a file");
    fs::write(root.join("etc/group"), "root:x:0:\n").expect("a file");
}

fn config(args: &[&str]) -> Value {
    let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
            },
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs"},
        "hostname": "contained",
        "mounts": mounts(),
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}

fn mounts() -> Value {
    json!([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
            "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
            "options": ["nosuid", "noexec", "nodev", "ro"]},
    ])
}
