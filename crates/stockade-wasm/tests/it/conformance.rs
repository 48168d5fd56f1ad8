//! The behaviours that every backend shares, of modules and of the same programs as components.

mod module {
    use stockade_conformance::Wasm;

    stockade_conformance::conformance!(modules: Some(Wasm::modules(&*crate::SANDBOX)));
}

mod component {
    use stockade_conformance::Wasm;

    stockade_conformance::conformance!(modules: Some(Wasm::components(&*crate::SANDBOX)));
}
