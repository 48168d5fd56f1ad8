//! What `/dev` holds: nodes, links, and the console.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

use super::Step;
use super::detached::Detached;
use super::options::Reach;
use super::place::clean;
use super::tree::{Leaf, Tree, lookup};
use crate::failure::{Context, Failure, Outcome};

/// What every container has, with the mode that all may read and write.
const ALWAYS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/random", 1, 8),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/zero", 1, 5),
    ("/dev/urandom", 1, 9),
];

/// Links, and where they lead.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// The major numbers of pseudo terminals.
const PTS: std::ops::RangeInclusive<u32> = 136..=143;

/// A node to make.
struct Node<'a> {
    path: &'a Path,
    kind: FileType,
    device: fs::Dev,
    mode: u32,
    owner: (u32, u32),
}

/// Makes the nodes that every container has and those that were asked for, and the links.
/// Nobody's umask may be in force.
pub(super) fn make(tree: &Tree, asked: &[LinuxDevice], user_namespace: bool) -> Outcome<()> {
    let dev = tree.make(Path::new("/dev"), Leaf::Directory).context(|| "making \"/dev\"".into())?;
    let asked: Vec<(PathBuf, &LinuxDevice)> =
        asked.iter().map(|device| (clean(device.path()), device)).collect();
    for (path, major, minor) in ALWAYS {
        let path = Path::new(path);
        if asked.iter().any(|(other, _)| other == path) {
            continue;
        }
        let device = fs::makedev(major, minor);
        let kind = FileType::CharacterDevice;
        let node = Node { path, kind, device, mode: 0o666, owner: (0, 0) };
        node.make(tree, &dev, user_namespace)?;
    }
    for (path, device) in &asked {
        // The one of the container's own devpts is linked to.
        if path != Path::new("/dev/ptmx") {
            Node::new(path, device)?.make(tree, &dev, user_namespace)?;
        }
    }
    links(&dev).context(|| "making the links in \"/dev\"".into())
}

