//! What of `/proc` and `/sys` a container must not see, or not change.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, OFlags, fstat};

use super::Step;
use super::detached::{Detached, Filesystem};
use super::devices;
use super::options::{Change, NODEV, NOEXEC, NOSUID, RDONLY, Reach};
use super::tree::Tree;
use crate::failure::{Context, Outcome};

/// Makes paths read-only, where they are.
pub(super) fn make_read_only(tree: &Tree, paths: &[String]) -> Outcome<()> {
    for path in paths {
        let seal = || -> Step<()> {
            let Some(target) = tree.find(Path::new(path))? else { return Ok(()) };
            let mut mount = Detached::copy_of(&target, Reach::Tree)?;
            mount.change(Change::set(RDONLY), Reach::One)?;
            mount.attach(&target)?;
            Ok(())
        };
        seal().context(|| format!("can't make {path:?} read-only"))?;
    }
    Ok(())
}

/// Covers paths, where they are: files with the null device, directories with an empty one.
pub(super) fn mask(tree: &Tree, paths: &[String]) -> Outcome<()> {
    let mut covers = Covers { null: None, empty: None };
    for path in paths {
        let mut cover = || -> Step<()> {
            let Some(target) = tree.find(Path::new(path))? else { return Ok(()) };
            let kind = FileType::from_raw_mode(fstat(&target)?.st_mode);
            if kind == FileType::Directory {
                covers.directory(&target)
            } else {
                covers.file(tree, &target)
            }
        };
        cover().context(|| format!("can't mask path {path:?}"))?;
    }
    Ok(())
}

/// What covers, made when it is first needed.
struct Covers {
    null: Option<OwnedFd>,
    empty: Option<OwnedFd>,
}

impl Covers {
    fn file(&mut self, tree: &Tree, target: &OwnedFd) -> Step<()> {
        let null = match self.null.take() {
            Some(null) => null,
            None => devices::null(tree, OFlags::PATH)?,
        };
        let null = self.null.insert(null);
        Detached::copy_of(null, Reach::One)?.attach(target)?;
        Ok(())
    }

    fn directory(&mut self, target: &OwnedFd) -> Step<()> {
        let cover = match &self.empty {
            Some(empty) => Detached::copy_of(empty, Reach::One)?,
            None => {
                let attributes = RDONLY | NOSUID | NODEV | NOEXEC;
                let empty =
                    Filesystem { kind: "tmpfs", source: "tmpfs", attributes, ..Default::default() };
                // Nothing in it is long enough to need a place.
                Detached::filesystem(&empty, Path::new(""))?
            }
        };
        let attached = cover.attach(target)?;
        self.empty.get_or_insert(attached);
        Ok(())
    }
}
