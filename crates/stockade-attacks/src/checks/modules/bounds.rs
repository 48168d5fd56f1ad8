//! Modules that want more of something than there is for them.

use stockade_core::{Access, Bytes, Limit, OutputOverflow};

use super::{
    Bout, Check, Control, Finding, Play, Result, Verdict, attack, bounded, bounds, refuses, tells,
    told,
};
use crate::arena::MEMORY;
use crate::sentinel::{Folder, unstaged};

const MIB: u64 = 1 << 20;

/// A host thread with little room, on which a guest may still have its own stack.
const SMALL_STACK: usize = 256 << 10;

const fn exhausting(story: &'static str, wall: Control, play: Play) -> Check {
    attack(story, "resource exhaustion", wall, play)
}

/// Gives it so much memory if it is tried without its wall.
fn roomy(bout: Bout<'_>) -> Bout<'_> {
    bout.opened_by(|policy| policy.limits.memory = Bytes(16 * MEMORY).into())
}

pub(in crate::checks) const fn grow_memory() -> Check {
    exhausting("grows its memory page by page", Control::Memory, |arena| {
        bounds(roomy(arena.bout()), Control::Memory, "it has 256 MiB")
    })
}

pub(in crate::checks) const fn initial_memory() -> Check {
    exhausting("has too much memory from the start", Control::Memory, |arena| {
        refuses(roomy(arena.bout()), "limits.memory", "it has 256 MiB")
    })
}

pub(in crate::checks) const fn many_memories() -> Check {
    exhausting("is a component of many small memories", Control::Memory, |arena| {
        Ok(match roomy(arena.bout()).run_unless_refused()? {
            Ok(ended) => bounded(&ended, Control::Memory, "it has four memories of 12 MiB"),
            Err(why) if why.contains("limits.memory") => Finding::Held(why),
            Err(why) => Finding::NotApplicable(format!("it could not be staged: {why}")),
        })
    })
}

pub(in crate::checks) const fn grow_tables() -> Check {
    exhausting("grows its tables instead of its memory", Control::Memory, |arena| {
        let bout = arena.bout().policy(|policy| policy.limits.memory = Bytes(MIB).into());
        bounds(roomy(bout), Control::Memory, "its tables hold 1.6 MB")
    })
}

pub(in crate::checks) const fn endless_recursion() -> Check {
    let story = "calls itself without end, on a host thread with a small stack";
    attack(story, "stack overflow", Control::Memory, |arena| {
        let bout = arena.bout().opened_by_arg("less");
        let ended = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(SMALL_STACK);
            let thread = thread.spawn_scoped(scope, || bout.run()).map_err(unstaged)?;
            thread.join().unwrap_or_else(|_| Err(unstaged(std::io::Error::other("it panicked"))))
        })?;
        Ok(match &ended.verdict {
            Verdict::Trapped { trap, .. } => Finding::Held(format!("it trapped: {trap}")),
            _ => told(&ended, "it called itself as often as it wanted"),
        })
    })
}

pub(in crate::checks) const fn many_subscriptions() -> Check {
    exhausting("waits for 10,000 things at once", Control::Memory, |arena| {
        tells(arena.bout().opened_by_arg("less"), "the host has made a list of all")
    })
}

pub(in crate::checks) const fn long_list() -> Check {
    exhausting("writes a list of 134,217,728 parts", Control::Memory, |arena| {
        tells(arena.bout().opened_by_arg("less"), "the host has written the whole list")
    })
}

pub(in crate::checks) const fn random_flood() -> Check {
    exhausting("asks for 2 GiB of random numbers at once", Control::Memory, |arena| {
        tells(arena.bout().opened_by_arg("less"), "the host has made all of them")
    })
}

pub(in crate::checks) const fn output_flood() -> Check {
    exhausting("prints without end", Control::Output, |arena| {
        let bout =
            arena.bout().policy(|policy| policy.limits.output_overflow = OutputOverflow::Stop);
        let bout = bout.opened_by(|policy| policy.limits.output = Bytes(16 * MIB).into());
        bounds(bout, Control::Output, "the host has kept 4 MiB of it")
    })
}

pub(in crate::checks) const fn descriptor_flood() -> Check {
    exhausting("opens a thousand files", Control::OpenFiles, |arena| {
        let bout = arena.bout().policy(|policy| policy.limits.open_files = Limit::At(64));
        let bout = bout.opened_by(|policy| policy.limits.open_files = Limit::At(4096));
        bounds(bout, Control::OpenFiles, "all of them are open")
    })
}

/// Runs what fills the disk; in files as large as it likes.
fn fills(bout: Bout<'_>) -> Result<Finding> {
    let bout = bout.policy(|policy| policy.limits.file_size = Bytes(64 * MIB).into());
    let bout = bout.opened_by(|policy| policy.limits.disk = Bytes(64 * MIB).into());
    bounds(bout, Control::Disk, "all of it has been written")
}

pub(in crate::checks) const fn write_flood() -> Check {
    exhausting("fills a directory in memory", Control::Disk, |arena| fills(arena.bout()))
}

pub(in crate::checks) const fn sparse_flood() -> Check {
    let story = "fills a directory in memory a byte of each page at a time";
    exhausting(story, Control::Disk, |arena| fills(arena.bout()))
}

pub(in crate::checks) const fn bind_flood() -> Check {
    exhausting("fills a directory of the host", Control::Disk, |arena| {
        let folder = Folder::new()?;
        fills(arena.bout().bind(&folder, "/data", Access::Rw, ""))
    })
}

pub(in crate::checks) const fn bind_sparse_flood() -> Check {
    let story = "fills a directory of the host with a byte of each page";
    exhausting(story, Control::Disk, |arena| {
        let folder = Folder::new()?;
        fills(arena.bout().bind(&folder, "/data", Access::Rw, ""))
    })
}

pub(in crate::checks) const fn name_flood() -> Check {
    exhausting("makes thousands of empty files", Control::Disk, |arena| fills(arena.bout()))
}

/// Runs what makes a large file, on a disk as large as it likes.
fn lengthens(bout: Bout<'_>) -> Result<Finding> {
    let bout = bout.policy(|policy| policy.limits.file_size = Bytes(MIB).into());
    let bout = bout.opened_by(|policy| policy.limits.file_size = Bytes(64 * MIB).into());
    bounds(bout, Control::FileSize, "the file is larger than it may be")
}

pub(in crate::checks) const fn long_file() -> Check {
    let story = "writes far behind the beginning of a file";
    exhausting(story, Control::FileSize, |arena| lengthens(arena.bout()))
}

pub(in crate::checks) const fn size_flood() -> Check {
    let story = "makes a file large by setting its size";
    exhausting(story, Control::FileSize, |arena| lengthens(arena.bout()))
}
