//! What is looked for in a module before the compiler sees it.
//!
//! A binary is validated with the proposals that are offered, and everything that costs the
//! compiler out of proportion is counted, in one pass. Compiling has a deadline besides; this keeps
//! each step between two looks at the clock short.

mod function;
mod proposal;
mod startup;
mod tally;

use wasmparser::{
    BinaryReaderError, Encoding, FuncValidatorAllocations, Parser, Payload, ValidPayload,
    Validator, WasmFeatures,
};

use self::tally::{Item, Tally};
use crate::expansion::Expansion;
use crate::module::ModuleError;

/// What a module may use: the language of 2022 without references to host objects, and a little.
const FEATURES: WasmFeatures = WasmFeatures::WASM2
    .difference(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Most definitions a component may come to when all its instances are written out.
const MAX_DEFINITIONS: u64 = 1_000_000;

/// What a binary is, by its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Module,
    Component,
}

/// What the first bytes say.
pub(crate) fn kind(bytes: &[u8]) -> Result<Kind, ModuleError> {
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(ModuleError::Precompiled);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(ModuleError::NotWasm);
    }
    if Parser::is_component(bytes) { Ok(Kind::Component) } else { Ok(Kind::Module) }
}

/// Refuses what is not valid, what uses a proposal that is not offered, and what would cost the
/// compiler out of all proportion.
pub(crate) fn check(bytes: &[u8]) -> Result<(), ModuleError> {
    let error = match check_with(FEATURES, bytes) {
        Err(ModuleError::Invalid(error)) => error,
        verdict => return verdict,
    };
    // The one proposal that the validator does not name itself.
    match check_with(FEATURES.union(WasmFeatures::MULTI_MEMORY), bytes) {
        Err(ModuleError::Invalid(other)) if other == error => Err(ModuleError::Invalid(error)),
        _ => Err(ModuleError::Proposal { proposal: "multi-memory".to_owned(), message: error }),
    }
}

fn check_with(features: WasmFeatures, bytes: &[u8]) -> Result<(), ModuleError> {
    let mut validator = Validator::new_with_features(features);
    let mut tally = Tally::default();
    let mut expansion = Expansion::new();
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(refuse)?;
        // Before the section is validated, which takes memory for each of its items.
        count(&mut tally, &payload)?;
        tally.startup.add(&payload)?;
        expansion.add(&payload).map_err(refuse)?;
        at_most("definitions in all its instances,", expansion.total(), MAX_DEFINITIONS)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(refuse)? {
            let mut function = function.into_validator(allocations);
            let weight = function::weigh(&mut function, &body)?;
            tally.add(Item::Weight, weight)?;
            allocations = function.into_allocations();
        }
    }
    Ok(())
}

fn refuse(error: BinaryReaderError) -> ModuleError {
    match error.missing_wasm_feature().and_then(proposal::name) {
        Some(proposal) => ModuleError::Proposal { proposal, message: error.to_string() },
        None => ModuleError::Invalid(error.to_string()),
    }
}

fn count(tally: &mut Tally, payload: &Payload<'_>) -> Result<(), ModuleError> {
    let (item, count) = match payload {
        Payload::Version { encoding: Encoding::Module, .. } => {
            tally.begin_module();
            (Item::Binaries, 1)
        }
        Payload::Version { .. } => (Item::Binaries, 1),
        Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => return tally.enter(),
        Payload::End(_) => {
            tally.leave();
            return Ok(());
        }
        Payload::TypeSection(section) => {
            tally.add(Item::Types, section.count().into())?;
            return tally.types(section.clone()).map_err(refuse);
        }
        Payload::FunctionSection(section) => {
            tally.add(Item::Functions, section.count().into())?;
            return tally.signatures(section.clone());
        }
        Payload::TableSection(section) => return tally.tables(section.clone()),
        Payload::ImportSection(section) => (Item::Imports, section.count()),
        Payload::ExportSection(section) => (Item::Exports, section.count()),
        Payload::GlobalSection(section) => (Item::Globals, section.count()),
        Payload::ElementSection(section) => (Item::Elements, section.count()),
        Payload::DataSection(section) => (Item::Data, section.count()),
        Payload::CoreTypeSection(section) => (Item::Parts, section.count()),
        Payload::InstanceSection(section) => (Item::Parts, section.count()),
        Payload::ComponentInstanceSection(section) => (Item::Parts, section.count()),
        Payload::ComponentAliasSection(section) => (Item::Parts, section.count()),
        Payload::ComponentTypeSection(section) => (Item::Parts, section.count()),
        Payload::ComponentCanonicalSection(section) => (Item::Parts, section.count()),
        Payload::ComponentImportSection(section) => (Item::Parts, section.count()),
        Payload::ComponentExportSection(section) => (Item::Parts, section.count()),
        _ => return Ok(()),
    };
    tally.add(item, count.into())
}

/// Refuses `count` of something of which there may be `max`.
fn at_most(what: &'static str, count: u64, max: u64) -> Result<(), ModuleError> {
    if count > max { Err(ModuleError::Excessive { what, count, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
