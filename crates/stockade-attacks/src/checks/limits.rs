//! Bombs and floods.

use std::time::Duration;

use stockade_core::{Bytes, Cpus, Result, Verdict};

use super::{Check, Control, Finding, limited, own_scratch, refused};
use crate::arena::{Arena, Bout, DISK, MEMORY, OUTPUT, PROCESSES};

/// How much more than it may have an attack goes for.
const TIMES: u64 = 4;
/// What an attack on time is given, and the most that it may take.
const MOMENT: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(2);
/// Enough for those that hold memory by descriptors.
const DESCRIPTORS: u64 = 1024;
/// What there is to fill for those that make many files, in bytes and inodes.
const SMALL_DISK: u64 = 1 << 20;
const SMALL_INODES: u64 = SMALL_DISK / 4096;

pub(super) const fn memory_bomb() -> Check {
    memory("holds four times the memory it may have")
}

pub(super) const fn memory_spread() -> Check {
    memory("holds memory in processes none of which has too much")
}

pub(super) const fn memory_in_files() -> Check {
    Check { exempt: own_scratch, ..memory("holds memory in files of a file system in memory") }
}

pub(super) const fn memory_without_name() -> Check {
    memory("holds memory in files without a name, which no process is charged for")
}

pub(super) const fn shared_segments() -> Check {
    memory("holds memory in System V segments, which no process is charged for")
}

pub(super) const fn page_tables() -> Check {
    memory("holds memory in page tables alone")
}

pub(super) const fn socket_buffers() -> Check {
    memory("holds memory of the kernel in sockets that nobody reads from")
}

pub(super) const fn pipe_buffers() -> Check {
    memory("holds memory of the kernel in pipes that nobody reads from")
}

pub(super) const fn locked_memory() -> Check {
    memory("locks memory that the host then cannot take back")
}

pub(super) const fn argument_bomb() -> Check {
    memory("holds memory in the arguments of programs")
}

const fn memory(story: &'static str) -> Check {
    limited(story, "memory exhaustion", Control::Memory, |arena| {
        let limit = arena.bout().limits().memory.get().map_or(MEMORY, |bytes| bytes.0);
        let total = TIMES * limit;
        let bout = arena.bout().arg(total.to_string()).policy(|policy| {
            policy.limits.disk = Bytes(2 * total).into();
            policy.limits.file_size = Bytes(total).into();
            policy.limits.open_files = DESCRIPTORS.into();
        });
        bout.limited(Control::Memory)
    })
}

pub(super) const fn disk_flood() -> Check {
    disk("fills the file system it was given")
}

pub(super) const fn reserved_disk() -> Check {
    disk("reserves all the room in a file system, without writing")
}

const fn disk(story: &'static str) -> Check {
    let play = |arena: &Arena<'_>| {
        let limit = arena.bout().limits().disk.get().map_or(DISK, |bytes| bytes.0);
        let total = TIMES * limit;
        let bout = arena.bout().arg(total.to_string());
        bout.policy(|policy| policy.limits.file_size = Bytes(total).into()).limited(Control::Disk)
    };
    let check = limited(story, "disk exhaustion", Control::Disk, play);
    Check { exempt: own_scratch, ..check }
}

pub(super) const fn inode_flood() -> Check {
    let play = |arena: &Arena<'_>| {
        let bout = arena.bout().arg((TIMES * SMALL_INODES).to_string()).policy(|policy| {
            policy.limits.disk = Bytes(SMALL_DISK).into();
            policy.process.cwd = "/tmp".to_owned();
        });
        bout.limited(Control::Disk)
    };
    let story = "makes empty files without end";
    let check = limited(story, "inode exhaustion", Control::Disk, play);
    Check { exempt: own_scratch, ..check }
}

