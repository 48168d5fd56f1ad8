//! Sockets.

use super::meeting::Place;
use super::{Errno, Result, call, sleep_ms};
use bare::nr;

const UNIX: usize = 1;
const INET: usize = 2;
const STREAM: usize = 1;
const DATAGRAM: usize = 2;
const DONTWAIT: usize = 0x40;

/// Where a socket is.
pub struct Address {
    family: usize,
    bytes: [u8; 110],
    len: usize,
}

impl Address {
    /// A Unix socket with a name and no file, see unix(7).
    pub fn named(name: &[u8]) -> Self {
        let mut bytes = [0; 110];
        bytes[0] = UNIX as u8;
        let len = name.len().min(100);
        bytes[3..3 + len].copy_from_slice(&name[..len]);
        Self { family: UNIX, bytes, len: 3 + len }
    }

    /// A port of the loopback interface.
    pub fn loopback(port: usize) -> Self {
        let mut bytes = [0; 110];
        bytes[0] = INET as u8;
        bytes[2..4].copy_from_slice(&(port as u16).to_be_bytes());
        bytes[4..8].copy_from_slice(&[127, 0, 0, 1]);
        Self { family: INET, bytes, len: 16 }
    }

    /// A socket on which this call was made with the address.
    fn socket(&self, kind: usize, number: usize) -> Result<usize> {
        let socket = call(nr::SOCKET, [self.family, kind, 0])?;
        call(number, [socket, self.bytes.as_ptr() as usize, self.len])?;
        Ok(socket)
    }
}

pub fn connect(address: &Address) -> Result<usize> {
    address.socket(STREAM, nr::CONNECT)
}

pub fn listen(address: &Address) -> Result<Place> {
    let socket = address.socket(STREAM, nr::BIND)?;
    call(nr::LISTEN, [socket, 1])?;
    Ok(Place::Descriptor(socket))
}

/// Sends a datagram there, and waits a while for an answer. That it could be sent says nothing.
pub fn ask_datagram(address: &Address) -> Result<usize> {
    let socket = address.socket(DATAGRAM, nr::CONNECT)?;
    let mut answer = super::write(socket, b"anybody there?");
    for _ in 0..10 {
        if answer.is_err() {
            break;
        }
        sleep_ms(2);
        let mut bytes = [0u8; 16];
        let into = bytes.as_mut_ptr() as usize;
        answer = call(nr::RECVFROM, [socket, into, bytes.len(), DONTWAIT, 0, 0]);
        match answer {
            Err(Errno::EAGAIN) => answer = Ok(0),
            _ => break,
        }
    }
    super::close(socket);
    answer.and_then(|len| if len == 0 { Err(Errno::EAGAIN) } else { Ok(len) })
}

/// A socket that takes datagrams there.
pub fn open_datagram(address: &Address) -> Result<Place> {
    address.socket(DATAGRAM, nr::BIND).map(Place::Answering)
}

/// Sends what has arrived back to where it came from.
pub fn answer_datagram(socket: usize) -> Result<usize> {
    let mut bytes = [0u8; 16];
    let (mut from, mut len) = ([0u8; 16], 16u32);
    let (at, whence) = (bytes.as_mut_ptr() as usize, from.as_mut_ptr() as usize);
    let size = &raw mut len as usize;
    let got = call(nr::RECVFROM, [socket, at, bytes.len(), DONTWAIT, whence, size])?;
    call(nr::SENDTO, [socket, at, got, DONTWAIT, whence, 16])
}
