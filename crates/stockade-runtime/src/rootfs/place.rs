//! One mount of the configuration: made detached, then put onto its place.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};
use rustix::fs::{CWD, FileType, OFlags, fstat};
use rustix::io::Errno;

use super::detached::{self, Detached, Filesystem};
use super::options::{Change, Options, Propagation, RDONLY, Reach, SHARED, SLAVE};
use super::owners::Owners;
use super::tree::{Leaf, Tree};
use super::{Situation, Step, cgroups, copy, proc};
use crate::failure::{Context, Failure, Outcome};

/// What may be put over a file of procfs: what `lxcfs` shows in its stead.
const SHOWN: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// What mounts are placed with.
pub(super) struct Site<'a> {
    pub(super) tree: &'a Tree,
    pub(super) bundle: &'a Path,
    /// The container's root by its path on the host: it may be covered for a moment, and nobody
    /// else would see it.
    pub(super) stage: PathBuf,
    pub(super) situation: &'a Situation<'a>,
    /// The SELinux label of filesystems.
    pub(super) label: Option<&'a str>,
}

/// A mount of the configuration, checked.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) kind: &'a str,
    pub(super) source: &'a Path,
    /// Where it goes, with no `..` left in it.
    pub(super) destination: PathBuf,
    pub(super) options: Options<'a>,
    owners: Option<Owners>,
    /// It is made read-only at the end, when what belongs into it is there.
    pub(super) seal: bool,
}

impl<'a> Planned<'a> {
    /// Checks what can be checked before anything is done.
    pub(super) fn new(mount: &'a Mount, spec: &Spec) -> Outcome<Self> {
        let destination = clean(mount.destination());
        let kind = mount.typ().as_deref().unwrap_or_default();
        let options = mount.options().as_deref().unwrap_or_default();
        let checked = || -> Outcome<Self> {
            let mut options = Options::parse(kind, options)?;
            if destination == Path::new("/") {
                return Err(Failure::new("it would cover the container's root"));
            }
            let mapped = mount.uid_mappings().is_some() || mount.gid_mappings().is_some();
            if mapped && options.map_owners.is_none() {
                options.map_owners = Some(Reach::One);
            }
            let owners = options.map_owners.map(|_| Owners::of(mount, spec)).transpose()?;
            let seal = destination == Path::new("/dev") && options.this.set & RDONLY != 0;
            if seal {
                options.this.set &= !RDONLY;
            }
            let source = mount.source().as_deref().unwrap_or(Path::new(""));
            let destination = destination.clone();
            Ok(Self { kind, source, destination, options, owners, seal })
        };
        checked().context(|| format!("invalid mount at {:?}", mount.destination()))
    }

    /// Whether this is the container's `/dev`, and whether that has all its nodes already.
    pub(super) fn brings_devices(&self) -> bool {
        self.options.bind.is_some() && self.destination == Path::new("/dev")
    }

    /// A bind's source as a mount of its own, taken by a process that may see all of the host.
    pub(super) fn take_source(&self, bundle: &Path) -> Step<Option<OwnedFd>> {
        let Some(reach) = self.options.bind.filter(|_| !self.options.remount) else {
            return Ok(None);
        };
        let mut mount = self.copy_source(bundle, reach)?;
        // What the container's mount namespace would have made of it.
        if !self.options.propagation.iter().any(|how| how.kind == SHARED) {
            mount.propagate(Propagation { kind: SLAVE, reach: Reach::Tree })?;
        }
        Ok(Some(mount.into()))
    }

    fn copy_source(&self, bundle: &Path, reach: Reach) -> Step<Detached> {
        let source = bundle.join(self.source);
        let mount = Detached::copy(CWD, &source, reach)
            .context(|| format!("open the source {source:?} of a bind mount"))?;
        if let (Some(owners), Some(reach)) = (&self.owners, self.options.map_owners) {
            mount.map_owners(&owners.namespace()?, reach)?;
        }
        Ok(mount)
    }

    /// Mounts it, and gives the root of the mount. `taken` is its source, if that was taken before.
    pub(super) fn place(&self, site: &Site<'_>, taken: Option<OwnedFd>) -> Outcome<OwnedFd> {
        match (self.options.bind, self.kind) {
            _ if self.options.remount => self.remount(site),
            (Some(reach), _) => self.bind(site, reach, taken),
            (None, "cgroup" | "cgroup2") => cgroups::place(self, site),
            (None, _) => self.filesystem(site),
        }
        .context(|| self.complaint())
    }

    /// What is said when it fails.
    pub(super) fn complaint(&self) -> String {
        let source = self.source.as_os_str();
        let source = if source.is_empty() { OsStr::new(self.kind) } else { source };
        format!("error mounting {source:?} to rootfs at {:?}", self.destination)
    }

    fn remount(&self, site: &Site<'_>) -> Step<OwnedFd> {
        let place = site.tree.open(&self.destination, OFlags::PATH)?;
        detached::change(&place, self.options.this)?;
        Ok(place)
    }

