//! Random sequences of operations against a tree that is as simple as can be.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Mkdir(String),
    Write(String, u16, u8),
    Resize(String, u16),
    Unlink(String),
    Rmdir(String),
    Rename(String, String),
    Link(String, String),
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Dir,
    /// A number of the model's files: two names may have the same.
    File(usize),
}

#[derive(Debug, Default)]
struct Model {
    names: BTreeMap<String, Node>,
    contents: Vec<Vec<u8>>,
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

impl Model {
    fn has_parent(&self, path: &str) -> bool {
        parent(path).is_empty() || self.names.get(parent(path)) == Some(&Node::Dir)
    }

    fn is_empty(&self, path: &str) -> bool {
        !self.names.keys().any(|name| name.starts_with(&format!("{path}/")))
    }

    fn file(&self, path: &str) -> Option<usize> {
        match self.names.get(path) {
            Some(Node::File(file)) if self.has_parent(path) => Some(*file),
            _ => None,
        }
    }

    /// Whether it worked.
    fn apply(&mut self, op: &Op) -> bool {
        match op {
            Op::Mkdir(path) => {
                let free = self.has_parent(path) && !self.names.contains_key(path);
                if free {
                    self.names.insert(path.clone(), Node::Dir);
                }
                free
            }
            Op::Write(path, offset, byte) => {
                if !self.has_parent(path) || self.names.get(path) == Some(&Node::Dir) {
                    return false;
                }
                let file = self.file(path).unwrap_or_else(|| {
                    self.contents.push(Vec::new());
                    self.names.insert(path.clone(), Node::File(self.contents.len() - 1));
                    self.contents.len() - 1
                });
                let (content, start) = (&mut self.contents[file], usize::from(*offset));
                content.resize(content.len().max(start + 3), 0);
                content[start..start + 3].fill(*byte);
                true
            }
            Op::Resize(path, size) => match self.file(path) {
                Some(file) => {
                    self.contents[file].resize((*size).into(), 0);
                    true
                }
                None => false,
            },
            Op::Unlink(path) => self.file(path).and_then(|_| self.names.remove(path)).is_some(),
            Op::Rmdir(path) => {
                let empty = self.names.get(path) == Some(&Node::Dir) && self.is_empty(path);
                if empty {
                    self.names.remove(path);
                }
                empty
            }
            Op::Rename(from, to) => self.rename(from, to),
            Op::Link(from, to) => match self.file(from) {
                Some(file) if self.has_parent(to) && !self.names.contains_key(to) => {
                    self.names.insert(to.clone(), Node::File(file));
                    true
                }
                _ => false,
            },
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> bool {
        let (Some(node), true) = (self.names.get(from).cloned(), self.has_parent(to)) else {
            return false;
        };
        if from == to || (node != Node::Dir && self.names.get(to) == Some(&node)) {
            return true;
        }
        if to.starts_with(&format!("{from}/")) {
            return false;
        }
        let fits = match (&node, self.names.get(to)) {
            (_, None) | (Node::File(_), Some(Node::File(_))) => true,
            (Node::Dir, Some(Node::Dir)) => self.is_empty(to),
            _ => false,
        };
        if fits {
            let beneath = format!("{from}/");
            let moved: Vec<String> = self
                .names
                .keys()
                .filter(|name| *name == from || name.starts_with(&beneath))
                .cloned()
                .collect();
            for name in moved {
                let node = self.names.remove(&name).unwrap();
                self.names.insert(format!("{to}{}", &name[from.len()..]), node);
            }
        }
        fits
    }
}

fn perform(files: &mut Files, tmp: &Descriptor, op: &Op) -> Outcome<()> {
    match op {
        Op::Mkdir(path) => files.create_dir(tmp, path.as_bytes()),
        Op::Write(path, offset, byte) => {
            let file = files.open(tmp, path.as_bytes(), CREATE)?;
            files.write(&file, Place::At((*offset).into()), &[*byte; 3]).map(drop)
        }
        Op::Resize(path, size) => {
            let file = files.open(tmp, path.as_bytes(), WRITE)?;
            files.resize(&file, (*size).into())
        }
        Op::Unlink(path) => files.unlink(tmp, path.as_bytes()),
        Op::Rmdir(path) => files.remove_dir(tmp, path.as_bytes()),
        Op::Rename(from, to) => files.rename((tmp, from.as_bytes()), (tmp, to.as_bytes())),
        Op::Link(from, to) => files.link((tmp, from.as_bytes()), (tmp, to.as_bytes())),
    }
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"))
}

fn op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![0..20u16, 4090..4100u16, any::<u16>()];
    prop_oneof![
        3 => path().prop_map(Op::Mkdir),
        3 => (path(), size.clone(), 1..255u8).prop_map(|(p, o, b)| Op::Write(p, o, b)),
        1 => (path(), size).prop_map(|(p, s)| Op::Resize(p, s)),
        1 => path().prop_map(Op::Unlink),
        1 => path().prop_map(Op::Rmdir),
        3 => (path(), path()).prop_map(|(a, b)| Op::Rename(a, b)),
        1 => (path(), path()).prop_map(|(a, b)| Op::Link(a, b)),
    ]
}

/// Everything beneath a directory.
fn tree(files: &mut Files, root: &Descriptor, path: &str) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for name in files.names(root, path) {
        let path = format!("{path}/{name}");
        let stat = files.stat_at(root, path.as_bytes(), false).unwrap();
        if stat.kind == FileType::Directory {
            all.extend(tree(files, root, &path));
            all.insert(path, None);
        } else {
            let file = files.open(root, path.as_bytes(), READ).unwrap();
            let mut text = vec![0; stat.size as usize];
            assert_eq!(files.read(&file, 0, &mut text).unwrap(), text.len());
            all.insert(path, Some(text));
        }
    }
    all
}

proptest! {
    #[test]
    fn a_tree_in_memory_and_one_of_the_host_do_what_the_model_does(
        ops in prop::collection::vec(op(), 1..60)
    ) {
        let scratch = Scratch::new();
        let (mut files, root) = files(vec![Mount::read_write(&scratch.0, "/data")]);
        for base in ["/tmp", "/data"] {
            let dir = files.open(&root, base.as_bytes(), READ).unwrap();
            let mut model = Model::default();
            for op in &ops {
                let done = perform(&mut files, &dir, op);
                prop_assert_eq!(model.apply(op), done.is_ok(), "{:?} {:?} {:?}", op, done, base);
            }
            let expected: BTreeMap<_, _> = model.names.iter().map(|(name, node)| {
                let content = match node {
                    Node::Dir => None,
                    Node::File(file) => Some(model.contents[*file].clone()),
                };
                (format!("{base}/{name}"), content)
            }).collect();
            prop_assert_eq!(tree(&mut files, &root, base), expected);
        }
    }

    #[test]
    fn no_path_leaves_the_tree(
        parts in prop::collection::vec(
            prop_oneof!["\\.\\.", "\\.", "", "up", "out", "abs", "dir", "new", "[a-c]"], 1..12),
        links in prop::collection::vec("(\\.\\./|/|outside/|dir/|up/|abs/){0,6}", 3),
    ) {
        let scratch = Scratch::new();
        let (data, outside) = (scratch.dir("data"), scratch.dir("outside"));
        fs::create_dir(data.join("dir")).unwrap();
        for (name, to) in ["up", "out", "abs"].into_iter().zip(&links) {
            let to = if to.is_empty() { outside.to_str().unwrap() } else { to };
            std::os::unix::fs::symlink(to, data.join(name)).unwrap();
        }
        let (mut files, root) = files(vec![Mount::read_write(&data, "/data")]);
        let dir = files.open(&root, b"/data", READ).unwrap();
        let path = parts.join("/");
        let _ = files.open(&dir, path.as_bytes(), CREATE);
        let _ = files.create_dir(&dir, path.as_bytes());
        let _ = files.rename((&dir, b"dir"), (&dir, path.as_bytes()));
        prop_assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        prop_assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 2);
    }
}
