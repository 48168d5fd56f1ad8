//! WASI preview 1 for a guest that has three streams, arguments, an environment, clocks, random
//! numbers and the policy's files, and no socket (the `wasi_snapshot_preview1` document of the
//! WASI repository).
//!
//! The functions are our own because each must know the run's tether: wasmtime's would sleep and
//! block where nothing could stop them.

mod clocks;
mod environ;
mod failure;
mod files;
mod memory;
mod paths;
mod poll;
mod stdio;
mod stubs;
mod table;

pub(crate) use memory::memory;
pub(crate) use table::Table;

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Linker, Memory};

use crate::clock::Appointment;
use crate::files::Files;
use crate::limiter::Limiter;
use crate::streams::{Sink, Source};
use crate::tether::Tether;

/// The module name of these functions.
const PREVIEW1: &str = "wasi_snapshot_preview1";

/// What a guest's store holds.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) tether: Arc<Tether>,
    pub(crate) limiter: Limiter,
    pub(crate) stdin: Source,
    pub(crate) stdout: Sink,
    pub(crate) stderr: Sink,
    /// Arguments and environment, each entry ending with NUL.
    pub(crate) arguments: Arc<Vec<Vec<u8>>>,
    pub(crate) environment: Arc<Vec<Vec<u8>>>,
    /// When it is to be looked at next.
    pub(crate) appointment: Option<Appointment>,
    pub(crate) files: Files,
    /// What a component has handles of.
    pub(crate) table: ResourceTable,
    /// That of a module, once it was looked for.
    pub(crate) memory: Option<Memory>,
    /// Descriptors of a module of preview 1.
    pub(crate) fds: Table,
}

/// An errno of WASI preview 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(i32);

impl Errno {
    const SUCCESS: i32 = 0;
    pub(crate) const BADF: Self = Self(8);
    pub(crate) const FAULT: Self = Self(21);
    pub(crate) const INVAL: Self = Self(28);
    pub(crate) const FBIG: Self = Self(22);
    pub(crate) const IO: Self = Self(29);
    pub(crate) const NAMETOOLONG: Self = Self(37);
    pub(crate) const NOTDIR: Self = Self(54);
    pub(crate) const NOTSUP: Self = Self(58);
    pub(crate) const SPIPE: Self = Self(70);
}

/// What a function of the guest's can end with, besides stopping the guest.
type Answer = Result<(), Errno>;

fn code(answer: Answer) -> i32 {
    match answer {
        Ok(()) => Errno::SUCCESS,
        Err(Errno(code)) => code,
    }
}

/// Adds every function of preview 1.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    environ::link(linker)?;
    clocks::link(linker)?;
    stdio::link(linker)?;
    files::link(linker)?;
    paths::link(linker)?;
    poll::link(linker)?;
    stubs::link(linker)
}
