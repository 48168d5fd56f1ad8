//! Artifacts become modules here: the island of this crate.
#![expect(unsafe_code, reason = "wasmtime runs what it loads; see SAFETY.md")]

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use super::Verified;

impl Verified {
    /// The module that was compiled before.
    pub(crate) fn module(&self, engine: &Engine) -> wasmtime::Result<Module> {
        // SAFETY: the bytes were written by `Module::serialize` under this user's key and are in
        // memory of our own; wasmtime itself refuses those of another version or engine.
        unsafe { Module::deserialize(engine, self.artifact()) }
    }

    /// The component that was compiled before.
    pub(crate) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: as above, written by `Component::serialize`.
        unsafe { Component::deserialize(engine, self.artifact()) }
    }
}
