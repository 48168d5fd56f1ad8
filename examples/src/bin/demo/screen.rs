//! [`Screen`]: what the demonstration looks like.

use std::env;
use std::io::{self, IsTerminal};

use crate::case::{Cell, Outcome};

/// Standard output, with colour on a terminal only.
pub(crate) struct Screen {
    colour: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// Widths of a row: name, what it does, how it ended, how long it took.
const NAME: usize = 11;
const STORY: usize = 34;
const END: usize = 34;
const TIME: usize = 8;
/// Width of where a program was stopped, and of all there is about it behind one wall.
const AT: usize = 15;
const PAIRED: usize = AT + TIME + 5;

impl Screen {
    pub(crate) fn new() -> Self {
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && io::stdout().is_terminal() }
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn blank(&self) {
        println!();
    }

    pub(crate) fn title(&self, text: &str) {
        println!("{}", self.paint(BOLD, text));
    }

    pub(crate) fn heading(&self, text: &str) {
        println!("\n{}", self.paint(BOLD, text));
    }

    /// A remark in small print.
    pub(crate) fn note(&self, text: &str) {
        println!("  {}", self.paint(DIM, text));
    }

    /// What a program printed.
    pub(crate) fn quote(&self, text: &str) {
        for line in text.lines() {
            println!("{}", format!("  {} {line}", self.paint(DIM, "│")).trim_end());
        }
    }

    /// A name and a value.
    pub(crate) fn field(&self, name: &str, value: &str) {
        println!("  {} {value}", self.paint(CYAN, &format!("{name:NAME$}")));
    }

    /// A line of a receipt; what is too long for a line goes on in the next.
    pub(crate) fn entry(&self, control: &str, status: &str, mechanism: &str) {
        const WIDTH: usize = 96 - 2 - 2 * COLUMN;
        const COLUMN: usize = 13;
        let mut lines = wrap(mechanism, WIDTH).into_iter();
        let first = lines.next().unwrap_or_default();
        let control = self.paint(CYAN, &format!("{control:COLUMN$}"));
        println!("    {control}{status:COLUMN$}{}", self.paint(DIM, first));
        for line in lines {
            println!("    {:1$}{2}", "", 2 * COLUMN, self.paint(DIM, line));
        }
    }

    /// Headings of [`row`](Self::row).
    pub(crate) fn columns(&self, name: &str, story: &str, end: &str) {
        let line = format!("{name:NAME$} {story:STORY$} {end:END$} {:>TIME$}", "time");
        self.note(&line);
    }

    /// One program: its name, what it did, how it ended, how long it took.
    pub(crate) fn row(&self, cells: [&str; 4], outcome: Outcome) {
        let [name, story, end, time] = cells;
        let name = self.paint(CYAN, &format!("{name:NAME$}"));
        println!(
            "  {name} {story:STORY$} {end:END$} {} {}",
            self.paint(DIM, &format!("{time:>TIME$}")),
            self.mark(outcome)
        );
    }

    /// Headings of [`pair`](Self::pair).
    pub(crate) fn walls(&self, left: [&str; 2], walls: [&str; 2]) {
        let [name, story] = left;
        let [first, second] = walls;
        self.note(&format!("{name:NAME$} {story:STORY$} {first:PAIRED$}{second}"));
    }

    /// One program behind both walls; an empty place where it does not exist.
    pub(crate) fn pair(&self, left: [&str; 2], cells: &[Option<Cell>; 2]) {
        let [name, story] = left;
        let mut line = format!("  {} {story:STORY$}", self.paint(CYAN, &format!("{name:NAME$}")));
        for cell in cells {
            line.push_str(&match cell {
                Some(Cell { end, time, outcome }) => format!(
                    " {end:AT$} {} {} ",
                    self.paint(DIM, &format!("{time:>TIME$}")),
                    self.mark(*outcome)
                ),
                None => format!(" {}", self.paint(DIM, "a module has one thread")),
            });
        }
        println!("{}", line.trim_end());
    }

    pub(crate) fn verdict(&self, outcome: Outcome, text: &str) {
        println!("{} {}", self.mark(outcome), self.paint(BOLD, text));
    }

    pub(crate) fn mark(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Passed => self.paint(GREEN, "✓"),
            Outcome::Failed => self.paint(RED, "✗"),
            Outcome::Skipped => self.paint(DIM, "–"),
        }
    }
}

/// Breaks a text at spaces into lines of at most `width` bytes, where it has spaces.
fn wrap(mut text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    while text.len() > width {
        let spaces = text.match_indices(' ').map(|(at, _)| at).take_while(|at| *at <= width);
        let Some(at) = spaces.last() else { break };
        lines.push(&text[..at]);
        text = &text[at + 1..];
    }
    lines.push(text);
    lines
}
