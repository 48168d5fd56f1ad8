//! [`View`]: the guest's file tree, looked at from the host.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::source::Source;

/// Links followed in one path; the kernel's own bound (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The guest's file tree: nodes at guest paths, and the host's files beneath those that are
/// binds. The root always is a node.
#[derive(Debug)]
pub(crate) struct View {
    nodes: BTreeMap<PathBuf, Node>,
}

/// Something the layout puts at a path.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// Whether a mount of the policy put it there, rather than the base.
    pub(super) asked: bool,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    /// A directory in memory.
    Dir,
    /// A symbolic link in memory.
    Link(PathBuf),
    /// A file in memory.
    File { contents: Vec<u8>, mode: u32 },
    /// Something of the host; `flags` are bits of `wire::root::bind`.
    Bind { source: Source, flags: u32 },
    /// An in-memory directory over one of the root's.
    Tmpfs,
    /// A writable in-memory directory, new in every run; zero `bytes` share the scratch space.
    Scratch { bytes: u64, inodes: u64 },
    /// The sandbox's own `/proc`.
    Proc,
}

/// What a guest path is.
#[derive(Debug, Clone)]
pub(crate) enum Object<'a> {
    /// A regular file of the host.
    HostFile(PathBuf),
    /// A directory of the host.
    HostDir(PathBuf),
    /// A file in memory.
    Memory {
        /// What it holds.
        contents: &'a [u8],
        /// Permission bits.
        mode: u32,
    },
    /// A directory in memory. `/proc` and tmpfs directories count as empty.
    MemoryDir,
    /// A device, FIFO or socket.
    Special,
    /// Nothing.
    Missing,
}

impl Object<'_> {
    /// Whether it is a directory.
    pub(crate) fn is_dir(&self) -> bool {
        matches!(self, Self::HostDir(_) | Self::MemoryDir)
    }
}

/// What one component of a path leads to.
pub(super) enum Step<'a> {
    Link(PathBuf),
    Object(Object<'a>),
}

impl View {
    /// A tree with this root and nothing else.
    pub(super) fn new(root: NodeKind) -> Self {
        let root = Node { kind: root, asked: false };
        Self { nodes: BTreeMap::from([(PathBuf::from("/"), root)]) }
    }

    /// Puts a node of the base at a path, and directories in memory above it where nothing is.
    pub(super) fn put(&mut self, path: impl Into<PathBuf>, kind: NodeKind) {
        let path = path.into();
        for parent in path.ancestors().skip(1) {
            self.nodes
                .entry(parent.to_owned())
                .or_insert(Node { kind: NodeKind::Dir, asked: false });
        }
        self.nodes.insert(path, Node { kind, asked: false });
    }

    /// Puts a node of the policy at a path whose parents exist, in place of what the base has at
    /// and beneath it.
    pub(super) fn replace(&mut self, path: &Path, kind: NodeKind) {
        self.nodes.retain(|at, _| !at.starts_with(path));
        self.nodes.insert(path.to_owned(), Node { kind, asked: true });
    }

    pub(super) fn node(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// All nodes, parents before what is beneath them.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_path(), node))
    }

    /// The node whose filesystem the parent of `path` is on.
    pub(super) fn above(&self, path: &Path) -> Option<&Node> {
        path.ancestors().skip(1).find_map(|parent| self.nodes.get(parent))
    }

    /// Whether `path` is beneath a directory that is new in every run.
    pub(super) fn is_late(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|parent| {
            matches!(self.nodes.get(parent), Some(Node { kind: NodeKind::Scratch { .. }, .. }))
        })
    }

    pub(super) fn root(&self) -> Object<'_> {
        match self.nodes.get(Path::new("/")).map(Node::step) {
            Some(Step::Object(object)) => object,
            _ => Object::MemoryDir,
        }
    }

    /// What is at `guest`, whose parent is `parent`; a link is not followed.
    pub(super) fn step(&self, guest: &Path, parent: &Object<'_>) -> io::Result<Step<'_>> {
        if let Some(node) = self.nodes.get(guest) {
            return Ok(node.step());
        }
        let (Object::HostDir(dir), Some(name)) = (parent, guest.file_name()) else {
            return Ok(Step::Object(Object::Missing));
        };
        let host = dir.join(name);
        let kind = match fs::symlink_metadata(&host) {
            Ok(meta) => meta.file_type(),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Step::Object(Object::Missing));
            }
            Err(error) => return Err(error),
        };
        Ok(if kind.is_symlink() {
            Step::Link(fs::read_link(&host)?)
        } else if kind.is_dir() {
            Step::Object(Object::HostDir(host))
        } else if kind.is_file() {
            Step::Object(Object::HostFile(host))
        } else {
            Step::Object(Object::Special)
        })
    }

    /// What an absolute guest path leads to, links followed as a program inside would follow
    /// them: absolute ones and `..` never leave the root.
    ///
    /// # Errors
    /// `ELOOP` after 40 links; otherwise what looking at the host's file gave, except that what
    /// does not exist is [`Object::Missing`].
    pub(crate) fn resolve(&self, path: &Path) -> io::Result<Object<'_>> {
        let mut todo = parts(path);
        let (mut at, mut here) = (PathBuf::from("/"), self.root());
        let mut parents = Vec::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if !here.is_dir() {
                return Ok(Object::Missing);
            }
            if part.is_empty() || part == "." {
                continue;
            }
            if part == ".." {
                (at, here) = parents.pop().unwrap_or((at, here));
                continue;
            }
            let next = at.join(&part);
            match self.step(&next, &here)? {
                Step::Object(object) => {
                    parents.push((at, here));
                    (at, here) = (next, object);
                }
                Step::Link(to) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(io::Error::from_raw_os_error(libc::ELOOP));
                    }
                    if to.is_absolute() {
                        parents.clear();
                        (at, here) = (PathBuf::from("/"), self.root());
                    }
                    todo.extend(parts(&to));
                }
            }
        }
        Ok(here)
    }
}

impl Node {
    fn step(&self) -> Step<'_> {
        Step::Object(match &self.kind {
            NodeKind::Link(to) => return Step::Link(to.clone()),
            NodeKind::File { contents, mode } => Object::Memory { contents, mode: *mode },
            NodeKind::Bind { source, .. } if source.directory => {
                Object::HostDir(source.path.clone())
            }
            NodeKind::Bind { flags, .. }
                if flags & stockade_warden::wire::root::bind::DEVICE != 0 =>
            {
                Object::Special
            }
            NodeKind::Bind { source, .. } => Object::HostFile(source.path.clone()),
            NodeKind::Dir | NodeKind::Tmpfs | NodeKind::Scratch { .. } | NodeKind::Proc => {
                Object::MemoryDir
            }
        })
    }
}

/// The components of a path, last one first. Unlike [`Path::components`] this keeps the empty
/// one behind a trailing `/`, which asks for a directory.
fn parts(path: &Path) -> Vec<OsString> {
    let bytes = path.as_os_str().as_bytes();
    bytes.rsplit(|&byte| byte == b'/').map(|part| OsString::from_vec(part.to_vec())).collect()
}
