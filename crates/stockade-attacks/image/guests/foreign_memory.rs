//! Reads and writes the memory of the process that started it.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    let parent = kit::call(nr::GETPPID, []).unwrap_or(1);
    kit::reach_any(&mut [
        ("process_vm_readv", &mut || kit::call(nr::PROCESS_VM_READV, [parent, 0, 0, 0, 0, 0])),
        ("process_vm_writev", &mut || kit::call(nr::PROCESS_VM_WRITEV, [parent, 0, 0, 0, 0, 0])),
        ("process_madvise", &mut || kit::call(nr::PROCESS_MADVISE, [usize::MAX, 0, 0, 0, 0])),
        ("kcmp", &mut || kit::call(nr::KCMP, [parent, parent, 0, 0, 0])),
    ])
}
