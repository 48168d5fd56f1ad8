//! The host's end of a shelf, from which runs are taken that wait, built and unused.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
    recvmsg, socketpair,
};
use stockade_core::Input;
use stockade_warden::wire::request::{PACKET_BYTES, VERSION, waiting};

use super::LinkError;
use crate::streams::Ends;

/// Where the warden puts runs that wait.
#[derive(Debug)]
pub(crate) struct Shelf {
    socket: OwnedFd,
}

/// A run that waits to be begun. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct WaitingRun {
    gate: OwnedFd,
    ends: Ends,
}

impl Shelf {
    /// A shelf, and the warden's end of it.
    pub(crate) fn new() -> Result<(Self, OwnedFd), LinkError> {
        let kind = SocketType::SEQPACKET;
        let (socket, warden) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
            .map_err(|errno| LinkError::Message(errno.into()))?;
        Ok((Self { socket }, warden))
    }

    /// This end, of which the warden needs a copy to take back what has waited too long.
    pub(crate) fn end(&self) -> &OwnedFd {
        &self.socket
    }

    /// A run that waits, if there is one. It belongs to the caller alone.
    pub(crate) fn take(&self) -> Option<WaitingRun> {
        loop {
            let run = self.receive()?;
            // What it says before it was begun is that it has failed.
            let mut fds = [PollFd::new(&run.ends.socket, PollFlags::IN)];
            if let Ok(0) = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                return Some(run);
            }
        }
    }

    fn receive(&self) -> Option<WaitingRun> {
        let mut bytes = [0u8; PACKET_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(waiting::FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        // None there; or, with the limit on open files reached, none to be had: the run then fails,
        // or finds its descriptors, on the ordinary way.
        let got = recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags);
        let version = u64::from_ne_bytes(bytes[..8].try_into().ok()?);
        if got.ok()?.bytes != PACKET_BYTES || version != VERSION {
            return None;
        }
        let mut fds = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let mut fds = fds.next()?;
        let mut next = || fds.next();
        let (socket, gate) = (next()?, next()?);
        let (stdin, stdin_guard) = (next()?, next()?);
        let outputs = [next()?, next()?];
        Some(WaitingRun {
            gate,
            ends: Ends { socket, stdin: Some(stdin), stdin_guard: Some(stdin_guard), outputs },
        })
    }
}

impl WaitingRun {
    /// Begins the run. Input that is empty has ended when this returns.
    pub(crate) fn begin(mut self, input: &Input) -> io::Result<Ends> {
        if let Input::Empty = input {
            self.ends.stdin = None;
        }
        rustix::io::write(&self.gate, &waiting::GO.to_ne_bytes())?;
        Ok(self.ends)
    }
}
