//! A test program: what its first lines say of it, and what it prints.

use crate::Outcome;
use crate::test::tally::{Tally, skip_line};

/// How a program is compiled and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    /// With the static library.
    Static,
    /// With the compiler's checks of addresses, leaks and undefined behaviour.
    Asan,
    Valgrind,
    /// As a user without privileges.
    Rootless,
}

impl Way {
    const ALL: [(&'static str, Self); 5] = [
        ("plain", Self::Plain),
        ("static", Self::Static),
        ("asan", Self::Asan),
        ("valgrind", Self::Valgrind),
        ("rootless", Self::Rootless),
    ];
    /// Of a program that says nothing of them.
    const USUAL: [Self; 4] = [Self::Plain, Self::Asan, Self::Valgrind, Self::Rootless];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, way)| *way == self).map_or("", |(name, _)| name)
    }
}

/// What the first lines of a program say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) ways: Vec<Way>,
    /// Nothing else runs at the same time.
    pub(super) alone: bool,
}

/// Lines that may say something.
const LINES: usize = 20;

impl Manner {
    /// Reads `ways: plain asan; why not others` and `alone: why`, each with its reason.
    pub(super) fn read(text: &str) -> Outcome<Self> {
        let lines =
            || text.lines().take(LINES).map(|line| line.trim().trim_start_matches(['/', '*', ' ']));
        let said = |key: &str| lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let alone = said("alone:");
        if alone.is_some_and(|reason| reason.trim_end_matches("*/").trim().is_empty()) {
            return Err("`alone:` without a reason".to_owned());
        }
        let Some(ways) = said("ways:") else {
            return Ok(Self { ways: Way::USUAL.to_vec(), alone: alone.is_some() });
        };
        let (words, reason) = ways.split_once(';').unwrap_or((ways.trim_end_matches("*/"), ""));
        let way = |word: &str| {
            let known = Way::ALL.iter().find(|(name, _)| *name == word);
            known.map(|(_, way)| *way).ok_or_else(|| format!("no way is called `{word}`"))
        };
        let ways = words.split_whitespace().map(way).collect::<Outcome<Vec<_>>>()?;
        if ways.is_empty() {
            return Err("`ways:` names none".to_owned());
        }
        let narrows = Way::USUAL.iter().any(|usual| !ways.contains(usual));
        if narrows && reason.trim_end_matches("*/").trim().is_empty() {
            return Err("`ways:` leaves some out, and gives no reason after a `;`".to_owned());
        }
        Ok(Self { ways, alone: alone.is_some() })
    }
}

/// Counts the lines `ok NAME`, `not ok NAME` and `SKIP: NAME: reason` that a program printed, or the
/// program itself if it printed none.
pub(super) fn results(text: &str, succeeded: bool) -> Tally {
    let mut tally = Tally::default();
    for line in text.lines() {
        if let Some((name, reason)) = skip_line(line) {
            tally.skip(name, reason);
        } else if line.starts_with("ok ") {
            tally.passed += 1;
        } else if line.starts_with("not ok ") {
            tally.failed += 1;
        }
    }
    if !succeeded && tally.failed == 0 {
        tally.failed = 1;
    } else if tally == Tally::default() {
        tally.passed = 1;
    }
    tally
}
