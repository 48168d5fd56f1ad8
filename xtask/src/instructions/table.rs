//! [`Table`]: the committed counts, and how far a new one may be from them.

use crate::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How many percent a count may deviate, either way: what became cheaper is to be kept, too.
const PERCENT: u64 = 5;

const HINT: &str = "if it is meant: cargo xtask instructions --bless";

/// What is committed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    #[serde(flatten)]
    pub(super) toolchain: Toolchain,
    /// Instructions of one repetition, by path.
    pub(super) counts: BTreeMap<String, u64>,
}

/// What the counts were made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Toolchain {
    pub(super) arch: String,
    pub(super) rustc: String,
    pub(super) libc: String,
}

impl Toolchain {
    /// How this machine's is another one, if it is.
    pub(super) fn differs(&self, here: &Self) -> Option<String> {
        let fields =
            [(&self.arch, &here.arch), (&self.rustc, &here.rustc), (&self.libc, &here.libc)];
        let (theirs, ours) = fields.into_iter().find(|(theirs, ours)| theirs != ours)?;
        Some(format!("the table was made with {theirs}, and here is {ours}"))
    }
}

impl Table {
    pub(super) fn read(file: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(file).map_err(|error| failure(file, error))?;
        serde_json::from_str(&text).map_err(|error| failure(file, error))
    }

    pub(super) fn write(&self, file: &Path) -> Outcome {
        let text = serde_json::to_string_pretty(self).map_err(|error| failure(file, error))?;
        fs::write(file, text + "\n").map_err(|error| failure(file, error))
    }

    /// Shows each count, and fails if one is too far off or is not in both.
    pub(super) fn compare(&self, counts: &BTreeMap<String, u64>) -> Outcome {
        let mut off = Vec::new();
        println!("{:20} {:>11} {:>11} {:>8}", "", "committed", "counted", "");
        for name in
            self.counts.keys().chain(counts.keys().filter(|n| !self.counts.contains_key(*n)))
        {
            let (old, new) = (self.counts.get(name), counts.get(name));
            println!("{}", line(name, old, new));
            if !is_near(old, new) {
                off.push(name.as_str());
            }
        }
        match off.as_slice() {
            [] => Ok(()),
            off => Err(format!("more than {PERCENT} % off: {}; {HINT}", off.join(", "))),
        }
    }
}

fn line(name: &str, old: Option<&u64>, new: Option<&u64>) -> String {
    let number = |count: Option<&u64>| count.map_or("none".to_owned(), u64::to_string);
    let change = match (old, new) {
        (Some(&old), Some(&new)) if old > 0 => {
            format!("{:+.1} %", (new as f64 / old as f64 - 1.0) * 100.0)
        }
        _ => String::new(),
    };
    format!("{name:20} {:>11} {:>11} {change:>8}", number(old), number(new))
}

fn is_near(old: Option<&u64>, new: Option<&u64>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.abs_diff(*new) * 100 <= old * PERCENT,
        _ => false,
    }
}

fn failure(file: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", file.display())
}
