//! Modules that change a file of the host that they may only read.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use stockade_core::Mount;

use super::{Check, Control, Finding, Result, Verdict, attack, told};
use crate::arena::Arena;
use crate::sentinel::{Folder, unstaged};

/// What is in the file that must not change.
const KEPT: &[u8] = b"what only the host may write";

/// A folder that modules may write to as `/data`, but for what is in `/data/kept`.
struct Kept {
    folder: Folder,
    file: PathBuf,
    modified: SystemTime,
}

impl Kept {
    fn new() -> Result<Self> {
        let folder = Folder::new()?;
        fs::create_dir(folder.path().join("kept")).map_err(unstaged)?;
        let file = folder.file("kept/file", KEPT)?;
        folder.file("mine", b"what the module may write")?;
        let modified = fs::metadata(&file).and_then(|meta| meta.modified()).map_err(unstaged)?;
        Ok(Self { folder, file, modified })
    }

    /// Whether the file is as it was.
    fn is_intact(&self) -> bool {
        let modified = fs::metadata(&self.file).and_then(|meta| meta.modified());
        modified.is_ok_and(|time| time == self.modified)
            && fs::read(&self.file).is_ok_and(|contents| contents == KEPT)
    }
}

/// Tries whether an attack changes the file. Without a wall it may write to that as well.
fn keeps(arena: &Arena<'_>) -> Result<Finding> {
    let kept = Kept::new()?;
    let ended = arena.bout().policy(|policy| {
        policy.filesystem.mounts.push(Mount::read_write(kept.folder.path(), "/data"));
        if arena.is_walled() {
            let below = kept.folder.path().join("kept");
            policy.filesystem.mounts.push(Mount::read_only(below, "/data/kept"));
        }
    });
    let ended = ended.run()?;
    Ok(match ended.verdict {
        _ if !kept.is_intact() => ended.through("the file is not what it was".to_owned()),
        Verdict::Exited { code: 0 } => Finding::Held("the file is what it was".to_owned()),
        _ => told(&ended, ""),
    })
}

const fn changes(story: &'static str) -> Check {
    attack(story, "write to what is read-only", Control::Filesystem, keeps)
}

pub(in crate::checks) const fn write_read_only() -> Check {
    changes("writes to a file that it may only read")
}

pub(in crate::checks) const fn truncate_read_only() -> Check {
    changes("empties a file that it may only read by opening it")
}

pub(in crate::checks) const fn remove_read_only() -> Check {
    changes("removes a file that it may only read")
}

pub(in crate::checks) const fn touch_read_only() -> Check {
    changes("sets the times of a file that it may only read")
}

pub(in crate::checks) const fn rename_out() -> Check {
    changes("moves a file that it may only read to where it may write")
}

pub(in crate::checks) const fn rename_over() -> Check {
    changes("moves a file of its own over one that it may only read")
}

pub(in crate::checks) const fn rename_mount() -> Check {
    changes("moves a directory that it may only read, to write to it under its new name")
}

pub(in crate::checks) const fn hard_link() -> Check {
    changes("gives a file that it may only read a second name, and writes to it there")
}
