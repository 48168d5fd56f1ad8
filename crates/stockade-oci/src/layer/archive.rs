//! The entries of a tar archive, one after the other.
//!
//! [`tar`] reads the fields of a header. What headers follow each other is read here and not by its
//! iterator, for three reasons: that one holds extended headers of any size in memory; tells their records
//! apart by line ends, so that one in the value of an attribute hides the records after it, a size among
//! them; and takes whichever size it finds where two disagree.

use std::io::{self, BufRead, Read};

use tar::{EntryType, Header};

use super::Meter;
use super::error::{LayerError, Place, Refusal, Trouble};
use super::pax::Extended;
use super::timestamp;

const BLOCK: u64 = 512;

/// Bytes of an extended header at most. Those of attributes are the longest, and a file system has less
/// room for them.
const EXTENDED: u64 = 1 << 20;

/// Bytes of zeros at the end at most.
const PADDING: u64 = 64 << 20;

/// The least size that the eleven octal digits of a header cannot say.
const OCTAL_END: u64 = 1 << 33;

/// What an entry is, of what is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    SymbolicLink,
    HardLink,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// As the archive has it: neither checked nor short.
    pub(super) name: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) size: u64,
    pub(super) mode: u32,
    /// Seconds and nanoseconds.
    pub(super) mtime: (i64, u32),
}

/// What headers before it say of an entry.
#[derive(Default)]
struct Ahead {
    /// What is wrong with it is said when the entry's name is known.
    extended: Option<Result<Extended, Refusal>>,
    long_name: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
}

impl Ahead {
    fn is_empty(&self) -> bool {
        self.extended.is_none() && self.long_name.is_none() && self.long_target.is_none()
    }
}

pub(super) struct Archive<R> {
    input: R,
    /// Where the input is.
    offset: u64,
    /// Bytes of the current entry's contents that are still to be read, and of zeros behind them.
    contents: u64,
    padding: u64,
}

impl<R: BufRead> Archive<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, offset: 0, contents: 0, padding: 0 }
    }

    /// The next entry, or nothing at the end. The contents of the one before must have been read.
    pub(super) fn next(&mut self, meter: &mut Meter) -> Result<Option<Entry>, LayerError> {
        let mut ahead = Ahead::default();
        loop {
            let place = Place::Header(self.offset + self.padding);
            match self.header().map_err(|trouble| trouble.at(place.clone()))? {
                Some(header) => {
                    let entry = self.take(&header, &mut ahead, meter);
                    if let Some(entry) = entry
                        .map_err(|(named, trouble)| trouble.at(named.map_or(place, Place::Entry)))?
                    {
                        return Ok(Some(entry));
                    }
                }
                None if ahead.is_empty() => {
                    self.finish().map_err(|trouble| trouble.at(Place::End))?;
                    return Ok(None);
                }
                None => return Err(Trouble::from(Refusal::Dangling).at(place)),
            }
        }
    }

    /// Some of the current entry's contents, empty when all have been read; [`consume`](Self::consume)
    /// says how many of them are done with.
    pub(super) fn contents(&mut self) -> io::Result<&[u8]> {
        if self.contents == 0 {
            return Ok(&[]);
        }
        let ready = self.input.fill_buf()?;
        if ready.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let most = usize::try_from(self.contents).unwrap_or(usize::MAX);
        Ok(&ready[..ready.len().min(most)])
    }

    pub(super) fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
        self.contents -= amount as u64;
        self.offset += amount as u64;
    }

    /// The next header that is not all zeros.
    fn header(&mut self) -> Result<Option<Header>, Trouble> {
        debug_assert_eq!(self.contents, 0, "the contents were read");
        let padding = std::mem::take(&mut self.padding);
        self.skip(padding)?;
        let mut header = Header::new_old();
        if self.input.fill_buf().map_err(Trouble::Unreadable)?.is_empty() {
            return Ok(None);
        }
        self.input.read_exact(header.as_mut_bytes()).map_err(Trouble::Unreadable)?;
        self.offset += BLOCK;
        if header.as_bytes().iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if header.cksum().ok() != Some(checksum(header.as_bytes())) {
            return Err(Refusal::Malformed { field: "checksum" }.into());
        }
        Ok(Some(header))
    }

    fn skip(&mut self, amount: u64) -> Result<(), Trouble> {
        let skipped = io::copy(&mut self.input.by_ref().take(amount), &mut io::sink())
            .map_err(Trouble::Unreadable)?;
        self.offset += skipped;
        if skipped < amount {
            return Err(Refusal::Truncated.into());
        }
        Ok(())
    }

    /// The entry of this header, or nothing if it describes one that follows. An error comes with the
    /// entry's name as soon as that is known.
    fn take(
        &mut self,
        header: &Header,
        ahead: &mut Ahead,
        meter: &mut Meter,
    ) -> Result<Option<Entry>, (Option<Vec<u8>>, Trouble)> {
        let unnamed = |trouble: Trouble| (None, trouble);
        let size = header_size(header).map_err(|refusal| unnamed(refusal.into()))?;
        match header.entry_type() {
            EntryType::XHeader => {
                let data = self.extension(size, meter).map_err(unnamed)?;
                let extended = Extended::parse(&data);
                put(&mut ahead.extended, extended, "an extended header").map_err(unnamed)?;
            }
            EntryType::XGlobalHeader => {
                meter.count().map_err(|refusal| unnamed(refusal.into()))?;
                let data = self.extension(size, meter).map_err(unnamed)?;
                Extended::check_global(&data).map_err(|refusal| unnamed(refusal.into()))?;
            }
            EntryType::GNULongName => {
                let name = self.extension(size, meter).map_err(unnamed)?;
                put(&mut ahead.long_name, name, "a name").map_err(unnamed)?;
            }
            EntryType::GNULongLink => {
                let target = self.extension(size, meter).map_err(unnamed)?;
                put(&mut ahead.long_target, target, "a link target").map_err(unnamed)?;
            }
            _ => {
                let ahead = std::mem::take(ahead);
                return self.entry(header, size, ahead, meter).map(Some);
            }
        }
        Ok(None)
    }

    /// The contents of a header that describes a later one.
    fn extension(&mut self, size: u64, meter: &mut Meter) -> Result<Vec<u8>, Trouble> {
        if size > EXTENDED {
            let field = "description of the entry that follows";
            return Err(Refusal::TooLong { field, length: size, bound: EXTENDED }.into());
        }
        meter.charge(size)?;
        let mut data = Vec::new();
        self.input.by_ref().take(size).read_to_end(&mut data).map_err(Trouble::Unreadable)?;
        self.offset += data.len() as u64;
        if (data.len() as u64) < size {
            return Err(Refusal::Truncated.into());
        }
        self.padding = padding(size);
        Ok(data)
    }

    fn entry(
        &mut self,
        header: &Header,
        size: u64,
        ahead: Ahead,
        meter: &mut Meter,
    ) -> Result<Entry, (Option<Vec<u8>>, Trouble)> {
        let extended = ahead
            .extended
            .transpose()
            .map_err(|refusal| (Some(header.path_bytes().into_owned()), refusal.into()))?;
        let extended = extended.unwrap_or_default();
        let name = either(ahead.long_name, extended.path, "name")
            .map_err(|refusal| (None, refusal.into()))?
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let described = || {
            meter.count()?;
            let target = either(ahead.long_target, extended.linkpath, "link target")?
                .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
                .unwrap_or_default();
            let kind = kind(header.entry_type(), &name)?;
            let size = agreed(size, extended.size)?;
            if kind != Kind::File && size > 0 {
                return Err(Refusal::Contents { size });
            }
            let mode = header.mode().map_err(|_| Refusal::Malformed { field: "mode" })?;
            meter.charge(size)?;
            Ok((kind, target, size, mode))
        };
        let (kind, target, size, mode) =
            described().map_err(|refusal| (Some(name.clone()), refusal.into()))?;
        let of_header = || (header.mtime().map_or(0, timestamp::sane), 0);
        let mtime = extended.mtime.unwrap_or_else(of_header);
        self.contents = size;
        self.padding = padding(size);
        Ok(Entry { kind, name, target, size, mode, mtime })
    }

    /// Reads to the end, so that the layer's digest and the checks of its compression cover all of it.
    fn finish(&mut self) -> Result<(), Trouble> {
        let mut zeros = 0;
        loop {
            let ready = self.input.fill_buf().map_err(Trouble::Unreadable)?;
            zeros += ready.len() as u64;
            if zeros > PADDING || ready.iter().any(|&byte| byte != 0) {
                return Err(Refusal::Trailing.into());
            }
            match ready.len() {
                0 => return Ok(()),
                amount => self.input.consume(amount),
            }
        }
    }
}

