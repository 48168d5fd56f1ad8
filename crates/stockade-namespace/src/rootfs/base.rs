//! What stands at `/` before the policy's mounts.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use stockade_core::{Base, NetworkMode};
use stockade_warden::wire::root::bind;

use super::error::{Role, RootfsError};
use super::etc;
use super::source::Source;
use super::view::{NodeKind, View};

/// Directories of the host that are `/usr` on merged systems, and their own on others.
const SYSTEM: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Devices every program may use (mem(4), random(4)), with their numbers.
const DEVICES: [(&str, u32, u32); 5] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
];

const DEVICE_LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// Directories a rootfs must have, because the sandbox mounts its own there.
const TREE_NEEDS: [&str; 3] = ["dev", "proc", "tmp"];

/// Permission bits of generated files.
const GENERATED: u32 = 0o644;

/// The view of a base.
pub(super) fn view(base: &Base, network: NetworkMode, hostname: &str) -> Result<View, RootfsError> {
    let mut view = match base {
        Base::Rootfs(path) => return tree(path, false),
        Base::WritableRootfs(path) => return tree(path, true),
        _ => View::new(NodeKind::Dir),
    };
    view.put("/dev", NodeKind::Dir);
    fixed(&mut view)?;
    for (path, contents) in etc::generated(network, hostname) {
        view.put(path, NodeKind::File { contents, mode: GENERATED });
    }
    // A base that is not known here gets nothing of the host.
    if matches!(base, Base::System) {
        view.put("/usr", NodeKind::Bind { source: Source::system(Path::new("/usr"))?, flags: 0 });
        for (path, contents) in etc::generated_system(network, hostname) {
            view.put(path, NodeKind::File { contents, mode: GENERATED });
        }
        for path in SYSTEM.iter().map(PathBuf::from).chain(etc::mirrored(network)) {
            mirror(&mut view, path)?;
        }
    }
    Ok(view)
}

fn tree(path: &Path, writable: bool) -> Result<View, RootfsError> {
    let source = if writable { Source::lower(path)? } else { Source::rootfs(path)? };
    for name in TREE_NEEDS {
        match fs::symlink_metadata(source.path.join(name)) {
            Ok(meta) if meta.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let path = source.path.join(name);
                return Err(RootfsError::Unreachable { role: Role::Rootfs, path, source: error });
            }
            _ => return Err(RootfsError::TreeLacks { rootfs: path.to_owned(), name }),
        }
    }
    let flags = if writable { bind::WRITE } else { 0 };
    let mut view = View::new(NodeKind::Bind { source, flags });
    view.put("/dev", NodeKind::Tmpfs);
    fixed(&mut view)?;
    Ok(view)
}

/// What every sandbox has, whatever its base.
fn fixed(view: &mut View) -> Result<(), RootfsError> {
    for (path, major, minor) in DEVICES {
        let source = Source::device(Path::new(path), major, minor)?;
        view.put(path, NodeKind::Bind { source, flags: bind::DEVICE });
    }
    for (path, to) in DEVICE_LINKS {
        view.put(path, NodeKind::Link(to.into()));
    }
    view.put("/proc", NodeKind::Proc);
    for path in ["/tmp", "/dev/shm"] {
        view.put(path, NodeKind::Scratch { bytes: 0, inodes: 0 });
    }
    Ok(())
}

/// Gives the guest what the host has at a path: the same link if it leads into `/usr`, a
/// read-only bind otherwise, nothing if nothing is there.
fn mirror(view: &mut View, path: PathBuf) -> Result<(), RootfsError> {
    if let Ok(to) = fs::read_link(&path)
        && within_usr(&path, &to)
    {
        view.put(path, NodeKind::Link(to));
        return Ok(());
    }
    match Source::system(&path) {
        Ok(source) => view.put(path, NodeKind::Bind { source, flags: 0 }),
        Err(RootfsError::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Whether the link at `path` to `to` leads beneath `/usr`, by its text alone.
fn within_usr(path: &Path, to: &Path) -> bool {
    let mut clean = PathBuf::new();
    for part in path.parent().unwrap_or(path).join(to).components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean.starts_with("/usr")
}
