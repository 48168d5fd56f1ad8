//! Finding, removing, unpacking and cleaning up.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::json;
use stockade_core::{Base, ErrorKind, Policy};
use stockade_oci::{Digest, Name, Root, Store};

use crate::made::{CONFIG, LAYER, Layout, Scratch, config, gzip, load, simple, tar, told, zstd};

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn files(path: PathBuf) -> usize {
    fs::read_dir(path).expect("a directory of the store").count()
}

/// Blobs, roots and unfinished things.
fn counts(store: &Store) -> (usize, usize, usize) {
    let count = |name: &str| files(store.path().join(name));
    (count("blobs/sha256"), count("roots"), count("tmp"))
}

fn read(root: &Root, name: &str) -> String {
    fs::read_to_string(root.path().join(name)).expect("a file of the image")
}

/// A layout with a layer of this content, that nothing else has.
fn layout_of(scratch: &Scratch, directory: &str, contents: &str) -> Layout {
    let mut layout = Layout::new(&scratch.join(directory));
    let image = layout.image(&[&tar(&[("data", contents.as_bytes())])]);
    layout.add(image, None);
    layout
}

#[test]
fn a_root_has_all_layers_and_what_a_sandbox_needs() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let layers = [
        tar(&[("etc/", b""), ("etc/a", b"lower"), ("etc/b", b"lower"), ("tmp", b"a file")]),
        tar(&[("etc/a", b"upper")]),
        tar(&[("etc/.wh.b", b"")]),
    ];
    let plain: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let described = layout.document(CONFIG, &config(&plain));
    let parts = [
        layout.blob(LAYER, &layers[0]),
        layout.blob(&format!("{LAYER}+gzip"), &gzip(&layers[1])),
        layout.blob(&format!("{LAYER}+zstd"), &zstd(&layers[2])),
    ];
    let image = layout.manifest(&described, &parts);
    layout.add(image, None);
    let image = load(&store, &layout.source(None)).expect("it is loaded");
    let root = store.root(&image).expect("it is unpacked");
    assert_eq!(read(&root, "etc/a"), "upper");
    assert!(!root.path().join("etc/b").exists());
    for (name, mode) in [("dev", 0o755), ("proc", 0o555), ("tmp", 0o1777), ("work", 0o755)] {
        let metadata = fs::symlink_metadata(root.path().join(name)).expect(name);
        assert!(metadata.is_dir(), "{name}");
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{name}");
    }
    let inode = |root: &Root| fs::metadata(root.path()).expect("a root").ino();
    let again = store.root(&image).expect("it is there");
    assert_eq!((again.path(), inode(&again)), (root.path(), inode(&root)));
    assert_eq!(counts(&store).2, 0, "nothing is unfinished");

    let mut policy = Policy::default();
    root.apply_to(&mut policy);
    assert_eq!(policy.filesystem.base, Base::WritableRootfs(root.path().to_owned()));
    assert_eq!(policy.process.cwd, "/work");
    assert_eq!(policy.process.env["PATH"], "/app");
    policy.validate().expect("it makes sense");
}

#[test]
fn a_working_directory_is_made_through_links_that_stay_inside() {
    let scratch = Scratch::new();
    let outside = scratch.join("outside");
    fs::create_dir(&outside).expect("a directory");
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    let to = outside.to_str().expect("a path");
    crate::made::put(&mut builder, &mut header, "stockade-out", to, b"");
    let layer = builder.into_inner().expect("memory");
    for working_dir in ["/stockade-out/made", "/../../stockade-out/made", "stockade-out/made"] {
        let scratch = Scratch::new();
        let (mut layout, store) = (scratch.layout(), scratch.store());
        let mut described = config(&[&layer]);
        described["config"]["WorkingDir"] = json!(working_dir);
        let described = layout.document(CONFIG, &described);
        let image = layout.manifest(&described, &[layout.blob(LAYER, &layer)]);
        layout.add(image, None);
        let image = load(&store, &layout.source(None)).expect("it is loaded");
        assert_eq!(image.config.working_dir, "/stockade-out/made");
        store.root(&image).expect("it is unpacked");
        assert_eq!(files(outside.clone()), 0, "{working_dir}");
        assert!(!Path::new("/stockade-out").exists(), "{working_dir}");
    }
}

