//! An image in a file, as `docker save` writes them and every engine reads them: busybox alone.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
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
    for name in names(&root) {
        append(&mut tar, &root.join(&name), Path::new(&name));
    }
    tar.into_inner().expect("an archive")
}

/// Adds what is at a path, as root's, whoever runs the tests: no other id is mapped for a user.
fn append(tar: &mut tar::Builder<Vec<u8>>, path: &Path, name: &Path) {
    let meta = fs::symlink_metadata(path).expect("it is there");
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&meta);
    header.set_uid(0);
    header.set_gid(0);
    if meta.is_file() {
        tar.append_data(&mut header, name, File::open(path).expect("a file")).expect("an entry");
        return;
    }
    header.set_size(0);
    if meta.is_symlink() {
        let target = fs::read_link(path).expect("a link");
        tar.append_link(&mut header, name, target).expect("an entry");
        return;
    }
    tar.append_data(&mut header, name, io::empty()).expect("an entry");
    for inner in names(path) {
        append(tar, &path.join(&inner), &name.join(&inner));
    }
}

fn names(dir: &Path) -> BTreeSet<OsString> {
    fs::read_dir(dir).expect("a directory").flatten().map(|entry| entry.file_name()).collect()
}
