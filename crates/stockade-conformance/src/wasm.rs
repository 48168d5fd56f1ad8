//! [`Wasm`]: a backend that runs the guests as WebAssembly.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use stockade::{Policy, Program, Sandbox};
use stockade_guests::Guest;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::{Facts, Subject};

/// A backend that runs modules of WASI preview 1, or the same programs as components.
pub struct Wasm<'a> {
    sandbox: &'a dyn Sandbox,
    program: fn(&Guest) -> Program,
    facts: Facts,
}

impl<'a> Wasm<'a> {
    /// Puts `sandbox` under test with modules.
    pub fn modules(sandbox: &'a dyn Sandbox) -> Self {
        let facts = Facts { native: false, exit_codes: true };
        Self { sandbox, program: |guest| Program::module(module(guest)), facts }
    }

    /// Puts `sandbox` under test with the modules behind an adapter, which makes components.
    pub fn components(sandbox: &'a dyn Sandbox) -> Self {
        let facts = Facts { native: false, exit_codes: false };
        Self { sandbox, program: |guest| Program::module(component(guest)), facts }
    }
}

impl Subject for Wasm<'_> {
    fn sandbox(&self) -> &dyn Sandbox {
        self.sandbox
    }

    fn program(&self, _policy: &mut Policy, guest: &Guest) -> Program {
        (self.program)(guest)
    }

    fn absent(&self, path: &str) -> Program {
        Program::module_file(path)
    }

    fn facts(&self) -> Facts {
        self.facts
    }
}

fn module(guest: &Guest) -> &'static [u8] {
    guest.module.unwrap_or_else(|| panic!("{} is native only", guest.name))
}

/// The guest as a component, made once.
fn component(guest: &Guest) -> Arc<[u8]> {
    type Made = HashMap<&'static str, Arc<[u8]>>;
    static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    let adapter = WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER;
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let component = made.entry(guest.name).or_insert_with(|| {
        let component = ComponentEncoder::default()
            .module(module(guest))
            .and_then(|encoder| encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
            .and_then(|mut encoder| encoder.encode());
        component.expect("a command of preview 1 becomes a component").into()
    });
    Arc::clone(component)
}
