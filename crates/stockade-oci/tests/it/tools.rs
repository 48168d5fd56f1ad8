//! Images that other tools made.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use stockade_oci::Source;

use crate::made::{Scratch, load, skip, tar};

const BUSYBOX: &str = "/bin/busybox";

/// Whether a tool is here; if not, says that a test was skipped.
pub(crate) fn has(tools: &[&str]) -> bool {
    for tool in tools {
        let found = match Command::new(tool).arg("--version").output() {
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if !found {
            skip(&format!("{tool} is not installed"));
            return false;
        }
    }
    if !Path::new(BUSYBOX).exists() {
        skip(&format!("{BUSYBOX} is not installed"));
        return false;
    }
    true
}

#[track_caller]
pub(crate) fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
}

/// An image of busybox with two layers, made by umoci.
pub(crate) fn busybox(scratch: &Scratch) -> String {
    let image = scratch.join("busybox");
    let image = image.to_str().expect("a path");
    let tagged = format!("{image}:v1");
    run("umoci", &["init", "--layout", image]);
    run("umoci", &["new", "--image", &tagged]);
    let program = fs::read(BUSYBOX).expect("a program");
    let base = tar(&[("bin/", b""), ("bin/busybox", &program)]);
    for (name, layer) in [("base", base), ("top", tar(&[("etc/greeting", b"hello")]))] {
        let path = scratch.join(name);
        fs::write(&path, layer).expect("a layer");
        let path = path.to_str().expect("a path");
        run("umoci", &["raw", "add-layer", "--image", &tagged, path]);
    }
    run(
        "umoci",
        &[
            "config",
            "--image",
            &tagged,
            "--config.cmd",
            "/bin/sh",
            "--config.env",
            "WHO=umoci",
            "--config.workingdir",
            "/srv",
        ],
    );
    tagged
}

#[test]
fn an_image_of_umoci_is_loaded_and_unpacked() {
    if !has(&["umoci"]) {
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let source: Source = format!("oci:{}", busybox(&scratch)).parse().expect("a source");
    let image = load(&store, &source).expect("it is loaded");
    assert_eq!(image.command(&[]).expect("a command").0, "/bin/sh");
    assert_eq!(image.config.env, [("WHO".to_owned(), "umoci".to_owned())]);
    let root = store.root(&image).expect("it is unpacked");
    let greeting = fs::read_to_string(root.path().join("etc/greeting")).expect("the upper layer");
    assert_eq!(greeting, "hello");
    assert!(root.path().join("srv").is_dir());
    let program = root.path().join("bin/busybox");
    assert_eq!(fs::read(program).expect("a program"), fs::read(BUSYBOX).expect("a program"));
}

#[test]
fn skopeo_writes_the_same_image_as_an_archive_of_docker_and_reads_the_store() {
    if !has(&["umoci", "skopeo"]) {
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let layout = format!("oci:{}", busybox(&scratch));
    let archive = format!("docker-archive:{}", scratch.join("saved.tar").display());
    let copy = |from: &str, to: &str| {
        run("skopeo", &["--insecure-policy", "copy", "--quiet", from, to]);
    };
    copy(&layout, &format!("{archive}:team/app:v1"));
    let image = load(&store, &archive.parse().expect("a source")).expect("it is loaded");
    let other = load(&store, &layout.parse().expect("a source")).expect("it is loaded");
    let diff_ids = |image: &stockade_oci::Image| -> Vec<_> {
        image.layers.iter().map(|layer| layer.diff_id.clone()).collect()
    };
    assert_eq!(diff_ids(&image), diff_ids(&other));
    assert_eq!(image.config.cmd, other.config.cmd);
    store.find(&"team/app:v1".parse().expect("a name")).expect("it has its tag");
    store.root(&image).expect("it is unpacked");
    let back = format!("oci:{}", scratch.join("back").display());
    copy(&format!("oci:{}:team/app:v1", store.path().display()), &format!("{back}:copy"));
    let again = load(&store, &back.parse().expect("a source")).expect("it is loaded");
    assert_eq!(diff_ids(&again), diff_ids(&image));
}
