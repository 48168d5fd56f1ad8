//! How a layer or an archive is compressed, and reading it as if it were not.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Bytes that are read ahead.
pub(crate) const BUFFER: usize = 128 << 10;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952), in one member or several.
    Gzip,
    /// Zstandard (RFC 8878), in one frame or several.
    Zstd,
}

impl Compression {
    /// How many bytes tell.
    pub(crate) const TOLD_BY: usize = 4;

    /// What bytes say by how they begin.
    pub(crate) fn of(begin: &[u8]) -> Self {
        match begin {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A frame to be skipped stands first in some.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The bytes before they were compressed.
    pub(crate) fn reader<'a>(self, compressed: impl Read + 'a) -> Box<dyn Read + 'a> {
        match self {
            Self::None => Box::new(compressed),
            Self::Gzip => Box::new(MultiGzDecoder::new(buffered(compressed))),
            Self::Zstd => Box::new(Frames::new(buffered(compressed))),
        }
    }
}

fn buffered<R: Read>(compressed: R) -> BufReader<R> {
    BufReader::with_capacity(BUFFER, compressed)
}

/// Frames of Zstandard, one after the other. Those to be skipped are skipped: some tools keep an index of
/// the layer in one.
///
/// The decoder refuses a window of more than 128 MiB, which is what it may make us allocate.
struct Frames<R> {
    compressed: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(compressed: R) -> Self {
        Self { compressed, decoder: FrameDecoder::new(), within: false }
    }

    /// Begins the next frame; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        while !self.compressed.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.compressed) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped =
                        io::copy(&mut self.compressed.by_ref().take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(invalid(error)),
            }
        }
        Ok(false)
    }
}

fn invalid(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if self.within {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder.decode_blocks(&mut self.compressed, one).map_err(invalid)?;
                }
                let read = self.decoder.read(buf)?;
                if read > 0 {
                    return Ok(read);
                }
            }
            self.within = self.next()?;
            if !self.within {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests;
