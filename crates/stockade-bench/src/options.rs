//! What is to be measured, and who is told meanwhile.

use std::cell::RefCell;
use std::path::PathBuf;

use crate::Makers;
use crate::scratch::Scratch;

/// What is to be measured.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// A tenth of the rounds, and nothing that takes seconds.
    pub quick: bool,
    /// Rounds of the fast modes, instead of what `quick` says.
    pub rounds: Option<usize>,
    /// Whether to measure what surrounds a start: memory, many at once, programs that run for long.
    pub series: bool,
    /// Whether to run 100,000 times as well, or a tenth of that to be quick: it takes minutes.
    pub long: bool,
    /// The kernel for a virtual machine. Without one, that of this host is looked for in `/boot`.
    pub vm_kernel: Option<PathBuf>,
    /// The command line that is noted in the results.
    pub command: String,
    /// A tool that is run as one more mode, for tests: its path.
    #[doc(hidden)]
    pub tool: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quick: false,
            rounds: None,
            series: true,
            long: false,
            vm_kernel: None,
            command: String::new(),
            tool: None,
        }
    }
}

/// Who is told how far it is, and may end it.
pub trait Progress {
    /// `done` of `all` steps of this part are done.
    ///
    /// # Errors
    /// [`Stopped`] to end it. What was started is ended, and files are removed.
    fn at(&self, part: &str, done: usize, all: usize) -> Result<(), Stopped>;
}

impl Progress for () {
    fn at(&self, _part: &str, _done: usize, _all: usize) -> Result<(), Stopped> {
        Ok(())
    }
}

/// It was to end before all was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped before all was measured")
    }
}

impl std::error::Error for Stopped {}

/// One benchmark under way.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) makers: &'a dyn Makers,
    pub(crate) options: &'a Options,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) scratch: &'a Scratch,
    /// Mode, and what failed.
    pub(crate) failures: &'a RefCell<Vec<(String, String)>>,
}

impl Session<'_> {
    /// Rounds of the fast modes.
    pub(crate) fn rounds(&self) -> usize {
        self.options.rounds.unwrap_or(if self.options.quick { 30 } else { 300 }).max(1)
    }

    /// Notes a failure outside the race, where there is no other place for it.
    pub(crate) fn failed(&self, mode: &str, at: &str, failure: &str) {
        let mut failures = self.failures.borrow_mut();
        // One for each mode and place is enough.
        if !failures.iter().any(|(known, text)| known == mode && text.starts_with(at)) {
            failures.push((mode.to_owned(), format!("{at}: {failure}")));
        }
    }

    /// One of two counts: the second to be quick; never more than the rounds asked for.
    pub(crate) fn count(&self, full: usize, quick: usize) -> usize {
        let count = if self.options.quick { quick } else { full };
        self.options.rounds.map_or(count, |rounds| count.min(rounds)).max(1)
    }
}
