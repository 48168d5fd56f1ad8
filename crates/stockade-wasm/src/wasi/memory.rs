//! A guest's memory, seen from a function it calls. Every access is checked.

use wasmtime::{Caller, Extern, Memory};

use super::{Errno, Guest};

/// The memory that a guest exports: looked up by its name once, since a store has one instance of one
/// module.
pub(crate) fn memory(caller: &mut Caller<'_, Guest>) -> Option<Memory> {
    if caller.data().memory.is_none() {
        let found = caller.get_export("memory").and_then(Extern::into_memory);
        caller.data_mut().memory = found;
    }
    caller.data().memory
}

/// The guest's memory and what its store holds.
pub(super) fn parts<'a>(
    caller: &'a mut Caller<'_, Guest>,
) -> Result<(&'a mut [u8], &'a mut Guest), Errno> {
    let memory = memory(caller).ok_or(Errno::FAULT)?;
    Ok(memory.data_and_store_mut(caller))
}

/// The bytes at `at`.
pub(super) fn slice(memory: &mut [u8], at: u32, len: u32) -> Result<&mut [u8], Errno> {
    let start = at as usize;
    let end = start.checked_add(len as usize).ok_or(Errno::FAULT)?;
    memory.get_mut(start..end).ok_or(Errno::FAULT)
}

pub(super) fn put(memory: &mut [u8], at: u32, bytes: &[u8]) -> Result<(), Errno> {
    let len = u32::try_from(bytes.len()).map_err(|_| Errno::FAULT)?;
    slice(memory, at, len)?.copy_from_slice(bytes);
    Ok(())
}

pub(super) fn put_u32(memory: &mut [u8], at: u32, value: u32) -> Result<(), Errno> {
    put(memory, at, &value.to_le_bytes())
}

pub(super) fn put_u64(memory: &mut [u8], at: u32, value: u64) -> Result<(), Errno> {
    put(memory, at, &value.to_le_bytes())
}

pub(super) fn u32_at(memory: &mut [u8], at: u32) -> Result<u32, Errno> {
    let bytes = slice(memory, at, 4)?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

pub(super) fn u64_at(memory: &mut [u8], at: u32) -> Result<u64, Errno> {
    let low = u32_at(memory, at)?;
    let high = u32_at(memory, at.checked_add(4).ok_or(Errno::FAULT)?)?;
    Ok(u64::from(low) | u64::from(high) << 32)
}