#[test]
fn a_layer_that_is_not_what_the_configuration_says_is_not_unpacked() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let (layer, other) = (tar(&[("a", b"")]), tar(&[("b", b"")]));
    let mut longer = layer.clone();
    longer.extend([0; 512]);
    let cases = [
        (LAYER.to_owned(), other),
        (format!("{LAYER}+gzip"), gzip(&longer)),
        (format!("{LAYER}+gzip"), gzip(&layer)[..30].to_vec()),
        (format!("{LAYER}+zstd"), gzip(&layer)),
    ];
    for (at, (media_type, bytes)) in cases.into_iter().enumerate() {
        let described = layout.document(CONFIG, &config(&[&layer]));
        let image = layout.manifest(&described, &[layout.blob(&media_type, &bytes)]);
        let reference = format!("case-{at}");
        layout.add(image, Some(&reference));
        let image = load(&store, &layout.source(Some(&reference))).expect("it is loaded");
        let error = store.root(&image).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{at}: {}", told(&error));
        let (_, roots, unfinished) = counts(&store);
        assert_eq!((roots, unfinished), (0, 0), "{at}: {}", told(&error));
    }
}

#[test]
fn a_name_moves_to_the_image_that_was_loaded_last() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let first = layout_of(&scratch, "one", "1");
    let second = layout_of(&scratch, "two", "2");
    let app = name("team/app:v1");
    let load_as = |layout: &Layout| {
        store.load_as(&layout.source(None), &app, &mut |_| {}).expect("it is loaded")
    };
    let (one, two) = (load_as(&first), load_as(&second));
    assert_eq!(store.find(&app).expect("it is found"), two);
    assert_eq!(store.list().expect("a list").len(), 1);
    let digest: Name = format!("team/app@{}", one.digest()).parse().expect("a name");
    let error = store.find(&digest).expect_err("it has no name");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let digest: Name = format!("team/app@{}", two.digest()).parse().expect("a name");
    assert_eq!(store.find(&digest).expect("it is found"), two);
    // One image, one more name.
    let source = "team/app:v1".parse().expect("a source");
    store.load_as(&source, &name("other"), &mut |_| {}).expect("it is named");
    assert_eq!(store.find(&name("other")).expect("it is found"), two);
}

#[test]
fn a_name_that_is_not_there_gets_a_hint() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let source = "registry.example/app:v1".parse().expect("a source");
    for error in [
        load(&store, &source).expect_err("it is not there"),
        store.find(&name("registry.example/app:v1")).expect_err("it is not there"),
        store.remove(&name("registry.example/app:v1")).expect_err("it is not there"),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("registry.example/app:v1"), "{error}");
        let hint = error.hint().expect("a hint");
        assert!(hint.contains("oci:DIR"), "{hint}");
        assert!(hint.contains("stockade image pull registry.example/app:v1"), "{hint}");
    }
}

#[test]
fn garbage_is_what_no_name_needs() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let (one, two) = (layout_of(&scratch, "one", "1"), layout_of(&scratch, "two", "22"));
    let first = load(&store, &one.source(None)).expect("it is loaded");
    let second = load(&store, &two.source(None)).expect("it is loaded");
    drop(store.root(&first).expect("a root"));
    drop(store.root(&second).expect("a root"));
    let freed = store.collect_garbage().expect("it is collected");
    assert_eq!((freed.blobs, freed.roots, freed.unfinished, freed.bytes), (0, 0, 0, 0));
    assert_eq!(counts(&store), (6, 2, 0));

    store.remove(&name("one")).expect("it is removed");
    let freed = store.collect_garbage().expect("it is collected");
    assert_eq!((freed.blobs, freed.roots, freed.bytes), (3, 1, first.size()));
    assert_eq!(counts(&store), (3, 1, 0));
    assert_eq!(store.find(&name("two")).expect("it is found"), second);
    let error = store.root(&first).expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    store.root(&second).expect("it is there");
}

#[test]
fn a_root_that_is_held_outlives_its_image() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let layout = layout_of(&scratch, "one", "1");
    let image = load(&store, &layout.source(None)).expect("it is loaded");
    let held = store.root(&image).expect("a root");
    store.remove(&name("one")).expect("it is removed");
    // Another store is what another process would have.
    let other = scratch.store();
    let freed = other.collect_garbage().expect("it is collected");
    assert_eq!((freed.blobs, freed.roots), (3, 0));
    assert_eq!(read(&held, "data"), "1");
    let again = store.root(&image).expect("it is there, though its image is not");
    drop(held);
    assert_eq!(other.collect_garbage().expect("it is collected").roots, 0);
    assert_eq!(read(&again, "data"), "1");
    let path = again.path().to_owned();
    drop(again);
    assert_eq!(other.collect_garbage().expect("it is collected").roots, 1);
    assert!(!path.exists());
    assert_eq!(counts(&store), (0, 0, 0));
}

