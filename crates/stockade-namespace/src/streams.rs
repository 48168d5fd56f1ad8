//! The streams of a run: pipes of its own, and the bytes that go through them.

mod feed;
mod live;
mod sink;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
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
    /// The program's end of its input. The host keeps it, so that writing never raises SIGPIPE.
    pub(crate) stdin_guard: OwnedFd,
    pub(crate) outputs: [OwnedFd; 2],
}

/// The program's ends. The host must not keep them, or it would never see a stream end.
#[derive(Debug)]
pub(crate) struct GuestEnds {
    socket: OwnedFd,
    outputs: [OwnedFd; 2],
}

impl Ends {
    /// Makes a socket and three pipes. Input that is empty has ended when this returns.
    pub(crate) fn open(input: &Input) -> Result<(Self, GuestEnds)> {
        let kind = SocketType::SEQPACKET;
        let (socket, guest_socket) =
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        let (stdin_guard, stdin) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stdout, guest_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, guest_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        // Only the host's ends: each end of a pipe has flags of its own.
        set_nonblocking(&stdout)?;
        set_nonblocking(&stderr)?;
        let stdin = match input {
            Input::Empty => None,
            _ => {
                set_nonblocking(&stdin)?;
                Some(stdin)
            }
        };
        let ends = Self { socket, stdin, stdin_guard, outputs: [stdout, stderr] };
        let guest = GuestEnds { socket: guest_socket, outputs: [guest_stdout, guest_stderr] };
        Ok((ends, guest))
    }
}

impl GuestEnds {
    /// What the warden is given, in the order it expects.
    pub(crate) fn all<'a>(&'a self, ends: &'a Ends) -> [BorrowedFd<'a>; 4] {
        let [stdout, stderr] = &self.outputs;
        [self.socket.as_fd(), ends.stdin_guard.as_fd(), stdout.as_fd(), stderr.as_fd()]
    }
}

fn set_nonblocking(fd: &OwnedFd) -> Result<()> {
    fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)
}
