//! Going through a tar archive, entry by entry, with the extensions that name long paths.
//!
//! The library would read extensions of any length into memory, so they are read here.

use std::io::{self, Read};
use std::ops::ControlFlow;

use stockade_core::Error;

use super::table::TableError;

/// Longest name that an extension may give, in bytes.
const LONGEST_NAME: u64 = 4096;
/// Longest extension in the format of POSIX, in bytes.
const LONGEST_RECORDS: u64 = 64 << 10;
/// Most entries of an archive.
const MOST_ENTRIES: usize = 100_000;

/// An entry of an archive.
pub(super) struct Entry<'a> {
    /// Its name, without `.` and empty parts.
    pub(super) name: String,
    pub(super) kind: EntryKind,
    pub(super) size: u64,
    pub(super) reader: &'a mut dyn Read,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    /// A symbolic link, and what it says.
    Link(String),
    /// A hard link, and the name of another entry.
    HardLink(String),
    /// Neither, which nothing in an image's archive needs to be.
    Other,
}

/// Why it did not go through.
pub(super) enum Failure {
    /// The archive could not be read.
    Read(io::Error),
    /// What is in it does not fit.
    Other(Error),
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self::Read(source)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::Other(error.into())
    }
}

/// What extensions say of the entry that follows.
#[derive(Default)]
struct Said {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl Said {
    /// Records in the format of POSIX.
    fn records(&mut self, bytes: &[u8]) -> io::Result<()> {
        for record in tar::PaxExtensions::new(bytes) {
            let record = record?;
            let value = || record.value_bytes().to_owned();
            match record.key_bytes() {
                b"path" => self.name = Some(value()),
                b"linkpath" => self.link = Some(value()),
                b"size" => {
                    let number = record.value().ok().and_then(|text| text.parse().ok());
                    self.size = Some(number.ok_or(io::ErrorKind::InvalidData)?);
                }
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Shows every entry to `visit`, until it has seen enough.
pub(super) fn walk<R: Read>(
    entries: io::Result<tar::Entries<'_, R>>,
    visit: &mut dyn FnMut(Entry<'_>) -> stockade_core::Result<ControlFlow<()>>,
) -> Result<(), Failure> {
    let mut said = Said::default();
    for (count, entry) in entries?.raw(true).enumerate() {
        let mut entry = entry?;
        if count == MOST_ENTRIES {
            return Err(TableError::Many { most: MOST_ENTRIES }.into());
        }
        let kind = entry.header().entry_type();
        match kind {
            tar::EntryType::GNULongName => said.name = Some(bounded(&mut entry, LONGEST_NAME)?),
            tar::EntryType::GNULongLink => said.link = Some(bounded(&mut entry, LONGEST_NAME)?),
            tar::EntryType::XHeader => {
                let bytes = bounded(&mut entry, LONGEST_RECORDS)?;
                said.records(&bytes)?;
            }
            tar::EntryType::XGlobalHeader => {}
            _ => {
                let said = std::mem::take(&mut said);
                let shown = dressed(&mut entry, &said)?;
                if visit(shown)?.is_break() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// An entry, under the name that extensions give it.
fn dressed<'a, R: Read>(
    entry: &'a mut tar::Entry<'_, R>,
    said: &Said,
) -> Result<Entry<'a>, Failure> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    let raw = match &said.name {
        Some(name) => text(name),
        None => text(&entry.header().path_bytes()),
    };
    let name = clean(&raw).ok_or(TableError::Name { entry: raw })?;
    let link = match (&said.link, entry.header().link_name_bytes()) {
        (Some(link), _) => text(link),
        (None, Some(link)) => text(&link),
        (None, None) => String::new(),
    };
    let size = entry.size();
    if said.size.is_some_and(|said| said != size) {
        return Err(TableError::TwoSizes { entry: name }.into());
    }
    let kind = match entry.header().entry_type() {
        _ if said.sparse => EntryKind::Other,
        tar::EntryType::Regular | tar::EntryType::Continuous => EntryKind::File,
        tar::EntryType::Directory => EntryKind::Directory,
        tar::EntryType::Symlink => EntryKind::Link(link),
        tar::EntryType::Link => EntryKind::HardLink(link),
        _ => EntryKind::Other,
    };
    Ok(Entry { name, kind, size, reader: entry })
}

fn bounded<R: Read>(entry: &mut tar::Entry<'_, R>, most: u64) -> Result<Vec<u8>, Failure> {
    let size = entry.size();
    if size > most {
        return Err(TableError::Extension { size, most }.into());
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name within the archive, without `.` and empty parts; none if it would lead out.
pub(super) fn clean(name: &str) -> Option<String> {
    let parts = || name.split('/').filter(|part| !part.is_empty() && *part != ".");
    let inside = !name.starts_with('/') && parts().all(|part| part != "..");
    inside.then(|| parts().collect::<Vec<_>>().join("/"))
}
