//! Root recipes in words, for error messages.

use stockade_warden::wire::reader::Reader;
use stockade_warden::wire::root::{Record, next};

/// What record number `item` of an encoded recipe does.
pub(crate) fn describe(recipe: &[u8], item: usize) -> String {
    let mut reader = Reader::new(recipe);
    let record = (0..=item).map(|_| next(&mut reader)).last().flatten();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    match record {
        None => "its last step, entering it".to_owned(),
        Some(Record::Memory) => "its in-memory root".to_owned(),
        Some(Record::Tree(source)) => format!("the root directory {}", text(source.path)),
        Some(Record::Dir { path, .. }) => format!("the directory {}", text(path)),
        Some(Record::Link { path, .. }) => format!("the link {}", text(path)),
        Some(Record::File { path, .. }) => format!("the file {}", text(path)),
        Some(Record::Tmpfs { path }) => format!("the in-memory directory {}", text(path)),
        Some(Record::Bind { path, source, .. }) => {
            format!("the bind of {} to {}", text(source.path), text(path))
        }
        Some(Record::Proc { path }) => format!("the mount of {}", text(path)),
        Some(Record::Inside { path, .. }) => format!("the file over {}", text(path)),
        Some(Record::Seal { path }) => format!("the seal of {}", text(path)),
    }
}