    fn bind(&self, site: &Site<'_>, reach: Reach, taken: Option<OwnedFd>) -> Step<OwnedFd> {
        let mut mount = match taken {
            Some(taken) => taken.into(),
            None => self.copy_source(site.bundle, reach)?,
        };
        let target = match site.tree.open(&self.destination, OFlags::PATH) {
            Err(Errno::NOENT) => site.tree.make(&self.destination, leaf_of(mount.as_fd())?)?,
            found => found?,
        };
        self.check_proc(target.as_fd(), || proc::is_root(mount.as_fd()))?;
        mount.change(self.options.this, Reach::One)?;
        Ok(self.settle(mount, target.as_fd())?)
    }

    fn filesystem(&self, site: &Site<'_>) -> Step<OwnedFd> {
        let mut data = self.options.data.clone();
        let mut target = None;
        let mode;
        if self.kind == "tmpfs" && !self.options.has_data("mode") {
            // A directory that was there keeps its mode.
            target = site.tree.find(&self.destination)?;
            if let Some(there) = &target {
                mode = format!("{:o}", fstat(there)?.st_mode & 0o7777);
                data.push(("mode", Some(&mode)));
            }
        }
        let target = match target {
            Some(target) => target,
            None => self.directory(site.tree)?,
        };
        self.check_proc(target.as_fd(), || self.kind == "proc")?;
        let mut mount = self.make(site, data)?;
        if self.options.copy_up {
            copy::tree(target.as_fd(), mount.as_fd())
                .context(|| "copying what the tmpfs covers".into())?;
        }
        if self.options.copy_up && self.options.this.set & RDONLY != 0 {
            mount.change(Change::set(RDONLY), Reach::One)?;
        }
        Ok(self.settle(mount, target.as_fd())?)
    }

    /// Its place. Those of procfs and sysfs are no links: what is written to `/proc` later must get
    /// there.
    fn directory(&self, tree: &Tree) -> Outcome<OwnedFd> {
        if !matches!(self.kind, "proc" | "sysfs") {
            return tree
                .make(&self.destination, Leaf::Directory)
                .context(|| "making its place".into());
        }
        tree.directory(&self.destination).map_err(|errno| match errno {
            Errno::NOTDIR => Failure::new(format!(
                "filesystem {:?} must be mounted on ordinary directory",
                self.kind
            )),
            errno => Failure::because("making its place", errno),
        })
    }

    fn make(&self, site: &Site<'_>, data: Vec<(&str, Option<&str>)>) -> Outcome<Detached> {
        let mut new = Filesystem {
            kind: self.kind,
            source: self.source.to_str().unwrap_or_default(),
            data,
            attributes: self.options.this.set | self.options.tree.set,
        };
        new.data.extend(self.options.superblock.iter().map(|flag| (*flag, None)));
        if self.options.copy_up {
            new.attributes &= !RDONLY;
        }
        // A filesystem on a medium must not write to that. Of these there is no medium, and one may
        // be shared with others.
        if new.attributes & RDONLY != 0
            && !matches!(self.kind, "proc" | "sysfs" | "mqueue" | "devpts" | "tmpfs")
        {
            new.data.push(("ro", None));
        }
        match site.label {
            Some(label) if !matches!(self.kind, "proc" | "sysfs" | "mqueue") => {
                new.data.push(("context", Some(label)));
            }
            _ => {}
        }
        let mount = Detached::filesystem(&new, &site.stage)?;
        if let (Some(owners), Some(reach)) = (&self.owners, self.options.map_owners) {
            mount.map_owners(&owners.namespace()?, reach)?;
        }
        Ok(mount)
    }

    /// What is the same for all kinds, and the last step.
    pub(super) fn settle(&self, mut mount: Detached, target: BorrowedFd<'_>) -> Outcome<OwnedFd> {
        mount.change(self.options.tree, Reach::Tree)?;
        for propagation in &self.options.propagation {
            mount.propagate(*propagation)?;
        }
        mount.attach(target)
    }

    /// Nothing may cover procfs or a part of it, but another procfs, and a file here and there.
    fn check_proc(
        &self,
        target: BorrowedFd<'_>,
        brings_proc: impl FnOnce() -> bool,
    ) -> Outcome<()> {
        let destination = &self.destination;
        let named = destination == Path::new("/proc");
        if !named && !proc::is_proc(target) {
            return Ok(());
        }
        if (named || proc::is_root(target)) && brings_proc() {
            return Ok(());
        }
        if named {
            return Err(Failure::new(format!(
                "{destination:?} cannot be mounted because it is not of type proc"
            )));
        }
        let shown = SHOWN.iter().any(|file| destination == Path::new(file));
        if shown && self.options.bind.is_some() {
            return Ok(());
        }
        Err(Failure::new(format!("{destination:?} cannot be mounted because it is inside /proc")))
    }
}

/// What is made for something like this to be mounted on.
fn leaf_of(mount: BorrowedFd<'_>) -> Step<Leaf> {
    let mode = fstat(mount)?.st_mode;
    Ok(match FileType::from_raw_mode(mode) {
        FileType::Directory => Leaf::Directory,
        _ => Leaf::File,
    })
}

/// The path without `.`, `..` and doubled slashes, from `/`.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    clean
}
