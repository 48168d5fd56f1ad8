//! Counting what tests print.

use std::collections::BTreeSet;
use std::mem;

/// What came of one tier.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skips: Vec<Skip>,
}

/// A test that did not run, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Tally {
    pub(crate) fn skip(&mut self, name: &str, reason: &str) {
        self.skips.push(Skip { name: name.to_owned(), reason: reason.to_owned() });
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skips.extend(other.skips);
    }
}

/// Reads the lines that test binaries print when started with `--show-output`.
#[derive(Default)]
pub(crate) struct Reader {
    total: Tally,
    /// The test whose output the lines belong to.
    section: Option<String>,
    /// Tests of the current binary that printed a skip: the harness counts them as passed.
    skipped: BTreeSet<String>,
    /// Inside the output of tests that passed, which is not shown.
    quiet: bool,
    /// Inside the output of tests that failed, where a skip excuses nothing.
    failing: bool,
}

impl Reader {
    /// Takes one line; answers whether it is worth showing.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        if let Some((name, reason)) = skip_line(line).filter(|_| !self.failing) {
            self.total.skip(name, reason);
            self.skipped.extend(self.section.clone());
            return true;
        }
        if let Some(name) =
            line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.section = Some(name.to_owned());
        } else if line == "successes:" {
            self.quiet = true;
        } else if line == "failures:" {
            (self.quiet, self.failing) = (false, true);
        } else if let Some([passed, failed, ignored]) = result_line(line) {
            let skipped = mem::take(&mut self.skipped).len();
            self.total.passed += passed.saturating_sub(skipped);
            self.total.failed += failed;
            for _ in 0..ignored {
                self.total.skip("an ignored test", "it is marked so in its source");
            }
            self.section = None;
            (self.quiet, self.failing) = (false, false);
        }
        !self.quiet
    }

    pub(crate) fn finish(self) -> Tally {
        self.total
    }
}

/// The name and the reason of a line `SKIP: name: reason`.
pub(crate) fn skip_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("SKIP: ")?.split_once(": ")
}

/// Passed, failed and ignored, from a line `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
fn result_line(line: &str) -> Option<[usize; 3]> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        let field = counts.split("; ").find_map(|field| field.strip_suffix(word))?;
        field.trim().parse().ok()
    };
    Some([count("passed")?, count("failed")?, count("ignored")?])
}

/// Prints a table of the tiers, each skip with its reason, and the total on a line of its own.
pub(crate) fn summarize(tiers: Vec<(&str, Tally)>) -> Tally {
    println!("\n{:<12}{:>8}{:>8}{:>8}", "tier", "passed", "failed", "skipped");
    for (name, tally) in &tiers {
        let skipped = tally.skips.len();
        println!("{name:<12}{:>8}{:>8}{skipped:>8}", tally.passed, tally.failed);
    }
    let mut total = Tally::default();
    for (tier, tally) in tiers {
        for skip in &tally.skips {
            println!("skipped in {tier}: {}: {}", skip.name, skip.reason);
        }
        total.add(tally);
    }
    let skipped = total.skips.len();
    println!("\n{} passed, {} failed, {skipped} skipped", total.passed, total.failed);
    total
}
