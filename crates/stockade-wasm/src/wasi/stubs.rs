//! The rest of preview 1: sockets and signals, of which a guest has none.

use wasmtime::{FuncType, Linker, Val, ValType};

use super::{Errno, Guest, PREVIEW1};

/// Functions and how many parameters they have, all of 32 bits.
const STUBS: [(&str, usize); 5] = [
    ("proc_raise", 1),
    ("sock_accept", 3),
    ("sock_recv", 6),
    ("sock_send", 5),
    ("sock_shutdown", 2),
];

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for (name, parameters) in STUBS {
        let parameters = std::iter::repeat_n(ValType::I32, parameters);
        let signature = FuncType::new(linker.engine(), parameters, [ValType::I32]);
        linker.func_new(PREVIEW1, name, signature, |_, _, results| {
            results[0] = Val::I32(Errno::BADF.0);
            Ok(())
        })?;
    }
    Ok(())
}
