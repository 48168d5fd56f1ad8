//! The `output` limit, to the byte.

use std::io::Read;

use stockade::{Bytes, Control, OutputOverflow, Stdio, Verdict};
use stockade_guests as guests;

use crate::{Job, Subject};

/// More than a pipe holds, and no multiple of anything.
const LIMIT: u64 = 100_003;

fn flood(subject: &dyn Subject, bytes: u64) -> Job<'_> {
    Job::new(subject, &guests::STDOUT_FLOOD)
        .args([bytes.to_string(), "997".to_owned()])
        .policy(|policy| policy.limits.output = Bytes(LIMIT).into())
}

const STOPPED: Verdict =
    Verdict::Limit { control: Control::Output, limit: LIMIT, observed: LIMIT + 1 };

pub(super) fn output_up_to_the_limit_passes(subject: &dyn Subject) {
    let report = flood(subject, LIMIT).run();
    assert_eq!(report.verdict, Verdict::Exited { code: 0 });
    assert_eq!(report.stdout.len() as u64, LIMIT);
    assert!(!report.output.stdout_truncated);
}

pub(super) fn one_byte_more_than_the_limit_stops(subject: &dyn Subject) {
    for bytes in [LIMIT + 1, LIMIT * 100] {
        let report = flood(subject, bytes).run();
        assert_eq!(report.verdict, STOPPED);
        assert_eq!(report.stdout.len() as u64, LIMIT);
        assert!(report.output.stdout_truncated);
        assert!(!report.output.stderr_truncated);
    }
}

pub(super) fn output_is_truncated_when_asked(subject: &dyn Subject) {
    let truncate = |job: Job<'_>| {
        job.policy(|policy| policy.limits.output_overflow = OutputOverflow::Truncate).run()
    };
    let report = truncate(flood(subject, LIMIT * 10));
    assert_eq!(report.verdict, Verdict::Exited { code: 0 });
    assert_eq!(report.stdout.len() as u64, LIMIT);
    assert_eq!(report.usage.stdout_bytes, LIMIT * 10);
    assert!(report.output.stdout_truncated);
    assert!(!truncate(flood(subject, LIMIT)).output.stdout_truncated);
}

pub(super) fn streamed_output_stops_at_the_same_byte(subject: &dyn Subject) {
    let mut run = flood(subject, LIMIT * 10).start(Stdio::streamed());
    let mut output = run.stdout().expect("output is streamed");
    let mut read = Vec::new();
    output.read_to_end(&mut read).expect("the output can be read");
    assert_eq!(Job::wait(run).expect("the run is reported").verdict, STOPPED);
    assert_eq!(read.len() as u64, LIMIT);
}

pub(super) fn discarded_output_is_counted(subject: &dyn Subject) {
    let report = flood(subject, LIMIT).run_with(Stdio::discarded());
    assert_eq!(report.verdict, Verdict::Exited { code: 0 });
    assert_eq!(report.usage.stdout_bytes, LIMIT);
    assert_eq!(report.stdout, b"");
}
