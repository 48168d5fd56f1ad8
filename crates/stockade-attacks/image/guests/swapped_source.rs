//! Writes a file in the directory it was given.

use crate::kit::{self, Args, O_CREAT, O_WRONLY, join};

pub fn attack(args: Args) -> ! {
    let file = join(&[args.get(2)]);
    kit::attempt("write", kit::open(file.with_nul(), O_CREAT | O_WRONLY))
}
