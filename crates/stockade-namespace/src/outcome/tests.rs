use std::time::Duration;

use proptest::prelude::*;
use stockade_core::{Ability, Bytes, EnforcementStatus, Limit, Policy, Support};
use stockade_warden::wire::board::{Space, WORDS};

use super::*;

const SECOND: u64 = 1_000_000_000;

fn plan(change: impl FnOnce(&mut Policy)) -> Plan {
    let mut policy = Policy::default();
    change(&mut policy);
    let support = Support::new("namespace", |_| Ability::enforced("a test"));
    Plan::resolve(&policy, &support).expect("everything is enforced")
}

fn told(plan: &Plan, entries: &[(Word, u64)], printed: [Printed; 2]) -> Result<Report> {
    report(plan, &Account::of(entries), Birth { begun: 0, prepare_ns: 0 }, printed)
}

fn quiet() -> [Printed; 2] {
    [Printed::default(), Printed::default()]
}

/// The verdict on a board under the default policy.
fn judged(entries: &[(Word, u64)]) -> Verdict {
    told(&plan(|_| ()), entries, quiet()).expect("it was built").verdict
}

fn limit(control: Control, limit: u64, observed: u64) -> Verdict {
    Verdict::Limit { control, limit, observed }
}

const fn exit(code: u64) -> (Word, u64) {
    (Word::Status, code << 8)
}

const fn signal(number: i32) -> (Word, u64) {
    (Word::Status, number as u64)
}

const fn stop(reason: Stop) -> (Word, u64) {
    (Word::Stop, reason as u64)
}

#[test]
fn an_end_of_its_own_is_told_as_it_was() {
    assert_eq!(judged(&[exit(0)]), Verdict::Exited { code: 0 });
    assert_eq!(judged(&[exit(255)]), Verdict::Exited { code: 255 });
    let signaled = |signal: &str, number| Verdict::Signaled { signal: signal.to_owned(), number };
    assert_eq!(judged(&[signal(libc::SIGSEGV)]), signaled("SIGSEGV", 11));
    // The bit of a core dump is not part of the number.
    assert_eq!(judged(&[(Word::Status, 0x80 | 6)]), signaled("SIGABRT", 6));
    assert_eq!(judged(&[signal(libc::SIGKILL)]), signaled("SIGKILL", 9));
    assert_eq!(judged(&[signal(40)]), signaled("signal 40", 40));
}

#[test]
fn every_reason_to_stop_has_its_verdict() {
    let memory = 256 << 20;
    for (entries, verdict) in [
        (
            vec![stop(Stop::Memory), (Word::Observed, memory + 1)],
            limit(Control::Memory, memory, memory + 1),
        ),
        (
            vec![stop(Stop::CpuTime), (Word::UserNs, 11 * SECOND)],
            limit(Control::CpuTime, 10 * SECOND, 11 * SECOND),
        ),
        (
            vec![stop(Stop::WallTime), (Word::Observed, 31 * SECOND)],
            limit(Control::WallTime, 30 * SECOND, 31 * SECOND),
        ),
        (vec![stop(Stop::Processes), (Word::PeakTasks, 65)], limit(Control::Processes, 64, 65)),
        (vec![stop(Stop::Cancelled)], Verdict::Cancelled),
    ] {
        assert_eq!(judged(&entries), verdict);
        // A kill for a limit looks like one of its own, and must not be told as that.
        assert_eq!(judged(&[&entries[..], &[signal(libc::SIGKILL)]].concat()), verdict);
        assert_eq!(judged(&[&entries[..], &[(Word::OomKills, 1), exit(1)]].concat()), verdict);
    }
}

#[test]
fn the_kernels_own_kill_for_memory_is_the_limit() {
    let entries = [(Word::OomKills, 1), (Word::PeakMemory, 256 << 20), signal(libc::SIGKILL)];
    assert_eq!(judged(&entries), limit(Control::Memory, 256 << 20, 256 << 20));
}

