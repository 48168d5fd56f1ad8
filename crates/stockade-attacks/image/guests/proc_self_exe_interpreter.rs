//! What an honest script names as its interpreter; the attack is the script that takes its place.

use crate::kit::{self, Args};

pub fn attack(_: Args) -> ! {
    kit::failed(format_args!("the honest script was run"))
}
