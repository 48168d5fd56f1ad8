//! The binary `stockade-oci` as engines and people call it.
//!
//! `lifecycle`, `misuse` and `printed` make no container. The others do, as root and as a user. What is common to
//! runtimes is first true of runc: `STOCKADE_OCI_BIN=/usr/sbin/runc` has them run with it, and what only
//! Stockade does is skipped then.

mod bundle;
mod container;
mod containers;
mod engines;
mod hostile;
mod lifecycle;
mod misuse;
mod printed;
mod runtime;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A directory of a test's own, with a root for state in it that does not exist yet.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

/// What a call gave.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-oci-it-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("nobody else has this name");
        Self { path }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// Calls the binary as containerd does: with a root and a log of JSON.
    pub(crate) fn call(&self, line: &str) -> Said {
        let mut command = binary();
        command.arg("--root").arg(self.root()).arg("--log").arg(self.path.join("log"));
        command.args(["--log-format", "json"]).args(line.split_whitespace());
        command.current_dir(&self.path);
        said(command.output())
    }

    /// The lines of the log.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path.join("log")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// The message of the last line, which is what engines show.
    pub(crate) fn last(&self) -> String {
        let log = self.log();
        let last = log.last().expect("there is a line");
        assert_eq!(last["level"], "error");
        last["msg"].as_str().expect("it is text").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn binary() -> Command {
    // What others say and leave is theirs.
    let ours = || env!("CARGO_BIN_EXE_stockade-oci").into();
    let program = if runtime::is_stockade() { runtime::binary() } else { ours() };
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Calls the binary with nothing but these arguments.
pub(crate) fn bare(line: &str) -> Said {
    said(binary().args(line.split_whitespace()).output())
}

fn said(output: std::io::Result<Output>) -> Said {
    let output = output.expect("the binary was built");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
    Said { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// What is said on standard output, as JSON.
pub(crate) fn json(said: &Said) -> Value {
    assert_eq!(said.status, Some(0), "{}", said.err);
    serde_json::from_str(&said.out).expect("it is JSON")
}

pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