#[test]
fn a_kill_for_memory_above_is_no_limit_and_the_receipt_says_so() {
    let memory = 256 << 20;
    let largest_charge = 8 << 16;
    let killed = |peak: u64, stopped: bool| {
        let mut entries = read_back();
        entries.extend([(Word::OomKills, 1), (Word::PeakMemory, peak), signal(libc::SIGKILL)]);
        entries.extend(stopped.then(|| stop(Stop::Memory)));
        let report = told(&plan(|_| ()), &entries, quiet()).expect("it was built");
        let entry = report.enforcement.iter().find(|entry| entry.control == Control::Memory);
        let reason = entry.expect("memory is asked for").reason.clone();
        (matches!(report.verdict, Verdict::Limit { .. }), reason.is_some())
    };
    for stopped in [false, true] {
        assert_eq!(killed(memory, stopped), (true, false));
        assert_eq!(killed(memory - largest_charge, stopped), (true, false));
        assert_eq!(killed(memory - largest_charge - 4096, stopped), (false, true));
    }
    // Version 2 has a count for each.
    for (peak, events) in [(memory, 0), (memory, 1), (memory / 2, 0), (memory / 2, 1)] {
        let mut entries = read_back();
        entries.extend([(Word::OomEventKills, 1), (Word::OomEvents, events)]);
        entries.extend([(Word::PeakMemory, peak), signal(libc::SIGKILL)]);
        let report = told(&plan(|_| ()), &entries, quiet()).expect("it was built");
        assert_eq!(matches!(report.verdict, Verdict::Limit { .. }), events == 1, "{peak}");
        let said = report.enforcement.iter().any(|entry| entry.reason.is_some());
        assert_eq!(said, events == 0, "{peak}");
    }
}

#[test]
fn a_refused_task_is_the_limit() {
    let entries = [(Word::TaskRefusals, 3), (Word::PeakTasks, 64), exit(1)];
    assert_eq!(judged(&entries), limit(Control::Processes, 64, 64));
}

#[test]
fn a_task_refused_below_the_limit_was_refused_by_somebody_else() {
    let entries = [(Word::TaskRefusals, 3), (Word::PeakTasks, 19), exit(1)];
    assert_eq!(judged(&entries), Verdict::Exited { code: 1 });
}

#[test]
fn a_kill_for_memory_without_a_limit_is_not_the_limit() {
    let plan = plan(|policy| policy.limits.memory = Limit::Unlimited);
    let entries = [(Word::OomKills, 1), signal(libc::SIGKILL)];
    let verdict = told(&plan, &entries, quiet()).expect("it was built").verdict;
    assert_eq!(verdict, Verdict::Signaled { signal: "SIGKILL".to_owned(), number: libc::SIGKILL });
}

#[test]
fn signals_of_resource_limits_are_the_limits() {
    assert_eq!(judged(&[signal(libc::SIGXFSZ)]), limit(Control::FileSize, 64 << 20, 64 << 20));
    let spent = (Word::UserNs, 12 * SECOND);
    for number in [libc::SIGXCPU, libc::SIGKILL] {
        assert_eq!(
            judged(&[signal(number), spent]),
            limit(Control::CpuTime, 10 * SECOND, 12 * SECOND)
        );
    }
    let unlimited = plan(|policy| {
        policy.limits.file_size = Limit::Unlimited;
        policy.limits.cpu_time = Limit::Unlimited;
    });
    for number in [libc::SIGXFSZ, libc::SIGXCPU] {
        let report = told(&unlimited, &[signal(number), spent], quiet()).expect("it was built");
        assert!(matches!(report.verdict, Verdict::Signaled { .. }), "{:?}", report.verdict);
    }
}

#[test]
fn a_forbidden_call_is_denied() {
    let verdict = judged(&[signal(libc::SIGSYS)]);
    assert!(matches!(verdict, Verdict::Denied { control: Control::Syscalls, .. }), "{verdict:?}");
}

#[test]
fn a_full_disk_counts_only_for_a_program_that_failed() {
    let full = [(Word::DiskFull, 1), (Word::DiskUsed, 64 << 20)];
    assert_eq!(judged(&[&full[..], &[exit(0)]].concat()), Verdict::Exited { code: 0 });
    assert_eq!(judged(&[&full[..], &[exit(1)]].concat()), limit(Control::Disk, 64 << 20, 64 << 20));
}

