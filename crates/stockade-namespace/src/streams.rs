//! The streams of a run: pipes of its own, and the bytes that go through them.

mod feed;
mod live;
mod sink;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Result;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::{ClockId, clock_gettime};
use stockade_core::Input;

pub(crate) use feed::Feed;
pub(crate) use live::{LiveInput, LiveOutput, Meter};
pub(crate) use sink::Sink;

/// Nanoseconds of `CLOCK_MONOTONIC`, the clock of the warden's boards.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// The host's ends of everything between a host and a run.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) socket: OwnedFd,
    pub(crate) stdin: Option<OwnedFd>,
    /// The program's end of an input that there is something to write to. The host keeps it, so
    /// that writing never raises SIGPIPE.
    pub(crate) stdin_guard: Option<OwnedFd>,
    pub(crate) outputs: [OwnedFd; 2],
}

/// The program's ends. The host must not keep them, or it would never see a stream end.
#[derive(Debug)]
pub(crate) struct GuestEnds {
    socket: OwnedFd,
    outputs: [OwnedFd; 2],
}

impl Ends {
    /// Makes a socket and the pipes. Input that is empty has none: the warden makes one that has
    /// ended. Pipes do not wait; the program's ends of them will, before it runs.
    pub(crate) fn open(input: &Input) -> Result<(Self, GuestEnds)> {
        let kind = SocketType::SEQPACKET;
        let (socket, guest_socket) =
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        let pipe = || pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK);
        let (stdin_guard, stdin) = match input {
            Input::Empty => (None, None),
            _ => pipe().map(|(guard, stdin)| (Some(guard), Some(stdin)))?,
        };
        let (stdout, guest_stdout) = pipe()?;
        let (stderr, guest_stderr) = pipe()?;
        let ends = Self { socket, stdin, stdin_guard, outputs: [stdout, stderr] };
        let guest = GuestEnds { socket: guest_socket, outputs: [guest_stdout, guest_stderr] };
        Ok((ends, guest))
    }
}

impl GuestEnds {
    /// What the warden is given, in the order it expects.
    pub(crate) fn all<'a>(&'a self, ends: &'a Ends) -> Vec<BorrowedFd<'a>> {
        let [stdout, stderr] = &self.outputs;
        let ends = [Some(&self.socket), Some(stdout), Some(stderr), ends.stdin_guard.as_ref()];
        ends.into_iter().flatten().map(AsFd::as_fd).collect()
    }
}
