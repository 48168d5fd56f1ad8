//! [`Identity`]: who the container's program is, and what it may do. Taken by the process itself, which
//! then executes the program.

mod capabilities;
mod labels;
mod place;
mod privileges;
mod procfs;
mod program;
mod schedule;
mod sysctl;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use oci_spec::runtime::{PosixRlimitType, Process};
use rustix::fs::{Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::process::{self, Resource, Rlimit};
use rustix::thread;

use crate::failure::{Context as _, Failure, Outcome};
use crate::walls::Walls;

pub(crate) use labels::{keyring, labels};
pub(crate) use place::{close_descriptors, make_place, settle};
pub(crate) use procfs::Procfs;
pub(crate) use program::{environment, find_executable};
pub(crate) use schedule::personality;
pub(crate) use sysctl::{check_sysctl, names, sysctl};

use capabilities::Capabilities;
use schedule::{Affinity, IoPriority, schedule};

/// What `process` says of the program's rights, read and checked before anything is done.
pub(crate) struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    umask: Mode,
    place: PathBuf,
    capabilities: Capabilities,
    no_new_privileges: bool,
    limits: Vec<(PosixRlimitType, Rlimit)>,
    oom_score_adj: Option<i32>,
    schedule: Option<crate::sys::process::Schedule>,
    io_priority: Option<IoPriority>,
    affinity: Affinity,
}

impl Identity {
    /// Reads it, and refuses what may not be.
    pub(crate) fn new(process: &Process, walls: Walls) -> Outcome<Self> {
        let user = process.user();
        let groups = user.additional_gids().iter().flatten();
        let mask = user.umask().unwrap_or(0o022);
        if mask > 0o777 {
            return Err(Failure::new(format!("process.user.umask {mask:o} is more than 777")));
        }
        let full = walls == Walls::Full;
        Ok(Self {
            uid: Uid::from_raw(id("process.user.uid", user.uid())?),
            gid: Gid::from_raw(id("process.user.gid", user.gid())?),
            groups: groups
                .map(|&group| Ok(Gid::from_raw(id("process.user.additionalGids", group)?)))
                .collect::<Outcome<_>>()?,
            umask: Mode::from_bits_truncate(mask),
            place: process.cwd().clone(),
            capabilities: match process.capabilities() {
                Some(sets) if !full => Capabilities::read(sets)?,
                _ => Capabilities::NONE,
            },
            no_new_privileges: full || process.no_new_privileges().unwrap_or(false),
            limits: limits(process)?,
            oom_score_adj: oom_score_adj(process)?,
            schedule: process.scheduler().as_ref().map(schedule).transpose()?,
            io_priority: process.io_priority().as_ref().map(IoPriority::read).transpose()?,
            affinity: Affinity::read(process.exec_cpu_affinity().as_ref())?,
        })
    }

    /// Where a process runs that is not the container's own.
    pub(crate) fn affinity(&self) -> &Affinity {
        &self.affinity
    }

    /// Whether the program, and all that it starts, may gain no rights: then its filter can be set by a
    /// process that has none, after [`Identity::take`]; else it has to be set before.
    pub(crate) fn no_new_privileges(&self) -> bool {
        self.no_new_privileges
    }

    /// The limits of the process itself: out-of-memory score, scheduling, disk priority and, last,
    /// resource limits. While it has every right still, and with few descriptors left to open: a low
    /// RLIMIT_NOFILE holds from here on.
    pub(crate) fn limits(&self) -> Outcome<()> {
        if let Some(score) = self.oom_score_adj {
            set_oom_score_adj(score)?;
        }
        if let Some(schedule) = &self.schedule {
            crate::sys::process::set_schedule(schedule)
                .context(|| "error setting scheduler".into())?;
        }
        if let Some(priority) = &self.io_priority {
            priority.set()?;
        }
        for (name, limit) in &self.limits {
            set_limit(*name, *limit)?;
        }
        Ok(())
    }

    /// Becomes it: working directory, groups, user, capabilities, and no new privileges. There is no
    /// way back, and the only thing left to do is to execute the program.
    ///
    /// The working directory is entered first with the rights of before, as runc does, and again with
    /// those of the user where they did not suffice.
    pub(crate) fn take(&self) -> Outcome<()> {
        let known = self.capabilities.bound()?;
        let there = place::enter(&self.place)?;
        thread::set_keep_capabilities(true).context(|| "unable to set keep caps".into())?;
        privileges::own_stdio(self.uid)?;
        privileges::become_user(self.uid, self.gid, &self.groups)?;
        if there {
            place::check()?
        } else {
            settle(&self.place)?
        }
        thread::set_keep_capabilities(false).context(|| "unable to clear keep caps".into())?;
        self.capabilities.apply(known)?;
        if self.no_new_privileges {
            thread::set_no_new_privs(true).context(|| "unable to set no_new_privs".into())?;
        }
        process::umask(self.umask);
        Ok(())
    }
}

