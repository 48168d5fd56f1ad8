//! Choosing an image of a layout.

use serde_json::{Value, json};
use stockade_core::ErrorKind;
use stockade_oci::{Compression, Source};

use crate::made::{
    CONFIG, INDEX, LAYER, Layout, MANIFEST, Scratch, architecture, config, gzip, load, refused,
    simple, tar, zstd,
};

fn for_platform(mut descriptor: Value, architecture: &str) -> Value {
    descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
    descriptor
}

#[test]
fn the_only_image_of_a_layout_is_loaded_and_found_by_its_name() {
    let (scratch, mut parts) = (Scratch::new(), Vec::new());
    let (layout, store) = (simple(&scratch, Some("v1")), scratch.store());
    let image = store
        .load(&layout.source(None), &mut |progress| {
            parts.push((progress.done, progress.size));
        })
        .expect("it is loaded");
    assert!(parts.iter().all(|(done, size)| done <= size), "{parts:?}");
    assert!(parts.iter().any(|(done, size)| done == size), "{parts:?}");
    let found = store.find(&"layout:v1".parse().expect("a name")).expect("it is found");
    assert_eq!(found, image);
    assert_eq!(image.config.cmd, ["/bin/app"]);
    assert_eq!(image.config.working_dir, "/work");
    let entries = store.list().expect("a list");
    let [entry] = &*entries else { panic!("{entries:?}") };
    assert_eq!(entry.name.to_string(), "layout:v1");
    assert_eq!((&entry.digest, entry.size), (image.digest(), Some(image.size())));
}

#[test]
fn an_image_is_chosen_by_its_reference_or_its_digest() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let (one, two) = (tar(&[("one", b"1")]), tar(&[("two", b"2")]));
    let (first, second) = (layout.image(&[&one]), layout.image(&[&two]));
    layout.add(first.clone(), Some("one"));
    layout.add(second.clone(), Some("registry.example/team/app:two"));
    refused(&store, &layout.source(None), ErrorKind::InvalidPolicy, "2 images");
    let error = load(&store, &layout.source(None)).expect_err("it is ambiguous");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("one") && hint.contains("registry.example/team/app:two"), "{hint}");
    refused(&store, &layout.source(Some("three")), ErrorKind::NotFound, "no image \"three\"");

    let image = load(&store, &layout.source(Some("one"))).expect("it is loaded");
    assert_eq!(image.digest().to_string(), first["digest"]);
    let whole = layout.source(Some("registry.example/team/app:two"));
    let image = load(&store, &whole).expect("it is loaded");
    assert_eq!(image.digest().to_string(), second["digest"]);
    let names: Vec<_> = store.list().expect("a list").into_iter().map(|e| e.name).collect();
    assert_eq!(
        names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["layout:one", "registry.example/team/app:two"]
    );

    let digest = first["digest"].as_str().expect("a digest");
    let image = load(&store, &layout.source(Some(digest))).expect("it is loaded");
    assert_eq!(image.digest().to_string(), digest);
}

#[test]
fn the_image_for_this_platform_is_chosen_through_nested_indexes() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let image = layout.image(&[&tar(&[("a", b"")])]);
    let mut here = for_platform(image.clone(), architecture());
    for depth in 0..4 {
        let other = for_platform(layout.image(&[&tar(&[("b", &[depth])])]), "vax");
        let index = json!({
            "schemaVersion": 2,
            "manifests": [other, { "mediaType": "text/plain", "digest": image["digest"], "size": 1 }, here],
        });
        here = layout.document(INDEX, &index);
    }
    layout.add(here, Some("deep"));
    let loaded = load(&store, &layout.source(None)).expect("it is loaded");
    assert_eq!(loaded.digest().to_string(), image["digest"]);
}

