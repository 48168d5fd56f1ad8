//! `wasi:cli`: arguments, environment, the three streams, and the end by the guest's own will.

use wasmtime::component::{Linker, Resource};

use super::streams::{InputStream, OutputStream};
use super::{function, procedure, resource};
use crate::tether::Stop;
use crate::wasi::Guest;

/// A terminal, which no guest has.
struct TerminalInput;
/// A terminal, which no guest has.
struct TerminalOutput;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut environment = linker.instance("wasi:cli/environment@0.2.12")?;
    function(&mut environment, "get-environment", |guest, ()| {
        let pairs = guest.environment.iter().map(|entry| {
            let entry = text(entry);
            match entry.split_once('=') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                None => (entry, String::new()),
            }
        });
        Ok(pairs.collect::<Vec<_>>())
    })?;
    function(&mut environment, "get-arguments", |guest, ()| {
        Ok(guest.arguments.iter().map(|entry| text(entry)).collect::<Vec<_>>())
    })?;
    function(&mut environment, "initial-cwd", |guest, ()| Ok(Some(guest.files.cwd().to_owned())))?;

    let mut exit = linker.instance("wasi:cli/exit@0.2.12")?;
    procedure(&mut exit, "exit", |_, (status,): (Result<(), ()>,)| {
        Err(Stop::Exit(status.is_err().into()).into())
    })?;
    procedure(
        &mut exit,
        "exit-with-code",
        |_, (code,): (u8,)| Err(Stop::Exit(code.into()).into()),
    )?;

    let mut stdin = linker.instance("wasi:cli/stdin@0.2.12")?;
    function(&mut stdin, "get-stdin", |guest, ()| Ok(guest.table.push(InputStream::Stdin)?))?;
    let mut stdout = linker.instance("wasi:cli/stdout@0.2.12")?;
    function(&mut stdout, "get-stdout", |guest, ()| Ok(guest.table.push(OutputStream::Stdout)?))?;
    let mut stderr = linker.instance("wasi:cli/stderr@0.2.12")?;
    function(&mut stderr, "get-stderr", |guest, ()| Ok(guest.table.push(OutputStream::Stderr)?))?;
    terminals(linker)
}

fn terminals(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    resource::<TerminalInput>(
        &mut linker.instance("wasi:cli/terminal-input@0.2.12")?,
        "terminal-input",
    )?;
    resource::<TerminalOutput>(
        &mut linker.instance("wasi:cli/terminal-output@0.2.12")?,
        "terminal-output",
    )?;
    let mut stdin = linker.instance("wasi:cli/terminal-stdin@0.2.12")?;
    function(&mut stdin, "get-terminal-stdin", |_, ()| Ok(None::<Resource<TerminalInput>>))?;
    let mut stdout = linker.instance("wasi:cli/terminal-stdout@0.2.12")?;
    function(&mut stdout, "get-terminal-stdout", |_, ()| Ok(None::<Resource<TerminalOutput>>))?;
    let mut stderr = linker.instance("wasi:cli/terminal-stderr@0.2.12")?;
    function(&mut stderr, "get-terminal-stderr", |_, ()| Ok(None::<Resource<TerminalOutput>>))
}

/// An argument, without the NUL that ends it. That arguments are UTF-8 was checked before the start;
/// the name of the component's file need not be.
fn text(entry: &[u8]) -> String {
    String::from_utf8_lossy(entry.strip_suffix(b"\0").unwrap_or(entry)).into_owned()
}