#[test]
fn exhausted_descriptors_count_only_for_a_program_that_failed() {
    let open = |count| (Word::OpenFiles, count);
    assert_eq!(judged(&[open(256), exit(0)]), Verdict::Exited { code: 0 });
    assert_eq!(judged(&[open(255), exit(1)]), Verdict::Exited { code: 1 });
    assert_eq!(judged(&[open(256), exit(1)]), limit(Control::OpenFiles, 256, 256));
}

#[test]
fn output_over_the_limit_is_a_verdict_or_a_flag() {
    let over = || [Printed::default(), Printed { bytes: 2000, over: true, kept: vec![b'x'; 9] }];
    let bounded = |overflow| {
        plan(|policy| {
            policy.limits.output = Bytes(1000).into();
            policy.limits.output_overflow = overflow;
        })
    };
    let stops = bounded(OutputOverflow::Stop);
    let entries = [stop(Stop::Output), signal(libc::SIGKILL)];
    let report = told(&stops, &entries, over()).expect("it was built");
    assert_eq!(report.verdict, limit(Control::Output, 1000, 1001));
    assert_eq!((report.output.stdout_truncated, report.output.stderr_truncated), (false, true));

    let truncates = bounded(OutputOverflow::Truncate);
    let report = told(&truncates, &[exit(0)], over()).expect("it was built");
    assert_eq!(report.verdict, Verdict::Exited { code: 0 });
    assert!(report.output.stderr_truncated);
    assert_eq!((report.usage.stderr_bytes, report.stderr.len()), (2000, 9));

    let entries = [stop(Stop::Cancelled), signal(libc::SIGKILL)];
    let report = told(&stops, &entries, over()).expect("it was built");
    assert_eq!(report.verdict, Verdict::Cancelled, "the caller's word comes first");
}

#[test]
fn a_failed_step_is_an_error_with_kind_and_hint() {
    for (step, errno, kind) in [
        (Step::Exec, libc::ENOENT, ErrorKind::NotFound),
        (Step::Exec, libc::EACCES, ErrorKind::PermissionDenied),
        (Step::Exec, libc::E2BIG, ErrorKind::InvalidPolicy),
        (Step::Exec, libc::ENOEXEC, ErrorKind::InvalidPolicy),
        (Step::Exec, libc::ENOMEM, ErrorKind::Setup),
        (Step::Slot, libc::ENOSPC, ErrorKind::Setup),
        (Step::WorkDir, libc::ENOENT, ErrorKind::Setup),
        (Step::Cgroup, libc::EMFILE, ErrorKind::Setup),
    ] {
        let entries = [(Word::Step, step as u64), (Word::Errno, errno as u64)];
        let error = told(&plan(|_| ()), &entries, quiet()).expect_err("a step failed");
        assert_eq!(error.kind(), kind, "{step:?}: {error}");
        assert!(error.hint().is_some(), "{step:?}: {error}");
        let said = error.to_string();
        assert!(step == Step::Exec || said.contains(step.describe()), "{said}");
        let source = std::error::Error::source(&error).expect("the errno is the source");
        assert!(!said.contains(&source.to_string()), "{said} repeats {source}");
    }
}

#[test]
fn a_process_killed_while_it_builds_is_an_error_that_names_the_signal() {
    let entries = [
        (Word::Step, Step::Landlock as u64),
        (Word::Errno, libc::EPROTO as u64),
        signal(libc::SIGKILL),
    ];
    let error = told(&plan(|_| ()), &entries, quiet()).expect_err("it was killed");
    assert_eq!(error.kind(), ErrorKind::Setup);
    let said = error.to_string();
    assert!(said.contains("signal 9") && said.contains(Step::Landlock.describe()), "{said}");
}

#[test]
fn times_are_differences_of_stamps() {
    let times = [
        (Word::TimeRequest, 110),
        (Word::TimeClone, 120),
        (Word::TimeMounts, 140),
        (Word::TimeFork, 150),
        (Word::TimeLimits, 160),
        (Word::TimeExec, 200),
        (Word::TimeEnd, 1200),
        (Word::TimeDead, 1250),
    ];
    let birth = Birth { begun: 100, prepare_ns: 7 };
    let report = report(&plan(|_| ()), &Account::of(&times), birth, quiet()).expect("it was built");
    assert_eq!(report.usage.wall_ns, 1140, "from the request on, as the limit counts it");
    let timings = &report.timings;
    assert_eq!((timings.prepare_ns, timings.start_ns, timings.teardown_ns), (7, 100, 50));
    let sum: u64 = timings.phases.iter().map(|phase| phase.ns).sum();
    assert_eq!(sum, 1150, "the phases are all of the time: {:?}", timings.phases);
}

