//! A small root, and bundles that share it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stockade_benches::{Failure, Missing, Scratch, tool};

/// Debian's `busybox-static`.
const BUSYBOX: &str = "/bin/busybox";

/// Makes a root of busybox alone.
pub(crate) fn root(scratch: &Scratch) -> Result<PathBuf, Failure> {
    if !Path::new(BUSYBOX).exists() {
        return Err(Missing(format!("there is no {BUSYBOX}; it must be a static one")).into());
    }
    let root = scratch.directory("rootfs")?;
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        scratch.directory(&format!("rootfs/{name}"))?;
    }
    fs::copy(BUSYBOX, root.join("bin/busybox"))?;
    for name in ["sh", "sleep", "true"] {
        symlink("busybox", root.join("bin").join(name))?;
    }
    Ok(root)
}

/// Makes a bundle with that root: what `spec` writes, without a terminal.
pub(crate) fn bundle(
    scratch: &Scratch,
    name: &str,
    ours: &Path,
    root: &Path,
    words: &[&str],
) -> Result<PathBuf, Failure> {
    let bundle = scratch.directory(name)?;
    tool::read(Command::new(ours).arg("spec").arg("--bundle").arg(&bundle))?;
    let file = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(words);
    config["root"]["path"] = json!(root);
    fs::write(&file, config.to_string())?;
    Ok(bundle)
}
