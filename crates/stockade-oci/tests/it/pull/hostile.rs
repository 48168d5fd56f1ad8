//! Registries that lie.

use serde_json::json;
use stockade_core::ErrorKind;
use stockade_oci::Digest;

use super::{Answer, Server, Shelf, fails, hasty, left, name, noise};
use crate::made::{MANIFEST, Scratch, tar};

/// Refused for this, and nothing kept of it.
#[track_caller]
fn refused(server: &Server, says: &[&str]) {
    let scratch = Scratch::new();
    let store = scratch.store();
    fails(&store, server, ErrorKind::InvalidPolicy, says);
    assert_eq!(left(&store), [""; 0]);
}

#[test]
fn a_blob_that_is_not_what_its_digest_says_is_not_kept() {
    let (shelf, layer) = Shelf::simple(5000);
    let digest = Digest::of(&layer).to_string();
    let end = digest.clone();
    let server = shelf.serve_but(move |request, mut answer| {
        if request.path.ends_with(&end) {
            answer.body[4000] ^= 1;
        }
        answer
    });
    refused(&server, &[&digest]);
}

#[test]
fn a_configuration_that_is_not_what_its_digest_says_is_not_kept() {
    let (shelf, layer) = Shelf::simple(5000);
    let digest = Digest::of(&layer).to_string();
    let server = shelf.serve_but(move |request, mut answer| {
        if request.is_blob() && !request.path.ends_with(&digest) {
            answer.body[10] ^= 1;
        }
        answer
    });
    refused(&server, &["what should be sha256:"]);
    assert_eq!(server.blobs_asked(), 1, "nothing after the configuration");
}

#[test]
fn a_manifest_that_is_not_what_its_digest_says_is_not_believed() {
    let (shelf, _) = Shelf::simple(100);
    let promised = format!("sha256:{}", "1".repeat(64));
    let said = promised.clone();
    let server =
        shelf.clone().serve_but(move |_, answer| answer.header("Docker-Content-Digest", &said));
    refused(&server, &[&promised, "sends sha256:"]);

    let mut shelf = shelf;
    let (_, manifest) = shelf.0["manifests/v1"].clone();
    shelf.put(format!("manifests/{promised}"), MANIFEST, &manifest);
    let pinned = descriptor_of(&promised, manifest.len());
    let index = shelf.index(&[pinned]);
    shelf.tag("v1", &index);
    let server = shelf.serve();
    refused(&server, &[&promised]);
    // And where the caller knows what it wants.
    let scratch = Scratch::new();
    let store = scratch.store();
    let pinned = format!("{}/team/app@{promised}", server.address).parse().expect("a name");
    let error = store.pull(&pinned, &hasty(), &mut |_| {}).expect_err("it is another");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert!(error.to_string().contains(&promised), "{error}");
}

fn descriptor_of(digest: &str, size: usize) -> serde_json::Value {
    json!({"mediaType": MANIFEST, "digest": digest, "size": size})
}

#[test]
fn what_goes_on_too_long_is_cut_off() {
    for endless in [false, true] {
        let (shelf, layer) = Shelf::simple(5000);
        let digest = Digest::of(&layer).to_string();
        let end = digest.clone();
        let server = shelf.serve_but(move |request, answer| {
            if !request.path.ends_with(&end) {
                return answer;
            }
            let longer = [answer.body.as_slice(), b"more"].concat();
            if endless { answer.endless() } else { Answer::new(200, &longer) }
        });
        refused(&server, &[&digest, "goes on after"]);
    }
}

#[test]
fn what_ends_too_soon_is_not_kept() {
    let (shelf, layer) = Shelf::simple(5000);
    let digest = Digest::of(&layer).to_string();
    let end = digest.clone();
    let server = shelf.serve_but(move |request, answer| {
        if request.path.ends_with(&end) { Answer::new(200, &answer.body[..4000]) } else { answer }
    });
    refused(&server, &[&digest, "ends after 4000"]);
}