/// A board on which everything was read back as the default policy asks.
fn read_back() -> Vec<(Word, u64)> {
    let spaces = [Space::User, Space::Mount, Space::Pid, Space::Net, Space::Ipc, Space::Uts];
    vec![
        (Word::ReadMemory, 256 << 20),
        (Word::ReadTasks, 64),
        (Word::ReadOpenFiles, 256),
        (Word::ReadFileSize, 64 << 20),
        (Word::ReadDisk, 64 << 20),
        (Word::ReadNoNewPrivs, 1),
        (Word::ReadSeccomp, 2),
        (Word::ReadPid, 2),
        (Word::ReadLandlock, 1),
        (Word::ReadSpaces, spaces.iter().fold(0, |bits, space| bits | 1 << *space as u32)),
    ]
}

fn statuses(entries: &[(Word, u64)]) -> Vec<(Control, EnforcementStatus)> {
    let report = told(&plan(|_| ()), entries, quiet()).expect("it was built");
    report.enforcement.iter().map(|entry| (entry.control, entry.status)).collect()
}

#[test]
fn what_was_read_back_as_asked_is_enforced() {
    let statuses = statuses(&read_back());
    assert_eq!(statuses.len(), 14);
    assert!(statuses.iter().all(|(_, s)| *s == EnforcementStatus::Enforced), "{statuses:?}");
}

#[test]
fn what_was_read_back_otherwise_is_not_enforced() {
    for (word, value, control) in [
        (Word::ReadMemory, (256 << 20) + 1, Control::Memory),
        (Word::ReadMemory, 0, Control::Memory),
        (Word::ReadTasks, u64::MAX, Control::Processes),
        (Word::ReadOpenFiles, 1024, Control::OpenFiles),
        (Word::ReadFileSize, u64::MAX, Control::FileSize),
        (Word::ReadDisk, 1 << 40, Control::Disk),
        (Word::ReadNoNewPrivs, 0, Control::Privileges),
        (Word::ReadCapabilities, 1, Control::Privileges),
        (Word::ReadSeccomp, 0, Control::Syscalls),
        (Word::ReadPid, 0, Control::ProcessTree),
        (Word::ReadInterfaces, 1, Control::Network),
    ] {
        let mut entries = read_back();
        entries.retain(|(other, _)| *other != word);
        entries.push((word, value));
        let weak: Vec<Control> = statuses(&entries)
            .into_iter()
            .filter(|(_, status)| *status == EnforcementStatus::NotEnforced)
            .map(|(control, _)| control)
            .collect();
        assert_eq!(weak, [control], "{word:?} = {value}");
    }
}

#[test]
fn a_namespace_that_is_shared_is_told() {
    for (space, control) in [
        (Space::User, Control::Privileges),
        (Space::Mount, Control::Filesystem),
        (Space::Pid, Control::ProcessTree),
        (Space::Net, Control::Network),
        (Space::Ipc, Control::Ipc),
    ] {
        let mut entries = read_back();
        for entry in entries.iter_mut().filter(|entry| entry.0 == Word::ReadSpaces) {
            entry.1 &= !(1 << space as u32);
        }
        let expected = (control, EnforcementStatus::NotEnforced);
        assert!(statuses(&entries).contains(&expected), "{space:?}");
    }
}

proptest! {
    #[test]
    fn any_board_has_a_report_or_an_error(words in proptest::collection::vec(any::<u64>(), WORDS)) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let account = Account::read(&bytes);
        let birth = Birth { begun: words[0], prepare_ns: words[1] };
        let plan = plan(|policy| policy.limits.cpu_time = Duration::from_secs(1).into());
        let _ = report(&plan, &account, birth, quiet());
    }

    #[test]
    fn a_board_that_is_cut_off_is_zero_from_there(len in 0..WORDS * 8) {
        let account = Account::read(&vec![0xff; len]);
        prop_assert_eq!(account.get(Word::TimeDead) == 0, len <= Word::TimeDead as usize * 8 + 7);
    }
}