fn put<T>(field: &mut Option<T>, value: T, what: &'static str) -> Result<(), Trouble> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refusal::Twice { what }.into()),
    }
}

/// The name that GNU's header or the extended one gives: readers differ in which of two they take.
fn either(
    gnu: Option<Vec<u8>>,
    extended: Option<Vec<u8>>,
    field: &'static str,
) -> Result<Option<Vec<u8>>, Refusal> {
    match (gnu, extended) {
        (Some(_), Some(_)) => Err(Refusal::Twice { what: "a long name or link target" }),
        (Some(mut name), None) => {
            // GNU's has a NUL at its end, which is not part of it.
            name.pop_if(|last| *last == 0);
            if name.contains(&0) {
                return Err(Refusal::Nul { field });
            }
            Ok(Some(name))
        }
        (None, extended) => Ok(extended),
    }
}

fn kind(of: EntryType, name: &[u8]) -> Result<Kind, Refusal> {
    match of {
        // The oldest archives tell directories by their names alone.
        EntryType::Regular if name.ends_with(b"/") => Ok(Kind::Directory),
        EntryType::Regular | EntryType::Continuous => Ok(Kind::File),
        EntryType::Directory => Ok(Kind::Directory),
        EntryType::Symlink => Ok(Kind::SymbolicLink),
        EntryType::Link => Ok(Kind::HardLink),
        EntryType::Char | EntryType::Block => Err(Refusal::Device),
        EntryType::Fifo => Err(Refusal::Fifo),
        EntryType::GNUSparse => Err(Refusal::Sparse),
        other => Err(Refusal::Type(other.as_byte())),
    }
}

/// Two sizes must agree. Where the header's has no room for it, writers leave zero or all digits there.
fn agreed(header: u64, extended: Option<u64>) -> Result<u64, Refusal> {
    match extended {
        None => Ok(header),
        Some(extended) if extended == header => Ok(header),
        Some(extended) if extended >= OCTAL_END && [0, OCTAL_END - 1].contains(&header) => {
            Ok(extended)
        }
        Some(extended) => Err(Refusal::SizeMismatch { header, extended }),
    }
}

/// In binary the field has twelve bytes, of which [`tar`] takes the last eight for all of it.
fn header_size(header: &Header) -> Result<u64, Refusal> {
    let field = &header.as_old().size;
    let malformed = Refusal::Malformed { field: "size" };
    if field[0] & 0x80 != 0 && field[..4] != [0x80, 0, 0, 0] {
        return Err(malformed);
    }
    header.entry_size().map_err(|_| malformed)
}

/// The sum of all bytes, those of the sum itself as if they were spaces.
fn checksum(block: &[u8; 512]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK
}
