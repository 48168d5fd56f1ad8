//! Modules that must not even be loaded.

use super::{Check, Control, Finding, Result, Verdict, attack, refuses};
use crate::arena::Arena;

/// Has the attack make a module, and runs that.
fn made(arena: &Arena<'_>, named: &str, through: &str) -> Result<Finding> {
    let maker = arena.bout().opened_by_arg("harmless").run()?;
    if maker.verdict != (Verdict::Exited { code: 0 }) {
        return Ok(Finding::NotApplicable(format!("it made no module: {:?}", maker.verdict)));
    }
    refuses(arena.bout().module(maker.stdout), named, through)
}

pub(in crate::checks) const fn unknown_import() -> Check {
    let story = "calls a function of the host that it was not given";
    attack(story, "ambient authority", Control::Privileges, |arena| {
        refuses(arena.bout(), "imports `system`", "the host has run it")
    })
}

pub(in crate::checks) const fn compile_bomb() -> Check {
    attack(
        "makes a small module that costs the compiler out of all proportion",
        "compile bomb",
        Control::CpuTime,
        |arena| made(arena, "weight", "it was compiled"),
    )
}

pub(in crate::checks) const fn precompiled() -> Check {
    let story = "offers machine code in the place of a module";
    attack(story, "unchecked artifact", Control::Syscalls, |arena| {
        made(arena, "precompiled", "what it made was run")
    })
}
