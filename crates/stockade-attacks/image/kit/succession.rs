//! Two sandboxes, of which the second looks for what the first has left.

use super::{Args, Result, attempt, failed, refused, through};

/// Argument 2 says which of the two this is: `leave` leaves something and ends, `find` looks for it,
/// and takes it away if it is there.
pub fn succeed(
    args: Args,
    leave: impl FnOnce() -> Result<usize>,
    find: impl FnOnce() -> Result<usize>,
) -> ! {
    match args.get(2) {
        b"leave" => match leave() {
            Ok(_) => through(format_args!("left something behind")),
            Err(errno) => refused("leaving something behind", errno),
        },
        b"find" => attempt("finding what was left behind", find()),
        _ => failed(format_args!("leave or find?")),
    }
}
