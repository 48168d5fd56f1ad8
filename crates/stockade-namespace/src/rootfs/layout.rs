//! [`Layout`]: a policy's file tree, ready for the warden.

use std::collections::BTreeMap;
use std::path::Path;

use stockade_core::{
    Access, Bytes, Error, Filesystem, Limit, Limits, MASKED_PATHS, Mount, NetworkMode,
};
use stockade_warden::wire::plan::MAX_BINDS;
use stockade_warden::wire::root::bind;

use super::error::RootfsError;
use super::source::Source;
use super::view::{NodeKind, View};
use super::{base, recipe, target};

/// One inode per page of an in-memory filesystem, and a few in the smallest.
const BYTES_PER_INODE: u64 = 4096;
const MIN_INODES: u64 = 16;
/// The scratch space is never smaller, so that it never becomes zero, which means unbounded.
const MIN_SCRATCH: u64 = 64 << 10;

/// Permission bits of a policy's files: whatever they hold, a program may be among it.
const FILE_MODE: u32 = 0o555;

/// A policy's file tree. Lists are in mount order: parents before what is beneath them.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Writable in-memory directories, new in every run.
    pub(crate) tmpfs: Vec<TmpfsSpec>,
    /// The policy's binds, with the owners of their sources.
    pub(crate) binds: Vec<BindSpec>,
    /// What makes the root writable, if it is to be.
    pub(crate) writable_root: Option<WritableRoot>,
    /// Paths of `/proc` to hide; all exist on this host.
    pub(crate) masks: Vec<String>,
    /// Bytes for all in-memory directories without a size of their own; zero for the kernel's
    /// default, when `disk` is unlimited.
    pub(crate) scratch_bytes: u64,
    /// Inodes for the same.
    pub(crate) scratch_inodes: u64,
    /// Guest paths the program may write beneath, or to, where they are files; the root is one.
    pub(crate) writable: Vec<String>,
    /// The tree as the program will see it.
    pub(crate) view: View,
}

/// A writable in-memory directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TmpfsSpec {
    /// Guest path.
    pub(crate) path: String,
    /// Its own capacity, or zero to share the scratch space.
    pub(crate) bytes: u64,
    /// Its own inodes, or zero likewise.
    pub(crate) inodes: u64,
    /// Whether it lies in another of its kind.
    pub(crate) late: bool,
}

/// A bind that is finished in each run: its owner's files become the workload's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindSpec {
    /// Where the root holds it: at `path`, or staged, if that is beneath a directory which is new
    /// in every run.
    pub(crate) from: String,
    /// Guest path.
    pub(crate) path: String,
    /// Owner on the host.
    pub(crate) uid: u32,
    /// Group on the host.
    pub(crate) gid: u32,
}

/// A root that the program may write to: its owner's files become the workload's, in a layer over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WritableRoot {
    /// Owner of the directory on the host.
    pub(crate) uid: u32,
    /// Its group on the host.
    pub(crate) gid: u32,
    /// Guest paths of the mounts that lie on the directory itself and are put over the layer.
    pub(crate) mounts: Vec<String>,
}

impl Layout {
    /// Lays out the tree of a policy. Looks at the host's files, changes nothing.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, `InvalidPolicy` or `Setup`, naming the path and the mount
    /// that cannot be.
    pub(crate) fn new(
        filesystem: &Filesystem,
        limits: &Limits,
        network: NetworkMode,
        hostname: &str,
    ) -> Result<Self, Error> {
        let mut view = base::view(&filesystem.base, network, hostname)?;
        for asked in &filesystem.mounts {
            add(&mut view, asked)?;
        }
        let own = |mount: &Mount| match mount {
            Mount::Tmpfs { size, .. } => size.map_or(0, |Bytes(bytes)| bytes),
            _ => 0,
        };
        let own_sizes = filesystem.mounts.iter().map(own).fold(0, u64::saturating_add);
        let (scratch_bytes, scratch_inodes) = match limits.disk {
            Limit::At(Bytes(disk)) => {
                let bytes = disk.saturating_sub(own_sizes).max(MIN_SCRATCH);
                (bytes, inodes(bytes))
            }
            Limit::Unlimited => (0, 0),
        };
        let masks = MASKED_PATHS.iter().filter(|path| Path::new(path).exists());
        let mut layout = Self {
            tmpfs: Vec::new(),
            binds: Vec::new(),
            writable_root: None,
            masks: masks.map(|&path| path.to_owned()).collect(),
            scratch_bytes,
            scratch_inodes,
            writable: Vec::new(),
            view,
        };
        layout.list_mounts();
        match layout.binds.len() {
            0..=MAX_BINDS => Ok(layout),
            count => Err(RootfsError::TooManyBinds { count, max: MAX_BINDS }.into()),
        }
    }

    /// The recipe of the part that does not differ between runs, as `wire::root::next` reads it.
    /// Equal layouts give equal bytes.
    pub(crate) fn encode_root(&self) -> Vec<u8> {
        recipe::encode(&self.view)
    }

    fn list_mounts(&mut self) {
        let staged: BTreeMap<String, String> = recipe::late(&self.view)
            .map(|(from, path, _)| (path.to_string_lossy().into_owned(), from))
            .collect();
        for (path, node) in self.view.nodes() {
            let late = self.view.is_late(path);
            if path == Path::new("/") {
                if let NodeKind::Bind { source, flags: bind::WRITE } = &node.kind {
                    let (uid, gid) = source.owner;
                    let mounts = recipe::on_root(&self.view);
                    self.writable_root = Some(WritableRoot { uid, gid, mounts });
                    self.writable.push("/".to_owned());
                }
                continue;
            }
            // Targets are strings, so nothing is lost.
            let path = path.to_string_lossy().into_owned();
            match &node.kind {
                &NodeKind::Scratch { bytes, inodes } => {
                    self.writable.push(path.clone());
                    self.tmpfs.push(TmpfsSpec { path, bytes, inodes, late });
                }
                NodeKind::Bind { source, flags } if node.asked => {
                    if flags & bind::WRITE != 0 {
                        self.writable.push(path.clone());
                    }
                    let (uid, gid) = source.owner;
                    let from = staged.get(&path).unwrap_or(&path).clone();
                    self.binds.push(BindSpec { from, path, uid, gid });
                }
                NodeKind::File { .. } => {
                    if let Some(from) = staged.get(&path).cloned() {
                        self.binds.push(BindSpec { from, path, uid: 0, gid: 0 });
                    }
                }
                _ => {}
            }
        }
    }
}

fn add(view: &mut View, asked: &Mount) -> Result<(), RootfsError> {
    let (kind, directory) = match asked {
        Mount::Bind { source, target, access } => {
            let source = Source::bind(source, target)?;
            let directory = source.directory;
            let flags = if *access == Access::Rw { bind::WRITE } else { 0 };
            (NodeKind::Bind { source, flags }, directory)
        }
        Mount::Tmpfs { size, .. } => {
            let bytes = size.map_or(0, |Bytes(bytes)| bytes);
            let inodes = if bytes == 0 { 0 } else { inodes(bytes) };
            (NodeKind::Scratch { bytes, inodes }, true)
        }
        Mount::File { contents, .. } => {
            (NodeKind::File { contents: contents.clone(), mode: FILE_MODE }, false)
        }
        other => return Err(RootfsError::TargetForm { target: other.target().to_owned() }),
    };
    target::mount(view, asked.target(), kind, directory)
}

fn inodes(bytes: u64) -> u64 {
    (bytes / BYTES_PER_INODE).max(MIN_INODES)
}
