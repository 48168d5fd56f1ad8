//! Containers by bubblewrap: no capability, no way back to any, nothing of the host writable.

use crate::host;
use crate::test::rootless::USER;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is hidden in containers, and what is read-only there: the lists of Docker's documentation.
const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Directories beside `/usr`, which are links into it on merged systems.
const SYSTEM: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// One kind of container.
pub(super) struct Container {
    pub(super) name: &'static str,
    /// Whether parts of `/proc` are covered.
    pub(super) is_masked: bool,
    /// Whether the system call filter is on.
    pub(super) is_filtered: bool,
}

/// Where a container is made from.
pub(super) struct Place {
    pub(super) bwrap: PathBuf,
    /// The system call filter.
    pub(super) filter: PathBuf,
    /// The folder that is `/app` inside.
    pub(super) app: PathBuf,
}

impl Container {
    /// A command that runs `words` in a new container, as an unprivileged user.
    pub(super) fn command(&self, place: &Place, words: &[&str]) -> Command {
        let mut command = if self.is_filtered {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", "exec \"$@\" 9<\"$0\""]).arg(&place.filter).arg(&place.bwrap);
            shell.args(["--seccomp", "9"]);
            shell
        } else {
            Command::new(&place.bwrap)
        };
        command.args(["--unshare-all", "--die-with-parent", "--new-session"]);
        command.args(["--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc"]);
        for name in SYSTEM {
            let path = Path::new("/").join(name);
            match fs::read_link(&path) {
                Ok(to) => command.arg("--symlink").args([to, path]),
                Err(_) if path.is_dir() => command.arg("--ro-bind").args([&path, &path]),
                Err(_) => &mut command,
            };
        }
        command.args(["--dev", "/dev", "--proc", "/proc", "--ro-bind", "/sys", "/sys"]);
        if self.is_masked {
            mask(&mut command);
        }
        command.args(["--tmpfs", "/tmp", "--chdir", "/tmp", "--ro-bind"]).arg(&place.app);
        command.args(["/app", "--"]).args(words);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("RUST_BACKTRACE", "1");
        command.env("STOCKADE_TEST_BIN", "/app/stockade");
        for name in ["HOME", "TMPDIR", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TARGET_TMPDIR"] {
            command.env(name, "/tmp");
        }
        if host::is_root() {
            command.uid(USER).gid(USER);
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

/// Covers what container engines cover, as far as this kernel has it.
fn mask(command: &mut Command) {
    for path in MASKED.into_iter().filter(|path| Path::new(path).exists()) {
        if Path::new(path).is_dir() {
            command.args(["--tmpfs", path, "--remount-ro", path]);
        } else {
            command.args(["--ro-bind", "/dev/null", path]);
        }
    }
    for path in READ_ONLY.into_iter().filter(|path| Path::new(path).exists()) {
        command.args(["--ro-bind", path, path]);
    }
}
