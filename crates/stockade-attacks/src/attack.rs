//! [`Attack`]: what is tried.

use stockade_core::{Control, Policy, Result};

use crate::Finding;
use crate::arena::Arena;

/// One attempt to break out.
#[derive(Debug)]
pub struct Attack {
    /// Its name, such as `launcher_overwrite`.
    pub name: &'static str,
    /// What it is and what must stop it.
    check: Check,
    /// What it runs.
    code: Code,
}

/// What code an attack is made of, and so which backend it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A native program.
    Native,
    /// A WebAssembly module.
    Module,
}

/// What an attack runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code {
    /// The guest of the attack's name in the native program.
    Native,
    /// This module.
    Module(&'static [u8]),
}

/// What an attack is about, and how to tell that it failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    /// What it tries, in one sentence.
    pub(crate) story: &'static str,
    /// A CVE of its kind, or what the kind is called.
    pub(crate) class: &'static str,
    /// What must stop it.
    pub(crate) wall: Control,
    /// Whether it takes more than a moment.
    pub(crate) long: bool,
    /// Why it does not apply under a policy, if so.
    pub(crate) exempt: fn(&Policy) -> Option<&'static str>,
    /// Runs it and finds out.
    pub(crate) play: fn(&Arena<'_>) -> Result<Finding>,
}

impl Attack {
    pub(crate) const fn new(name: &'static str, code: Code, check: Check) -> Self {
        Self { name, check, code }
    }

    /// What it tries, in one sentence.
    pub fn story(&self) -> &'static str {
        self.check.story
    }

    /// A CVE of its kind, or what the kind is called.
    pub fn class(&self) -> &'static str {
        self.check.class
    }

    /// The control that must stop it.
    pub fn wall(&self) -> Control {
        self.check.wall
    }

    /// Whether it takes more than a moment, so that it is only tried if asked for.
    pub fn is_long(&self) -> bool {
        self.check.long
    }

    /// What code it is made of.
    pub fn kind(&self) -> Kind {
        match self.code {
            Code::Native => Kind::Native,
            Code::Module(_) => Kind::Module,
        }
    }

    pub(crate) fn check(&self) -> &Check {
        &self.check
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }
}
