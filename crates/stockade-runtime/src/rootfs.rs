//! The container's tree of files: its root, mounts and devices, made in the container's own mount
//! namespace by the process that becomes the container.
//!
//! No path of the image is trusted. The kernel looks each up with the container's root as `/`, what
//! is missing is made name by name, and a mount is put onto the descriptor that came of that, so
//! that there is no second lookup for a link to change.

mod cgroups;
mod copy;
mod detached;
mod devices;
mod enter;
mod masks;
mod options;
mod owners;
mod place;
mod proc;
#[cfg(test)]
mod tests;
mod tree;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, Spec};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::process::umask;

use crate::failure::{Context, Failure, Outcome};
use detached::Detached;
use options::{Change, PRIVATE, Propagation, RDONLY, Reach, SHARED, SLAVE};
use place::{Planned, Site};
pub(crate) use proc::proc;
use tree::{Leaf, Tree};

/// What one step here gives: whoever called it says what it was for.
type Step<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What the tree depends on besides the configuration.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    /// The container is in a user namespace: it can make no device, so it is shown the host's.
    pub(crate) user_namespace: bool,
    /// The container is in a cgroup namespace that begins at its own group.
    pub(crate) cgroup_namespace: bool,
    /// The container's groups: the name of the hierarchy below `/sys/fs/cgroup` (empty where that
    /// is itself the only one), and the group's directory on the host.
    pub(crate) cgroup_mounts: &'a [(String, PathBuf)],
    /// The root is moved, not pivoted into: for a host whose root is an initramfs.
    pub(crate) no_pivot: bool,
    /// What [`sources`] gave, or nothing.
    pub(crate) sources: Vec<Option<OwnedFd>>,
}

/// A container's tree of files, step by step: [`build`](Self::build), [`enter`](Self::enter),
/// [`console`](Self::console), [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Rootfs<'a> {
    spec: &'a Spec,
    bundle: &'a Path,
    situation: Situation<'a>,
    planned: Vec<Planned<'a>>,
    propagation: Option<Propagation>,
    tree: Option<Tree>,
    /// Mounts to make read-only at the end.
    seal: Vec<OwnedFd>,
}

/// The sources of the container's binds, each as a detached mount, by a process with the rights of
/// the host: for a container in a user namespace, which may not see them all, nor map their owners.
/// Nothing where this process may not do that either.
pub(crate) fn sources(spec: &Spec, bundle: &Path) -> Outcome<Vec<Option<OwnedFd>>> {
    match Detached::copy(CWD, bundle, Reach::One) {
        Err(Errno::PERM) => return Ok(Vec::new()),
        probe => drop(probe.context(|| format!("open {bundle:?}"))?),
    }
    let take = |planned: &Planned<'_>| planned.take_source(bundle).context(|| planned.complaint());
    plan(spec)?.iter().map(take).collect()
}

fn plan(spec: &Spec) -> Outcome<Vec<Planned<'_>>> {
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    mounts.iter().map(|mount| Planned::new(mount, spec)).collect()
}

impl<'a> Rootfs<'a> {
    /// Checks all that can be checked before anything is done.
    pub(crate) fn new(spec: &'a Spec, bundle: &'a Path, situation: Situation<'a>) -> Outcome<Self> {
        let propagation = match linux(spec).and_then(|linux| linux.rootfs_propagation().as_deref())
        {
            None | Some("") => None,
            Some(name) => Some(Propagation::named(name).ok_or_else(|| {
                Failure::new(format!("rootfsPropagation={name} is not supported"))
            })?),
        };
        let planned = plan(spec)?;
        Ok(Self { spec, bundle, situation, planned, propagation, tree: None, seal: Vec::new() })
    }

    /// Makes the root a mount of its own and puts everything into it. Nothing of this is seen
    /// outside of the mount namespace.
    pub(crate) fn build(&mut self) -> Outcome<()> {
        // Modes are those of the configuration.
        let old = umask(Mode::empty());
        let built = self.build_all();
        umask(old);
        built
    }

    fn build_all(&mut self) -> Outcome<()> {
        let tree = self.make_root().context(|| "error preparing rootfs".into())?;
        let sources = std::mem::take(&mut self.situation.sources);
        let site = Site {
            tree: &tree,
            bundle: self.bundle,
            stage: self.bundle.join(self.root_path()?),
            situation: &self.situation,
            label: linux(self.spec)
                .and_then(|linux| linux.mount_label().as_deref())
                .filter(|label| !label.is_empty()),
        };
        let mut sources = sources.into_iter();
        for planned in &self.planned {
            let root = planned.place(&site, sources.next().flatten())?;
            if planned.seal {
                self.seal.push(root);
            }
        }
        if !self.planned.iter().any(Planned::brings_devices) {
            let asked = linux(self.spec).and_then(|linux| linux.devices().as_deref());
            devices::make(&tree, asked.unwrap_or_default(), self.situation.user_namespace)
                .context(|| "error creating devices".into())?;
        }
        self.tree = Some(tree);
        Ok(())
    }

