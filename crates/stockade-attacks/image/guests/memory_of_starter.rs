//! Opens the memory of the process that started it, in which secrets may be left.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    let parent = kit::call(nr::GETPPID, []).unwrap_or(1);
    let path = kit::Text::of(format_args!("/proc/{parent}/mem\0"));
    kit::attempt("open the memory of the starter", kit::open(path.bytes(), kit::O_RDWR))
}
