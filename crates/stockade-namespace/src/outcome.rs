//! From a run's board to its report: verdict, usage, timings.

use std::io;

use stockade_core::{
    Control, Error, ErrorKind, OutputFlags, OutputOverflow, Phase, Plan, Report, Result, Timings,
    Usage, Verdict,
};
use stockade_warden::wire::board::{Step, Stop, Word};

use crate::account::Account;
use crate::limits::nanos;
use crate::receipt;

/// The most that the kernel takes at once for which it kills: eight pages, of up to 64 KiB. A group
/// in which less than that was free was full.
const LARGEST_CHARGE: u64 = 8 << 16;

/// When a run was asked for, and what preparing it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Birth {
    pub(crate) begun: u64,
    pub(crate) prepare_ns: u64,
}

/// What became of one output stream.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    pub(crate) bytes: u64,
    pub(crate) over: bool,
    pub(crate) kept: Vec<u8>,
}

/// A sandbox that could not be built.
#[derive(Debug, thiserror::Error)]
enum BuildError {
    /// A step failed.
    #[error("building the sandbox failed while {} (item {item})", step.describe())]
    Step {
        /// Which step.
        step: Step,
        /// Which mount, rule or limit of the step, counted from zero.
        item: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process that was building it was killed.
    #[error("a process of the sandbox was killed by signal {signal} while {}", step.describe())]
    Killed {
        /// Which step it was at.
        step: Step,
        /// The signal's number.
        signal: u64,
    },
    /// The program could not be executed.
    #[error("the program cannot be executed")]
    Execute(#[source] io::Error),
}

/// The report of a run, or why there was none.
pub(crate) fn report(
    plan: &Plan,
    account: &Account,
    birth: Birth,
    printed: [Printed; 2],
) -> Result<Report> {
    if account.get(Word::Errno) != 0 {
        return Err(build_error(account));
    }
    let [stdout, stderr] = printed;
    let mut report = Report::new(plan, verdict(plan, account, [&stdout, &stderr]));
    let mut usage = Usage::default();
    // One that was built before and stopped at once has not come to say when it was begun.
    let begun = Some(account.get(Word::TimeRequest)).filter(|at| *at != 0).unwrap_or(birth.begun);
    usage.wall_ns = account.get(Word::TimeDead).saturating_sub(begun);
    usage.cpu_user_ns = account.get(Word::UserNs);
    usage.cpu_system_ns = account.get(Word::SystemNs);
    usage.peak_memory = account.get(Word::PeakMemory);
    usage.peak_processes = account.get(Word::PeakTasks);
    usage.stdout_bytes = stdout.bytes;
    usage.stderr_bytes = stderr.bytes;
    report.usage = usage;
    let mut flags = OutputFlags::default();
    flags.stdout_truncated = stdout.over;
    flags.stderr_truncated = stderr.over;
    report.output = flags;
    report.enforcement = receipt::receipt(plan, account);
    report.timings = timings(account, birth);
    report.stdout = stdout.kept;
    report.stderr = stderr.kept;
    Ok(report)
}

fn build_error(account: &Account) -> Error {
    let step = Step::from_number(account.get(Word::Step));
    let errno = i32::try_from(account.get(Word::Errno)).unwrap_or(libc::EIO);
    let source = io::Error::from_raw_os_error(errno);
    let status = account.get(Word::Status);
    if errno == libc::EPROTO && status != 0 {
        // The program says nothing when it starts.
        let step = if step == Step::Exec { Step::Running } else { step };
        return Error::new(ErrorKind::Setup, BuildError::Killed { step, signal: status & 0x7f })
            .with_hint("something outside killed it: out of memory on the host, or an operator");
    }
    if step == Step::Exec {
        let (kind, hint) = match errno {
            libc::ENOENT => {
                (ErrorKind::NotFound, "it, or the interpreter it names, went away meanwhile")
            }
            libc::EACCES | libc::EPERM => {
                (ErrorKind::PermissionDenied, "the sandbox's user may not execute it")
            }
            libc::E2BIG => (ErrorKind::InvalidPolicy, "arguments and environment are too long"),
            libc::ENOEXEC => (ErrorKind::InvalidPolicy, "it is not an executable of this machine"),
            _ => (ErrorKind::Setup, "`stockade doctor` shows what this host can enforce"),
        };
        return Error::new(kind, BuildError::Execute(source)).with_hint(hint);
    }
    let item = account.get(Word::Item);
    let hint = match errno {
        _ if step == Step::Layer => layer_hint(errno),
        libc::ENOSPC | libc::EUSERS => {
            "a limit on namespaces is reached: see /proc/sys/user/max_*_namespaces"
        }
        libc::EMFILE | libc::ENFILE => "too many files are open: raise the limit of open files",
        libc::ENOMEM | libc::EAGAIN => "the host is short of memory or processes",
        libc::EINVAL if step == Step::Binds => {
            "the filesystem of a writable bind cannot map ids; use one that can (ext4, xfs, btrfs; \
             tmpfs since Linux 6.3), or run unprivileged"
        }
        libc::EPERM if matches!(step, Step::EnterRoot | Step::Clone | Step::Hostname) => {
            "a filter refuses it, as those of container engines do: start the container with \
             `--security-opt seccomp=unconfined`"
        }
        libc::ESTALE => "a bind source was replaced after preparing; prepare again",
        _ => "`stockade doctor` shows what this host can enforce",
    };
    Error::new(ErrorKind::Setup, BuildError::Step { step, item, source }).with_hint(hint)
}

/// What helps where a root cannot be made writable. Most of this is about copies: an overlay takes
/// next to nothing.
const fn layer_hint(errno: i32) -> &'static str {
    match errno {
        libc::ENOSPC => {
            "there is no overlay for this root here, so it is copied, and is larger than `limits.disk`:              raise that, or have the root read-only"
        }
        libc::ENOMEM => {
            "there is no overlay for this root here, so it is copied, and is larger than `limits.memory`:              raise that, or have the root read-only"
        }
        libc::EACCES => {
            "there is no overlay for this root here, so it is copied, and the user who runs Stockade may              not read all of it: have the root read-only"
        }
        libc::ELOOP => "directories are nested too deeply in it: have the root read-only",
        _ => "have the root read-only, which needs none of this",
    }
}

/// Why the run ended. What Stockade did comes first, then what the kernel did on its behalf,
/// then what the program did.
fn verdict(plan: &Plan, account: &Account, printed: [&Printed; 2]) -> Verdict {
    let limits = &plan.policy.limits;
    let limit = |control, limit: Option<u64>, observed| Verdict::Limit {
        control,
        limit: limit.unwrap_or(observed),
        observed,
    };
    let memory = limits.memory.get().map(|bytes| bytes.0);
    let cpu = limits.cpu_time.get().map(nanos);
    let tasks = limits.processes.get();
    let observed = account.get(Word::Observed);
    let peak_tasks = account.get(Word::PeakTasks).max(observed);
    let over_memory = account.get(Word::PeakMemory).max(observed);
    let by_own_limit = memory.is_some_and(|limit| was_full(account, limit));
    match Stop::from_number(account.get(Word::Stop)) {
        Some(Stop::Memory) if by_own_limit => return limit(Control::Memory, memory, over_memory),
        Some(Stop::Memory) => return Verdict::Signaled { signal: signal_name(9), number: 9 },
        Some(Stop::CpuTime) => {
            return limit(Control::CpuTime, cpu, account.cpu_ns().max(observed));
        }
        Some(Stop::WallTime) => {
            return limit(Control::WallTime, limits.wall_time.get().map(nanos), observed);
        }
        Some(Stop::Processes) => return limit(Control::Processes, tasks, peak_tasks),
        Some(Stop::Cancelled) => return Verdict::Cancelled,
        _ => {}
    }
    let stops = limits.output_overflow == OutputOverflow::Stop;
    if let Some(over) = printed.into_iter().find(|stream| stream.over).filter(|_| stops) {
        let bytes = limits.output.get().map(|bytes| bytes.0);
        // The byte after the limit is the one that told; what came after it was not kept.
        let observed = bytes.map_or(over.bytes, |limit| limit.saturating_add(1));
        return limit(Control::Output, bytes, observed);
    }
    if account.get(Word::OomKills).max(account.get(Word::OomEvents)) > 0 && by_own_limit {
        return limit(Control::Memory, memory, over_memory);
    }
    // A group that never was full has refused nobody: one above it has.
    let never_full = (1..tasks.unwrap_or(0)).contains(&account.get(Word::PeakTasks));
    if account.get(Word::TaskRefusals) > 0 && !never_full {
        return limit(Control::Processes, tasks, peak_tasks);
    }
    own_end(plan, account)
}

/// Whether memory ran out at the run's own limit. Version 1 counts every kill for memory, also one
/// for want of it on the host or in a cgroup above; then the run was not full.
fn was_full(account: &Account, limit: u64) -> bool {
    let peak = account.get(Word::PeakMemory);
    let near = peak == 0 || peak >= limit.saturating_sub(LARGEST_CHARGE);
    account.get(Word::OomEvents) > 0 || near
}

/// Whether the kernel killed a task for want of memory that was not the run's own.
pub(crate) fn killed_from_above(plan: &Plan, account: &Account) -> bool {
    let full = plan.policy.limits.memory.get().is_some_and(|bytes| was_full(account, bytes.0));
    let by_events = account.get(Word::OomEventKills) > 0 && account.get(Word::OomEvents) == 0;
    by_events || (account.get(Word::OomKills) > 0 && !full)
}

/// How the program ended by itself, or by a limit that the kernel answers with a signal or errno.
fn own_end(plan: &Plan, account: &Account) -> Verdict {
    let limits = &plan.policy.limits;
    let status = account.get(Word::Status);
    let number = (status & 0x7f) as i32;
    let code = (status >> 8 & 0xff) as i32;
    let file_size = limits.file_size.get().map(|bytes| bytes.0);
    let cpu = limits.cpu_time.get().map(nanos);
    match number {
        libc::SIGXFSZ if file_size.is_some() => {
            let limit = file_size.unwrap_or(0);
            return Verdict::Limit { control: Control::FileSize, limit, observed: limit };
        }
        libc::SIGXCPU | libc::SIGKILL if cpu.is_some_and(|limit| account.cpu_ns() >= limit) => {
            let (limit, observed) = (cpu.unwrap_or(0), account.cpu_ns());
            return Verdict::Limit { control: Control::CpuTime, limit, observed };
        }
        libc::SIGSYS => {
            let detail = "a system call that the profile does not allow".to_owned();
            return Verdict::Denied { control: Control::Syscalls, detail };
        }
        _ => {}
    }
    let failed = number != 0 || code != 0;
    if failed && account.get(Word::DiskFull) != 0 {
        let observed = account.get(Word::DiskUsed);
        let limit = limits.disk.get().map_or(observed, |bytes| bytes.0);
        return Verdict::Limit { control: Control::Disk, limit, observed };
    }
    let open = account.get(Word::OpenFiles);
    if let Some(limit) = limits.open_files.get().filter(|limit| failed && open >= *limit) {
        return Verdict::Limit { control: Control::OpenFiles, limit, observed: open };
    }
    if number != 0 {
        Verdict::Signaled { signal: signal_name(number), number }
    } else {
        Verdict::Exited { code }
    }
}

fn signal_name(number: i32) -> String {
    let name = match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGSTKFLT => "SIGSTKFLT",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGIO => "SIGIO",
        libc::SIGPWR => "SIGPWR",
        libc::SIGSYS => "SIGSYS",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

fn timings(account: &Account, birth: Birth) -> Timings {
    let mut timings = Timings::default();
    let since = |from: u64, to: Word| account.get(to).saturating_sub(from);
    timings.prepare_ns = birth.prepare_ns;
    timings.start_ns = since(birth.begun, Word::TimeExec);
    timings.teardown_ns = since(account.get(Word::TimeEnd), Word::TimeDead);
    let mut from = birth.begun;
    for (name, word) in [
        ("request", Word::TimeRequest),
        ("clone", Word::TimeClone),
        ("mounts", Word::TimeMounts),
        ("fork", Word::TimeFork),
        ("limits", Word::TimeLimits),
        ("filters", Word::TimeExec),
        ("run", Word::TimeEnd),
        ("reap", Word::TimeDead),
    ] {
        timings.phases.push(Phase::new(name, since(from, word)));
        from = account.get(word);
    }
    timings
}

#[cfg(test)]
mod tests;
