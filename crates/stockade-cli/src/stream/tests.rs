use std::io::{self, ErrorKind, Read, Write};

use super::{next, write_all};

/// Takes one byte at a time, and is not ready every other time.
#[derive(Default)]
struct Reluctant {
    taken: Vec<u8>,
    ready: bool,
}

impl Reluctant {
    fn turn(&mut self) -> io::Result<()> {
        self.ready = !self.ready;
        if self.ready { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
    }
}

impl Write for Reluctant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.turn()?;
        self.taken.push(bytes[0]);
        Ok(1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Reluctant {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        self.turn()?;
        let Some(byte) = self.taken.pop() else { return Ok(0) };
        block[0] = byte;
        Ok(1)
    }
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn partial_writes_and_unready_descriptors_lose_nothing() {
    let mut to = Reluctant::default();
    write_all(&mut to, b"abc").expect("all of it goes through");
    assert_eq!(to.taken, b"abc");
}

#[test]
fn an_unready_descriptor_is_read_to_its_end() {
    let mut from = Reluctant { taken: b"ab".to_vec(), ready: true };
    let mut block = [0; 8];
    assert_eq!(next(&mut from, &mut block), Some(&b"b"[..]));
    assert_eq!(next(&mut from, &mut block), Some(&b"a"[..]));
    assert_eq!(next(&mut from, &mut block), None);
}

#[test]
fn a_reader_that_is_gone_is_told() {
    let error = write_all(&mut Broken, b"x").expect_err("nobody reads");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}
