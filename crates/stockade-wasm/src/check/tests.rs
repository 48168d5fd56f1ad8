#![allow(clippy::unwrap_used)]

use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, InstructionSink, MemArg, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};

use super::{FEATURES, check};
use crate::module::ModuleError;

fn verdict(text: &str) -> Result<(), ModuleError> {
    check(&wat::parse_str(text).unwrap())
}

fn excess(bytes: &[u8]) -> &'static str {
    match check(bytes) {
        Err(ModuleError::Excessive { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

/// A module with function types of so many parameters and results, and functions of these types.
fn module(types: &[(usize, usize)], functions: &[(u32, Function)]) -> Vec<u8> {
    let (mut kinds, mut indices) = (TypeSection::new(), FunctionSection::new());
    let (mut memories, mut code) = (MemorySection::new(), CodeSection::new());
    for (params, results) in types {
        let (params, results) = (vec![ValType::I32; *params], vec![ValType::I32; *results]);
        kinds.ty().function(params, results);
    }
    for (kind, function) in functions {
        indices.function(*kind);
        code.function(function);
    }
    let (maximum, shared, memory64, page_size_log2) = (None, false, false, None);
    memories.memory(MemoryType { minimum: 1, maximum, memory64, shared, page_size_log2 });
    let mut module = Module::new();
    module.section(&kinds).section(&indices).section(&memories).section(&code);
    module.finish()
}

fn function(locals: u32, write: impl FnOnce(&mut InstructionSink<'_>)) -> Function {
    let mut function = Function::new([(locals, ValType::I32)]);
    write(&mut function.instructions());
    function.instructions().end();
    function
}

fn one(locals: u32, write: impl FnOnce(&mut InstructionSink<'_>)) -> Vec<u8> {
    module(&[(0, 0)], &[(0, function(locals, write))])
}

const WORD: MemArg = MemArg { offset: 0, align: 2, memory_index: 0 };
const WEIGHT: &str = "a function of the weight";

/// `count` blocks in each other.
fn nest(count: u32) -> Vec<u8> {
    one(0, |code| {
        (0..count).for_each(|_| {
            code.block(BlockType::Empty);
        });
        (0..count).for_each(|_| {
            code.end();
        });
    })
}

/// `count` loops in each other.
fn nested_loops(count: u32) -> Vec<u8> {
    one(1, |code| {
        (0..count).for_each(|_| {
            code.loop_(BlockType::Empty);
        });
        (0..count).for_each(|_| {
            code.local_get(0).br_if(0).end();
        });
    })
}

/// Values that live through loops: few bytes, and a table of both for the compiler.
fn values_through_loops(values: u32, loops: u32) -> Vec<u8> {
    one(values, |code| {
        (0..loops).for_each(|_| {
            code.loop_(BlockType::Empty).local_get(0).br_if(0).end();
        });
        (0..values).for_each(|index| {
            code.local_get(index).drop();
        });
    })
}

/// Calls of three bytes that hand on `width` values each.
fn wide_calls(width: usize, count: u32) -> Vec<u8> {
    let give = function(0, |code| {
        (0..width).for_each(|_| {
            code.i32_const(0);
        })
    });
    let call = function(0, |code| {
        (0..count).for_each(|_| {
            code.call(0).call(1);
        })
    });
    let types = [(0, width), (width, 0), (0, 0)];
    module(&types, &[(0, give), (1, function(0, |_| {})), (2, call)])
}

#[test]
fn what_would_keep_the_compiler_busy_is_refused() {
    assert_eq!(excess(&nest(10_001)), "blocks in each other,");
    assert_eq!(excess(&nested_loops(2_000)), WEIGHT);
    assert_eq!(excess(&values_through_loops(10_000, 5_000)), WEIGHT);
    assert_eq!(excess(&wide_calls(1_000, 500)), WEIGHT);
    let chain = one(1, |code| {
        code.local_get(0);
        (0..1_000_000).for_each(|_| {
            code.i32_load(WORD);
        });
        code.drop();
    });
    assert_eq!(excess(&chain), WEIGHT);
    let loops = one(0, |code| {
        (0..60_000).for_each(|_| {
            code.loop_(BlockType::Empty).end();
        });
    });
    assert_eq!(excess(&loops), WEIGHT);
    let table = one(1, |code| {
        (0..100).for_each(|_| {
            code.block(BlockType::Empty).local_get(0).br_table(vec![0; 10_001], 0).end();
        });
    });
    assert_eq!(excess(&table), WEIGHT);
    let empty = || function(0, |_| {});
    let tiny: Vec<_> = (0..100_001).map(|_| (0, empty())).collect();
    assert_eq!(excess(&module(&[(0, 0)], &tiny)), "functions,");
    let stop = || {
        function(0, |code| {
            code.unreachable();
        })
    };
    let wide: Vec<_> = (0..1_001).map(|_| (0, stop())).collect();
    assert_eq!(excess(&module(&[(1_000, 1_000)], &wide)), "parameters and results of functions,");
}

#[test]
fn what_programs_have_is_let_through() {
    for bytes in
        [nest(4_000), nested_loops(50), values_through_loops(500, 200), wide_calls(10, 500)]
    {
        check(&bytes).unwrap();
    }
}

#[test]
fn what_lies_in_a_component_counts() {
    let functions = "(func)".repeat(60_000);
    let part = format!("(core module {functions})");
    assert!(verdict(&format!("(component {part})")).is_ok());
    let error = verdict(&format!("(component {part} (component {part}))")).unwrap_err();
    assert!(error.to_string().contains("functions, 120000"), "{error}");
    let deep = |depth| "(component ".repeat(depth) + &")".repeat(depth);
    assert!(verdict(&deep(17)).is_ok());
    let error = verdict(&deep(18)).unwrap_err();
    assert!(error.to_string().contains("components in each other, 17"), "{error}");
}

#[test]
fn a_proposal_that_is_not_offered_is_named() {
    let cases = [
        ("memory64", "(module (memory i64 1))"),
        ("multi-memory", "(module (memory 1) (memory 1))"),
        ("tail-call", "(module (func return_call 0))"),
        ("threads", "(module (memory 1 1 shared))"),
        ("threads", "(module (memory 1) (func i32.const 0 i32.atomic.load drop))"),
        ("gc", "(module (type (struct)))"),
        ("gc", "(module (func (param externref)))"),
        ("exceptions", "(module (tag))"),
        ("exceptions", "(module (func try_table end))"),
        ("function-references", "(module (type $f (func)) (func (param (ref $f))))"),
        (
            "relaxed-simd",
            "(module (func (param v128) local.get 0 i32x4.relaxed_trunc_f32x4_s drop))",
        ),
        ("component-model-async", "(component (type (stream u8)))"),
    ];
    let mut wrong = Vec::new();
    for (name, text) in cases {
        match verdict(text) {
            Err(ModuleError::Proposal { proposal, .. }) => assert_eq!(proposal, name, "{text}"),
            other => wrong.push(format!("{other:?} for {text}")),
        }
        let bytes = wat::parse_str(text).unwrap();
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&bytes)
            .unwrap_or_else(|error| panic!("{error} in {text}"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_no_proposal_makes_valid_is_invalid() {
    for text in ["(module (func i32.add))", "(module (func (result i64) i32.const 0))"] {
        assert!(matches!(verdict(text), Err(ModuleError::Invalid(_))), "{text}");
    }
}

#[test]
fn the_engine_takes_what_is_let_through() {
    let engines = crate::engine::Engines::new(crate::engine::Knobs::default()).unwrap();
    for text in [
        "(module (func (result i32 i32) i32.const 1 i32.const 2))",
        "(module (memory 1) (func i32.const 0 i32.const 0 i32.const 0 memory.copy))",
        "(module (func (param v128) local.get 0 i8x16.popcnt drop))",
        "(module (table 1 funcref) (func (result funcref) i32.const 0 table.get 0))",
        "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        "(module (func (param i32) local.get 0 i32.extend8_s drop))",
        "(module (table 100000 funcref))",
    ] {
        let bytes = wat::parse_str(text).unwrap();
        check(&bytes).unwrap_or_else(|error| panic!("{error} for {text}"));
        wasmtime::Module::from_binary(engines.get(false), &bytes)
            .unwrap_or_else(|error| panic!("{error:?} for {text}"));
    }
    let error = verdict("(module (table 100001 funcref))").unwrap_err();
    assert!(error.to_string().contains("a table with entries, 100001"), "{error}");
    assert!(!FEATURES.contains(wasmparser::WasmFeatures::THREADS));
}

const STARTUP: &str = "initial values and segments of the weight";

/// A module with one memory or table, and so many definitions.
fn definitions(first: &str, count: usize, definition: &str) -> Vec<u8> {
    let all = definition.repeat(count);
    wat::parse_str(format!("(module {first} (func $f) {all})")).unwrap()
}

#[test]
fn what_would_keep_the_compiler_busy_before_the_first_instruction_is_refused() {
    let passive = format!("(elem func {})", "$f ".repeat(10_000));
    assert_eq!(excess(&definitions("", 2, &passive)), STARTUP);
    check(&definitions("", 1, &passive)).unwrap();
    let active = format!("(elem (i32.const 0) func {})", "$f ".repeat(50_000));
    assert_eq!(excess(&definitions("(table 50000 funcref)", 3, &active)), STARTUP);
    check(&definitions("(table 50000 funcref)", 2, &active)).unwrap();
    let sum = "(i32.add (i32.const 1) ".repeat(1000) + "(i32.const 1)" + &")".repeat(1000);
    let global = format!("(global i32 {sum})");
    assert_eq!(excess(&definitions("", 700, &global)), STARTUP);
    check(&definitions("", 100, &global)).unwrap();
    let late = "(data (offset (i32.add (i32.const 1) (i32.const 1))) \"a\")";
    assert_eq!(excess(&definitions("(memory 1)", 20_000, late)), STARTUP);
    // Far from each other, or outside, they are not laid out ahead either.
    let near = "(data (i32.const 1) \"a\")";
    check(&definitions("(memory 1)", 100_000, near)).unwrap();
    let far = r#"(memory 1000) (data (i32.const 60000000) "a")"#;
    assert_eq!(excess(&definitions(far, 20_000, near)), STARTUP);
    assert_eq!(excess(&definitions("(memory 0)", 20_000, near)), STARTUP);
    assert_eq!(excess(&definitions("(import \"a\" \"b\" (memory 1))", 20_000, near)), STARTUP);
}

#[test]
fn what_the_compiler_cannot_count_is_refused() {
    let global = "(global i32 (i32.const 1))";
    assert_eq!(excess(&definitions("", 30_001, global)), "globals,");
    let import = r#"(import "a" "b" (global i32))"#.repeat(30_001);
    assert_eq!(excess(&definitions(&import, 0, "")), "imports,");
}
