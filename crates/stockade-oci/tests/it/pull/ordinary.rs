//! Registries that do what they should.

use std::fs;

use serde_json::{Value, json};
use stockade_core::ErrorKind;
use stockade_oci::{Name, Progress};

use super::{Shelf, fails, hasty, left, name, noise, pull};
use crate::made::{Scratch, architecture, tar};

/// With a platform, as an index has it.
fn on(mut manifest: Value, architecture: &str) -> Value {
    manifest["platform"] = json!({"os": "linux", "architecture": architecture});
    manifest
}

#[test]
fn an_image_is_pulled_whole_and_then_not_again() {
    let mut shelf = Shelf::default();
    let layers: Vec<_> =
        (0..7).map(|at| tar(&[(&format!("file-{at}"), &noise(300_000 + at))])).collect();
    let mut layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    // One that occurs twice comes once.
    layers.push(layers[0]);
    let image = shelf.image(&layers);
    shelf.tag("v1", &image);
    let server = shelf.serve();
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut told: Vec<(String, u64, u64)> = Vec::new();
    let pulled =
        store.pull(&name(&server), &hasty(), &mut |Progress { blob, done, size, .. }| match told
            .iter_mut()
            .find(|(known, ..)| known == blob)
        {
            Some(known) => {
                assert!(known.1 <= done && done <= size && size == known.2, "{blob}: {done}");
                known.1 = done;
            }
            None => told.push((blob.to_owned(), done, size)),
        });
    let pulled = pulled.expect("it is pulled");
    assert_eq!(pulled.digest().to_string(), image["digest"]);
    assert_eq!(told.len(), 7, "{told:?}");
    assert!(told.iter().all(|(_, done, size)| done == size), "{told:?}");
    assert_eq!(server.blobs_asked(), 8, "layers and configuration");

    assert_eq!(store.find(&name(&server)).expect("it has its name"), pulled);
    let root = store.root(&pulled).expect("it is unpacked");
    assert_eq!(fs::read(root.path().join("file-6")).expect("a file"), noise(300_006));
    assert!(left(&store).iter().all(|left| !left.starts_with("tmp/")), "{:?}", left(&store));

    assert_eq!(pull(&store, &server, &hasty()).expect("it is there"), pulled);
    let asked: Vec<_> = server.asked().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, ["/v2/team/app/manifests/v1"]);
}

#[test]
fn of_an_index_comes_what_runs_here() {
    let mut shelf = Shelf::default();
    let other = if architecture() == "amd64" { "arm64" } else { "amd64" };
    let foreign = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
        "digest": format!("sha256:{}", "0".repeat(64)),
    });
    let image = shelf.image(&[&tar(&[("here", b"yes")])]);
    let index = shelf.index(&[on(foreign.clone(), other), on(image.clone(), architecture())]);
    shelf.tag("v1", &index);
    let only_foreign = shelf.index(&[on(foreign, other)]);
    shelf.tag("v2", &only_foreign);
    let server = shelf.serve();
    let scratch = Scratch::new();
    let store = scratch.store();
    let pulled = pull(&store, &server, &hasty()).expect("it is pulled");
    assert_eq!(pulled.digest().to_string(), image["digest"]);
    server.asked();
    pull(&store, &server, &hasty()).expect("it is there");
    assert_eq!(server.asked().len(), 1, "the index, and nothing that the store has");

    let v2: Name = format!("{}/team/app:v2", server.address).parse().expect("a name");
    let error = store.pull(&v2, &hasty(), &mut |_| {}).expect_err("it is for others");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.hint().expect("a hint").contains(other), "{:?}", error.hint());
}

