//! Loaders that are killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use stockade_core::ErrorKind;
use stockade_oci::{Digest, Store};

use crate::made::{Layout, Scratch, load, tar};

/// Where this binary, run once more, finds what to load and where to.
const DIRECTORY: &str = "STOCKADE_OCI_TEST_LOAD";
/// How many images it loads.
const IMAGES: usize = 4;

/// Not a test, but what the one below runs and kills.
#[test]
fn loads_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let store = Store::open(&directory.join("store")).expect("the store");
    loop {
        for at in 0..IMAGES {
            let path = directory.join(format!("layout-{at}"));
            let source = format!("oci:{}", path.display()).parse().expect("a source");
            let image = load(&store, &source).expect("it is loaded");
            // The other process may have removed it by now.
            let gone = |error: &stockade_core::Error| error.kind() == ErrorKind::NotFound;
            if let Err(error) = store.root(&image) {
                assert!(gone(&error), "{error}");
            }
            let name = format!("layout-{at}").parse().expect("a name");
            if let Err(error) = store.remove(&name) {
                assert!(gone(&error), "{error}");
            }
            store.collect_garbage().expect("it is collected");
        }
    }
}

fn loader(scratch: &Scratch) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "crashes::loads_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, scratch.join(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs once more")
}

/// Everything the index names is there and is what it says; nothing else is.
fn assert_whole(store: &Store) {
    store.collect_garbage().expect("it is collected");
    let (mut documents, mut layers) = (0, BTreeSet::new());
    for entry in store.list().expect("a list") {
        let image = store.find(&entry.name).expect("manifest and configuration are whole");
        documents += 2;
        layers.extend(image.layers.iter().map(|layer| layer.descriptor.digest.clone()));
        let root = store.root(&image).expect("its layers are whole");
        let data = fs::read_to_string(root.path().join("data")).expect("a file of the image");
        assert_eq!(data.len(), SIZE);
    }
    let mut blobs = 0;
    let path = store.path().join("blobs/sha256");
    for entry in fs::read_dir(path).expect("blobs") {
        let path = entry.expect("a blob").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(Digest::of(&fs::read(&path).expect("a blob")).hex(), name);
        blobs += 1;
    }
    assert_eq!(blobs, documents + layers.len(), "blobs that the images have, and no others");
    let left = fs::read_dir(store.path().join("tmp")).expect("tmp").count();
    assert_eq!(left, 0, "something unfinished is left");
}

const SIZE: usize = 200_000;

#[test]
fn loaders_that_are_killed_at_any_moment_leave_a_store_that_can_be_cleaned() {
    let scratch = Scratch::new();
    for at in 0..IMAGES {
        let mut layout = Layout::new(&scratch.join(&format!("layout-{at}")));
        // Some layers are shared and some are not.
        let own = tar(&[("own", at.to_string().repeat(SIZE).as_bytes())]);
        let shared = tar(&[("data", "s".repeat(SIZE).as_bytes())]);
        let image = layout.image(&[&shared, &own, &tar(&[("last", b"")])]);
        layout.add(image, None);
    }
    let store = scratch.store();
    let mut unfinished = 0;
    for round in 0..25_u64 {
        let mut children = [loader(&scratch), loader(&scratch)];
        // Any moment is as good as another; these differ.
        thread::sleep(Duration::from_millis(15 + round * 37 % 190));
        for child in &mut children {
            let ended = child.try_wait().expect("its state");
            child.kill().expect("it can be killed");
            child.wait().expect("it has ended");
            if ended.is_some() {
                let mut said = String::new();
                let mut pipe = child.stderr.take().expect("a pipe");
                std::io::Read::read_to_string(&mut pipe, &mut said).expect("text");
                panic!("it ended by itself: {said}");
            }
        }
        unfinished += fs::read_dir(store.path().join("tmp")).expect("tmp").count();
        assert_whole(&store);
    }
    assert!(unfinished > 0, "no loader was killed while it did something");
}
