//! A root to unpack into with a host's files beside it, and layers made entry by entry.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use stockade_core::{Error, ErrorKind};
use stockade_oci::layer::{Applied, Bounds, Unpacker, remove_tree};
use tar::{EntryType, Header};

/// `root`, empty, beside `host`, in which there is `secret`.
pub(crate) struct Place {
    top: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("stockade-oci-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let top = std::env::temp_dir().canonicalize().expect("a temporary directory").join(name);
        fs::create_dir(&top).expect("a fresh directory");
        let place = Self { top };
        fs::create_dir(place.top.join("root")).expect("a fresh directory");
        fs::create_dir(place.host()).expect("a fresh directory");
        fs::write(place.host().join("secret"), "secret").expect("a file");
        place
    }

    pub(crate) fn host(&self) -> PathBuf {
        self.top.join("host")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.top.join("root").join(name)
    }

    pub(crate) fn unpacker(&self, bounds: Bounds) -> Unpacker {
        let root = File::open(self.path("")).expect("it was made");
        Unpacker::new(root.as_fd(), bounds).expect("an empty directory")
    }

    pub(crate) fn apply(&self, layers: &[Layer]) -> Result<Vec<Applied>, Error> {
        let mut unpacker = self.unpacker(Bounds::default());
        layers.iter().map(|layer| unpacker.apply(layer.bytes().as_slice())).collect()
    }

    /// Unpacks what must be unpacked.
    pub(crate) fn unpack(&self, layers: &[Layer]) {
        self.apply(layers).expect("ordinary layers");
        self.assert_host_is_untouched();
    }

    pub(crate) fn assert_host_is_untouched(&self) {
        let names: Vec<_> = fs::read_dir(self.host())
            .expect("it is still there")
            .map(|entry| entry.expect("its entries").file_name())
            .collect();
        assert_eq!(names, ["secret"]);
        assert_eq!(fs::read(self.host().join("secret")).expect("a file"), b"secret");
        assert_eq!(fs::read_dir(&self.top).expect("it is still there").count(), 2);
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let parent = self.top.parent().and_then(|parent| File::open(parent).ok());
        if let (Some(parent), Some(name)) = (parent, self.top.file_name()) {
            let _ = remove_tree(parent.as_fd(), name);
        }
    }
}

/// That the last of these layers is refused with this kind, and nothing outside was touched.
pub(crate) fn refusal_of(kind: ErrorKind, layers: &[Layer]) -> String {
    let place = Place::new();
    let error = place.apply(layers).expect_err("a hostile layer");
    place.assert_host_is_untouched();
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

/// As [`refusal_of`], for what is wrong and not merely unsupported.
pub(crate) fn refusal(layers: &[Layer]) -> String {
    refusal_of(ErrorKind::InvalidPolicy, layers)
}

/// An archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layer(Vec<u8>);

impl Layer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// With the zeros at its end.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    /// As it is, without an end.
    pub(crate) fn cut(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn file(self, name: &str, contents: &str) -> Self {
        self.entry(header(EntryType::Regular, name, 0o644), contents.as_bytes())
    }

    pub(crate) fn directory(self, name: &str, mode: u32) -> Self {
        self.entry(header(EntryType::Directory, name, mode), b"")
    }

    pub(crate) fn link(self, name: &str, target: impl AsRef<Path>) -> Self {
        self.pointing(EntryType::Symlink, name, target)
    }

    pub(crate) fn hard_link(self, name: &str, target: impl AsRef<Path>) -> Self {
        self.pointing(EntryType::Link, name, target)
    }

    fn pointing(self, kind: EntryType, name: &str, target: impl AsRef<Path>) -> Self {
        let mut header = header(kind, name, 0o777);
        let target = target.as_ref().to_str().expect("a target of the test's own").as_bytes();
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
        self.entry(header, b"")
    }

    /// An entry with its contents, whose size and sum are set right.
    pub(crate) fn entry(self, mut header: Header, contents: &[u8]) -> Self {
        header.set_size(contents.len() as u64);
        self.raw(header, contents)
    }

    /// As [`entry`](Self::entry), with the size that the header has.
    pub(crate) fn raw(mut self, mut header: Header, contents: &[u8]) -> Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// An extended header for the next entry.
    pub(crate) fn extended(self, records: &[(&str, &[u8])]) -> Self {
        self.extended_as(EntryType::XHeader, records)
    }

    pub(crate) fn extended_as(self, kind: EntryType, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            // The length counts its own digits.
            let rest = key.len() + value.len() + 3;
            let digits = (1..9).find(|digits| (rest + digits).to_string().len() == *digits);
            let length = rest + digits.expect("a short record");
            data.extend_from_slice(format!("{length} {key}=").as_bytes());
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.entry(header(kind, "PaxHeader", 0o644), &data)
    }
}

/// A header with this name as it is, however hostile.
pub(crate) fn header(kind: EntryType, name: &str, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_mode(mode);
    header.set_mtime(1_000_000_000);
    header.set_uid(0);
    header.set_gid(0);
    header
}