    /// Whether the root's propagation, as asked for, leaves mounts that tell others what happens to
    /// them.
    fn may_tell(&self) -> bool {
        self.propagation.is_some_and(|how| how.reach == Reach::One || how.kind == SHARED)
    }

    /// The container's root as a mount of its own over itself: one can only be pivoted into.
    fn make_root(&self) -> Step<Tree> {
        let whole = self.propagation.unwrap_or(Propagation { kind: SLAVE, reach: Reach::Tree });
        rustix::mount::mount_change("/", detached::propagation_flags(whole))
            .context(|| "changing the propagation of \"/\"".into())?;
        let root = self.open_root()?;
        if self.may_tell() {
            let place = enter::mount_of(&root)?;
            let private = Propagation { kind: PRIVATE, reach: Reach::One };
            detached::propagate(&place, private)
                .context(|| "making the mount of the rootfs private".into())?;
        }
        let mount =
            Detached::copy_of(&root, Reach::Tree).context(|| "copying the rootfs".into())?;
        Ok(Tree::new(mount.attach(&root)?))
    }

    fn root_path(&self) -> Outcome<&Path> {
        let root = self.spec.root().as_ref();
        root.map(|root| root.path().as_path()).ok_or_else(|| Failure::new("root must be specified"))
    }

    /// The directory of the configuration, which is relative to the bundle and has no link on the
    /// way: `runc` refuses those too, as what they lead to is up to whoever can change them.
    fn open_root(&self) -> Outcome<OwnedFd> {
        let root =
            self.spec.root().as_ref().ok_or_else(|| Failure::new("root must be specified"))?;
        let path = root.path();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let bundle = tree::lookup(CWD, self.bundle, flags, ResolveFlags::empty())
            .context(|| format!("open the bundle {:?}", self.bundle))?;
        let found = tree::lookup(bundle.as_fd(), path, flags, ResolveFlags::NO_SYMLINKS);
        let path = self.bundle.join(path);
        found.map_err(|errno| match errno {
            Errno::LOOP => Failure::new("invalid rootfs: not an absolute path, or a symlink"),
            Errno::NOENT => Failure::new(format!(
                "invalid rootfs: stat {}: no such file or directory",
                path.display()
            )),
            errno => Failure::because(format!("invalid rootfs: {}", path.display()), errno),
        })
    }

    /// Makes the tree this process's root, lets go of the host's, and goes to `/`. The container's
    /// working directory is made if it is not there.
    pub(crate) fn enter(&self) -> Outcome<()> {
        let tree = self.tree()?;
        let jailed = if self.situation.no_pivot {
            enter::move_root(tree)
        } else {
            enter::pivot(tree, self.may_tell())
        };
        jailed.context(|| "error jailing process inside rootfs".into())?;
        if let Some(process) = self.spec.process() {
            let old = umask(Mode::empty());
            let made = tree.make(process.cwd(), Leaf::Directory);
            umask(old);
            made.context(|| format!("mkdir {:?}", process.cwd()))?;
        }
        Ok(())
    }

    /// Puts a pseudo terminal of the container onto `/dev/console`. After [`enter`](Self::enter).
    pub(crate) fn console(&self, slave: BorrowedFd<'_>) -> Outcome<()> {
        devices::console(self.tree()?, slave).context(|| "mount /dev/console".into())
    }

    /// Closes what was open for building: standard streams that are the host's null device become
    /// the container's, the root gets its propagation, and what is to be masked or read-only is.
    pub(crate) fn finish(&self) -> Outcome<()> {
        let tree = self.tree()?;
        if !self.planned.iter().any(Planned::brings_devices) {
            enter::replace_null(tree)
                .context(|| "error reopening /dev/null inside container".into())?;
        }
        if let Some(how) = self.propagation {
            rustix::mount::mount_change("/", detached::propagation_flags(how))
                .context(|| "changing the propagation of \"/\"".into())?;
        }
        for mount in &self.seal {
            detached::change(mount, Change::set(RDONLY))
                .context(|| "can't make \"/dev\" read-only".into())?;
        }
        if self.spec.root().as_ref().and_then(|root| root.readonly()) == Some(true) {
            detached::change(tree.mount(), Change::set(RDONLY))
                .context(|| "error setting rootfs as readonly".into())?;
        }
        if let Some(linux) = linux(self.spec) {
            masks::make_read_only(tree, linux.readonly_paths().as_deref().unwrap_or_default())
                .context(|| "finalizing rootfs".into())?;
            masks::mask(tree, linux.masked_paths().as_deref().unwrap_or_default())?;
        }
        Ok(())
    }

    fn tree(&self) -> Outcome<&Tree> {
        self.tree.as_ref().ok_or_else(|| Failure::new("the rootfs is not built"))
    }
}

fn linux(spec: &Spec) -> Option<&Linux> {
    spec.linux().as_ref()
}
