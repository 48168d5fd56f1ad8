//! Messages to the warden and its answers.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg,
    sendmsg,
};
use stockade_warden::wire::request::{
    self, Operation, PACKET_BYTES, PACKET_WORDS, Packet, VERSION,
};

use super::{LinkError, launch};

/// How long the warden may be silent before it is continued, should somebody have stopped it.
const SILENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Waits until one of these is ready, and calls `nudge` now and then.
pub(crate) fn wait_nudging(fds: &mut [PollFd<'_>], nudge: impl Fn()) -> rustix::io::Result<()> {
    while !wait_once(fds, &SILENCE)? {
        nudge();
    }
    Ok(())
}

/// Waits until one of these is ready, for this long at most and not past a signal; says whether one
/// is.
pub(crate) fn wait_once(fds: &mut [PollFd<'_>], time: &Timespec) -> rustix::io::Result<bool> {
    match poll(fds, Some(time)) {
        Ok(0) | Err(Errno::INTR) => Ok(false),
        Ok(_) => Ok(true),
        Err(errno) => Err(errno),
    }
}

pub(super) fn sealed(name: &str, contents: &[u8]) -> Result<OwnedFd, LinkError> {
    launch::sealed(name, contents).map_err(|errno| LinkError::Message(errno.into()))
}

pub(super) fn packet(operation: Operation) -> Packet {
    let mut packet = [0; PACKET_WORDS];
    packet[0] = VERSION;
    packet[1] = operation as u64;
    packet
}

/// Sends a packet; calls `nudge` now and then while there is no room for it.
pub(super) fn send(
    socket: &OwnedFd,
    packet: &Packet,
    fds: &[BorrowedFd<'_>],
    nudge: impl Fn(),
) -> Result<(), LinkError> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let bytes: Vec<u8> = packet.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(request::MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(LinkError::Message(io::Error::from(io::ErrorKind::InvalidInput)));
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                wait_nudging(&mut [PollFd::new(socket, PollFlags::OUT)], &nudge)
                    .map_err(|errno| LinkError::Message(errno.into()))?;
            }
            Err(Errno::PIPE | Errno::CONNRESET) => return Err(LinkError::Lost),
            Err(errno) => return Err(LinkError::Message(errno.into())),
            Ok(_) => return Ok(()),
        }
    }
}

pub(super) fn receive(socket: &OwnedFd) -> Result<Packet, LinkError> {
    let mut bytes = [0u8; PACKET_BYTES];
    let mut space = RecvAncillaryBuffer::default();
    loop {
        let mut iov = [IoSliceMut::new(&mut bytes)];
        match recvmsg(socket, &mut iov, &mut space, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            Ok(message) if message.bytes == PACKET_BYTES => break,
            Ok(_) | Err(_) => return Err(LinkError::Lost),
        }
    }
    let mut packet = [0; PACKET_WORDS];
    for (word, chunk) in packet.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    Ok(packet)
}
