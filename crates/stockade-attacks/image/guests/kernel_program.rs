//! Loads code into the kernel: a program, a module, or another kernel.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::reach_any(&mut [
        ("init_module", &mut || kit::call(nr::INIT_MODULE, [0, 0, 0])),
        ("finit_module", &mut || kit::call(nr::FINIT_MODULE, [usize::MAX, 0, 0])),
        ("kexec_load", &mut || kit::call(nr::KEXEC_LOAD, [0, usize::MAX >> 32, 0, 0])),
        ("bpf", &mut || kit::call(nr::BPF, [0, 0, 0])),
    ])
}
