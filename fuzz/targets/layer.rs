//! Layers of images: whatever the bytes are, nothing outside their directory changes, and what they made
//! can be removed.
#![no_main]

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stockade_oci::layer::{Bounds, Unpacker, remove_tree};

/// A directory of this process's, with a file beside every root.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("stockade-fuzz-layer-{}", std::process::id()));
    fs::create_dir_all(&path).expect("a directory");
    fs::write(path.join("sentinel"), "untouched").expect("a sentinel");
    path
});

fuzz_target!(|bytes: &[u8]| {
    let root = PLACE.join("root");
    fs::create_dir(&root).expect("it was removed");
    let mut bounds = Bounds::default();
    bounds.bytes = 1 << 20;
    bounds.entries = 1000;
    let root = File::open(&root).expect("it is there");
    let mut unpacker = Unpacker::new(root, bounds).expect("a directory");
    // Once more over itself: whiteouts need something to hide.
    if unpacker.apply(bytes).is_ok() {
        let _ = unpacker.apply(bytes);
    }
    drop(unpacker);
    let place = File::open(&*PLACE).expect("it is there");
    remove_tree(place.as_fd(), "root".as_ref()).expect("all of it can be removed");
    let names: Vec<_> = fs::read_dir(&*PLACE).expect("it is there").flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(fs::read(PLACE.join("sentinel")).expect("it is there"), b"untouched");
});
