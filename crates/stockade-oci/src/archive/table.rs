//! Which entries an archive has, and where its links lead.

use std::collections::BTreeMap;

use stockade_core::{Error, Result};

use super::entries::{Entry, EntryKind, clean};
use crate::digest::shown;
use crate::failure::malformed;

/// How many links may lead to one another.
const MOST_LINKS: usize = 8;

/// What is wrong with the entries of an archive.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    #[error("the archive has an entry that would lie outside of it: {entry:?}")]
    Name { entry: String },
    #[error("the archive has more than {most} entries")]
    Many { most: usize },
    #[error("the archive has an extension of {size} bytes, more than {most}")]
    Extension { size: u64, most: u64 },
    #[error("{entry:?} of the archive has two sizes")]
    TwoSizes { entry: String },
    #[error("the archive has no {entry:?}")]
    Missing { entry: String },
    #[error("the archive has {entry:?} {times} times")]
    Repeated { entry: String, times: usize },
    #[error("{entry:?} of the archive is no file")]
    NotAFile { entry: String },
    #[error("{entry:?} of the archive is a link that leads out of it: {target:?}")]
    LeadsOut { entry: String, target: String },
    #[error("{entry:?} of the archive is a link through more than {MOST_LINKS} others")]
    Loop { entry: String },
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        malformed(error, "the archive is damaged or was tampered with; save the image again")
    }
}

/// The entries by their names.
#[derive(Default)]
pub(super) struct Table(BTreeMap<String, (EntryKind, usize)>);

impl Table {
    pub(super) fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        let record = self.0.entry(entry.name.clone()).or_insert((entry.kind.clone(), 0));
        record.1 += 1;
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The file that a name leads to, by names alone.
    pub(super) fn file(&self, name: &str) -> Result<String> {
        let outside = || TableError::Name { entry: shown(name) };
        let mut at = clean(name).ok_or_else(outside)?;
        for _ in 0..=MOST_LINKS {
            let entry = || shown(&at);
            let Some((kind, times)) = self.0.get(&at) else {
                return Err(TableError::Missing { entry: entry() }.into());
            };
            // Of two entries with one name, readers disagree which one counts.
            if *times > 1 {
                return Err(TableError::Repeated { entry: entry(), times: *times }.into());
            }
            let leads_out =
                |target: &str| TableError::LeadsOut { entry: entry(), target: shown(target) };
            at = match kind {
                EntryKind::File => return Ok(at),
                EntryKind::Link(target) => {
                    followed(&at, target).ok_or_else(|| leads_out(target))?
                }
                EntryKind::HardLink(target) => clean(target).ok_or_else(|| leads_out(target))?,
                EntryKind::Directory | EntryKind::Other => {
                    return Err(TableError::NotAFile { entry: entry() }.into());
                }
            };
        }
        Err(TableError::Loop { entry: shown(name) }.into())
    }
}

/// Where a symbolic link leads; none if that is outside.
fn followed(link: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
