//! What `docker save` writes, of old and new.

use std::fs;

use serde_json::{Value, json};
use stockade_core::ErrorKind;
use stockade_oci::{Digest, Source};

use crate::made::{Scratch, config, gzip, load, put, refused, tar, zstd};

/// An archive in the making.
struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn entry(&mut self, kind: tar::EntryType, name: &str, link: &str, bytes: &[u8]) -> &mut Self {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        put(&mut self.0, &mut header, name, link, bytes);
        self
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        self.entry(tar::EntryType::Regular, name, "", bytes)
    }

    fn link(&mut self, name: &str, to: &str) -> &mut Self {
        self.entry(tar::EntryType::Symlink, name, to, b"")
    }

    fn json(&mut self, name: &str, value: &Value) -> &mut Self {
        self.file(name, value.to_string().as_bytes())
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("an archive in memory")
    }

    fn save(self, scratch: &Scratch) -> Source {
        save(scratch, &self.bytes())
    }
}

fn save(scratch: &Scratch, bytes: &[u8]) -> Source {
    let path = scratch.join("saved.tar");
    fs::write(&path, bytes).expect("the archive");
    format!("docker-archive:{}", path.display()).parse().expect("a source")
}

fn layer() -> Vec<u8> {
    tar(&[("bin/", b""), ("bin/app", b"program")])
}

/// The layout of Docker before 25: configuration last but one, the list last.
fn old(tags: &Value) -> Archive {
    let layer = layer();
    let config = config(&[&layer]).to_string();
    let name = format!("{}.json", Digest::of(config.as_bytes()).hex());
    let mut archive = Archive::new();
    archive
        .entry(tar::EntryType::Directory, "abc/", "", b"")
        .file("abc/VERSION", b"1.0")
        .file("abc/layer.tar", &layer)
        .file(&name, config.as_bytes())
        .json(
            "manifest.json",
            &json!([{ "Config": name, "RepoTags": tags, "Layers": ["abc/layer.tar"] }]),
        );
    archive
}

/// An archive with this list and these layers, and what else is added.
fn with(layers: &Value, add: impl FnOnce(&mut Archive)) -> Archive {
    let mut archive = Archive::new();
    let listed = json!([{ "Config": "config.json", "RepoTags": ["app:1"], "Layers": layers }]);
    archive.json("manifest.json", &listed).json("config.json", &config(&[&layer()]));
    add(&mut archive);
    archive
}

#[test]
fn an_archive_of_an_older_docker_is_loaded_under_its_tags() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let source = old(&json!(["docker.io/library/app:1", "localhost:5000/app:2"])).save(&scratch);
    let image = load(&store, &source).expect("it is loaded");
    assert_eq!(image.layers[0].diff_id, Digest::of(&layer()));
    for name in ["app:1", "localhost:5000/app:2"] {
        let found = store.find(&name.parse().expect("a name")).expect("it is found");
        assert_eq!(found, image, "{name}");
    }
    // What is synthesized is the same each time.
    let again = load(&store, &source).expect("it is loaded");
    assert_eq!(again.digest(), image.digest());
    assert_eq!(store.list().expect("a list").len(), 2);
}

#[test]
fn an_archive_without_tags_is_named_as_its_file() {
    for tags in [json!(null), json!([])] {
        let scratch = Scratch::new();
        let store = scratch.store();
        load(&store, &old(&tags).save(&scratch)).expect("it is loaded");
        store.find(&"saved".parse().expect("a name")).expect("it is found");
    }
}

#[test]
fn a_compressed_archive_is_the_same_image() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let plain = old(&json!(["app"])).bytes();
    let image = load(&store, &save(&scratch, &plain)).expect("it is loaded");
    for compressed in [gzip(&plain), zstd(&plain)] {
        let again = load(&store, &save(&scratch, &compressed)).expect("it is loaded");
        assert_eq!(again, image);
    }
}

#[test]
fn an_archive_of_a_newer_docker_is_loaded_with_compressed_layers() {
    for packed in [gzip(&layer()), zstd(&layer()), layer()] {
        let scratch = Scratch::new();
        let config = config(&[&layer()]).to_string();
        let path = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::of(bytes).hex());
        let (config_path, layer_path) = (path(config.as_bytes()), path(&packed));
        let mut archive = Archive::new();
        archive
            .file(&config_path, config.as_bytes())
            .file(&layer_path, &packed)
            .json("index.json", &json!({}))
            .json(
                "manifest.json",
                &json!([{ "Config": config_path, "RepoTags": ["app:1"], "Layers": [layer_path] }]),
            )
            .file("oci-layout", b"{}");
        let image = load(&scratch.store(), &archive.save(&scratch)).expect("it is loaded");
        assert_eq!(image.layers[0].descriptor.digest, Digest::of(&packed));
        assert_eq!(image.layers[0].diff_id, Digest::of(&layer()));
    }
}

