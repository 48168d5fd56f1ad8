//! Limits and counters by cgroup: version 1, version 2 or a mix of both.
//!
//! Here is decided what the warden will do and where; the warden does it. Everything nests under
//! the cgroup that the host process is in, or beside it where nothing bounds the host alone, so that
//! whatever bounds the host bounds its sandboxes.

mod base;
mod detect;
mod files;
mod name;
mod probe;
mod recipe;
mod remove;
mod scope;
mod sweep;
mod unified;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stockade_core::{Ability, Control};

pub(crate) use base::Base;
pub(crate) use detect::Hierarchies;
pub(crate) use recipe::Bounds;
pub(crate) use scope::{Manager, Scope, Unit};
pub(crate) use sweep::sweep;

/// Which of the two cgroup interfaces a hierarchy has; see cgroups(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// One hierarchy per controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// A cgroup under which a base directory is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parent {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// Its interface.
    pub(crate) version: Version,
    /// Controllers that the base hands on to its children; none on version 1.
    pub(crate) controllers: Vec<&'static str>,
}

/// A resource's place: where it is bounded or counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    /// The interface.
    pub(crate) version: Version,
    /// Index of the [`Parent`], which is also that of its base directory.
    pub(crate) parent: u32,
    /// Files this kernel lacks that others have.
    pub(crate) missing: Vec<&'static str>,
}

impl Seat {
    fn has(&self, file: &str) -> bool {
        !self.missing.contains(&file)
    }
}

/// Why cgroups do not bound or count a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Lack {
    /// What is in the way.
    pub(crate) reason: String,
    /// What would change that, if something would.
    pub(crate) fix: Option<String>,
}

/// Where groups of version 2 are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Home {
    /// Where the caller may make some, if anywhere.
    Given,
    /// Nowhere, for want of a group of the caller's own; a service manager can be asked for one.
    Wanting(Manager),
    /// In a scope of the service manager's, another one for each warden.
    Scope(Manager),
}

/// The directory of a group, to look at its files; `None` where there is none any more.
pub(crate) fn directory(dir: &Path) -> Option<OwnedFd> {
    files::open_directory(dir).ok()
}

/// What cgroups can do for this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cgroups {
    /// Where base directories are made; at most four.
    pub(crate) parents: Vec<Parent>,
    /// Bounds and counts bytes.
    pub(crate) memory: Result<Seat, Lack>,
    /// Bounds and counts tasks.
    pub(crate) tasks: Result<Seat, Lack>,
    /// Counts CPU time.
    pub(crate) cpu_time: Result<Seat, Lack>,
    /// Bounds the CPU rate.
    pub(crate) cpu_rate: Result<Seat, Lack>,
    /// Where groups of version 2 are made.
    pub(crate) home: Home,
}

impl Cgroups {
    /// Notes why there was no scope of the service manager's either.
    pub(crate) fn refuse_scope(&mut self, refusal: &Lack) {
        self.home = Home::Given;
        let all = [&mut self.memory, &mut self.tasks, &mut self.cpu_time, &mut self.cpu_rate];
        for lack in all.into_iter().filter_map(|seat| seat.as_mut().err()) {
            lack.reason =
                format!("{}; a scope of the service manager was asked for: {refusal}", lack.reason);
            lack.fix = refusal.fix.clone().or_else(|| lack.fix.take());
        }
    }

    /// Whether all that is bounded or counted here is so in `other`, by the same files.
    pub(crate) fn holds_in(&self, other: &Self) -> bool {
        let seats = |cgroups: &Self| {
            let Self { memory, tasks, cpu_time, cpu_rate, .. } = cgroups.clone();
            [memory, tasks, cpu_time, cpu_rate].map(Result::ok)
        };
        seats(self)
            .into_iter()
            .zip(seats(other))
            .all(|(here, there)| here.is_none() || here == there)
    }

    /// How well `control` is enforced: by cgroups, or else by what stands in for them, where
    /// `gap` is the time between two samples. `None` for a control that is no matter of cgroups.
    pub(crate) fn ability(&self, control: Control, gap: Duration) -> Option<Ability> {
        let gap = format!("every {} ms", gap.as_millis());
        let files = |v1: &str, v2: &str| match self.home {
            Home::Scope(_) => [v1.to_owned(), format!("{v2} in a scope of the service manager")],
            _ => [v1.to_owned(), v2.to_owned()],
        };
        Some(match control {
            Control::Memory => answer(
                &self.memory,
                &files("memory.limit_in_bytes", "memory.max"),
                "sampled memory and page tables of the process tree",
                &format!(
                    "sampled {gap}: what is held for less time is missed, and so are socket and \
                     pipe buffers; memfd and System V memory are refused, files in memory are \
                     bounded by `disk` instead"
                ),
            ),
            Control::CpuTime => answer(
                &self.cpu_time,
                &files("cpuacct.usage", "cpu.stat"),
                "sampled /proc times and RLIMIT_CPU",
                &format!(
                    "sampled {gap}: a process that lives for less time may be missed, and two ticks of \
                     10 ms of each other one"
                ),
            ),
            Control::Processes => answer(
                &self.tasks,
                &files("pids.max", "pids.max"),
                "RLIMIT_NPROC in the sandbox's user namespace and a sampled count",
                &format!("counted {gap}: refusals are seen by the workload alone"),
            ),
            Control::Cpus => match &self.cpu_rate {
                Ok(seat) => enforced(seat, &files("cpu.cfs_quota_us", "cpu.max")),
                Err(lack) => Ability::unavailable(lack.reason.clone(), lack.fix.as_deref()),
            },
            _ => return None,
        })
    }
}

fn enforced(seat: &Seat, files: &[String; 2]) -> Ability {
    Ability::enforced(match seat.version {
        Version::V1 => format!("cgroup v1 {}", files[0]),
        Version::V2 => format!("cgroup v2 {}", files[1]),
    })
}

fn answer(
    seat: &Result<Seat, Lack>,
    files: &[String; 2],
    substitute: &str,
    weakness: &str,
) -> Ability {
    match seat {
        Ok(seat) => enforced(seat, files),
        Err(lack) => Ability::approximated(
            substitute,
            format!("{weakness} ({})", lack.reason),
            lack.fix.as_deref(),
        ),
    }
}

#[cfg(test)]
mod tests;
