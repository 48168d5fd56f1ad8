//! The archive within a layer: what it is compressed with is told by how it begins.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use crate::compression::{BUFFER, Compression};

/// The archive in `layer`, decompressed.
pub(super) fn decompressed<'a>(mut layer: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut start = Vec::with_capacity(Compression::TOLD_BY);
    layer.by_ref().take(Compression::TOLD_BY as u64).read_to_end(&mut start)?;
    let compression = Compression::of(&start);
    let plain = compression.reader(Cursor::new(start).chain(layer));
    Ok(Box::new(BufReader::with_capacity(BUFFER, plain)))
}