fn links(dev: &OwnedFd) -> Step<()> {
    if let Err(Errno::EXIST) = fs::symlinkat("pts/ptmx", dev, "ptmx") {
        fs::unlinkat(dev, "ptmx", AtFlags::empty())?;
        fs::symlinkat("pts/ptmx", dev, "ptmx")?;
    }
    let core = fs::access("/proc/kcore", fs::Access::EXISTS).is_ok();
    let core = core.then_some(("core", "/proc/kcore"));
    for (name, to) in LINKS.into_iter().chain(core) {
        match fs::symlinkat(to, dev, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl<'a> Node<'a> {
    fn new(path: &'a Path, device: &LinuxDevice) -> Outcome<Self> {
        let number = |number: i64| {
            u32::try_from(number)
                .map_err(|_| Failure::new(format!("device {path:?} has no such number: {number}")))
        };
        let kind = match device.typ() {
            LinuxDeviceType::B => FileType::BlockDevice,
            LinuxDeviceType::C | LinuxDeviceType::U => FileType::CharacterDevice,
            LinuxDeviceType::P => FileType::Fifo,
            LinuxDeviceType::A => {
                return Err(Failure::new(format!("device {path:?} is of no type of its own")));
            }
        };
        let device_number = match kind {
            FileType::Fifo => 0,
            _ => fs::makedev(number(device.major())?, number(device.minor())?),
        };
        Ok(Self {
            path,
            kind,
            device: device_number,
            mode: device.file_mode().unwrap_or(0o666) & 0o7777,
            owner: (device.uid().unwrap_or(0), device.gid().unwrap_or(0)),
        })
    }

    fn make(&self, tree: &Tree, dev: &OwnedFd, user_namespace: bool) -> Outcome<()> {
        let make = || -> Step<()> {
            let name = self.path.file_name().ok_or(Errno::ISDIR)?;
            let made;
            let parent = if self.path.parent() == Some(Path::new("/dev")) {
                dev.as_fd()
            } else {
                made = tree.parent(self.path)?.0;
                made.as_fd()
            };
            if user_namespace && self.kind != FileType::Fifo {
                return self.show(parent, Path::new(name));
            }
            match self.create(parent, Path::new(name)) {
                Err(Errno::PERM) => self.show(parent, Path::new(name)),
                result => Ok(result?),
            }
        };
        make().context(|| format!("error creating device node {:?}", self.path))
    }

    /// Makes the node, in the place of anything else but a mount.
    fn create(&self, dir: BorrowedFd<'_>, name: &Path) -> rustix::io::Result<()> {
        let mode = Mode::from_raw_mode(self.mode);
        let create = || fs::mknodat(dir, name, self.kind, mode, self.device);
        match create() {
            Err(Errno::EXIST) => {
                let flags = OFlags::PATH | OFlags::NOFOLLOW;
                if self.is(&lookup(dir, name, flags, ResolveFlags::NO_SYMLINKS)?)? {
                    return Ok(());
                }
                match fs::unlinkat(dir, name, AtFlags::empty()) {
                    // The configuration has mounted something here.
                    Err(Errno::BUSY) => return Ok(()),
                    result => result?,
                }
                create()?;
            }
            result => result?,
        }
        if self.owner != (0, 0) {
            let (user, group) = (Uid::from_raw(self.owner.0), Gid::from_raw(self.owner.1));
            fs::chownat(dir, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    /// Shows the host's node: a user namespace cannot make one that works.
    fn show(&self, dir: BorrowedFd<'_>, name: &Path) -> Step<()> {
        let (major, minor) = (fs::major(self.device), fs::minor(self.device));
        let class = if self.kind == FileType::BlockDevice { "block" } else { "char" };
        let by_number = PathBuf::from(format!("/dev/{class}/{major}:{minor}"));
        let find = |path: &Path| -> Option<OwnedFd> {
            let node = fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
            self.is(&node).is_ok_and(|is| is).then_some(node)
        };
        let node = find(self.path).or_else(|| find(&by_number)).ok_or_else(|| {
            Failure::new(format!("the host has no device {major}:{minor} to show"))
        })?;
        let target = place_for_file(dir, name)?;
        Detached::copy_of(&node, Reach::One)?.attach(&target)?;
        Ok(())
    }

    /// Whether a file is this device already.
    fn is(&self, file: &OwnedFd) -> rustix::io::Result<bool> {
        let found = fs::fstat(file)?;
        let same = FileType::from_raw_mode(found.st_mode) == self.kind;
        Ok(same && (self.kind == FileType::Fifo || found.st_rdev == self.device))
    }
}

/// A file to mount onto: what is there, if that is no link, or a new one.
fn place_for_file(dir: BorrowedFd<'_>, name: &Path) -> rustix::io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o666);
    match fs::mknodat(dir, name, FileType::RegularFile, mode, 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    lookup(dir, name, OFlags::PATH, ResolveFlags::NO_SYMLINKS)
}

/// Puts a terminal onto `/dev/console`. It is found by its descriptor: what its name leads to is
/// the container's business.
pub(super) fn console(tree: &Tree, terminal: BorrowedFd<'_>) -> Step<()> {
    let found = fs::fstat(terminal)?;
    let is_device = FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice;
    if !is_device || !PTS.contains(&fs::major(found.st_rdev)) {
        return Err(Failure::new("the console is no pseudo terminal").into());
    }
    let dev = tree.make(Path::new("/dev"), Leaf::Directory)?;
    let target = place_for_file(dev.as_fd(), Path::new("console"))?;
    Detached::copy_of(terminal, Reach::One)?.attach(&target)?;
    Ok(())
}

/// The null device of a container, seen to be that.
pub(super) fn null(tree: &Tree, flags: OFlags) -> Step<OwnedFd> {
    let null = tree.open(Path::new("/dev/null"), flags).context(|| "open /dev/null".into())?;
    if is_null(&null)? {
        Ok(null)
    } else {
        Err(Failure::new("/dev/null is not the null device").into())
    }
}

/// Whether this is the null device.
pub(super) fn is_null(file: impl AsFd) -> rustix::io::Result<bool> {
    let found = fs::fstat(file)?;
    let is_device = FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice;
    Ok(is_device && found.st_rdev == fs::makedev(1, 3))
}