#[test]
fn an_image_for_another_platform_is_refused_with_those_it_is_for() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let image = layout.image(&[&tar(&[("a", b"")])]);
    layout.add(for_platform(image.clone(), "vax"), None);
    refused(&store, &layout.source(None), ErrorKind::Unsupported, "no image for linux/");
    let error = load(&store, &layout.source(None)).expect_err("it is refused");
    assert!(error.hint().is_some_and(|hint| hint.contains("linux/vax")), "{error:?}");

    // A variant that this machine may lack is another platform.
    let mut layout = Layout::new(&scratch.join("variant"));
    let mut image = for_platform(layout.image(&[&tar(&[("a", b"")])]), architecture());
    image["platform"]["variant"] = json!("v9");
    layout.add(image, None);
    refused(&store, &layout.source(None), ErrorKind::Unsupported, "no image for linux/");

    // The index may say nothing of the platform; the configuration does.
    let mut layout = Layout::new(&scratch.join("other"));
    let layer = tar(&[("a", b"")]);
    let mut other = config(&[&layer]);
    other["architecture"] = json!("vax");
    let other = layout.document(CONFIG, &other);
    let image = layout.manifest(&other, &[layout.blob(LAYER, &layer)]);
    layout.add(image, None);
    refused(&store, &layout.source(None), ErrorKind::Unsupported, "is for linux/vax");
}

#[test]
fn layers_of_every_compression_are_loaded() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let plain = tar(&[("a", b"same")]);
    let described = layout.document(CONFIG, &config(&[&plain, &plain, &plain]));
    let layers = [
        layout.blob(LAYER, &plain),
        layout.blob(&format!("{LAYER}+gzip"), &gzip(&plain)),
        layout.blob("application/vnd.oci.image.layer.v1.tar+zstd", &zstd(&plain)),
    ];
    let image = layout.manifest(&described, &layers);
    layout.add(image, None);
    let image = load(&store, &layout.source(None)).expect("it is loaded");
    let found: Vec<_> = image.layers.iter().map(|layer| layer.compression).collect();
    assert_eq!(found, [Compression::None, Compression::Gzip, Compression::Zstd]);
}

#[test]
fn an_image_in_dockers_words_is_loaded() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let plain = tar(&[("a", b"same")]);
    let described =
        layout.document("application/vnd.docker.container.image.v1+json", &config(&[&plain]));
    let layer = layout.blob("application/vnd.docker.image.rootfs.diff.tar.gzip", &gzip(&plain));
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = layout.document(
        docker,
        &json!({ "schemaVersion": 2, "mediaType": docker, "config": described, "layers": [layer] }),
    );
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let index = layout.document(
        list,
        &json!({ "schemaVersion": 2, "mediaType": list, "manifests": [for_platform(manifest, architecture())] }),
    );
    layout.add(index, None);
    let image = load(&store, &layout.source(None)).expect("it is loaded");
    assert_eq!(image.layers.len(), 1);
}

#[test]
fn what_is_no_layout_is_told_from_one() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let source = |path: &str| -> Source {
        format!("oci:{}", scratch.join(path).display()).parse().expect("a source")
    };
    refused(&store, &source("missing"), ErrorKind::NotFound, "missing");
    std::fs::create_dir(scratch.join("empty")).expect("a directory");
    refused(&store, &source("empty"), ErrorKind::NotFound, "oci-layout");
    let layout = Layout::new(&scratch.join("new"));
    layout.file("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#);
    refused(&store, &layout.source(None), ErrorKind::Unsupported, "version \"2.0.0\"");
    layout.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    refused(&store, &layout.source(None), ErrorKind::NotFound, "index.json");
    layout.file("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);
    refused(&store, &layout.source(None), ErrorKind::NotFound, "holds no image");
    layout.file("index.json", br#"{"schemaVersion":1,"manifests":[]}"#);
    refused(&store, &layout.source(None), ErrorKind::InvalidPolicy, "schema version 1");
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","manifests":[]}}"#);
    layout.file("index.json", text.as_bytes());
    refused(&store, &layout.source(None), ErrorKind::InvalidPolicy, "to itself");
}