#[test]
fn an_image_that_is_removed_while_it_is_loaded_is_loaded_all_the_same() {
    let scratch = Scratch::new();
    let (mut layout, store) = (scratch.layout(), scratch.store());
    let (base, top) = (tar(&[("base", b"shared")]), tar(&[("top", b"1")]));
    let first = layout.image(&[&base]);
    layout.add(first, Some("first"));
    let second = layout.image(&[&base, &top]);
    layout.add(second, Some("second"));
    load(&store, &layout.source(Some("first"))).expect("it is loaded");
    // The layer that both have is in the store by now, and is removed while the second image, which found
    // it there, is being loaded.
    let mut freed = 0;
    let image = store.load(&layout.source(Some("second")), &mut |progress| {
        if progress.blob == Digest::of(&base).to_string() && freed == 0 {
            store.remove(&name("layout:first")).expect("it is removed");
            freed = store.collect_garbage().expect("it is collected").blobs;
        }
    });
    let image = image.expect("it is loaded");
    assert_eq!(freed, 3);
    let root = store.root(&image).expect("it is whole");
    assert_eq!((read(&root, "base"), read(&root, "top")), ("shared".into(), "1".into()));
}

#[test]
fn what_was_loaded_is_not_copied_again() {
    let scratch = Scratch::new();
    let (layout, store) = (simple(&scratch, None), scratch.store());
    let image = load(&store, &layout.source(None)).expect("it is loaded");
    let path = |digest: &Digest| store.path().join("blobs/sha256").join(digest.hex());
    let layer = path(&image.layers[0].descriptor.digest);
    let inode = |path: &Path| fs::metadata(path).expect("a blob").ino();
    let before = inode(&layer);
    load(&store, &layout.source(None)).expect("it is loaded");
    assert_eq!(inode(&layer), before);
    assert_eq!(fs::metadata(&layer).expect("a blob").nlink(), 1, "no name is left");
    // One that was cut short is replaced.
    fs::write(&layer, "short").expect("the blob");
    load(&store, &layout.source(None)).expect("it is loaded");
    store.root(&image).expect("it is whole");
}

#[test]
fn many_threads_load_and_unpack_one_image_at_once() {
    let scratch = Scratch::new();
    let (layout, store) = (simple(&scratch, None), scratch.store());
    let start = std::sync::Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let own = scratch.store();
                start.wait();
                let image = load(&own, &layout.source(None)).expect("it is loaded");
                let root = own.root(&image).expect("it is unpacked");
                assert_eq!(read(&root, "bin/app"), "program");
                own.collect_garbage().expect("it is collected");
                assert_eq!(read(&root, "bin/app"), "program");
            });
        }
    });
    assert_eq!(counts(&store), (3, 1, 0));
    assert_eq!(store.list().expect("a list").len(), 1);
}

#[test]
fn a_store_is_a_layout_itself() {
    let scratch = Scratch::new();
    let (layout, store) = (simple(&scratch, Some("v1")), scratch.store());
    let image = load(&store, &layout.source(None)).expect("it is loaded");
    let other = Store::open(&scratch.join("deep/er/other")).expect("directories are made");
    let source = format!("oci:{}:layout:v1", store.path().display()).parse().expect("a source");
    assert_eq!(load(&other, &source).expect("it is loaded"), image);
    assert_eq!(other.find(&name("layout:v1")).expect("it is found"), image);
}

#[test]
fn the_default_directory_is_found_without_looking_at_the_environment() {
    let dir = |data: Option<&str>, home: Option<&str>| {
        Store::default_dir(|key| match key {
            "STOCKADE_IMAGES" => Some("".into()),
            "XDG_DATA_HOME" => data.map(Into::into),
            "HOME" => home.map(Into::into),
            other => panic!("{other} is not asked for"),
        })
    };
    let elsewhere = Store::default_dir(|key| {
        assert_eq!(key, "STOCKADE_IMAGES", "nothing else counts");
        Some("images".into())
    });
    assert_eq!(elsewhere.expect("a directory"), Path::new("images"));
    if rustix::process::geteuid().is_root() {
        let found = dir(Some("/data"), Some("/home/u")).expect("a directory");
        assert_eq!(found, Path::new("/var/lib/stockade/images"));
        return;
    }
    let found = |data, home| dir(data, home).expect("a directory");
    let of_home = Path::new("/home/u/.local/share/stockade/images");
    assert_eq!(found(Some("/data"), Some("/home/u")), Path::new("/data/stockade/images"));
    assert_eq!(found(Some("data"), Some("/home/u")), of_home);
    assert_eq!(found(None, Some("/home/u")), of_home);
    assert_eq!(dir(None, Some("u")).expect_err("there is none").kind(), ErrorKind::NotFound);
}
