//! The same as `symlink_targets`; it is its tree that changes meanwhile.

use crate::kit::Args;

pub fn attack(args: Args) -> ! {
    super::symlink_targets::attack(args)
}
