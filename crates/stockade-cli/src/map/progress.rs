//! [`Progress`]: how far the jobs are, for whoever watches.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Answers;

/// A bar on standard error, if that is a terminal; else nothing.
pub(super) struct Progress(Option<ProgressBar>);

/// Where the length of the input is known, and where it is not.
const BAR: &str = "{wide_bar} {percent:>3} %  {msg}  {elapsed}";
const COUNT: &str = "{spinner} {msg}  {elapsed}";

impl Progress {
    /// A bar for an input of so many bytes.
    pub(super) fn on_a_terminal(size: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(size, target);
        let template = if size.is_some() { BAR } else { COUNT };
        // A template that cannot be read leaves the one of the library.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// Writes something, with the bar out of the way.
    pub(super) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) if io::stdout().is_terminal() => bar.suspend(write),
            _ => write(),
        }
    }

    pub(super) fn show(&self, answers: &Answers, running: usize, position: u64) {
        let Some(bar) = &self.0 else { return };
        let Answers { reports, errors } = answers;
        bar.set_message(match errors {
            0 => format!("{reports} done, {running} running"),
            _ => format!("{reports} done, {errors} with errors, {running} running"),
        });
        bar.set_position(position);
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