pub(super) const fn huge_file() -> Check {
    let play = |arena: &Arena<'_>| {
        let bout = arena.bout();
        let limit = bout.limits().file_size.get().map_or(MEMORY, |bytes| bytes.0);
        bout.arg(limit.saturating_mul(TIMES).to_string()).limited(Control::FileSize)
    };
    let story = "makes a file that is larger than any may be, but for a hole";
    let check = limited(story, "disk exhaustion", Control::FileSize, play);
    Check { exempt: own_scratch, ..check }
}

pub(super) const fn descriptor_flood() -> Check {
    limited("opens files without end", "descriptor exhaustion", Control::OpenFiles, |arena| {
        let bout = arena.bout();
        let limit = bout.limits().open_files.get().unwrap_or(DESCRIPTORS);
        bout.arg(limit.saturating_mul(TIMES).to_string()).limited(Control::OpenFiles)
    })
}

pub(super) const fn fork_bomb() -> Check {
    processes("starts processes without end")
}

pub(super) const fn thread_bomb() -> Check {
    processes("starts threads without end")
}

const fn processes(story: &'static str) -> Check {
    limited(story, "fork bomb", Control::Processes, |arena| {
        let bout = arena.bout();
        let limit = bout.limits().processes.get().unwrap_or(PROCESSES);
        bout.arg((TIMES * limit).to_string()).limited(Control::Processes)
    })
}

pub(super) const fn spinning() -> Check {
    limited("computes for ever", "CPU exhaustion", Control::CpuTime, |arena| {
        let bout = arena.bout().policy(|policy| policy.limits.cpu_time = MOMENT.into());
        brief(bout).limited_within(Control::CpuTime, MOST)
    })
}

pub(super) const fn endless_wait() -> Check {
    let story = "sleeps for ever, deaf to every signal";
    limited(story, "blocked host", Control::WallTime, |arena| {
        let bout = arena.bout().policy(|policy| policy.limits.wall_time = MOMENT.into());
        brief(bout).limited_within(Control::WallTime, MOST)
    })
}

/// Without walls, it is watched for a moment only.
fn brief(bout: Bout<'_>) -> Bout<'_> {
    bout.opened_by(|policy| policy.limits.wall_time = MOMENT.into())
}

/// For how many milliseconds it looks what share of a processor it has, which share it is given,
/// and which is too much, in thousandths: less than it has on a host that is busy, and more than
/// the kernel gives in advance.
const LOOK: u64 = 300;
const SHARE: Cpus = Cpus::from_milli(50);
const TOO_MUCH: u64 = 150;

pub(super) const fn cpu_hog() -> Check {
    let story = "computes in more threads than there are processors";
    let check = limited(story, "CPU exhaustion", Control::Cpus, |arena| {
        let bout = arena.bout().policy(|policy| {
            policy.limits.cpus = Some(SHARE);
            // With a twentieth of a processor, on a busy machine, its threads are long in coming.
            policy.limits.wall_time = Duration::from_secs(20).into();
        });
        bout.arg(LOOK.to_string()).arg(TOO_MUCH.to_string()).limited(Control::Cpus)
    });
    Check { long: true, ..check }
}

pub(super) const fn output_flood() -> Check {
    limited("prints more than it may", "output flood", Control::Output, flood)
}

fn flood(arena: &Arena<'_>) -> Result<Finding> {
    let bout = arena.bout();
    let limit = bout.limits().output.get().map_or(OUTPUT, |bytes| bytes.0);
    let ended = bout.arg((TIMES * limit).to_string()).run()?;
    let kept = ended.stdout.len() as u64;
    Ok(match ended.verdict {
        _ if kept > limit => ended.through(format!("{kept} bytes were kept of {limit}")),
        Verdict::Limit { control: Control::Output, .. } if kept < limit => {
            Finding::NotApplicable(format!("{kept} bytes were kept of {limit}"))
        }
        Verdict::Exited { code: 0 } => Finding::Held(format!("kept {kept} bytes, no more")),
        _ => ended.limited(Control::Output),
    })
}

pub(super) const fn core_dump() -> Check {
    let story = "crashes, to have its memory written or the host's handler started";
    refused(story, "CVE-2015-1318", Control::Privileges)
}
