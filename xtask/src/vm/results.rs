//! What the machine says of its tests.

use crate::test::tally::{Reader, Tally};
use std::collections::BTreeMap;
use std::time::Instant;

/// Begins every line of `inside.sh` that is not of a test binary.
const MARK: &str = "==> ";

/// Counts per tier.
#[derive(Default)]
pub(super) struct Results {
    tiers: BTreeMap<String, Tally>,
    tier: String,
    /// The binary that runs, and since when.
    running: Option<(String, Reader, Instant)>,
    /// What each took, in seconds.
    times: Vec<String>,
    is_done: bool,
}

impl Results {
    /// Takes one line; answers whether it is worth showing.
    pub(super) fn read(&mut self, line: &str) -> bool {
        let Some(words) = line.strip_prefix(MARK) else {
            return self.running.as_mut().is_none_or(|(_, reader, _)| reader.read(line));
        };
        match words.split_once(' ').unwrap_or((words, "")) {
            ("tier", name) => {
                self.close("no status");
                self.tier = name.to_owned();
            }
            ("start", name) => {
                self.close("no status");
                self.running = Some((name.to_owned(), Reader::default(), Instant::now()));
            }
            ("status", status) => self.close(status),
            ("done", _) => self.is_done = true,
            _ => {}
        }
        true
    }

    /// Whether the machine came to its end.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// What took how many seconds, of what has ended.
    pub(super) fn times(&self) -> String {
        self.times.join(", ")
    }

    /// The counts by name of the tier.
    pub(super) fn finish(mut self) -> BTreeMap<String, Tally> {
        self.close("no status");
        self.tiers
    }

    /// Files the counts of the binary that ran, which ended with `status`.
    fn close(&mut self, status: &str) {
        let Some((name, reader, begun)) = self.running.take() else { return };
        self.times.push(format!("{} {name} {}", self.tier, begun.elapsed().as_secs()));
        let mut tally = reader.finish();
        if status != "0" && tally.failed == 0 {
            println!("{name} ended without a result: {status}");
            tally.failed = 1;
        }
        self.tiers.entry(self.tier.clone()).or_default().add(tally);
    }
}
