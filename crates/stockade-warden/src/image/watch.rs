//! Deadlines and limits that are looked at from outside: the wall clock, the CPU clock, and what
//! the kernel tells or does not tell about memory and tasks.

use crate::groups::Groups;
use crate::sample::{self, Sample, Sum};
use crate::serve::State;
use crate::sys;
use crate::wire::board::{Stop, Word};
use crate::wire::plan::{Number, Plan, Section, Watch};

/// The first look at what only looking tells.
pub const FIRST_PACE: u64 = 2_000_000;
/// Looks come at most this far apart where descriptors are counted.
const SLOWEST_PACE: u64 = 50_000_000;
/// Most runs that are looked at before somebody else gets a turn: who waits for a start, say.
const LOOKS_AT_ONCE: usize = 4;
/// Looking at all runs that are alive takes this part of a CPU at the most, far from their limits.
const LOOK_SHARE: u64 = 4;
/// Time between samples of memory, far from the limit and close to it.
const SAMPLE_FAR: u64 = 4_000_000;
const SAMPLE_NEAR: u64 = 1_000_000;
/// Bytes that one CPU can make resident in a nanosecond, at the most: the time between samples is
/// that in which the limit could be reached.
const FASTEST: u64 = 4;
/// Dividing shared memory for the sake of the peak takes this part of a CPU at the most.
const PEAK_SHARE: u64 = 16;
/// The CPU clock is looked at no more often than this.
const CLOCK_PACE: u64 = 1_000_000;

/// When a run is looked at first; 0 for never.
pub fn first_look(plan: Plan<'_>, cpus: u64, now: u64) -> u64 {
    let looks = !plan.section(Section::Watches).is_empty() || plan.number(Number::OpenFiles) != 0;
    if samples(plan) || looks {
        return now + FIRST_PACE;
    }
    match plan.number(Number::CpuNs) {
        0 => 0,
        limit => now + until_spent(plan, cpus, limit),
    }
}

fn samples(plan: Plan<'_>) -> bool {
    plan.number(Number::SampleMemory) != 0 || plan.number(Number::SampleTasks) != 0
}

/// The soonest that `left` nanoseconds of CPU time can be spent.
fn until_spent(plan: Plan<'_>, cpus: u64, left: u64) -> u64 {
    let milli = match plan.number(Number::MilliCpus) {
        0 => cpus * 1000,
        milli => milli.min(cpus * 1000),
    };
    (left.saturating_mul(1000) / milli.max(1)).max(CLOCK_PACE)
}

/// Whether a task was refused by the limit of a group above, which version 1, and version 2 before
/// Linux 6.11, counts as well: a group that never was full has refused nobody.
fn was_refused_above(groups: &Groups, watch: &Watch<'_>) -> bool {
    groups.value(watch.group, b"pids.peak\0", b"").is_some_and(|peak| peak < watch.limit)
}

impl State {
    /// Ends a run for `reason`: the first reason stands.
    pub fn stop(&self, index: usize, reason: Stop, observed: u64) {
        self.stop_seen(index, reason, observed, None);
    }

    /// The same, with a sample that was just taken.
    fn stop_seen(&self, index: usize, reason: Stop, observed: u64, seen: Option<Sample>) {
        let Some(run) = self.runs.get(index).filter(|run| run.live) else { return };
        let board = self.board(index);
        board.stop(reason, observed);
        let plan = self.plans.get(run.plan).and_then(|entry| entry.plan());
        if plan.is_some_and(|plan| run.groups.cpu_time(plan).is_none()) {
            // The processes that die with init are waited for by nobody.
            let seen = seen.unwrap_or_else(|| sample::take(&self.home, run.init, Sum::Resident));
            board.raise(Word::UserNs, seen.user_ns);
            board.raise(Word::SystemNs, seen.system_ns);
        }
        sys::kill_pidfd(run.pidfd);
    }

    /// The host has let go of a run: it has its report, or wants none any more.
    pub fn hung_up(&self, index: usize) {
        if self.board(index).get(Word::TimeDead) == 0 {
            self.stop(index, Stop::Cancelled, 0);
        }
    }

