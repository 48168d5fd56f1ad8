//! Images that lie, and stores that are not this user's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use serde_json::{Value, json};
use stockade_core::ErrorKind;
use stockade_oci::{Digest, Store};

use crate::made::{
    CONFIG, INDEX, LAYER, Layout, MANIFEST, Scratch, config, load, refused, simple, skip, tar,
};

/// A layout whose manifest was changed after its parts were made.
fn changed(scratch: &Scratch, change: impl FnOnce(&Layout, &mut Value)) -> Layout {
    let mut layout = scratch.layout();
    let layer = tar(&[("a", b"bytes")]);
    let mut manifest = json!({
        "schemaVersion": 2,
        "config": layout.document(CONFIG, &config(&[&layer])),
        "layers": [layout.blob(LAYER, &layer)],
    });
    change(&layout, &mut manifest);
    let manifest = layout.document(MANIFEST, &manifest);
    layout.add(manifest, None);
    layout
}

#[track_caller]
fn change_is_refused(kind: ErrorKind, says: &str, change: impl FnOnce(&Layout, &mut Value)) {
    let scratch = Scratch::new();
    let layout = changed(&scratch, change);
    refused(&scratch.store(), &layout.source(None), kind, says);
}

#[test]
fn the_image_that_the_changes_are_made_to_is_loaded() {
    let scratch = Scratch::new();
    let layout = changed(&scratch, |_, _| {});
    load(&scratch.store(), &layout.source(None)).expect("it is loaded");
}

#[test]
fn a_digest_that_is_a_path_is_refused() {
    for digest in [
        "sha256:../../../../../../etc/passwd",
        "../../etc/passwd",
        "sha256:/etc/passwd",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "sha256:e3b0c442",
        "sha256:",
        "",
    ] {
        change_is_refused(ErrorKind::InvalidPolicy, "", |_, manifest| {
            manifest["layers"][0]["digest"] = json!(digest);
        });
        change_is_refused(ErrorKind::InvalidPolicy, "", |_, manifest| {
            manifest["config"]["digest"] = json!(digest);
        });
    }
}

#[test]
fn bytes_that_are_not_what_their_digest_says_are_refused() {
    change_is_refused(ErrorKind::InvalidPolicy, "what should be sha256:", |layout, manifest| {
        let path = layout.blob_path(&manifest["layers"][0]);
        let mut bytes = fs::read(&path).expect("the layer");
        bytes[0] ^= 1;
        fs::write(path, bytes).expect("the layer");
    });
    change_is_refused(ErrorKind::InvalidPolicy, "what should be sha256:", |layout, manifest| {
        let path = layout.blob_path(&manifest["config"]);
        let text = fs::read_to_string(&path).expect("the configuration");
        fs::write(path, text.replace("/bin/app", "/bin/bad")).expect("the configuration");
    });
}

#[test]
fn sizes_that_differ_are_refused() {
    for off in [-1, 1] {
        change_is_refused(ErrorKind::InvalidPolicy, "and should have", |_, manifest| {
            let size = manifest["layers"][0]["size"].as_i64().expect("a size");
            manifest["layers"][0]["size"] = json!(size + off);
        });
        change_is_refused(ErrorKind::InvalidPolicy, "and should have", |_, manifest| {
            let size = manifest["config"]["size"].as_i64().expect("a size");
            manifest["config"]["size"] = json!(size + off);
        });
    }
    change_is_refused(ErrorKind::InvalidPolicy, "cannot be read", |_, manifest| {
        manifest["layers"][0]["size"] = json!(-5);
    });
}

#[test]
fn a_blob_that_is_a_link_a_pipe_or_a_directory_is_refused() {
    change_is_refused(ErrorKind::InvalidPolicy, "cannot be read", |layout, manifest| {
        let path = layout.blob_path(&manifest["layers"][0]);
        fs::rename(&path, layout.path.join("aside")).expect("the layer is moved");
        symlink("../../aside", path).expect("a link to what it was");
    });
    change_is_refused(ErrorKind::InvalidPolicy, "cannot be read", |layout, manifest| {
        let path = layout.blob_path(&manifest["config"]);
        fs::remove_file(&path).expect("the configuration");
        symlink("/etc/passwd", path).expect("a link");
    });
    change_is_refused(ErrorKind::InvalidPolicy, "no regular file", |layout, manifest| {
        let path = layout.blob_path(&manifest["layers"][0]);
        fs::remove_file(&path).expect("the layer");
        fs::create_dir(path).expect("a directory");
    });
    change_is_refused(ErrorKind::InvalidPolicy, "no regular file", |layout, manifest| {
        let path = layout.blob_path(&manifest["layers"][0]);
        fs::remove_file(&path).expect("the layer");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a FIFO");
    });
}

