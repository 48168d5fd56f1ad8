//! Every limit: a guest hits it, and the verdict names it, with limit and observed value.

use std::time::Duration;
use stockade::{
    Ability, Bytes, Control, Cpus, EnforcementStatus, ErrorKind, Limit, Limits, Report, Verdict,
};
use stockade_guests as guests;

use crate::{Job, Subject};

const MIB: u64 = 1 << 20;
const MS: u64 = 1_000_000;

fn limited(job: Job<'_>, limits: impl FnOnce(&mut Limits)) -> Job<'_> {
    job.policy(|policy| limits(&mut policy.limits))
}

/// What was observed when `control` ended the run at `limit`.
fn observed(report: &Report, control: Control, limit: u64) -> u64 {
    match report.verdict {
        Verdict::Limit { control: hit, limit: at, observed } if (hit, at) == (control, limit) => {
            observed
        }
        ref verdict => panic!("{verdict:?} instead of {control} at {limit}: {report:?}"),
    }
}

fn is_exact(subject: &dyn Subject, control: Control) -> bool {
    matches!(subject.sandbox().support().ability(control), Ability::Enforced { .. })
}

pub(super) fn memory_is_limited(subject: &dyn Subject) {
    let limit = 48 * MIB;
    let job = limited(Job::new(subject, &guests::MEMORY_BOMB).args(["160"]), |limits| {
        limits.memory = Bytes(limit).into();
    });
    let observed = observed(&job.run(), Control::Memory, limit);
    assert!(observed >= limit * 9 / 10, "{observed}");
    if is_exact(subject, Control::Memory) {
        assert!(observed <= limit * 11 / 10, "{observed}");
    }
}

pub(super) fn cpu_time_is_limited(subject: &dyn Subject) {
    let job = limited(Job::new(subject, &guests::SPIN), |limits| {
        limits.cpu_time = Duration::from_millis(300).into();
    });
    let observed = observed(&job.run(), Control::CpuTime, 300 * MS);
    assert!((300 * MS..600 * MS).contains(&observed), "{observed}");
}

pub(super) fn cpu_time_of_all_tasks_is_summed(subject: &dyn Subject) {
    let job = limited(Job::new(subject, &guests::CPU_THREADS).args(["4", "20000"]), |limits| {
        limits.cpu_time = Duration::from_millis(400).into();
    });
    let observed = observed(&job.run(), Control::CpuTime, 400 * MS);
    assert!((400 * MS..800 * MS).contains(&observed), "{observed}");
}

pub(super) fn wall_time_is_limited(subject: &dyn Subject) {
    let job = limited(Job::new(subject, &guests::SLEEP_FOREVER), |limits| {
        limits.wall_time = Duration::from_millis(300).into();
    });
    let report = job.run();
    let observed = observed(&report, Control::WallTime, 300 * MS);
    // A busy machine is late; only the order of magnitude is promised.
    assert!((300 * MS..3000 * MS).contains(&observed), "{observed}");
    assert!(report.usage.cpu_ns() < 200 * MS, "{:?}", report.usage);
}

#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
pub(super) fn cpus_are_limited(subject: &dyn Subject) {
    let native = subject.facts().native;
    if native && !is_exact(subject, Control::Cpus) {
        println!("SKIP: limits::cpus_are_limited: this host does not limit the rate exactly");
        return;
    }
    let job = if native {
        Job::new(subject, &guests::CPU_THREADS).args(["4", "1500"])
    } else {
        Job::new(subject, &guests::BURN_CPU).args(["1000"])
    };
    let job = job.policy(|policy| {
        policy.limits.cpus = Some(Cpus::from_milli(500));
        if !native {
            policy.best_effort.insert(Control::Cpus);
        }
    });
    let report = job.run();
    assert!(report.verdict.success(), "{:?}", report.verdict);
    let (cpu, wall) = (report.usage.cpu_ns(), report.usage.wall_ns);
    // One period of 100 ms may come on top at either end.
    assert!(cpu <= wall / 2 + 100 * MS, "{cpu} ns of CPU in {wall} ns");
}

pub(super) fn processes_are_limited(subject: &dyn Subject) {
    let exact = is_exact(subject, Control::Processes);
    for guest in [guests::FORK_BOMB, guests::FORK_COUNT, guests::THREAD_BOMB] {
        let job = limited(Job::new(subject, &guest).args(["40"]), |limits| {
            limits.processes = Limit::At(8);
        });
        let report = job.run();
        // A program that was refused and ends before anybody looks tells it by its own status.
        if !exact && guest.name != "fork_bomb" && report.verdict == (Verdict::Exited { code: 3 }) {
            continue;
        }
        let observed = observed(&report, Control::Processes, 8);
        assert!((8..=16).contains(&observed), "{}: {observed}", guest.name);
    }
}

pub(super) fn open_files_are_limited(subject: &dyn Subject) {
    let job = limited(Job::new(subject, &guests::OPEN_FLOOD).args(["300"]), |limits| {
        limits.open_files = Limit::At(24);
    });
    assert_eq!(observed(&job.run(), Control::OpenFiles, 24), 24);
}

pub(super) fn file_size_is_limited(subject: &dyn Subject) {
    let size = (8 * MIB).to_string();
    let job = limited(Job::new(subject, &guests::BIG_FILE).args(["/tmp/big", &size]), |limits| {
        limits.file_size = Bytes(MIB).into();
    });
    assert_eq!(observed(&job.run(), Control::FileSize, MIB), MIB);
}

pub(super) fn disk_is_limited(subject: &dyn Subject) {
    let job = limited(Job::new(subject, &guests::DISK_FLOOD).args(["/tmp", "32"]), |limits| {
        limits.disk = Bytes(4 * MIB).into();
    });
    let observed = observed(&job.run(), Control::Disk, 4 * MIB);
    assert!((3 * MIB..=5 * MIB).contains(&observed), "{observed}");
}

pub(super) fn limits_that_are_not_reached_are_not_felt(subject: &dyn Subject) {
    let job = limited(Job::new(subject, &guests::MEMORY_BOMB).args(["32"]), |limits| {
        limits.memory = Bytes(64 * MIB).into();
    });
    assert!(job.run().verdict.success());
    let job = limited(Job::new(subject, &guests::DISK_FLOOD).args(["/tmp", "4"]), |limits| {
        limits.disk = Bytes(8 * MIB).into();
        limits.file_size = Bytes(MIB).into();
    });
    assert!(job.run().verdict.success());
}

pub(super) fn processes_up_to_the_limit_are_not_refused(subject: &dyn Subject) {
    let job = limited(Job::new(subject, &guests::FORK_COUNT).args(["7"]), |limits| {
        limits.processes = Limit::At(8);
    });
    assert!(job.run().verdict.success());
}

pub(super) fn a_control_that_cannot_be_met_is_refused(subject: &dyn Subject) {
    let job = Job::new(subject, &guests::HELLO).policy(|policy| {
        policy.limits.fuel = Some(1_000_000);
        policy.limits.cpus = Some(Cpus::from_milli(500));
    });
    let support = subject.sandbox().support();
    let unmet: Vec<Control> = [Control::Cpus, Control::Fuel]
        .into_iter()
        .filter(|control| !matches!(support.ability(*control), Ability::Enforced { .. }))
        .collect();
    assert!(!unmet.is_empty(), "no backend has both");
    let error = job.try_prepare().err().expect("something cannot be met");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.unmet().iter().map(|unmet| unmet.control).collect::<Vec<_>>(), unmet);
    assert!(error.hint().is_some());

    let report = job.policy(|policy| policy.best_effort.extend(&unmet)).run();
    for control in unmet {
        let entry = report.enforcement.iter().find(|entry| entry.control == control);
        let entry = entry.expect("the receipt has an entry for it");
        assert_ne!(entry.status, EnforcementStatus::Enforced);
        assert!(entry.reason.is_some(), "{entry:?}");
    }
}
