//! Root recipes: a view as the records the warden builds it from.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use stockade_warden::Writer;
use stockade_warden::wire::root::tag;

use super::source::Source;
use super::view::{Node, NodeKind, View};

/// Where files wait that are bound over files of the host. Always in memory.
const STAGE: &str = "/dev/.files";
/// Where the rest waits that has its place only in a run.
const LATE: &str = "/dev/.late";

/// Permission bits of mount points and of directories made on the way to them.
const DIR_MODE: u32 = 0o755;
const MOUNT_POINT_MODE: u32 = 0o444;

/// The records of a view: everything in memory, the files that go over files of the host, the
/// mounts, each with parents before children, and the seals.
pub(super) fn encode(view: &View) -> Vec<u8> {
    let mut recipe = Recipe { writer: Writer::new(), staged: Vec::new() };
    recipe.root(view);
    let early = |path: &Path| path != Path::new("/") && !view.is_late(path);
    let beneath = || view.nodes().filter(|(path, _)| early(path));
    for (path, node) in beneath() {
        recipe.in_memory(path, node, on_host(view, path));
    }
    for (path, node) in beneath().filter(|(path, _)| on_host(view, path)) {
        recipe.stage(path, node);
    }
    for (path, node) in beneath() {
        recipe.mount(path, node);
    }
    recipe.late(view);
    for (path, _) in beneath().filter(|(_, node)| matches!(node.kind, NodeKind::Tmpfs)) {
        recipe.writer.u32(tag::SEAL).c_str(bytes(path));
    }
    recipe.writer.u32(tag::SEAL).c_str(b"/");
    recipe.writer.finish()
}

/// What is beneath directories that are new in every run: it waits elsewhere until it can be put
/// there. Where it waits, where it belongs, what it is.
pub(super) fn late(view: &View) -> impl Iterator<Item = (String, &Path, &Node)> {
    let nodes = view.nodes().filter(|(path, node)| {
        view.is_late(path) && matches!(node.kind, NodeKind::Bind { .. } | NodeKind::File { .. })
    });
    nodes.enumerate().map(|(index, (path, node))| (format!("{LATE}/{index}"), path, node))
}

/// Where the root's own directory is mounted on, parents first.
pub(super) fn on_root(view: &View) -> Vec<String> {
    let top = Path::new("/");
    let nodes = view.nodes().filter(|(path, node)| {
        let above = path.ancestors().skip(1).find(|above| view.node(above).is_some());
        let kind = &node.kind;
        above == Some(top)
            && !matches!(kind, NodeKind::Dir | NodeKind::Link(_) | NodeKind::Scratch { .. })
    });
    // Targets are strings, so nothing is lost.
    nodes.map(|(path, _)| path.to_string_lossy().into_owned()).collect()
}

/// Whether the parent of `path` is a directory of the host, where nothing can be made.
fn on_host(view: &View, path: &Path) -> bool {
    view.above(path).is_some_and(|node| matches!(node.kind, NodeKind::Bind { .. }))
}

struct Recipe {
    writer: Writer,
    /// Targets of the files staged so far, and where they wait.
    staged: Vec<(PathBuf, String)>,
}

impl Recipe {
    fn root(&mut self, view: &View) {
        match view.node(Path::new("/")).map(|node| &node.kind) {
            Some(NodeKind::Bind { source, .. }) => {
                self.writer.u32(tag::TREE);
                self.source(source);
            }
            _ => {
                self.writer.u32(tag::MEMORY);
            }
        }
    }

    fn in_memory(&mut self, path: &Path, node: &Node, on_host: bool) {
        match &node.kind {
            NodeKind::Tmpfs => {
                self.writer.u32(tag::TMPFS).c_str(bytes(path));
            }
            // The target was found there.
            _ if on_host => {}
            NodeKind::File { contents, mode } => self.file(path, *mode, contents),
            NodeKind::Link(to) => {
                self.writer.u32(tag::LINK).c_str(bytes(path)).c_str(bytes(to));
            }
            NodeKind::Bind { source, .. } if !source.directory => {
                self.file(path, MOUNT_POINT_MODE, &[]);
            }
            NodeKind::Dir | NodeKind::Bind { .. } | NodeKind::Scratch { .. } | NodeKind::Proc => {
                self.dir(path)
            }
        }
    }

    fn stage(&mut self, path: &Path, node: &Node) {
        let NodeKind::File { contents, mode } = &node.kind else { return };
        if self.staged.is_empty() {
            self.dir(Path::new(STAGE));
        }
        let from = format!("{STAGE}/{}", self.staged.len());
        self.file(Path::new(&from), *mode, contents);
        self.staged.push((path.to_owned(), from));
    }

    fn mount(&mut self, path: &Path, node: &Node) {
        match &node.kind {
            NodeKind::Bind { source, flags } => {
                self.writer.u32(tag::BIND).c_str(bytes(path));
                self.source(source);
                self.writer.u32(*flags);
            }
            NodeKind::Proc => {
                self.writer.u32(tag::PROC).c_str(bytes(path));
            }
            NodeKind::File { .. } => {
                if let Some((_, from)) = self.staged.iter().find(|(target, _)| target == path) {
                    self.writer.u32(tag::INSIDE).c_str(bytes(path)).c_str(from.as_bytes());
                }
            }
            NodeKind::Dir | NodeKind::Link(_) | NodeKind::Tmpfs | NodeKind::Scratch { .. } => {}
        }
    }

    fn late(&mut self, view: &View) {
        for (index, (from, _, node)) in late(view).enumerate() {
            if index == 0 {
                self.dir(Path::new(LATE));
            }
            let from = Path::new(&from);
            self.in_memory(from, node, false);
            match &node.kind {
                // A mount of its own, so that it can be put elsewhere.
                NodeKind::File { .. } => {
                    self.writer.u32(tag::INSIDE).c_str(bytes(from)).c_str(bytes(from));
                }
                _ => self.mount(from, node),
            }
        }
    }

    fn dir(&mut self, path: &Path) {
        self.writer.u32(tag::DIR).c_str(bytes(path)).u32(DIR_MODE);
    }

    fn file(&mut self, path: &Path, mode: u32, contents: &[u8]) {
        self.writer.u32(tag::FILE).c_str(bytes(path)).u32(mode).bytes(contents);
    }

    fn source(&mut self, source: &Source) {
        let (device, inode) = source.identity;
        self.writer.c_str(bytes(&source.path)).u64(device).u64(inode);
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
