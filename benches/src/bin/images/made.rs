//! An image layout, made of files of this machine: the same ones each time.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use stockade::oci::Digest;
use stockade_benches::{Failure, Missing, Scratch};

/// Where the files are from.
const FROM: &str = "/usr/lib";
/// Debian's `busybox-static`, which is what runs.
const BUSYBOX: &str = "/bin/busybox";
/// How many bytes of them are taken.
const BYTES: u64 = 100 << 20;
/// How many files at most.
const FILES: usize = 10_000;
/// A larger one is left out.
const LARGEST: u64 = 1 << 20;
const LAYERS: u64 = 4;
/// The image in its layout.
const TAG: &str = "benches";

/// The image.
pub(crate) struct Made {
    layout: PathBuf,
    /// Bytes of its files.
    pub(crate) bytes: u64,
    entries: usize,
    /// Bytes of its layers.
    pub(crate) compressed: u64,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mega = |bytes: u64| bytes as f64 / 1e6;
        let Self { entries, bytes, compressed, .. } = self;
        let (bytes, compressed) = (mega(*bytes), mega(*compressed));
        write!(
            f,
            "{entries} entries of {FROM}, {bytes:.1} MB, in {LAYERS} layers of gzip {compressed:.1} MB"
        )
    }
}

/// A file, directory or link of this machine.
struct Entry {
    path: PathBuf,
    /// What it is called in the image.
    name: PathBuf,
    about: Metadata,
}

impl Made {
    pub(crate) fn new(scratch: &Scratch) -> Result<Self, Failure> {
        let program = program(scratch)?;
        let mut chosen =
            Chosen { root: &program, largest: u64::MAX, entries: Vec::new(), bytes: 0 };
        chosen.take(&program)?;
        (chosen.root, chosen.largest) = (Path::new("/"), LARGEST);
        chosen.take(Path::new(FROM))?;
        let Chosen { entries, bytes, .. } = chosen;
        let mut parts: Vec<Vec<&Entry>> = (0..LAYERS).map(|_| Vec::new()).collect();
        let mut seen = 0;
        for entry in &entries {
            let at = (seen * LAYERS / BYTES).min(LAYERS - 1) as usize;
            seen += size(&entry.about);
            parts[at].push(entry);
        }
        let layout = scratch.directory("layout")?;
        scratch.directory("layout/blobs/sha256")?;
        let layers = thread::scope(|scope| {
            let made = |part: &[&Entry]| layer(&layout, part).map_err(|error| error.to_string());
            let threads: Vec<_> =
                parts.iter().map(|part| scope.spawn(move || made(part))).collect();
            let joined = threads.into_iter().map(|thread| match thread.join() {
                Ok(layer) => layer,
                Err(_) => Err("a layer was not made".to_owned()),
            });
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        let sizes = layers.iter().filter_map(|(_, layer)| layer["size"].as_u64());
        let compressed = sizes.sum();
        document(&layout, layers)?;
        Ok(Self { layout, bytes, entries: entries.len(), compressed })
    }

    /// What umoci calls it.
    pub(crate) fn tagged(&self) -> String {
        format!("{}:{TAG}", self.layout.display())
    }

    /// What Stockade calls it.
    pub(crate) fn source(&self) -> String {
        format!("oci:{}", self.tagged())
    }
}

fn size(about: &Metadata) -> u64 {
    if about.is_file() { about.len() } else { 0 }
}

/// What an image is made of.
struct Chosen<'a> {
    /// What stands for the root of the image.
    root: &'a Path,
    /// Bytes of the largest file that is taken.
    largest: u64,
    entries: Vec<Entry>,
    /// Bytes of the files.
    bytes: u64,
}

impl Chosen<'_> {
    /// Takes what is below a directory, in the order of names, until it is enough.
    fn take(&mut self, directory: &Path) -> Result<(), Failure> {
        let mut found = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(fs::DirEntry::file_name);
        for found in found {
            let (path, about) = (found.path(), found.metadata()?);
            let known = about.is_dir() || about.is_symlink() || about.is_file();
            if !known || size(&about) > self.largest {
                continue;
            }
            if self.bytes + size(&about) > BYTES || self.entries.len() == FILES {
                break;
            }
            self.bytes += size(&about);
            let (name, is_directory) = (path.strip_prefix(self.root)?.to_owned(), about.is_dir());
            self.entries.push(Entry { path: path.clone(), name, about });
            if is_directory {
                self.take(&path)?;
            }
        }
        Ok(())
    }
}

/// A directory with what runs in the image.
fn program(scratch: &Scratch) -> Result<PathBuf, Failure> {
    if !Path::new(BUSYBOX).exists() {
        return Err(Missing(format!("there is no {BUSYBOX}; it must be a static one")).into());
    }
    let root = scratch.directory("program")?;
    scratch.directory("program/bin")?;
    fs::copy(BUSYBOX, root.join("bin/busybox"))?;
    symlink("busybox", root.join("bin/true"))?;
    Ok(root)
}

/// Writes a layer; gives the digest of its archive, and what the manifest says of it.
fn layer(layout: &Path, part: &[&Entry]) -> Result<(Digest, Value), Failure> {
    let mut tar = tar::Builder::new(Vec::new());
    for Entry { path, name, about } in part {
        let mut header = tar::Header::new_gnu();
        header.set_metadata_in_mode(about, tar::HeaderMode::Deterministic);
        header.set_mode(about.mode() & 0o777);
        if about.is_symlink() {
            tar.append_link(&mut header, name, fs::read_link(path)?)?;
        } else if about.is_dir() {
            tar.append_data(&mut header, name, std::io::empty())?;
        } else {
            tar.append_data(&mut header, name, File::open(path)?)?;
        }
    }
    let archive = tar.into_inner()?;
    let mut compressed = GzEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(&archive)?;
    let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
    Ok((Digest::of(&archive), blob(layout, kind, &compressed.finish()?)?))
}

/// Writes a blob; gives its descriptor.
fn blob(layout: &Path, kind: &str, bytes: &[u8]) -> Result<Value, Failure> {
    let digest = Digest::of(bytes);
    fs::write(layout.join("blobs/sha256").join(digest.hex()), bytes)?;
    Ok(json!({"mediaType": kind, "digest": digest.to_string(), "size": bytes.len()}))
}

/// Writes what names the layers.
fn document(layout: &Path, layers: Vec<(Digest, Value)>) -> Result<(), Failure> {
    let (diff_ids, layers): (Vec<_>, Vec<_>) =
        layers.into_iter().map(|(digest, layer)| (digest.to_string(), layer)).unzip();
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config =
        blob(layout, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes())?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers});
    let mut manifest = blob(layout, kind, manifest.to_string().as_bytes())?;
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": TAG});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(layout.join("index.json"), index.to_string())?;
    fs::write(layout.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())?;
    Ok(())
}
