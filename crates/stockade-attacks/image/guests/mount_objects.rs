//! Makes mounts of its own by the calls that work on descriptors.

use crate::kit::{self, Args, nr, path};

pub fn attack(_: Args) -> ! {
    kit::reach_any(&mut [
        ("fsopen", &mut || kit::call(nr::FSOPEN, [path(b"tmpfs\0"), 0])),
        ("fspick", &mut || kit::call(nr::FSPICK, [kit::AT_FDCWD, path(b"/stockade/no/such\0"), 0])),
        ("open_tree", &mut || {
            kit::call(nr::OPEN_TREE, [kit::AT_FDCWD, path(b"/stockade/no/such\0"), 1])
        }),
        ("move_mount", &mut || kit::call(nr::MOVE_MOUNT, [usize::MAX, 0, usize::MAX, 0, 4])),
        ("mount_setattr", &mut || {
            kit::call(nr::MOUNT_SETATTR, [usize::MAX, path(b"/stockade/no/such\0"), 0, 0, 0])
        }),
    ])
}
