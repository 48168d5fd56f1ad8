//! When the process runs, where, and how the kernel looks to it.

use oci_spec::runtime::{
    ExecCPUAffinity, IOPriorityClass, LinuxIOPriority, LinuxPersonalityDomain, LinuxSchedulerFlag,
    LinuxSchedulerPolicy, Scheduler, Spec,
};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::failure::{Context as _, Failure, Outcome};
use crate::sys::process::{self, Schedule};

/// What `process.scheduler` says, as the kernel wants it, and without what it would not look at.
pub(super) fn schedule(scheduler: &Scheduler) -> Outcome<Schedule> {
    use LinuxSchedulerPolicy as Policy;
    let policy = *scheduler.policy();
    let nice = scheduler.nice().unwrap_or(0);
    let priority = scheduler.priority().unwrap_or(0);
    if !(-20..=19).contains(&nice) {
        return refuse(format!("nice {nice} is not between -20 and 19"));
    }
    if nice != 0 && !matches!(policy, Policy::SchedOther | Policy::SchedBatch) {
        return refuse(format!("nice is not for {policy}"));
    }
    if priority != 0 && !matches!(policy, Policy::SchedFifo | Policy::SchedRr) {
        return refuse(format!("priority is not for {policy}"));
    }
    let times = [scheduler.runtime(), scheduler.deadline(), scheduler.period()];
    let [runtime, deadline, period] = times.map(|time| time.unwrap_or(0));
    if (runtime, deadline, period) != (0, 0, 0) && policy != Policy::SchedDeadline {
        return refuse(format!("runtime, deadline and period are not for {policy}"));
    }
    Ok(Schedule {
        policy: match policy {
            Policy::SchedOther => 0,
            Policy::SchedFifo => 1,
            Policy::SchedRr => 2,
            Policy::SchedBatch => 3,
            Policy::SchedIso => 4,
            Policy::SchedIdle => 5,
            Policy::SchedDeadline => 6,
        },
        flags: scheduler.flags().iter().flatten().map(|&name| flag(name)).sum(),
        nice,
        priority: u32::try_from(priority)
            .or_else(|_| refuse(format!("priority {priority} is negative")))?,
        runtime,
        deadline,
        period,
        ..Schedule::default()
    })
}

fn refuse<T>(why: String) -> Outcome<T> {
    Err(Failure::new(format!("process.scheduler: {why}")))
}

/// SCHED_FLAG_* of linux/sched.h.
fn flag(name: LinuxSchedulerFlag) -> u64 {
    match name {
        LinuxSchedulerFlag::SchedResetOnFork => 0x01,
        LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
        LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
        LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
        LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
        LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
        LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
    }
}

/// What `process.ioPriority` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IoPriority {
    class: u16,
    priority: u16,
}

impl IoPriority {
    pub(super) fn read(said: &LinuxIOPriority) -> Outcome<Self> {
        let class = match said.class() {
            IOPriorityClass::IoprioClassRt => 1,
            IOPriorityClass::IoprioClassBe => 2,
            IOPriorityClass::IoprioClassIdle => 3,
        };
        match u16::try_from(said.priority()) {
            Ok(priority) if priority < 8 => Ok(Self { class, priority }),
            _ => Err(Failure::new(format!(
                "process.ioPriority: priority {} is not between 0 and 7",
                said.priority()
            ))),
        }
    }

    pub(super) fn set(&self) -> Outcome<()> {
        process::set_io_priority(self.class, self.priority)
            .context(|| "failed to set io priority".into())
    }
}

/// What `process.execCPUAffinity` says: the processors of a process that is executed in a container that
/// runs. It has no meaning for the container's own.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Affinity {
    initial: Option<CpuSet>,
    last: Option<CpuSet>,
}

impl Affinity {
    pub(super) fn read(said: Option<&ExecCPUAffinity>) -> Outcome<Self> {
        let Some(said) = said else { return Ok(Self::default()) };
        let set = |name: &str, list: &Option<String>| {
            let list = list.as_deref().filter(|list| !list.is_empty());
            let wrong = |list: &str| {
                Failure::new(format!("process.execCPUAffinity.{name}: `{list}` is no list of CPUs"))
            };
            list.map(|list| cpus(list).ok_or_else(|| wrong(list))).transpose()
        };
        Ok(Self {
            initial: set("initial", said.initial())?,
            last: set("final", said.cpu_affinity_final())?,
        })
    }

    /// Where the process starts, before it is in the container's control groups.
    pub(crate) fn begin(&self) -> Outcome<()> {
        confine("initial", self.initial.as_ref())
    }

    /// Where its program runs. Without a word of it the kernel decides: by what the group allows.
    pub(crate) fn finish(&self) -> Outcome<()> {
        confine("final", self.last.as_ref())
    }
}

fn confine(name: &str, cpus: Option<&CpuSet>) -> Outcome<()> {
    cpus.map_or(Ok(()), |cpus| {
        sched_setaffinity(None, cpus).context(|| format!("process.execCPUAffinity.{name}"))
    })
}

/// A list as `0-3,7`.
fn cpus(list: &str) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= CpuSet::MAX_CPU {
            return None;
        }
        (first..=last).for_each(|cpu| set.set(cpu));
    }
    Some(set)
}

/// Sets `linux.personality`. No flag is known to it, as to runc.
pub(crate) fn personality(spec: &Spec) -> Outcome<()> {
    let Some(said) = spec.linux().as_ref().and_then(|linux| linux.personality().as_ref()) else {
        return Ok(());
    };
    if said.flags().as_ref().is_some_and(|flags| !flags.is_empty()) {
        return Err(Failure::new("linux.personality.flags are not supported"));
    }
    let domain = match said.domain() {
        LinuxPersonalityDomain::PerLinux => 0x0000,
        LinuxPersonalityDomain::PerLinux32 => 0x0008,
    };
    process::personality(domain).context(|| "failed to set personality".into()).map(drop)
}