/// An id, which has to be one: the highest number means none in system calls.
fn id(name: &str, id: u32) -> Outcome<u32> {
    if id == u32::MAX {
        return Err(Failure::new(format!("{name} {id} is no id")));
    }
    Ok(id)
}

fn oom_score_adj(process: &Process) -> Outcome<Option<i32>> {
    match process.oom_score_adj() {
        Some(score) if !(-1000..=1000).contains(&score) => {
            Err(Failure::new(format!("process.oomScoreAdj {score} is not between -1000 and 1000")))
        }
        score => Ok(score),
    }
}

/// Tells the kernel how soon this process is killed when memory runs out. Where this program has not
/// the host's rights it may only raise it, which is not an error, as for runc.
fn set_oom_score_adj(score: i32) -> Outcome<()> {
    let procfs = Procfs::open()?;
    match procfs.write("thread-self/oom_score_adj", score.to_string().as_bytes()) {
        Ok(()) => Ok(()),
        Err(Errno::ACCESS | Errno::PERM) if is_rootless(&procfs) => Ok(()),
        Err(error) => Err(error).context(|| format!("error setting oom_score_adj to {score}")),
    }
}

/// Whether root here is not the host's.
fn is_rootless(procfs: &Procfs) -> bool {
    let whole = ["0", "0", "4294967295"];
    let maps = procfs.read("thread-self/uid_map").unwrap_or_default();
    let maps = String::from_utf8_lossy(&maps);
    !process::geteuid().is_root() || !maps.split_whitespace().eq(whole)
}

/// Every limit, each once.
fn limits(process: &Process) -> Outcome<Vec<(PosixRlimitType, Rlimit)>> {
    let mut limits: Vec<(PosixRlimitType, Rlimit)> = Vec::new();
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ();
        if limits.iter().any(|(other, _)| *other == name) {
            return Err(Failure::new(format!("process.rlimits has {name} twice")));
        }
        if limit.soft() > limit.hard() {
            let (soft, hard) = (limit.soft(), limit.hard());
            return Err(Failure::new(format!(
                "process.rlimits: {name} has a soft limit of {soft}, above the hard one of {hard}"
            )));
        }
        limits
            .push((name, Rlimit { current: finite(limit.soft()), maximum: finite(limit.hard()) }));
    }
    Ok(limits)
}

/// The kernel's word for no limit is the highest number.
fn finite(limit: u64) -> Option<u64> {
    (limit != u64::MAX).then_some(limit)
}

fn set_limit(name: PosixRlimitType, limit: Rlimit) -> Outcome<()> {
    let resource = resource(name);
    process::setrlimit(resource, limit).context(|| {
        let now = process::getrlimit(resource);
        let say = |limit: Option<u64>| limit.map_or("unlimited".into(), |limit| limit.to_string());
        format!(
            "error setting rlimit type {name} to soft {}, hard {} (they are {} and {})",
            say(limit.current),
            say(limit.maximum),
            say(now.current),
            say(now.maximum)
        )
    })
}

fn resource(name: PosixRlimitType) -> Resource {
    match name {
        PosixRlimitType::RlimitCpu => Resource::Cpu,
        PosixRlimitType::RlimitFsize => Resource::Fsize,
        PosixRlimitType::RlimitData => Resource::Data,
        PosixRlimitType::RlimitStack => Resource::Stack,
        PosixRlimitType::RlimitCore => Resource::Core,
        PosixRlimitType::RlimitRss => Resource::Rss,
        PosixRlimitType::RlimitNproc => Resource::Nproc,
        PosixRlimitType::RlimitNofile => Resource::Nofile,
        PosixRlimitType::RlimitMemlock => Resource::Memlock,
        PosixRlimitType::RlimitAs => Resource::As,
        PosixRlimitType::RlimitLocks => Resource::Locks,
        PosixRlimitType::RlimitSigpending => Resource::Sigpending,
        PosixRlimitType::RlimitMsgqueue => Resource::Msgqueue,
        PosixRlimitType::RlimitNice => Resource::Nice,
        PosixRlimitType::RlimitRtprio => Resource::Rtprio,
        PosixRlimitType::RlimitRttime => Resource::Rttime,
    }
}
