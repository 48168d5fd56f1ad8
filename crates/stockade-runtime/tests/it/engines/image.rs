//! An image in a file, as `docker save` writes them and every engine reads them: busybox alone.

use std::fs::{self, File};
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::bundle::populate;
use crate::runtime::TempDir;

/// What it is called.
pub(crate) const NAME: &str = "docker.io/stockade/test:latest";

/// Writes the image.
pub(crate) fn write(to: &Path) {
    let layer = layer();
    let digest: String = Sha256::digest(&layer).iter().map(|byte| format!("{byte:02x}")).collect();
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": [NAME],
        "Layers": ["layer.tar"]}]);
    let mut tar = tar::Builder::new(File::create(to).expect("a file"));
    for (name, bytes) in [
        ("layer.tar", layer),
        ("config.json", config.to_string().into_bytes()),
        ("manifest.json", manifest.to_string().into_bytes()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).expect("an entry");
    }
    tar.finish().expect("an archive");
}

fn layer() -> Vec<u8> {
    let dir = TempDir::new();
    let root = dir.path().join("root");
    populate(&root);
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    let mut names: Vec<_> = fs::read_dir(&root).expect("a root").flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        tar.append_dir_all(entry.file_name(), entry.path()).expect("a directory");
    }
    tar.into_inner().expect("an archive")
}
