//! The rest of preview 1: files, directories and sockets, of which a guest has none.

use wasmtime::{FuncType, Linker, Val, ValType};

use super::{Errno, Guest, PREVIEW1};

/// Functions and their parameters: `i` for 32, `l` for 64 bits.
const STUBS: [(&str, &str); 30] = [
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_datasync", "i"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiili"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("proc_raise", "i"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for (name, parameters) in STUBS {
        let parameters = parameters.chars().map(|kind| match kind {
            'l' => ValType::I64,
            _ => ValType::I32,
        });
        let signature = FuncType::new(linker.engine(), parameters, [ValType::I32]);
        linker.func_new(PREVIEW1, name, signature, |_, _, results| {
            results[0] = Val::I32(Errno::BADF.0);
            Ok(())
        })?;
    }
    Ok(())
}
