//! Output that is streamed, and counted all the same.

use std::io::Read;

use stockade_conformance::Job;
use stockade_core::{Bytes, Control, OutputOverflow, Stdio, Verdict};
use stockade_guests as guests;

use crate::machine::subject;

#[test]
fn output_that_nobody_has_read_yet_counts_against_the_limit() {
    let Some(subject) = subject() else { return };
    for overflow in [OutputOverflow::Stop, OutputOverflow::Truncate] {
        let job = Job::new(&subject, &guests::HELLO).policy(|policy| {
            policy.limits.output = Bytes(4).into();
            policy.limits.output_overflow = overflow;
        });
        let mut run = job.start(Stdio::streamed());
        let mut output = run.stdout().expect("output is streamed");
        let report = Job::wait(run).expect("the run is reported");
        assert!(report.output.stdout_truncated, "{report:?}");
        match overflow {
            OutputOverflow::Truncate => assert!(report.verdict.success(), "{report:?}"),
            _ => assert!(
                matches!(report.verdict, Verdict::Limit { control: Control::Output, limit: 4, .. }),
                "{report:?}"
            ),
        }
        let mut read = Vec::new();
        output.read_to_end(&mut read).expect("the rest is there");
        assert_eq!(read, b"hell");
    }
}
