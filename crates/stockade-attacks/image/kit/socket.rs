//! Stream sockets.

use super::meeting::Place;
use super::{Result, call};
use bare::nr;

const UNIX: usize = 1;
const INET: usize = 2;
const STREAM: usize = 1;

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

    fn socket(&self) -> Result<usize> {
        call(nr::SOCKET, [self.family, STREAM, 0])
    }
}

pub fn connect(address: &Address) -> Result<usize> {
    let socket = address.socket()?;
    call(nr::CONNECT, [socket, address.bytes.as_ptr() as usize, address.len])
}

pub fn listen(address: &Address) -> Result<Place> {
    let socket = address.socket()?;
    call(nr::BIND, [socket, address.bytes.as_ptr() as usize, address.len])?;
    call(nr::LISTEN, [socket, 1])?;
    Ok(Place::Descriptor(socket))
}
