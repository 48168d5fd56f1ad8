//! Connects to a socket of the host that has a name but no file, CVE-2020-15257.

use crate::kit::{self, Address, Args};

pub fn attack(args: Args) -> ! {
    kit::attempt("connect", kit::connect(&Address::named(args.get(2))))
}
