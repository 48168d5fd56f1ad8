//! Sockets.

use super::{Fd, Result, call, nr, plain};
use crate::wire::request::{MAX_FDS, PACKET_BYTES, PACKET_WORDS, Packet};

const AF_UNIX: usize = 1;
const AF_INET: usize = 2;
const SOCK_STREAM: usize = 1;
const SOCK_DGRAM: usize = 2;
const SOCK_SEQPACKET: usize = 5;
const SOCK_CLOEXEC: usize = 0o2_000_000;
const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
const SCM_RIGHTS: u32 = 1;
const SOL_SOCKET: u32 = 1;
const SIOCGIFFLAGS: usize = 0x8913;
const SIOCSIFFLAGS: usize = 0x8914;
const IFF_UP: u16 = 1;

#[repr(C)]
struct MsgHdr {
    name: usize,
    name_len: u32,
    iov: *const [usize; 2],
    iov_len: usize,
    control: *mut u8,
    control_len: usize,
    flags: i32,
}

/// Room for one control message of descriptors, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control {
    len: usize,
    level: u32,
    kind: u32,
    fds: [Fd; MAX_FDS],
}

/// A packet and what came with it; `None` at the end of the stream.
pub struct Received {
    pub packet: Packet,
    pub fds: [Fd; MAX_FDS],
    pub count: usize,
}

/// Has the kernel continue this process when something arrives at `socket`, or its end, should
/// somebody have stopped it; see fcntl(2). To a process that runs, the signal means nothing.
pub fn continue_on_news(socket: Fd) -> Result<()> {
    const F_GETFL: usize = 3;
    const F_SETFL: usize = 4;
    const F_SETOWN: usize = 8;
    const F_SETSIG: usize = 10;
    const O_ASYNC: usize = 0o20_000;
    const SIGCONT: usize = 18;
    // SAFETY: takes numbers.
    let control = |what, value| unsafe { plain(nr::FCNTL, [socket as usize, what, value]) };
    control(F_SETOWN, super::pid() as usize)?;
    control(F_SETSIG, SIGCONT)?;
    let flags = control(F_GETFL, 0)?;
    control(F_SETFL, flags | O_ASYNC).map(|_| ())
}

/// Receives one packet without waiting.
pub fn receive(socket: Fd) -> Result<Option<Received>> {
    let mut packet: Packet = [0; PACKET_WORDS];
    let mut control = Control { len: 0, level: 0, kind: 0, fds: [0; MAX_FDS] };
    let iov = [packet.as_mut_ptr() as usize, PACKET_BYTES];
    let mut header = MsgHdr {
        name: 0,
        name_len: 0,
        iov: &raw const iov,
        iov_len: 1,
        control: (&raw mut control).cast(),
        control_len: size_of::<Control>(),
        flags: 0,
    };
    let flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    let args = [socket as usize, &raw mut header as usize, flags, 0, 0, 0];
    // SAFETY: the header describes the packet and the control buffer with their true sizes.
    let len = unsafe { call(nr::RECVMSG, args) }?;
    let mut received = Received { packet, fds: [0; MAX_FDS], count: 0 };
    if control.level == SOL_SOCKET && control.kind == SCM_RIGHTS && header.control_len >= 16 {
        received.count = (control.len.saturating_sub(16) / 4).min(MAX_FDS);
        received.fds = control.fds;
    }
    Ok((len != 0).then_some(received))
}

/// Sends bytes as one packet, never waiting and never raising SIGPIPE.
pub fn send(socket: Fd, bytes: &[u8]) -> Result<usize> {
    let flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    let args = [socket as usize, bytes.as_ptr() as usize, bytes.len(), flags, 0, 0];
    // SAFETY: reads the slice.
    unsafe { call(nr::SENDTO, args) }
}

/// Sends words as one packet.
pub fn send_words(socket: Fd, words: &[u64]) -> Result<usize> {
    let len = size_of_val(words);
    let flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    let args = [socket as usize, words.as_ptr() as usize, len, flags, 0, 0];
    // SAFETY: reads the slice.
    unsafe { call(nr::SENDTO, args) }
}

/// Receives one byte without waiting; `None` at the end of the stream.
pub fn receive_byte(socket: Fd) -> Result<Option<u8>> {
    let mut byte = [0u8];
    let args = [socket as usize, byte.as_mut_ptr() as usize, 1, MSG_DONTWAIT, 0, 0];
    // SAFETY: writes at most one byte.
    let len = unsafe { call(nr::RECVFROM, args) }?;
    Ok((len != 0).then_some(byte[0]))
}

/// Sends a packet with descriptors, never waiting and never raising SIGPIPE.
pub fn send_with<const N: usize>(socket: Fd, packet: &Packet, fds: &[Fd; N]) -> Result<usize> {
    const { assert!(N <= MAX_FDS) };
    let len = 16 + size_of_val(fds);
    let mut control = Control { len, level: SOL_SOCKET, kind: SCM_RIGHTS, fds: [0; MAX_FDS] };
    control.fds[..N].copy_from_slice(fds);
    let iov = [packet.as_ptr() as usize, PACKET_BYTES];
    let header = MsgHdr {
        name: 0,
        name_len: 0,
        iov: &raw const iov,
        iov_len: 1,
        control: (&raw mut control).cast(),
        control_len: len,
        flags: 0,
    };
    let flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    let args = [socket as usize, &raw const header as usize, flags, 0, 0, 0];
    // SAFETY: the header describes the packet and the control buffer, of which `len` bytes are set.
    unsafe { call(nr::SENDMSG, args) }
}

/// Two connected stream sockets.
pub fn socket_pair() -> Result<[Fd; 2]> {
    pair_of(SOCK_STREAM)
}

/// Two connected sockets that keep packets apart.
pub fn packet_pair() -> Result<[Fd; 2]> {
    pair_of(SOCK_SEQPACKET)
}

fn pair_of(kind: usize) -> Result<[Fd; 2]> {
    let mut fds = [0; 2];
    let args = [AF_UNIX, kind | SOCK_CLOEXEC, 0, fds.as_mut_ptr() as usize, 0, 0];
    // SAFETY: writes two descriptors.
    unsafe { call(nr::SOCKETPAIR, args) }?;
    Ok(fds)
}

#[repr(C)]
struct IfReq {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Whether loopback of the current network namespace is up; sets it up first if asked to.
pub fn loopback(set_up: bool) -> Result<bool> {
    // SAFETY: takes numbers.
    let socket = unsafe { plain(nr::SOCKET, [AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0]) }?;
    let mut request = IfReq { name: [0; 16], flags: 0, rest: [0; 22] };
    request.name[..2].copy_from_slice(b"lo");
    let at = &raw mut request as usize;
    // SAFETY: reads and writes one ifreq, which is 40 bytes.
    let mut result = unsafe { call(nr::IOCTL, [socket, SIOCGIFFLAGS, at, 0, 0, 0]) };
    if set_up && result.is_ok() {
        request.flags |= IFF_UP;
        // SAFETY: reads one ifreq.
        result = unsafe { call(nr::IOCTL, [socket, SIOCSIFFLAGS, at, 0, 0, 0]) };
    }
    super::close(socket as Fd);
    result.map(|_| request.flags & IFF_UP != 0)
}
