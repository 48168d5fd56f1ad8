//! What a program prints: kept up to the limit, counted beyond it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;

/// How much is read at once; as much as a pipe holds.
const CHUNK: usize = 64 << 10;
/// Chunks read before others get their turn.
const CHUNKS_AT_ONCE: usize = 64;

/// Output on its way from a program. Memory is bounded by the limit, whatever is printed.
#[derive(Debug)]
pub(crate) struct Sink {
    /// `None` once the stream has ended, or when somebody else reads it.
    pipe: Option<OwnedFd>,
    keep: bool,
    kept: Vec<u8>,
    /// Bytes the program has printed, as far as they were read.
    pub(crate) seen: u64,
    limit: Option<u64>,
    /// Whether reading goes on beyond the limit, to drop what comes.
    drop_rest: bool,
}

impl Sink {
    /// Reads `pipe`; keeps what it reads only with `keep`.
    pub(crate) fn new(pipe: Option<OwnedFd>, keep: bool, limit: Option<u64>) -> Self {
        Self { pipe, keep, kept: Vec::new(), seen: 0, limit, drop_rest: false }
    }

    /// What has to become readable.
    pub(crate) fn readable(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Whether more was printed than the limit allows.
    pub(crate) fn over(&self) -> bool {
        self.limit.is_some_and(|limit| self.seen > limit)
    }

    /// From now on, what is beyond the limit is read and dropped.
    pub(crate) fn drop_rest(&mut self) {
        self.drop_rest = true;
    }

    /// What was kept.
    pub(crate) fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    /// Does what poll(2) says there is to do: reads, or takes note of the end.
    pub(crate) fn hear(&mut self, news: PollFlags, buffer: &mut Vec<u8>) {
        if news.contains(PollFlags::IN) {
            self.drain(buffer);
        } else if !news.is_empty() {
            self.pipe = None;
        }
    }

    /// Reads what is there, but no further than one byte beyond the limit unless the rest is to be
    /// dropped: then the limit is known to be passed at exactly that byte.
    pub(crate) fn drain(&mut self, buffer: &mut Vec<u8>) {
        // Bounded, so that the other streams and the report get their turn.
        for _ in 0..CHUNKS_AT_ONCE {
            let Some(pipe) = &self.pipe else { return };
            buffer.reserve(CHUNK);
            let mut room = CHUNK;
            if let Some(limit) = self.limit.filter(|_| !self.drop_rest) {
                let left = limit.saturating_add(1).saturating_sub(self.seen);
                room = room.min(usize::try_from(left).unwrap_or(CHUNK));
                if room == 0 {
                    return;
                }
            }
            match rustix::io::read(pipe, &mut buffer.spare_capacity_mut()[..room]) {
                Ok(([], _)) => self.pipe = None,
                Ok((bytes, _)) => self.take(bytes),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.keep {
            let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.seen));
            let len = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.kept.extend(&bytes[..len]);
        }
        self.seen += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::{PipeFlags, pipe_with};

    fn sink(limit: u64) -> (Sink, OwnedFd) {
        let (reader, writer) =
            pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("a pipe can be made");
        (Sink::new(Some(reader), true, Some(limit)), writer)
    }

    #[test]
    fn exactly_the_limit_is_not_over_it() {
        let (mut sink, writer) = sink(5);
        rustix::io::write(&writer, b"12345").expect("the pipe takes five bytes");
        sink.drain(&mut Vec::new());
        assert!(!sink.over());
        assert_eq!(sink.into_kept(), b"12345");
    }

    #[test]
    fn one_byte_more_is_over_it_and_no_further_byte_is_read() {
        let (mut sink, writer) = sink(5);
        rustix::io::write(&writer, b"123456789").expect("the pipe takes nine bytes");
        sink.drain(&mut Vec::new());
        assert!(sink.over());
        assert_eq!(sink.seen, 6);
        assert_eq!(sink.into_kept(), b"12345");
    }

    #[test]
    fn the_rest_is_dropped_and_counted_when_asked() {
        let (mut sink, writer) = sink(2);
        sink.drop_rest();
        rustix::io::write(&writer, b"123456789").expect("the pipe takes nine bytes");
        sink.drain(&mut Vec::new());
        assert_eq!(sink.seen, 9);
        assert_eq!(sink.into_kept(), b"12");
    }
}
