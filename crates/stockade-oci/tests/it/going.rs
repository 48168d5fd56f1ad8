//! Callers that want no more in the middle of it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stockade_core::{ErrorKind, GoOn};
use stockade_oci::Store;

use crate::made::{Scratch, load, simple, tar, told};

/// Goes on so many times.
pub(crate) fn times(times: u64) -> GoOn {
    let left = AtomicU64::new(times);
    Arc::new(move || {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    })
}

#[track_caller]
pub(crate) fn is_stopped(store: &Store, error: &stockade_core::Error) {
    let text = told(error);
    assert_eq!(error.kind(), ErrorKind::Io, "{text}");
    assert!(text.contains("it was stopped"), "{text}");
    assert!(error.hint().is_some(), "{text}");
    assert_eq!(store.list().expect("the store is whole"), []);
}

#[test]
fn loading_ends_when_the_caller_wants_no_more() {
    let scratch = Scratch::new();
    let source = simple(&scratch, None).source(None);
    let store = scratch.store();
    // Wherever it is asked: two documents, a layer, and before the name is given.
    for asked in 0..4 {
        let error = load(&store.as_long_as(times(asked)), &source).expect_err("it is stopped");
        is_stopped(&store, &error);
        for directory in ["tmp", "blobs/sha256"] {
            let left = fs::read_dir(store.path().join(directory)).expect("a directory").count();
            assert_eq!(left, 0, "{directory} after {asked}");
        }
    }
    load(&store.as_long_as(times(1000)), &source).expect("it is loaded");
}

#[test]
fn unpacking_ends_when_the_caller_wants_no_more() {
    let scratch = Scratch::new();
    let mut layout = scratch.layout();
    let image = layout.image(&[&tar(&[("a", b"1")]), &tar(&[("b", b"2")])]);
    layout.add(image, None);
    let store = scratch.store();
    let image = load(&store, &layout.source(None)).expect("it is loaded");
    let left =
        |directory: &str| fs::read_dir(store.path().join(directory)).expect("a directory").count();
    for asked in 0..2 {
        let error = store.as_long_as(times(asked)).root(&image).expect_err("it is stopped");
        assert!(told(&error).contains("it was stopped"), "{}", told(&error));
        assert_eq!((left("roots"), left("tmp")), (0, 0), "after {asked}");
    }
    let root = store.as_long_as(times(1000)).root(&image).expect("it is unpacked");
    assert!(root.path().join("b").exists());
    // What is there already needs no time.
    store.as_long_as(times(0)).root(&image).expect("it is there");
}
