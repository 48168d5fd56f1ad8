//! Driving one run.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use stockade::{Prepared, Stdio, Verdict};

use super::Way;
use crate::{Failure, Random};

/// What is written to a program, and has to come back; longer than a pipe holds.
const ECHOED: usize = 100_000;
/// The longest pause before a run is stopped: some are stopped while they are being built, and
/// most when they run.
const PAUSE: Duration = Duration::from_millis(4);

/// How a run ended and what it printed; nothing, if nobody was to know.
pub(super) fn drive(
    prepared: &dyn Prepared,
    way: Way,
    random: &mut Random,
) -> Result<Option<(Verdict, Vec<u8>)>, Failure> {
    let pause = random.time(PAUSE);
    match way {
        Way::Captured => {
            let report = prepared.start(Stdio::captured())?.wait()?;
            Ok(Some((report.verdict, report.stdout)))
        }
        Way::Echoed => echo(prepared).map(Some),
        Way::Killed => {
            let run = prepared.start(Stdio::captured())?;
            let killer = run.killer();
            let killing = thread::spawn(move || {
                thread::sleep(pause);
                killer.kill();
            });
            let report = run.wait();
            let _ = killing.join();
            Ok(Some(report.map(|report| (report.verdict, report.stdout))?))
        }
        Way::Dropped => {
            let stdio = if random.below(2) == 0 { Stdio::captured() } else { Stdio::streamed() };
            let run = prepared.start(stdio)?;
            thread::sleep(pause);
            drop(run);
            Ok(None)
        }
    }
}

fn echo(prepared: &dyn Prepared) -> Result<(Verdict, Vec<u8>), Failure> {
    let mut run = prepared.start(Stdio::streamed())?;
    let (Some(mut input), Some(mut output)) = (run.stdin(), run.stdout()) else {
        return Err("the streams are not there".into());
    };
    let writer = thread::spawn(move || input.write_all(&[b'.'; ECHOED]));
    let mut read = Vec::new();
    let end = output.read_to_end(&mut read);
    let written = writer.join().map_err(|_| "the writer panicked")?;
    let report = run.wait()?;
    end?;
    written?;
    let came_back = read.len() == ECHOED && read.iter().all(|byte| *byte == b'.');
    Ok((report.verdict, if came_back { b"echoed".to_vec() } else { read }))
}