    /// Looks at runs that are due. Gives the time of the next look, if there is one.
    pub fn look(&mut self, now: u64) -> Option<u64> {
        let mut next: Option<u64> = None;
        let mut looks = 0;
        for index in 0..self.high {
            let Some(run) = self.runs.get(index).filter(|run| run.live) else { continue };
            if run.wall_at != 0 && run.wall_at <= now {
                self.stop(index, Stop::WallTime, now - run.started);
                if let Some(run) = self.runs.get_mut(index) {
                    run.wall_at = 0;
                    run.check_at = 0;
                }
                continue;
            }
            if run.check_at != 0 && run.check_at <= now && looks < LOOKS_AT_ONCE {
                looks += 1;
                self.check(index, now);
            }
            let Some(run) = self.runs.get(index) else { continue };
            for due in [run.wall_at, run.check_at].into_iter().filter(|due| *due != 0) {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        next
    }

    /// Takes a sample of a run and ends the run if it is over a limit. Gives the time until the
    /// next one, and the CPU time used.
    fn sample(&mut self, index: usize, plan: Plan<'_>, now: u64) -> (u64, u64) {
        let (home, board) = (&self.home, self.board(index));
        let Some(run) = self.runs.get(index) else { return (SAMPLE_FAR, 0) };
        let (init, last, mut weigh_at) = (run.init, run.last_resident, run.weigh_at);
        board.raise(Word::SampleGapNs, now - run.last_look);

        let limit = plan.number(Number::SampleMemory);
        let bounded = limit != 0;
        let mut seen = sample::take(home, init, Sum::Resident);
        let resident = seen.held;
        board.raise(Word::SampleGrowth, resident.saturating_sub(last));
        let counts_twice = seen.processes > 1 && resident > board.get(Word::PeakMemory);
        if bounded && (resident > limit || (counts_twice && weigh_at <= now)) {
            let begun = sys::now();
            seen = sample::take(home, init, Sum::Proportional(limit));
            if seen.held > limit && seen.processes > 1 {
                // One process after the other was looked at. What one forked in between counts whole
                // for the parent, which was alone then, and in part for each child.
                seen = sample::take(home, init, Sum::Proportional(limit));
            }
            weigh_at = now + (sys::now() - begun) * PEAK_SHARE;
            board.raise(Word::PeakMemory, seen.held);
        } else if !counts_twice {
            board.raise(Word::PeakMemory, seen.held);
        }
        board.raise(Word::PeakTasks, seen.tasks);

        let (held, used) = (seen.held, seen.user_ns + seen.system_ns);
        let (tasks, most) = (seen.tasks, plan.number(Number::SampleTasks));
        if bounded && held > limit {
            self.stop_seen(index, Stop::Memory, held, Some(seen));
        } else if most != 0 && tasks > most {
            self.stop_seen(index, Stop::Processes, tasks, Some(seen));
        }
        let soonest = match bounded {
            true => limit.saturating_sub(held) / (FASTEST * self.home.cpus.max(1)),
            false => SAMPLE_FAR,
        };
        // Looking at all of them takes no more than half of a CPU.
        let wait = soonest.clamp(SAMPLE_NEAR, SAMPLE_FAR);
        let all = (self.live - self.pools.waiting) as u64;
        let wait = wait.max((sys::now() - now).saturating_mul(all));
        if let Some(run) = self.runs.get_mut(index) {
            run.last_resident = resident;
            run.weigh_at = weigh_at;
        }
        (wait, used)
    }

    /// Looks at one run and says when to look again.
    fn check(&mut self, index: usize, now: u64) {
        let board = self.board(index);
        let Some(run) = self.runs.get(index) else { return };
        let Some(plan) = self.plans.get(run.plan).and_then(|entry| entry.plan()) else { return };
        let (init, mut pace) = (run.init, run.pace);
        let mut wait = u64::MAX;
        let mut cpu = run.groups.cpu_time(plan);

        let clocked = plan.number(Number::CpuNs) == 0 || cpu.is_some();
        if samples(plan) || !clocked {
            let used;
            (wait, used) = self.sample(index, plan, now);
            cpu = cpu.or(Some(used));
        }
        // Not every kernel tells when a task was refused: 6.11 to 6.18 at least do not on version 1.
        if !plan.section(Section::Watches).is_empty() {
            self.look_at_watches(index);
            pace = (pace * 2).min(SLOWEST_PACE);
            wait = wait.min(pace);
        }
        let open_limit = plan.number(Number::OpenFiles);
        if open_limit != 0 && board.get(Word::OpenFiles) < open_limit {
            // Building a sandbox takes more descriptors than its program may have.
            let runs = board.get(Word::TimeExec) != 0;
            if let Some(main) = sample::main_process(&self.home, init).filter(|_| runs) {
                let open = sample::open_files(&self.home, main);
                if open <= open_limit {
                    board.raise(Word::OpenFiles, open);
                }
            }
            wait = wait.min(pace);
        }
        if !samples(plan) {
            let all = LOOK_SHARE * (self.live - self.pools.waiting) as u64;
            wait = wait.max((sys::now() - now).saturating_mul(all));
        }
        let limit = plan.number(Number::CpuNs);
        if limit != 0 {
            let used = cpu.unwrap_or(0);
            if used >= limit {
                self.stop(index, Stop::CpuTime, used);
            } else {
                wait = wait.min(until_spent(plan, self.home.cpus, limit - used));
            }
        }
        if let Some(run) = self.runs.get_mut(index) {
            run.pace = pace;
            run.last_look = now;
            run.check_at = if wait == u64::MAX { 0 } else { now.saturating_add(wait) };
        }
    }

    /// A watched file has changed: ends the run if the limit was really hit.
    pub fn alarm(&mut self, index: usize, which: u64) {
        if let Some(run) = self.runs.get(index).filter(|run| run.live) {
            run.quiet(which as usize);
            self.look_at_watches(index);
        }
    }

    /// Ends the run if a watched file says that a limit was hit.
    fn look_at_watches(&self, index: usize) {
        let Some(run) = self.runs.get(index).filter(|run| run.live) else { return };
        let Some(plan) = self.plans.get(run.plan).and_then(|entry| entry.plan()) else { return };
        let mut records = plan.records(Section::Watches);
        while let Some(watch) = Watch::next(&mut records) {
            let hits = run.groups.value(watch.group, watch.file, watch.key).unwrap_or(0);
            if hits > 0
                && let Some(reason) = Stop::from_number(u64::from(watch.stop))
                && !(reason == Stop::Processes && was_refused_above(&run.groups, &watch))
            {
                return self.stop(index, reason, watch.limit);
            }
        }
    }
}
