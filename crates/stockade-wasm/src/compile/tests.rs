#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use wasm_encoder::{CodeSection, Function, FunctionSection, Module, TypeSection, ValType};
use wasmtime::Engine;

use super::{Compiler, DEFAULT_TIME, Origin};
use crate::module::ModuleError;

/// Functions that take the compiler minutes together, and each of them a moment.
fn slow() -> Vec<u8> {
    let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
    types.ty().function([ValType::I32], []);
    let mut body = Function::new([]);
    for _ in 0..5_000 {
        body.instructions().local_get(0).br_if(0);
    }
    body.instructions().end();
    let mut code = CodeSection::new();
    for _ in 0..1_500 {
        functions.function(0);
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

#[test]
fn compiling_ends_when_its_time_is_up() {
    let limit = Duration::from_millis(300);
    let module = slow();
    let begun = Instant::now();
    let compiler = Compiler { cache: None, time: limit };
    let error = compiler.compile(&Engine::default(), &module, &[0; 32]).err().unwrap();
    assert!(matches!(error, ModuleError::CompileTime { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn an_engine_compiles_as_before_after_it_was_interrupted() {
    let engine = Engine::default();
    let bytes = wat::parse_str("(module (func (export \"f\")))").unwrap();
    let compile = |time| Compiler { cache: None, time }.compile(&engine, &bytes, &[0; 32]);
    assert!(matches!(compile(Duration::ZERO), Err(ModuleError::CompileTime { .. })));
    for time in [DEFAULT_TIME, Duration::MAX] {
        let (_, origin) = compile(time).unwrap();
        assert_eq!(origin, Origin::Compiled);
    }
}
