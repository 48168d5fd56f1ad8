//! What the last sandbox may have left for the next.

use super::{Check, Control, Finding, never, own_scratch};
use crate::arena::Arena;
use crate::sentinel::Marker;
use stockade_core::{Result, Verdict};

const fn former(
    story: &'static str,
    wall: Control,
    play: fn(&Arena<'_>) -> Result<Finding>,
) -> Check {
    Check { story, class: "leftovers of a former tenant", wall, long: false, exempt: never, play }
}

pub(super) const fn former_file() -> Check {
    let story = "looks for a file that the last sandbox left in `/tmp`";
    let check = former(story, Control::Filesystem, |arena| {
        let marker = Marker::new();
        succession(arena, &format!("/tmp/{}", marker.word()))
    });
    Check { exempt: own_scratch, ..check }
}

pub(super) const fn former_key() -> Check {
    former("looks for a key that the last sandbox left in a keyring", Control::Syscalls, |arena| {
        succession(arena, Marker::new().word())
    })
}

pub(super) const fn former_memory() -> Check {
    former("looks for System V shared memory that the last sandbox left", Control::Ipc, by_key)
}

pub(super) const fn former_semaphores() -> Check {
    former("looks for System V semaphores that the last sandbox left", Control::Ipc, by_key)
}

pub(super) const fn former_messages() -> Check {
    former("looks for a System V message queue that the last sandbox left", Control::Ipc, by_key)
}

pub(super) const fn former_queue() -> Check {
    former("looks for a named message queue that the last sandbox left", Control::Ipc, |arena| {
        succession(arena, Marker::new().word())
    })
}

/// With a key that no other attack uses.
fn by_key(arena: &Arena<'_>) -> Result<Finding> {
    const BEYOND_IDS: u32 = 1 << 22;
    succession(arena, &(BEYOND_IDS + std::process::id()).to_string())
}

/// Runs one after the other: the first leaves something, the second looks for it.
fn succession(arena: &Arena<'_>, what: &str) -> Result<Finding> {
    let bout = |role: &str| arena.bout().arg(role).arg(what);
    let left = bout("leave").run()?;
    Ok(match left.verdict {
        Verdict::Exited { code: 0 } => bout("find").run()?.refused(),
        _ => left.refused(),
    })
}
