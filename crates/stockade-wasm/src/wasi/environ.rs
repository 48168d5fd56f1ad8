//! Arguments and environment.

use std::sync::Arc;

use wasmtime::{Caller, Linker};

use super::memory::{parts, put, put_u32};
use super::{Answer, Errno, Guest, PREVIEW1, code};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let arguments = |guest: &Guest| Arc::clone(&guest.arguments);
    let environment = |guest: &Guest| Arc::clone(&guest.environment);
    linker.func_wrap(
        PREVIEW1,
        "args_sizes_get",
        move |mut c: Caller<'_, Guest>, n: u32, b: u32| {
            let list = arguments(c.data());
            code(sizes(&mut c, &list, n, b))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "args_get",
        move |mut c: Caller<'_, Guest>, at: u32, buf: u32| {
            let list = arguments(c.data());
            code(get(&mut c, &list, at, buf))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "environ_sizes_get",
        move |mut c: Caller<'_, Guest>, n: u32, b: u32| {
            let list = environment(c.data());
            code(sizes(&mut c, &list, n, b))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "environ_get",
        move |mut c: Caller<'_, Guest>, at: u32, buf: u32| {
            let list = environment(c.data());
            code(get(&mut c, &list, at, buf))
        },
    )?;
    Ok(())
}

fn sizes(caller: &mut Caller<'_, Guest>, list: &[Vec<u8>], count: u32, bytes: u32) -> Answer {
    let (memory, _) = parts(caller)?;
    let total: usize = list.iter().map(Vec::len).sum();
    put_u32(memory, count, u32::try_from(list.len()).map_err(|_| Errno::FAULT)?)?;
    put_u32(memory, bytes, u32::try_from(total).map_err(|_| Errno::FAULT)?)
}

fn get(caller: &mut Caller<'_, Guest>, list: &[Vec<u8>], table: u32, buffer: u32) -> Answer {
    let (memory, _) = parts(caller)?;
    let (mut table, mut buffer) = (table, buffer);
    for entry in list {
        put_u32(memory, table, buffer)?;
        put(memory, buffer, entry)?;
        table = table.checked_add(4).ok_or(Errno::FAULT)?;
        let len = u32::try_from(entry.len()).map_err(|_| Errno::FAULT)?;
        buffer = buffer.checked_add(len).ok_or(Errno::FAULT)?;
    }
    Ok(())
}