#[test]
fn directories_of_blobs_that_are_links_are_refused() {
    let scratch = Scratch::new();
    let layout = simple(&scratch, None);
    fs::rename(layout.path.join("blobs"), scratch.join("aside")).expect("moved");
    symlink("../aside", layout.path.join("blobs")).expect("a link");
    refused(&scratch.store(), &layout.source(None), ErrorKind::InvalidPolicy, "cannot be read");
}

#[test]
fn missing_blobs_are_named() {
    for part in ["config", "layer"] {
        let mut name = String::new();
        let scratch = Scratch::new();
        let layout = changed(&scratch, |layout, manifest| {
            let blob = if part == "config" { &manifest["config"] } else { &manifest["layers"][0] };
            name = blob["digest"].as_str().expect("a digest").to_owned();
            fs::remove_file(layout.blob_path(blob)).expect("it was there");
        });
        refused(&scratch.store(), &layout.source(None), ErrorKind::NotFound, &name);
    }
}

#[test]
fn kinds_of_layers_and_configurations_that_are_not_read_are_named() {
    for (media_type, says) in [
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "an encrypted layer"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "kept elsewhere"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "kept elsewhere"),
        ("application/vnd.example.layer", "not known here: \"application/vnd.example.layer\""),
        ("", "not known here"),
    ] {
        change_is_refused(ErrorKind::Unsupported, says, |_, manifest| {
            manifest["layers"][0]["mediaType"] = json!(media_type);
        });
    }
    for (media_type, says) in [
        ("application/vnd.oci.empty.v1+json", "no container image"),
        ("application/vnd.cncf.helm.config.v1+json", "not known here"),
    ] {
        change_is_refused(ErrorKind::Unsupported, says, |_, manifest| {
            manifest["config"]["mediaType"] = json!(media_type);
        });
    }
}

#[test]
fn manifests_of_schema_1_are_refused_by_name() {
    let scratch = Scratch::new();
    let mut layout = scratch.layout();
    let old = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let manifest = layout.document(old, &json!({ "schemaVersion": 1, "fsLayers": [] }));
    layout.add(manifest, None);
    refused(&scratch.store(), &layout.source(None), ErrorKind::Unsupported, "schema 1");
}

#[test]
fn a_manifest_that_could_be_two_things_is_refused() {
    change_is_refused(ErrorKind::InvalidPolicy, "\"manifests\"", |_, manifest| {
        manifest["manifests"] = json!([]);
    });
    change_is_refused(ErrorKind::InvalidPolicy, "to itself", |_, manifest| {
        manifest["mediaType"] = json!(INDEX);
    });
    change_is_refused(ErrorKind::InvalidPolicy, "schema version 3", |_, manifest| {
        manifest["schemaVersion"] = json!(3);
    });
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    let with_config = |bytes: &[u8], kind, says: &str| {
        change_is_refused(kind, says, |layout, manifest| {
            manifest["config"] = layout.blob(CONFIG, bytes);
        });
    };
    let layer = tar(&[("a", b"bytes")]);
    let sound = config(&[&layer]);
    let changed = |key: &str, value: Value| {
        let mut config = sound.clone();
        *config.pointer_mut(key).expect("a key") = value;
        config.to_string().into_bytes()
    };
    let invalid = ErrorKind::InvalidPolicy;
    with_config(b"no JSON", invalid, "the configuration sha256:");
    with_config(b"[]", invalid, "the configuration sha256:");
    with_config(b"\xff\xfe", invalid, "the configuration sha256:");
    with_config("[".repeat(100_000).as_bytes(), invalid, "the configuration sha256:");
    with_config(&changed("/rootfs/diff_ids", json!([])), invalid, "1 layers, and the digests of 0");
    with_config(&changed("/rootfs/diff_ids/0", json!("../x")), invalid, "\"../x\" is no digest");
    with_config(&changed("/config/Env", json!(["NAME"])), invalid, "\"NAME\"");
    with_config(&changed("/config/Env", json!(["=x"])), invalid, "\"=x\"");
    with_config(&changed("/config/Env", json!(["A=\0"])), invalid, "no `KEY=VALUE`");
    with_config(&changed("/config/Cmd", json!(["a\0b"])), invalid, "NUL in its command");
    with_config(&changed("/os", json!("windows")), ErrorKind::Unsupported, "is for windows/");
}

