//! [`Channel`]: how the runtime and the process that becomes a container's take turns.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use crate::failure::{Context, Failure, Outcome};

/// A turn. Before the first one the child waits to be told its process id, which is when its ids are mapped
/// and it is in its control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Turn {
    /// To the runtime: the namespaces and mounts are there, the old root still is.
    Hooks = b'H',
    /// To the child: those hooks are done.
    Hooked = b'h',
    /// To the runtime: nothing is left to be done but what follows `start`.
    Ready = b'R',
}

/// One end of a pair of sockets that keep messages apart. It is closed by execve(2).
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// What a failure begins with; the rest is its text.
const FAILURE: u8 = b'E';
/// A process id, in decimal.
const PROCESS: u8 = b'P';
/// More than any message here.
const LONGEST: usize = 8 << 10;

impl Channel {
    /// Both ends.
    pub(crate) fn pair() -> Outcome<(Self, Self)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .context(|| "making a channel".into())?;
        Ok((Self(ours), Self(theirs)))
    }

    /// Passes the turn.
    pub(crate) fn say(&self, turn: Turn) -> Outcome<()> {
        self.send(&[turn as u8])
    }

    /// Tells the other side that nothing will come of it. Whether it still listens does not matter.
    pub(crate) fn fail(&self, failure: &Failure) {
        let mut message = vec![FAILURE];
        message.extend(failure.to_string().bytes().take(LONGEST - 1));
        let _ = self.send(&message);
    }

    /// Says which process is the container's.
    pub(crate) fn name(&self, pid: i32) -> Outcome<()> {
        self.send(format!("{}{pid}", char::from(PROCESS)).as_bytes())
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// What the other side failed with; or that it is gone, or that it said something else.
    pub(crate) fn expect(&self, turn: Turn) -> Outcome<()> {
        match self.receive()?.as_slice() {
            [said] if *said == turn as u8 => Ok(()),
            said => Err(unexpected(said)),
        }
    }

    /// Waits for the other side to close its end, which is what a program that has taken over has done.
    ///
    /// # Errors
    /// What the other side failed with.
    pub(crate) fn expect_end(&self) -> Outcome<()> {
        match self.message()?.as_slice() {
            [] => Ok(()),
            said => Err(unexpected(said)),
        }
    }

    /// Waits for the id of the container's process, as the runtime sees it.
    pub(crate) fn process(&self) -> Outcome<i32> {
        let message = self.receive()?;
        let text = message.strip_prefix(&[PROCESS]).and_then(|text| str::from_utf8(text).ok());
        text.and_then(|text| text.parse().ok()).ok_or_else(|| unexpected(&message))
    }

    fn send(&self, message: &[u8]) -> Outcome<()> {
        loop {
            match send(&self.0, message, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return sent.map(drop).context(|| "the other process is gone".into()),
            }
        }
    }

    fn receive(&self) -> Outcome<Vec<u8>> {
        let message = self.message()?;
        if message.is_empty() {
            return Err(Failure::new("the process ended before the container was ready"));
        }
        Ok(message)
    }

    /// Nothing once the other end is closed.
    fn message(&self) -> Outcome<Vec<u8>> {
        let mut buffer = vec![0; LONGEST];
        let length = loop {
            match recv(&self.0, buffer.as_mut_slice(), RecvFlags::empty()) {
                Err(Errno::INTR) => {}
                received => break received.context(|| "reading the channel".into())?.0,
            }
        };
        buffer.truncate(length);
        match buffer.split_first() {
            Some((&FAILURE, text)) => Err(Failure::new(String::from_utf8_lossy(text))),
            _ => Ok(buffer),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn unexpected(said: &[u8]) -> Failure {
    Failure::new(format!("unexpected message `{}`", said.escape_ascii()))
}
