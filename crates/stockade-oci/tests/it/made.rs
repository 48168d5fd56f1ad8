//! Layouts and archives, made here byte by byte, so that they can be made wrong.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stockade_core::{Error, ErrorKind};
use stockade_oci::{Digest, Image, Source, Store};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A directory of a test's own, which does not outlive it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-images-{}-{number}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a directory can be made");
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.join("store")).expect("a store can be made")
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.join("layout"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = process::Command::new("chmod").arg("-R").arg("u+rwX").arg(&self.0).status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The architecture of these tests, as images call it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A tar archive of files; a name that ends with `/` is a directory.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_ustar();
        let directory = name.ends_with('/');
        header.set_entry_type(if directory {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_mode(if directory { 0o755 } else { 0o644 });
        header.set_size(contents.len() as u64);
        put(&mut builder, &mut header, name, "", contents);
    }
    builder.into_inner().expect("an archive in memory")
}

/// Appends an entry whose names the library would refuse to write.
pub(crate) fn put(
    builder: &mut tar::Builder<Vec<u8>>,
    header: &mut tar::Header,
    name: &str,
    link: &str,
    contents: &[u8],
) {
    let bytes = header.as_mut_bytes();
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    builder.append(header, contents).expect("an archive in memory");
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A configuration with the digests of some layers, uncompressed.
pub(crate) fn config(layers: &[&[u8]]) -> Value {
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Cmd": ["/bin/app"], "Env": ["PATH=/app"], "WorkingDir": "/work" },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(bytes).to_string(),
        "size": bytes.len(),
    })
}

/// An image layout.
pub(crate) struct Layout {
    pub(crate) path: PathBuf,
    manifests: Vec<Value>,
}

impl Layout {
    pub(crate) fn new(path: &Path) -> Self {
        fs::create_dir_all(path.join("blobs/sha256")).expect("a directory can be made");
        let layout = Self { path: path.to_owned(), manifests: Vec::new() };
        layout.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        layout
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path.join(name), bytes).expect("a file can be written");
    }

    pub(crate) fn blob_path(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().expect("a digest");
        self.path.join("blobs").join(digest.replace(':', "/"))
    }

    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let descriptor = descriptor(media_type, bytes);
        fs::write(self.blob_path(&descriptor), bytes).expect("a blob can be written");
        descriptor
    }

    pub(crate) fn document(&self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, document.to_string().as_bytes())
    }

    /// A manifest of what is there already.
    pub(crate) fn manifest(&self, config: &Value, layers: &[Value]) -> Value {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
        });
        self.document(MANIFEST, &manifest)
    }

    /// A whole image of plain layers.
    pub(crate) fn image(&self, layers: &[&[u8]]) -> Value {
        let config = self.document(CONFIG, &config(layers));
        let layers: Vec<_> = layers.iter().map(|layer| self.blob(LAYER, layer)).collect();
        self.manifest(&config, &layers)
    }

    /// Adds something to the index, under a reference.
    pub(crate) fn add(&mut self, mut descriptor: Value, reference: Option<&str>) {
        if let Some(reference) = reference {
            descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": reference });
        }
        self.manifests.push(descriptor);
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests });
        self.file("index.json", index.to_string().as_bytes());
    }

    pub(crate) fn source(&self, reference: Option<&str>) -> Source {
        let reference = reference.map(str::to_owned);
        let text = format!("oci:{}", self.path.display());
        match reference {
            Some(reference) => format!("{text}:{reference}"),
            None => text,
        }
        .parse()
        .expect("a source")
    }
}

/// An image with one small layer, in a layout, under one reference.
pub(crate) fn simple(scratch: &Scratch, reference: Option<&str>) -> Layout {
    let mut layout = scratch.layout();
    let image = layout.image(&[&tar(&[("bin/", b""), ("bin/app", b"program")])]);
    layout.add(image, reference);
    layout
}

pub(crate) fn load(store: &Store, source: &Source) -> Result<Image, Error> {
    store.load(source, &mut |_| {})
}

/// What an error says, with its causes, on one line.
pub(crate) fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Loading fails like this, and leaves nothing in the store.
#[track_caller]
pub(crate) fn refused(store: &Store, source: &Source, kind: ErrorKind, says: &str) {
    let error = load(store, source).expect_err("it is refused");
    let text = told(&error);
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(says), "{text:?} does not say {says:?}");
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{text} has no hint");
    assert_eq!(store.list().expect("the store is whole"), []);
    for directory in ["tmp", "blobs/sha256", "roots"] {
        let left: Vec<_> = fs::read_dir(store.path().join(directory))
            .expect("a directory of the store")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert!(left.is_empty(), "{left:?} is left of {text}");
    }
}

/// Says that a test, or part of one, was not run.
#[expect(clippy::print_stdout, reason = "the runner counts these lines")]
pub(crate) fn skip(reason: &str) {
    let thread = std::thread::current();
    println!("SKIP: {}: {reason}", thread.name().unwrap_or("a test"));
}
