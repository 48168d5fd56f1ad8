use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use oci_spec::runtime::{LinuxResources, Spec};
use serde_json::json;

use super::*;

mod devices;
mod ends;
mod limits;
mod places;
mod real;
mod unified;

/// Says that a test was skipped, or fails if the host was declared to have control groups.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skip(test: &str, reason: &str) {
    let expected = std::env::var("STOCKADE_TEST_EXPECT").unwrap_or_default();
    let root = rustix::process::geteuid().is_root();
    let declared = root && expected.split(',').any(|name| name.starts_with("cgroup"));
    assert!(!declared, "{test}: {reason}");
    eprintln!("SKIP: {test}: {reason}");
}

fn resources(value: serde_json::Value) -> LinuxResources {
    serde_json::from_value(value).expect("a document of the specification")
}

fn spec(path: Option<&str>) -> Spec {
    let linux = path.map_or(json!({}), |path| json!({ "cgroupsPath": path }));
    serde_json::from_value(json!({ "ociVersion": "1.0.2", "linux": linux }))
        .expect("a document of the specification")
}

/// A name that no other test has, in this process or another.
fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("stockade-test-{}-{number}-{name}", std::process::id())
}

/// A folder with files like those of a group.
pub(super) struct Pretended(PathBuf);

impl Pretended {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(unique("files"));
        fs::create_dir(&path).expect("a new folder");
        for (file, text) in files {
            fs::write(path.join(file), text).expect("a new file");
        }
        Self(path)
    }

    pub(super) fn dir(&self) -> Dir {
        Dir::pretend(&self.0)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).expect("a file of this folder")
    }
}

impl Drop for Pretended {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