#[test]
fn documents_are_bounded() {
    let large = vec![b' '; (4 << 20) + 1];
    for endless in [false, true] {
        let body = large.clone();
        let server = Server::start(move |_| {
            let answer = Answer::new(200, &body).header("Content-Type", MANIFEST);
            if endless { answer.endless() } else { answer }
        });
        refused(&server, &["the manifest v1", "more than the 4194304"]);
    }
    // A configuration that says so, and one that does not.
    let (shelf, layer) = Shelf::simple(100);
    let layer = Digest::of(&layer).to_string();
    let body = large.clone();
    let server = shelf.clone().serve_but(move |request, answer| {
        let config = request.is_blob() && !request.path.ends_with(&layer);
        if config { Answer::new(200, &body).endless() } else { answer }
    });
    refused(&server, &["more than the 4194304"]);
    let mut shelf = shelf;
    let config = shelf.blob("application/vnd.oci.image.config.v1+json", &large);
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []});
    let manifest = shelf.document(MANIFEST, &manifest);
    shelf.tag("v1", &manifest);
    let server = shelf.serve();
    refused(&server, &["more than the 4194304"]);
    assert_eq!(server.blobs_asked(), 0, "it is not even asked for");
}

#[test]
fn a_layer_may_say_that_it_is_too_large() {
    let mut shelf = Shelf::default();
    let layer = tar(&[("a", b"")]);
    let image = shelf.image(&[&layer]);
    let digest = image["digest"].as_str().expect("a digest");
    let (_, bytes) = &shelf.0[&format!("manifests/{digest}")];
    let mut manifest: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
    manifest["layers"][0]["size"] = json!((64_u64 << 30) + 1);
    let manifest = shelf.document(MANIFEST, &manifest);
    shelf.tag("v1", &manifest);
    let server = shelf.serve();
    refused(&server, &[&Digest::of(&layer).to_string(), "more than the"]);
    assert_eq!(server.blobs_asked(), 1, "the configuration alone");
}

#[test]
fn what_is_no_image_is_refused_by_its_type() {
    for (kind, says) in [
        ("text/html", "not known here"),
        ("", "not known here"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
    ] {
        let server = Server::start(move |_| {
            let answer = Answer::new(200, b"<html>Sign in</html>");
            if kind.is_empty() { answer } else { answer.header("Content-Type", kind) }
        });
        let scratch = Scratch::new();
        let store = scratch.store();
        fails(&store, &server, ErrorKind::Unsupported, &[says, kind]);
        assert_eq!(left(&store), [""; 0]);
    }
    let server = Server::start(|_| Answer::new(200, b"<html>").header("Content-Type", MANIFEST));
    refused(&server, &["cannot be read as what it should be"]);
}

#[test]
fn what_a_registry_says_does_not_reach_a_terminal_as_it_is() {
    let server = Server::start(|_| {
        let text = r#"{"errors":[{"code":"X","message":"\u001b[2Jcleared"}]}"#;
        Answer::new(403, text.as_bytes())
    });
    let scratch = Scratch::new();
    let store = scratch.store();
    fails(&store, &server, ErrorKind::PermissionDenied, &["403", r"\u{1b}[2Jcleared"]);
}

#[test]
fn no_answer_at_all_is_an_error() {
    let scratch = Scratch::new();
    let store = scratch.store();
    for answer in [
        Answer::new(200, b"").hang(0).header("Content-Length", "10"),
        Answer::new(200, b"12345").cut(5).header("Content-Length", "10"),
        Answer::new(200, &noise(100)).header("Content-Length", "-1"),
        Answer::new(500, b"oh"),
        Answer::new(302, b""),
        Answer::new(100, b""),
    ] {
        let answer = answer.header("Content-Type", MANIFEST);
        let server = Server::start(move |_| answer.clone());
        let error = store.pull(&name(&server), &hasty(), &mut |_| {}).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert_eq!(left(&store), [""; 0]);
    }
}
