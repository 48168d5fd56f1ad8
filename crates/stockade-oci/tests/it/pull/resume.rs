//! Connections that break off or stall, and what came before.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stockade_core::ErrorKind;
use stockade_oci::Digest;

use super::{Answer, Shelf, fails, hasty, left, part, pull};
use crate::going::{is_stopped, times};
use crate::made::Scratch;

const SIZE: usize = 600_000;

/// The layer of a simple image breaks off so often, each time after so many bytes.
fn breaking(times: usize, after: usize) -> (super::Server, Vec<u8>) {
    let (shelf, layer) = Shelf::simple(SIZE);
    let digest = Digest::of(&layer).to_string();
    let broken = AtomicUsize::new(0);
    let server = shelf.serve_but(move |request, answer| {
        let breaks =
            request.path.ends_with(&digest) && broken.fetch_add(1, Ordering::SeqCst) < times;
        if breaks { answer.cut(after) } else { answer }
    });
    (server, layer)
}

/// From which byte on the layer was asked for, each time.
fn ranges(server: &super::Server, layer: &[u8]) -> Vec<Option<usize>> {
    let digest = Digest::of(layer).to_string();
    let asked = server.asked().into_iter();
    asked.filter(|request| request.path.ends_with(&digest)).map(|request| request.range()).collect()
}

#[test]
fn what_breaks_off_goes_on_from_there() {
    let (server, layer) = breaking(2, 100_000);
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut options = hasty();
    options.retries = 2;
    let image = pull(&store, &server, &options).expect("the third attempt is the last");
    assert_eq!(ranges(&server, &layer), [None, Some(100_000), Some(200_000)]);
    store.root(&image).expect("it is whole");
}

#[test]
fn the_next_pull_goes_on_from_where_one_ended() {
    let (server, layer) = breaking(1, 100_000);
    let scratch = Scratch::new();
    let store = scratch.store();
    fails(&store, &server, ErrorKind::Io, &["broke off"]);
    assert_eq!(left(&store), [part(&layer)]);
    server.asked();
    let image = pull(&store, &server, &hasty()).expect("it is pulled");
    assert_eq!(ranges(&server, &layer), [Some(100_000)]);
    store.root(&image).expect("it is whole");
    assert!(!left(&store).contains(&part(&layer)), "{:?}", left(&store));
}

#[test]
fn a_registry_that_knows_no_ranges_begins_again() {
    let (shelf, layer) = Shelf::simple(SIZE);
    let whole = layer.clone();
    let digest = Digest::of(&layer).to_string();
    let asked = AtomicUsize::new(0);
    let server = shelf.serve_but(move |request, answer| {
        if !request.path.ends_with(&digest) {
            return answer;
        }
        let answer = Answer::new(200, &whole);
        if asked.fetch_add(1, Ordering::SeqCst) == 0 { answer.cut(100_000) } else { answer }
    });
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut options = hasty();
    options.retries = 1;
    let image = pull(&store, &server, &options).expect("it is pulled");
    assert_eq!(ranges(&server, &layer), [None, Some(100_000)]);
    store.root(&image).expect("it is whole");
}

#[test]
fn another_range_than_was_asked_for_is_not_taken() {
    for says in ["bytes 50000-599999/600000", "bytes what", ""] {
        let (shelf, layer) = Shelf::simple(SIZE);
        let whole = layer.clone();
        let digest = Digest::of(&layer).to_string();
        let first = AtomicUsize::new(0);
        let server = shelf.serve_but(move |request, answer| {
            if !request.path.ends_with(&digest) {
                return answer;
            }
            if first.fetch_add(1, Ordering::SeqCst) == 0 {
                return answer.cut(100_000);
            }
            match request.range() {
                Some(_) if says.is_empty() => Answer::new(416, b""),
                Some(_) => Answer::new(206, &whole[50_000..]).header("Content-Range", says),
                None => answer,
            }
        });
        let scratch = Scratch::new();
        let store = scratch.store();
        let mut options = hasty();
        options.retries = 2;
        let image = pull(&store, &server, &options).expect("it is pulled");
        assert_eq!(ranges(&server, &layer), [None, Some(100_000), None], "{says}");
        store.root(&image).expect("it is whole");
    }
}

