//! `wasi:random`.

use rustix::rand::{GetRandomFlags, getrandom};
use wasmtime::component::Linker;

use super::{Misuse, function};
use crate::wasi::Guest;

/// Random bytes are made in pieces of this size, between which the guest can be stopped.
const PIECE: usize = 64 << 10;
/// Most bytes of one call, all of which the host has to hold before the guest does.
const MOST: u64 = 8 << 20;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut random = linker.instance("wasi:random/random@0.2.12")?;
    function(&mut random, "get-random-bytes", |guest, (len,): (u64,)| bytes(guest, len))?;
    function(&mut random, "get-random-u64", |_, ()| number())?;
    // What is good enough for keys is good enough where it need not be.
    let mut insecure = linker.instance("wasi:random/insecure@0.2.12")?;
    function(&mut insecure, "get-insecure-random-bytes", |guest, (len,): (u64,)| {
        bytes(guest, len)
    })?;
    function(&mut insecure, "get-insecure-random-u64", |_, ()| number())?;
    let mut seed = linker.instance("wasi:random/insecure-seed@0.2.12")?;
    function(&mut seed, "insecure-seed", |_, ()| Ok((number()?, number()?)))
}

fn bytes(guest: &Guest, len: u64) -> wasmtime::Result<Vec<u8>> {
    if len > MOST {
        return Err(Misuse::error("more than 8 MiB of random bytes in one call"));
    }
    let mut bytes = vec![0; len as usize];
    for piece in bytes.chunks_mut(PIECE) {
        guest.tether.look()?;
        fill(piece)?;
    }
    Ok(bytes)
}

fn number() -> wasmtime::Result<u64> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill(bytes: &mut [u8]) -> wasmtime::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        done += getrandom(&mut bytes[done..], GetRandomFlags::empty())
            .map_err(|_| Misuse::error("the host has no random bytes"))?;
    }
    Ok(())
}
