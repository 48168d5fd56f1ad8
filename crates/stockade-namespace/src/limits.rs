//! Limits as the kernel takes them: resource limits, sampled limits, and the cgroup recipe.

use std::time::Duration;

use stockade_core::{Control, Plan};
use stockade_warden::wire::board::Word;
use stockade_warden::wire::plan::{NO_WORD, Number, Section};
use stockade_warden::{PlanWriter, Writer};

use crate::cgroup::{Bounds, Cgroups};

const RLIMIT_CPU: u32 = 0;
const RLIMIT_FSIZE: u32 = 1;
const RLIMIT_DATA: u32 = 2;
const RLIMIT_CORE: u32 = 4;
const RLIMIT_NPROC: u32 = 6;
const RLIMIT_NOFILE: u32 = 7;
const RLIMIT_SIGPENDING: u32 = 11;
const RLIMIT_MSGQUEUE: u32 = 12;
const RLIMIT_NICE: u32 = 13;
const RLIMIT_RTPRIO: u32 = 14;

/// Signals under way, and timers, of one sandbox: more than programs have.
const SIGNALS: u64 = 1024;

/// How far apart two samples are at most, where memory and tasks are sampled.
pub(crate) const SAMPLE_GAP: Duration = Duration::from_millis(4);

/// A duration as the wire carries it, in nanoseconds.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes every limit of a plan that is to be enforced.
pub(crate) fn write(writer: &mut PlanWriter, plan: &Plan, cgroups: &Cgroups, single_id: bool) {
    let limits = &plan.policy.limits;
    let wanted = |control: Control| plan.enforces(control);
    let memory = limits.memory.get().map(|bytes| bytes.0).filter(|_| wanted(Control::Memory));
    let tasks = limits.processes.get().filter(|_| wanted(Control::Processes));
    let cpu_time = limits.cpu_time.get().filter(|_| wanted(Control::CpuTime));
    let milli = limits.cpus.filter(|_| wanted(Control::Cpus)).map(|cpus| cpus.milli());
    let sampled_memory = memory.filter(|_| cgroups.memory.is_err());
    let sampled_tasks = tasks.filter(|_| cgroups.tasks.is_err());

    writer
        .number(Number::WallNs, limits.wall_time.get().map_or(0, nanos))
        .number(Number::CpuNs, cpu_time.map_or(0, nanos))
        .number(Number::MilliCpus, milli.map_or(0, u64::from))
        .number(Number::SampleMemory, sampled_memory.unwrap_or(0))
        .number(Number::SampleTasks, sampled_tasks.unwrap_or(0))
        .number(Number::OpenFiles, limits.open_files.get().unwrap_or(0));

    let mut rlimits = Writer::new();
    let mut rlimit = |resource: u32, word: Option<Word>, value: u64| {
        rlimits.u32(resource).u32(word.map_or(NO_WORD, |word| word as u32)).u64(value);
    };
    // One byte and not zero: zero does not keep a crash from starting the handler that a piped
    // core_pattern names, as root and outside every limit; one does (core(5)).
    rlimit(RLIMIT_CORE, None, 1);
    rlimit(RLIMIT_NICE, None, 0);
    rlimit(RLIMIT_RTPRIO, None, 0);
    // What the kernel counts per user it counts for the maker of the user namespace as well, whose
    // quota all sandboxes share. Named queues are given back to it a while after a run.
    rlimit(RLIMIT_SIGPENDING, None, SIGNALS);
    rlimit(RLIMIT_MSGQUEUE, None, 0);
    if let Some(files) = limits.open_files.get() {
        rlimit(RLIMIT_NOFILE, Some(Word::ReadOpenFiles), files);
    }
    if let Some(size) = limits.file_size.get() {
        rlimit(RLIMIT_FSIZE, Some(Word::ReadFileSize), size.0);
    }
    if let Some(time) = cpu_time {
        // A backstop of the kernel's own, per process, should the warden be starved.
        rlimit(RLIMIT_CPU, None, time.as_secs().saturating_add(2));
    }
    if let Some(bytes) = sampled_memory {
        // A backstop per process, should the warden be starved. Far away, since it counts what is
        // reserved, and a program that meets it is told so instead of being stopped.
        rlimit(RLIMIT_DATA, None, bytes.saturating_mul(4).saturating_add(2 << 30));
    }
    if let Some(tasks) = sampled_tasks {
        // One more than allowed can be made, so that the sample shows the limit was passed; init
        // counts where it has the workload's id.
        rlimit(RLIMIT_NPROC, None, tasks.saturating_add(1 + u64::from(single_id)));
    }
    writer.section(Section::Rlimits, rlimits.finish());

    groups(writer, cgroups, &Bounds { memory, processes: tasks, milli_cpus: milli });
}

fn groups(writer: &mut PlanWriter, cgroups: &Cgroups, bounds: &Bounds) {
    let recipe = cgroups.recipe(bounds);
    let mut groups = Writer::new();
    for group in &recipe.groups {
        groups.u32(group.parent).u32(group.unified.into());
    }
    let mut writes = Writer::new();
    for write in &recipe.writes {
        writes.u32(write.group).u32(write.optional.into());
        writes.c_str(write.file.as_bytes()).bytes(write.value.as_bytes());
    }
    let mut counters = Writer::new();
    for counter in &recipe.counters {
        counters.u32(counter.group).u32(counter.when).u32(counter.word as u32);
        counters.u32(counter.scale).c_str(counter.file.as_bytes()).bytes(counter.key.as_bytes());
    }
    let mut watches = Writer::new();
    for watch in &recipe.watches {
        watches.u32(watch.group).u32(watch.stop as u32).u32(watch.eventfd.into());
        watches.u64(watch.limit).c_str(watch.file.as_bytes()).bytes(watch.key.as_bytes());
    }
    writer
        .section(Section::Groups, groups.finish())
        .section(Section::Writes, writes.finish())
        .section(Section::Counters, counters.finish())
        .section(Section::Watches, watches.finish());
}