#[test]
fn what_was_there_before_is_not_trusted() {
    let (shelf, layer) = Shelf::simple(SIZE);
    let server = shelf.serve();
    let longer = [layer.as_slice(), b"more"].concat();
    let mut other = layer.clone();
    other[10] ^= 1;
    let cases: [(&[u8], &[Option<usize>]); 4] = [
        // What fits is not asked for again, whole or in part.
        (&layer, &[]),
        (&layer[..400_000], &[Some(400_000)]),
        (&longer, &[None]),
        (&other[..400_000], &[Some(400_000), None]),
    ];
    for (there, asked) in cases {
        let scratch = Scratch::new();
        let store = scratch.store();
        fs::write(store.path().join(part(&layer)), there).expect("a part");
        let mut options = hasty();
        options.retries = 1;
        server.asked();
        let image = pull(&store, &server, &options).expect("it is pulled");
        assert_eq!(ranges(&server, &layer), asked, "{}", there.len());
        store.root(&image).expect("it is whole");
        assert!(!left(&store).contains(&part(&layer)));
    }
}

#[test]
fn a_stall_ends_and_what_came_is_kept() {
    let (shelf, layer) = Shelf::simple(SIZE);
    let digest = Digest::of(&layer).to_string();
    let server = shelf.serve_but(move |request, answer| {
        if request.path.ends_with(&digest) { answer.hang(100_000) } else { answer }
    });
    let scratch = Scratch::new();
    let store = scratch.store();
    let began = Instant::now();
    fails(&store, &server, ErrorKind::Io, &["sent nothing for too long"]);
    assert!(began.elapsed() < 20 * hasty().stall, "{:?}", began.elapsed());
    assert_eq!(left(&store), [part(&layer)]);
    let size = fs::metadata(store.path().join(part(&layer))).expect("a part").len();
    assert_eq!(size, 100_000);

    // Who stalls once is asked again.
    let (shelf, layer) = Shelf::simple(SIZE);
    let digest = Digest::of(&layer).to_string();
    let first = AtomicUsize::new(0);
    let server = shelf.serve_but(move |request, answer| {
        let stalls = request.path.ends_with(&digest) && first.fetch_add(1, Ordering::SeqCst) == 0;
        if stalls { answer.hang(200_000) } else { answer }
    });
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut options = hasty();
    options.retries = 1;
    pull(&store, &server, &options).expect("it is pulled");
    assert_eq!(ranges(&server, &layer), [None, Some(200_000)]);
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
    for (status, tries) in [(503, 3), (429, 3), (404, 1), (400, 1), (403, 1)] {
        let (shelf, _) = Shelf::simple(100);
        let server = shelf.serve_but(move |_, _| Answer::new(status, b""));
        let scratch = Scratch::new();
        let store = scratch.store();
        let mut options = hasty();
        options.retries = 2;
        pull(&store, &server, &options).expect_err("it is refused");
        assert_eq!(server.asked().len(), tries, "{status}");
    }
    let (shelf, _) = Shelf::simple(100);
    let first = AtomicUsize::new(0);
    let server = shelf.serve_but(move |_, answer| {
        if first.fetch_add(1, Ordering::SeqCst) == 0 { Answer::new(500, b"") } else { answer }
    });
    let scratch = Scratch::new();
    let mut options = hasty();
    options.retries = 1;
    pull(&scratch.store(), &server, &options).expect("the second time it is there");
}