#[test]
fn a_digest_moves_no_tag_and_is_a_name() {
    let mut shelf = Shelf::default();
    let old = shelf.image(&[&tar(&[("version", b"1")])]);
    let new = shelf.image(&[&tar(&[("version", b"2")])]);
    let index = shelf.index(&[on(old.clone(), architecture())]);
    shelf.tag("latest", &new);
    let server = shelf.serve();
    let scratch = Scratch::new();
    let store = scratch.store();
    let named = |rest: &str| -> Name {
        format!("{}/team/app{rest}", server.address).parse().expect("a name")
    };
    let digest = |document: &Value| document["digest"].as_str().expect("a digest").to_owned();
    let pull = |name: &Name| store.pull(name, &hasty(), &mut |_| {}).expect("it is pulled");
    let latest = pull(&named(":latest"));
    for pinned in [digest(&index), digest(&old)] {
        let pinned = named(&format!("@{pinned}"));
        let image = pull(&pinned);
        assert_eq!(image.digest().to_string(), digest(&old));
        assert_eq!(store.find(&pinned).expect("it is found"), image);
    }
    // Whatever tag stands before it.
    let tagged = named(&format!(":v9@{}", digest(&index)));
    assert_eq!(pull(&tagged).digest().to_string(), digest(&old));
    store.find(&tagged).expect("it is found");
    assert_eq!(store.find(&named("")).expect("it is found"), latest);
    assert_eq!(store.list().expect("a list").len(), 3, "latest, the index and the manifest");
    store.collect_garbage().expect("it is collected");
    store.root(&store.find(&tagged).expect("it is found")).expect("it is whole");
}

#[test]
fn a_registry_may_have_names_of_dockers_kind() {
    let mut shelf = Shelf::default();
    let layer = tar(&[("a", b"b")]);
    let config = shelf.blob(
        "application/vnd.docker.container.image.v1+json",
        crate::made::config(&[&layer]).to_string().as_bytes(),
    );
    let gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let layer = shelf.blob(gzip, &crate::made::gzip(&layer));
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]});
    let manifest = shelf.document(kind, &manifest);
    shelf.tag("v1", &manifest);
    let server = shelf.serve_but(|_, answer| {
        // With what may follow a type.
        let kind = answer.headers.get("Content-Type").map(|kind| format!("{kind}; charset=utf-8"));
        match kind {
            Some(kind) => answer.header("Content-Type", &kind),
            None => answer,
        }
    });
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = pull(&store, &server, &hasty()).expect("it is pulled");
    store.root(&image).expect("it is unpacked");
    let accept = server.asked()[0].header("accept").map(str::to_owned);
    assert!(accept.is_some_and(|accept| accept.contains(kind)));
}

#[test]
fn what_a_registry_has_not_is_not_found() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let server = Shelf::default().serve();
    fails(&store, &server, ErrorKind::NotFound, &["404", "MANIFEST_UNKNOWN: no such thing"]);
    assert_eq!(left(&store), [""; 0]);
    // A manifest of blobs that are not there.
    let (mut shelf, layer) = Shelf::simple(1000);
    let digest = stockade_oci::Digest::of(&layer);
    shelf.0.remove(&format!("blobs/{digest}"));
    let server = shelf.serve();
    fails(&store, &server, ErrorKind::NotFound, &["404", &digest.to_string()]);
    assert_eq!(left(&store), [""; 0]);
    // Nobody listens there any more.
    let address = server.address;
    drop(server);
    let gone = format!("{address}/team/app:v1").parse().expect("a name");
    let error = store.pull(&gone, &hasty(), &mut |_| {}).expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn many_threads_pull_one_image_at_once() {
    let (shelf, _) = Shelf::simple(3 << 20);
    let server = shelf.serve();
    let scratch = Scratch::new();
    let store = scratch.store();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let own = scratch.store();
                let image = pull(&own, &server, &hasty()).expect("it is pulled");
                own.collect_garbage().expect("it is collected");
                own.root(&image).expect("it is whole");
            });
        }
    });
    assert_eq!(store.list().expect("a list").len(), 1);
    assert_eq!(left(&store).len(), 4, "three blobs and a root: {:?}", left(&store));
}
