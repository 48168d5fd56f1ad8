//! What proposals to WebAssembly are called.

use wasmparser::WasmFeatures;

/// The name of the proposal that a binary needs and that is not offered.
pub(super) fn name(missing: WasmFeatures) -> Option<String> {
    let name = match missing {
        WasmFeatures::GC_TYPES => "gc",
        WasmFeatures::CM_ASYNC => "component-model-async",
        _ => return missing.iter_names().next().map(|(name, _)| in_words(name)),
    };
    Some(name.to_owned())
}

fn in_words(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