#[test]
fn one_of_several_images_is_chosen_by_its_tag() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut archive = Archive::new();
    let other = tar(&[("other", b"")]);
    archive
        .json("one.json", &config(&[&layer()]))
        .json("two.json", &config(&[&other]))
        .file("one.tar", &layer())
        .file("two.tar", &other)
        .json(
            "manifest.json",
            &json!([
                { "Config": "one.json", "RepoTags": ["app:1"], "Layers": ["one.tar"] },
                { "Config": "two.json", "RepoTags": ["app:2"], "Layers": ["two.tar"] },
            ]),
        );
    let source = archive.save(&scratch);
    refused(&store, &source, ErrorKind::InvalidPolicy, "2 images");
    let named = |tag: &str| -> Source { format!("{source}:{tag}").parse().expect("a source") };
    refused(&store, &named("app:3"), ErrorKind::NotFound, "app:3");
    let image = load(&store, &named("app:2")).expect("it is loaded");
    assert_eq!(image.layers[0].diff_id, Digest::of(&other));
}

#[test]
fn links_within_an_archive_are_followed() {
    let scratch = Scratch::new();
    let archive = with(&json!(["a/layer.tar"]), |archive| {
        archive
            .link("a/layer.tar", "../b/layer.tar")
            .entry(tar::EntryType::Link, "b/layer.tar", "./c/layer.tar", b"")
            .file("c/layer.tar", &layer());
    });
    load(&scratch.store(), &archive.save(&scratch)).expect("it is loaded");
}

#[test]
fn one_layer_twice_is_kept_once() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut archive = Archive::new();
    archive
        .json("c.json", &config(&[&layer(), &layer()]))
        .file("a.tar", &layer())
        .link("b.tar", "a.tar")
        .json("manifest.json", &json!([{ "Config": "c.json", "Layers": ["a.tar", "b.tar"] }]));
    let image = load(&store, &archive.save(&scratch)).expect("it is loaded");
    assert_eq!(image.layers[0], image.layers[1]);
    assert_eq!(fs::read_dir(store.path().join("blobs/sha256")).expect("blobs").count(), 3);
}

#[test]
fn names_that_lead_out_of_an_archive_are_refused() {
    let one = json!(["a.tar"]);
    let link = |to: &'static str| {
        with(&one, move |archive| {
            archive.link("a.tar", to);
        })
    };
    let file = |name: &'static str| {
        with(&one, move |archive| {
            archive.file("a.tar", &layer()).file(name, b"");
        })
    };
    let cases = [
        (
            link("/etc/passwd"),
            "\"a.tar\" of the archive is a link that leads out of it: \"/etc/passwd\"",
        ),
        (link("../../etc/passwd"), "leads out of it: \"../../etc/passwd\""),
        (link("a.tar"), "more than 8 others"),
        (link("gone"), "no \"gone\""),
        (
            with(&one, |archive| {
                archive.entry(tar::EntryType::Link, "a.tar", "/etc/passwd", b"");
            }),
            "leads out of it: \"/etc/passwd\"",
        ),
        (file("../evil"), "\"../evil\""),
        (file("/etc/evil"), "\"/etc/evil\""),
        (file("x/../../evil"), "\"x/../../evil\""),
        (with(&json!(["../a.tar"]), |_| {}), "\"../a.tar\""),
        (with(&json!(["/etc/passwd"]), |_| {}), "\"/etc/passwd\""),
        (with(&one, |_| {}), "the archive has no \"a.tar\""),
        (
            with(&one, |archive| {
                archive.entry(tar::EntryType::Directory, "a.tar/", "", b"");
            }),
            "\"a.tar\" of the archive is no file",
        ),
        (
            with(&one, |archive| {
                archive.file("a.tar", &layer()).file("./a.tar", b"other");
            }),
            "\"a.tar\" 2 times",
        ),
        (
            with(&one, |archive| {
                archive.entry(tar::EntryType::Fifo, "a.tar", "", b"");
            }),
            "no file",
        ),
    ];
    for (archive, says) in cases {
        let scratch = Scratch::new();
        refused(&scratch.store(), &archive.save(&scratch), ErrorKind::InvalidPolicy, says);
    }
}