#[test]
fn documents_of_ten_mebibytes_are_refused_unread() {
    let big = vec![b' '; 10 << 20];
    change_is_refused(ErrorKind::InvalidPolicy, "more than the 4194304", |layout, manifest| {
        manifest["config"] = layout.blob(CONFIG, &big);
    });
    let scratch = Scratch::new();
    let mut layout = scratch.layout();
    for media_type in [MANIFEST, INDEX] {
        let descriptor = layout.blob(media_type, &big);
        layout.add(descriptor, None);
        refused(&scratch.store(), &layout.source(None), ErrorKind::InvalidPolicy, "more than the");
        layout = Layout::new(&scratch.join("again"));
    }
    layout.file("index.json", &big);
    refused(&scratch.store(), &layout.source(None), ErrorKind::InvalidPolicy, "more than the");
    layout.file("index.json", b"{}");
    layout.file("oci-layout", &big);
    refused(&scratch.store(), &layout.source(None), ErrorKind::InvalidPolicy, "more than the");
}

#[test]
fn indexes_that_never_end_are_refused() {
    let scratch = Scratch::new();
    let mut layout = scratch.layout();
    let mut inner = layout.image(&[]);
    for _ in 0..5 {
        inner = layout.document(INDEX, &json!({ "schemaVersion": 2, "manifests": [inner] }));
    }
    layout.add(inner, None);
    refused(&scratch.store(), &layout.source(None), ErrorKind::InvalidPolicy, "more than 4 others");

    // Each names the next one a thousand times.
    let mut layout = Layout::new(&scratch.join("wide"));
    let mut inner = layout.document(INDEX, &json!({ "schemaVersion": 2, "manifests": [] }));
    for _ in 0..3 {
        let many = vec![inner; 1000];
        inner = layout.document(INDEX, &json!({ "schemaVersion": 2, "manifests": many }));
    }
    layout.add(inner, None);
    refused(&scratch.store(), &layout.source(None), ErrorKind::InvalidPolicy, "more than 64");
}

#[test]
fn an_image_of_too_many_layers_is_refused() {
    change_is_refused(ErrorKind::InvalidPolicy, "257 layers", |_, manifest| {
        manifest["layers"] = json!(vec![manifest["layers"][0].clone(); 257]);
    });
}

#[track_caller]
fn store_is_refused(path: &std::path::Path, kind: ErrorKind, says: &str) {
    let error = Store::open(path).expect_err("it is refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_store_that_is_not_this_users_alone_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.join("store");
    drop(Store::open(&path).expect("a store"));
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);

    for mode in [0o777, 0o770, 0o755, 0o701] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        store_is_refused(&path, ErrorKind::PermissionDenied, "open to other users");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("a mode");
    symlink(&path, scratch.join("link")).expect("a link");
    store_is_refused(&scratch.join("link"), ErrorKind::InvalidPolicy, "a link or no directory");
    symlink("nowhere", scratch.join("dangling")).expect("a link");
    store_is_refused(&scratch.join("dangling"), ErrorKind::InvalidPolicy, "a link or no directory");
    fs::write(scratch.join("file"), "").expect("a file");
    store_is_refused(&scratch.join("file"), ErrorKind::InvalidPolicy, "a link or no directory");

    if !rustix::process::geteuid().is_root() {
        skip("owners are root's to change");
        return;
    }
    chown(&path, Some(65534), None).expect("root gives it away");
    store_is_refused(&path, ErrorKind::PermissionDenied, "belongs to user 65534");
}

#[test]
fn an_index_of_the_store_that_was_tampered_with_is_refused() {
    let scratch = Scratch::new();
    let (layout, store) = (simple(&scratch, None), scratch.store());
    load(&store, &layout.source(None)).expect("it is loaded");
    let path = store.path().join("index.json");
    let sound = fs::read_to_string(&path).expect("the index");
    let digest = Digest::of(b"another").to_string();
    for (bad, says) in [
        ("{".to_owned(), "the index index.json"),
        (sound.replace("layout:latest", "../layout"), "\"../layout\""),
        (sound.replace("\"size\":", "\"size\":9"), ""),
    ] {
        fs::write(&path, bad).expect("the index");
        let error = store.collect_garbage().expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    // What an image that is lost would need, nobody knows.
    let at = sound.find("sha256:").expect("a digest");
    let lost = sound.replace(&sound[at..at + digest.len()], &digest);
    fs::write(&path, lost).expect("the index");
    let error = store.collect_garbage().expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(store.list().expect("a list")[0].size, None);
    fs::write(&path, sound).expect("the index");
    store.find(&"layout".parse().expect("a name")).expect("nothing was removed");
}
