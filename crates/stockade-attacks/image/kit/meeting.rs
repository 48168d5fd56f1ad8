//! Two sandboxes that try to meet.

use super::socket::answer_datagram;
use super::{Args, Errno, Result, call, failed, now, refused, sleep_ms, through};
use bare::nr;

/// How long the two try, in nanoseconds.
const PATIENCE: u64 = 250_000_000;

/// What was made to be found.
pub enum Place {
    /// Goes with the process.
    Descriptor(usize),
    /// The same, of a socket that answers datagrams.
    Answering(usize),
    /// System V shared memory, which stays until it is removed.
    Memory(usize),
}

/// Argument 2 says which of the two this is: `offer` makes a place and stays while it may be found,
/// `take` looks for it.
pub fn meet(
    args: Args,
    offer: impl FnOnce() -> Result<Place>,
    take: impl Fn() -> Result<usize>,
) -> ! {
    match args.get(2) {
        b"offer" => match offer() {
            Ok(place) => {
                let begun = now();
                while now() - begun < PATIENCE + 50_000_000 {
                    if let Place::Answering(socket) = place {
                        let _ = answer_datagram(socket);
                    }
                    sleep_ms(5);
                }
                if let Place::Memory(id) = place {
                    let _ = call(nr::SHMCTL, [id, 0, 0]);
                }
                through(format_args!("offered a place to meet"))
            }
            Err(errno) => refused("offering a place to meet", errno),
        },
        b"take" => {
            let begun = now();
            let mut answer = Errno::ENOENT;
            while now() - begun < PATIENCE {
                match take() {
                    Ok(_) => through(format_args!("met a neighbour")),
                    Err(errno) => answer = errno,
                }
                sleep_ms(5);
            }
            refused("finding a neighbour", answer)
        }
        _ => failed(format_args!("offer or take?")),
    }
}