#[test]
fn an_archive_that_lies_of_its_layers_is_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let invalid = ErrorKind::InvalidPolicy;
    for packed in [tar(&[("a", b"")]), gzip(&tar(&[("a", b"")])), zstd(b"other")] {
        let archive = with(&json!(["a.tar"]), |archive| {
            archive.file("a.tar", &packed);
        });
        refused(
            &store,
            &archive.save(&scratch),
            invalid,
            "\"a.tar\" of the archive is not the one",
        );
    }
    let broken = with(&json!(["a.tar"]), |archive| {
        archive.file("a.tar", &gzip(&layer())[..40]);
    });
    refused(&store, &broken.save(&scratch), invalid, "cannot be read");
    let promise = format!("{}.tar", Digest::of(b"promised").hex());
    let none = with(&json!([]), |_| {});
    refused(&store, &none.save(&scratch), invalid, "0 layers of the archive have 1 digests");

    let wrong = format!("blobs/sha256/{}", &promise[..64]);
    let archive = with(&json!([wrong]), |archive| {
        archive.file(&wrong, &layer());
    });
    refused(&store, &archive.save(&scratch), invalid, "not what its name says");

    let layer = layer();
    let mut archive = Archive::new();
    let wrong = format!("{}.json", &promise[..64]);
    archive
        .json(&wrong, &config(&[&layer]))
        .file("a.tar", &layer)
        .json("manifest.json", &json!([{ "Config": wrong, "Layers": ["a.tar"] }]));
    refused(&store, &archive.save(&scratch), invalid, "not what its name says");
}

#[test]
fn a_file_that_is_no_archive_is_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let invalid = ErrorKind::InvalidPolicy;
    let whole = old(&json!(["app"])).bytes();
    refused(&store, &save(&scratch, b"no archive"), invalid, "");
    refused(&store, &save(&scratch, b""), invalid, "no manifest.json");
    refused(&store, &save(&scratch, &[b'x'; 2048]), invalid, "cannot be read");
    refused(&store, &save(&scratch, &gzip(&whole)[..200]), invalid, "cannot be read");
    refused(&store, &save(&scratch, &tar(&[("index.json", b"{}")])), invalid, "no manifest.json");
    for bad in ["", "{}", "[]", "[{}]", "null"] {
        let archive = tar(&[("manifest.json", bad.as_bytes())]);
        refused(&store, &save(&scratch, &archive), invalid, "manifest.json");
    }
    let big = vec![b' '; 5 << 20];
    refused(&store, &save(&scratch, &tar(&[("manifest.json", &big)])), invalid, "more than the");
    let archive = with(&json!([]), |archive| {
        archive.entry(tar::EntryType::GNULongName, "././@LongLink", "", &vec![b'a'; 100_000]);
    });
    refused(&store, &archive.save(&scratch), invalid, "an extension of 100000 bytes");
    let directory: Source =
        format!("docker-archive:{}", store.path().display()).parse().expect("a source");
    refused(&store, &directory, invalid, "cannot be read");
    let missing: Source = "docker-archive:/missing.tar".parse().expect("a source");
    refused(&store, &missing, ErrorKind::NotFound, "/missing.tar");
}

#[test]
fn every_cut_of_an_archive_is_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let whole = old(&json!(["app"])).bytes();
    // The last block of the list is padded, and what follows it marks the end, which nobody needs.
    for cut in (0..whole.len() - 1024 - 512).step_by(173) {
        refused(&store, &save(&scratch, &whole[..cut]), ErrorKind::InvalidPolicy, "");
    }
}

#[test]
fn names_in_extensions_are_understood() {
    let scratch = Scratch::new();
    let long = format!("{}/layer.tar", "long/".repeat(40));
    let archive = with(&json!([long]), |archive| {
        archive.entry(tar::EntryType::GNULongName, "././@LongLink", "", long.as_bytes());
        archive.file("short", &layer());
    });
    load(&scratch.store(), &archive.save(&scratch)).expect("GNU's name is read");

    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while format!("{length}{rest}").len() != length {
            length += 1;
        }
        format!("{length}{rest}")
    };
    let posix = |records: String| {
        with(&json!([long]), move |archive| {
            archive.entry(tar::EntryType::XHeader, "PaxHeaders/x", "", records.as_bytes());
            archive.file("short", &layer());
        })
    };
    let scratch = Scratch::new();
    let store = scratch.store();
    let lies = posix(record("path", &long) + &record("size", "5"));
    refused(&store, &lies.save(&scratch), ErrorKind::InvalidPolicy, "two sizes");
    let sparse = posix(record("path", &long) + &record("GNU.sparse.major", "1"));
    refused(&store, &sparse.save(&scratch), ErrorKind::InvalidPolicy, "no file");
    let sound = posix(record("path", &long));
    load(&store, &sound.save(&scratch)).expect("POSIX's name is read");
}
