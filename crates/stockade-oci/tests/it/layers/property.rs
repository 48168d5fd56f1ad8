//! Whatever is in a layer, the host's files stay as they are.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use stockade_oci::layer::Bounds;
use tar::EntryType;

use super::fixture::{Layer, Place, header};

/// An entry, of which `HOST` stands for the path of the host's directory.
#[derive(Debug, Clone)]
struct Step {
    kind: u8,
    name: Vec<&'static str>,
    target: Vec<&'static str>,
    mode: u32,
}

const PARTS: &[&str] = &[
    "a",
    "b",
    "c",
    "l",
    "m",
    "host",
    "secret",
    "inner",
    "..",
    ".",
    "",
    ".wh.a",
    ".wh.l",
    ".wh.host",
    ".wh.secret",
    ".wh.inner",
    ".wh..wh..opq",
    ".wh...",
    ".wh..",
    "HOST",
];

fn step() -> impl Strategy<Value = Step> {
    let kinds = select(b"0055122223".to_vec());
    // Mostly what may pass, so that layers are not refused at their first entry.
    let part = || prop_oneof![8 => select(&PARTS[..8]), 1 => select(PARTS)];
    let hostile = select(vec!["..", "HOST", "/", "a", "l", "host", "."]);
    let target = vec(prop_oneof![select(&PARTS[..8]), hostile], 1..5);
    let modes = select(vec![0o755, 0o644, 0, 0o555, 0o7777]);
    (kinds, vec(part(), 1..5), target, modes).prop_map(|(kind, name, target, mode)| Step {
        kind,
        name,
        target,
        mode,
    })
}

fn layer(steps: &[Step], host: &str) -> Layer {
    steps.iter().fold(Layer::new(), |layer, step| {
        let path = |parts: &[&str]| parts.join("/").replace("HOST", host);
        let name = path(&step.name);
        let contents: &[u8] = if step.kind == b'0' && !name.contains(".wh.") { b"x" } else { b"" };
        layer
            .extended(
                &[("path", format!("{name} ").trim_end().as_bytes())].map(|(key, value)| {
                    (key, if value.is_empty() { b"/".as_slice() } else { value })
                }),
            )
            .extended_link(step, &path(&step.target))
            .entry(header(EntryType::new(step.kind), "", step.mode), contents)
    })
}

impl Layer {
    /// The target in a header of GNU's, since an extended one was there already.
    fn extended_link(self, step: &Step, target: &str) -> Self {
        match step.kind {
            b'1' | b'2' => {
                let kind = header(EntryType::GNULongLink, "././@LongLink", 0);
                self.entry(kind, target.as_bytes())
            }
            _ => self,
        }
    }
}

/// All that can be seen of a tree.
fn seen(path: &Path) -> Vec<String> {
    let found = path.symlink_metadata().expect("it is there");
    let mut lines = vec![format!(
        "{} {:o} {} {} {} {}.{} {}.{}",
        path.display(),
        found.mode(),
        found.nlink(),
        found.ino(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    )];
    if found.is_dir() {
        let mut inner: Vec<_> = fs::read_dir(path)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        inner.sort();
        lines.extend(inner.iter().flat_map(|path| seen(path)));
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_layer_changes_the_host(layers in vec(vec(step(), 1..12), 1..4)) {
        let place = Place::new();
        let host = place.host();
        fs::create_dir(host.join("inner")).expect("a directory");
        fs::write(host.join("inner/a"), "a").expect("a file");
        fs::set_permissions(host.join("inner/a"), fs::Permissions::from_mode(0o640)).expect("ours");
        let before = seen(&host);
        let mut unpacker = place.unpacker(Bounds::default());
        let root = fs::symlink_metadata(place.path("")).expect("it is there").ino();
        for steps in &layers {
            // Those that are refused leave something half made, over which the next one comes.
            let _ = unpacker.apply(layer(steps, host.to_str().expect("ours")).bytes().as_slice());
        }
        prop_assert_eq!(before, seen(&host));
        let kept = fs::symlink_metadata(place.path("")).expect("it is there");
        prop_assert_eq!(kept.ino(), root);
        prop_assert_eq!(fs::read_dir(host.parent().expect("the top")).expect("ours").count(), 2);
    }
}