#[test]
fn one_failure_ends_what_else_is_under_way() {
    let mut shelf = Shelf::default();
    let layers = [1, 2, 3].map(|at| crate::made::tar(&[("data", &super::noise(SIZE + at))]));
    let plain: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let image = shelf.image(&plain);
    shelf.tag("v1", &image);
    let [bad, ..] = layers.each_ref().map(|layer| Digest::of(layer).to_string());
    let config = shelf.0[&format!("manifests/{}", image["digest"].as_str().expect("one"))].clone();
    let config: serde_json::Value = serde_json::from_slice(&config.1).expect("JSON");
    let config = config["config"]["digest"].as_str().expect("a digest").to_owned();
    let end = bad.clone();
    let server = shelf.serve_but(move |request, mut answer| {
        if request.path.ends_with(&end) {
            answer.body[0] ^= 1;
            answer
        } else if request.is_blob() && !request.path.ends_with(&config) {
            // For longer than anybody waits.
            answer.hang(1000)
        } else {
            answer
        }
    });
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut options = hasty();
    options.stall = Duration::from_secs(60);
    let began = Instant::now();
    let error = pull(&store, &server, &options).expect_err("one is bad");
    assert!(began.elapsed() < options.stall / 2, "nobody waits for the others");
    assert!(error.to_string().contains(&bad), "{error}");
}

#[test]
fn what_came_is_kept_until_garbage_is_collected_and_longer_if_it_is_wanted() {
    let (server, layer) = breaking(1, 100_000);
    let scratch = Scratch::new();
    let store = scratch.store();
    fails(&store, &server, ErrorKind::Io, &["broke off"]);
    let freed = store.collect_garbage().expect("it is collected");
    assert_eq!(freed.unfinished, 1);
    assert_eq!(left(&store), [""; 0]);
    // While it is fetched nobody removes it.
    let other = scratch.store();
    let image = store.pull(&super::name(&server), &hasty(), &mut |_| {
        other.collect_garbage().expect("it is collected");
    });
    store.root(&image.expect("it is pulled")).expect("it is whole");
    assert!(!left(&store).contains(&part(&layer)));
}

/// Pulls with the patience of the defaults, for a caller who wants no more after some looks.
fn given_up(store: &stockade_oci::Store, server: &super::Server, looks: u64) {
    let begin = Instant::now();
    let options = stockade_oci::PullOptions::default();
    let error = pull(&store.as_long_as(times(looks)), server, &options).expect_err("it is stopped");
    is_stopped(store, &error);
    assert!(begin.elapsed() < options.stall / 3, "it waited for {:?}", begin.elapsed());
}

#[test]
fn a_caller_gives_up_however_a_registry_stalls() {
    let scratch = Scratch::new();
    let store = scratch.store();
    // Before the first byte of an answer, and within a document.
    for after in [None, Some(10)] {
        let (shelf, _) = Shelf::simple(SIZE);
        let server = shelf.serve_but(move |request, answer| match after {
            _ if request.is_blob() => answer,
            Some(after) => answer.hang(after),
            None => Answer::new(200, b"").unmeasured().hang(0),
        });
        given_up(&store, &server, 4);
        assert_eq!(left(&store), [""; 0]);
    }
    // Within a layer, of which what came is kept.
    let (shelf, layer) = Shelf::simple(SIZE);
    let digest = Digest::of(&layer).to_string();
    let server = shelf.serve_but(move |request, answer| {
        if request.path.ends_with(&digest) { answer.hang(100_000) } else { answer }
    });
    given_up(&store, &server, 10);
    assert_eq!(left(&store), [part(&layer)]);
}

#[test]
fn who_goes_on_gets_it_all_and_hears_of_it_on_the_calling_thread() {
    let (shelf, layer) = Shelf::simple(SIZE);
    let server = shelf.serve();
    let scratch = Scratch::new();
    let store = scratch.store();
    let here = std::thread::current().id();
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    let going = store.as_long_as(std::sync::Arc::new(move || {
        assert_eq!(std::thread::current().id(), here);
        count.fetch_add(1, Ordering::SeqCst);
        true
    }));
    let mut seen = Vec::new();
    let name = super::name(&server);
    let image = going.pull(&name, &hasty(), &mut |progress| {
        assert_eq!(std::thread::current().id(), here);
        seen.push((progress.blob.to_owned(), progress.done, progress.size));
    });
    let image = image.expect("it is pulled");
    let size = layer.len() as u64;
    assert_eq!(seen.last(), Some(&(Digest::of(&layer).to_string(), size, size)));
    assert!(asked.load(Ordering::SeqCst) > 0);
    going.root(&image).expect("it is whole");
}
