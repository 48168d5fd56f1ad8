//! Leaves data in sockets that nobody reads from.

use crate::kit::{self, Args, Errno, nr};

const SOL_SOCKET: usize = 1;
const SO_SNDBUF: usize = 7;
const AF_UNIX: usize = 1;
/// Datagrams, not blocking.
const KIND: usize = 2 | 0o4000;
const MSG_DONTWAIT: usize = 0x40;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    let data = match kit::map(32 << 10) {
        Ok(data) => data,
        Err(errno) => kit::refused("mmap", errno),
    };
    let room = 1_u32 << 20;
    let mut held = 0;
    let mut answer = Errno::EAGAIN;
    while held < total {
        let mut pair = [0_i32; 2];
        if let Err(errno) =
            kit::call(nr::SOCKETPAIR, [AF_UNIX, KIND, 0, pair.as_mut_ptr() as usize])
        {
            kit::refused("socketpair", errno);
        }
        let before = held;
        for end in pair.map(|fd| fd as usize) {
            let room = &raw const room as usize;
            let _ = kit::call(nr::SETSOCKOPT, [end, SOL_SOCKET, SO_SNDBUF, room, 4]);
            let at = data.as_ptr() as usize;
            while let Ok(sent) = kit::call(nr::SENDTO, [end, at, data.len(), MSG_DONTWAIT, 0, 0])
                .inspect_err(|errno| answer = *errno)
            {
                held += sent;
            }
        }
        if held == before {
            kit::refused("send", answer);
        }
    }
    kit::through(format_args!("{held} bytes are held in sockets"))
}
