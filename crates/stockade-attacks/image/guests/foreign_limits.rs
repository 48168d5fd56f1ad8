//! Changes the limits of the process that started it.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const OPEN_FILES: usize = 7;
    let parent = kit::call(nr::GETPPID, []).unwrap_or(1);
    let mut old = [0_u64; 2];
    let at = old.as_mut_ptr() as usize;
    kit::attempt("prlimit64", kit::call(nr::PRLIMIT64, [parent, OPEN_FILES, 0, at]))
}
