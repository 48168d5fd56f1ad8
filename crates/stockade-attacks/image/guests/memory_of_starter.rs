//! Opens the memory of the process that started it, in which secrets may be left.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    let parent = kit::call(nr::GETPPID, []).unwrap_or(1);
    let path = kit::join(&[b"/proc/", kit::decimal(parent).digits(), b"/mem"]);
    kit::attempt("open the memory of the starter", kit::open(path.with_nul(), kit::O_RDWR))
}
