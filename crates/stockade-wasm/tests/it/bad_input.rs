//! What cannot be run is refused, with a type and a reason, and soon.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use stockade_core::{ErrorKind, Mount, NetworkMode, Policy, Program};

use crate::guests::{HELLO, SPIN};
use crate::{SOON, memory, module, refused};

/// A path that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("stockade-wasm-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_dir(&self.0);
    }
}

fn assert_refused(bytes: impl Into<Vec<u8>>, kind: ErrorKind, words: &str) {
    let begun = Instant::now();
    let error = refused(&Policy::default(), &Program::module(bytes.into()));
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{message}");
    assert!(message.contains(words), "{message}");
    assert!(error.hint().is_some(), "{message}");
    assert!(begun.elapsed() < 2 * SOON, "it took {:?}", begun.elapsed());
}

fn assert_file_refused(path: &Scratch, kind: ErrorKind) {
    let begun = Instant::now();
    let error = refused(&Policy::default(), &Program::module_file(&path.0));
    assert_eq!(error.kind(), kind, "{error}");
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
}

/// A module of one type, `functions` functions without parameters and results, and one export.
fn many_functions(functions: u32, locals: u32) -> Vec<u8> {
    fn number(mut value: u32, into: &mut Vec<u8>) {
        while value >= 0x80 {
            into.push(value as u8 | 0x80);
            value >>= 7;
        }
        into.push(value as u8);
    }
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, contents: &[u8]| {
        bytes.push(id);
        number(contents.len() as u32, &mut bytes);
        bytes.extend(contents);
    };
    section(1, &[1, 0x60, 0, 0]);
    let (mut types, mut bodies) = (Vec::new(), Vec::new());
    number(functions, &mut types);
    number(functions, &mut bodies);
    for _ in 0..functions {
        types.push(0);
        let mut body = vec![u8::from(locals > 0)];
        if locals > 0 {
            number(locals, &mut body);
            body.push(0x7f);
        }
        body.push(0x0b);
        number(body.len() as u32, &mut bodies);
        bodies.extend(body);
    }
    section(3, &types);
    section(7, &[b"\x01\x06_start".as_slice(), &[0, 0]].concat());
    section(10, &bodies);
    bytes
}

#[test]
fn bytes_that_are_no_module_are_invalid() {
    assert_refused("", ErrorKind::InvalidPolicy, "no WebAssembly module");
    assert_refused("#!/bin/sh\n", ErrorKind::InvalidPolicy, "no WebAssembly module");
    assert_refused("\0as", ErrorKind::InvalidPolicy, "no WebAssembly module");
    assert_refused("\0asm", ErrorKind::InvalidPolicy, "not valid");
    assert_refused("\0asm\x01\0\0\0\x01\x7f", ErrorKind::InvalidPolicy, "not valid");
}

#[test]
fn a_module_cut_short_anywhere_is_invalid() {
    let whole = wat::parse_str(SPIN).expect("the guest is well written");
    for len in 0..whole.len() {
        let error = refused(&Policy::default(), &Program::module(whole[..len].to_vec()));
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "cut to {len}: {error}");
    }
}

#[test]
fn a_module_whose_code_does_not_validate_is_invalid() {
    let text = r#"(module (func (export "_start") i32.add drop))"#;
    let bytes = wat::parse_str(text).expect("the text is well formed");
    assert_refused(bytes, ErrorKind::InvalidPolicy, "");
}

#[test]
fn components_and_precompiled_artifacts_are_told_apart() {
    assert_refused("\0asm\x0d\0\x01\0", ErrorKind::Unsupported, "component");
    let engine = wasmtime::Engine::default();
    let bytes = wat::parse_str(HELLO).expect("the guest is well written");
    let artifact = engine.precompile_module(&bytes).expect("it can be compiled");
    assert_refused(artifact, ErrorKind::InvalidPolicy, "precompiled");
}

#[test]
fn modules_made_to_burden_the_compiler_are_refused() {
    assert_refused(many_functions(1_000_000, 0), ErrorKind::InvalidPolicy, "functions, 1000000");
    assert_refused(many_functions(1, 50_000), ErrorKind::InvalidPolicy, "locals, 50000");
}

#[test]
fn what_a_module_imports_in_vain_is_named() {
    let text = r#"(module (import "env" "launch" (func)) (func (export "_start")))"#;
    let bytes = wat::parse_str(text).expect("well written");
    assert_refused(bytes, ErrorKind::Unsupported, "`launch` from `env`");
    let text = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i64)))
        (func (export "_start")))"#;
    let error = refused(&Policy::default(), &module(text));
    assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidPolicy), "{error}");
}

#[test]
fn a_module_needs_a_start_without_parameters_and_results() {
    for text in [
        "(module)",
        r#"(module (func (export "main")))"#,
        r#"(module (func (export "_start") (param i32)))"#,
        r#"(module (func (export "_start") (result i32) (i32.const 0)))"#,
        r#"(module (memory (export "_start") 1))"#,
    ] {
        let bytes = wat::parse_str(text).expect("well written");
        assert_refused(bytes, ErrorKind::InvalidPolicy, "_start");
    }
}

#[test]
fn proposals_that_are_off_are_refused() {
    for text in [
        r#"(module (memory i64 1) (func (export "_start")))"#,
        r#"(module (memory 1) (memory 1) (func (export "_start")))"#,
        r#"(module (memory 1 2 shared) (func (export "_start")))"#,
        r#"(module (func $f (export "_start") (return_call $f)))"#,
        r#"(module (tag) (func (export "_start")))"#,
        r#"(module (type (struct)) (func (export "_start")))"#,
    ] {
        let bytes = wat::parse_str(text).expect("well written");
        assert_refused(bytes, ErrorKind::Unsupported, "proposal");
    }
}

#[test]
fn more_memory_than_the_limit_is_refused_with_both_numbers() {
    let text = r#"(module (memory (export "memory") 32) (func (export "_start")))"#;
    let error = refused(&memory(1 << 20), &module(text));
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    let message = error.to_string();
    assert!(message.contains("2097152") && message.contains("1048576"), "{message}");
    // At the limit is not above it.
    let report = crate::run(&memory(2 << 20), text);
    assert!(report.verdict.success());
    assert_eq!(report.usage.peak_memory, 2 << 20);
}

#[test]
fn a_gibibyte_of_zeros_is_refused_fast() {
    let path = Scratch::new("zeros");
    File::create(&path.0).and_then(|file| file.set_len(1 << 30)).expect("a sparse file");
    assert_file_refused(&path, ErrorKind::InvalidPolicy);
}

#[test]
fn a_fifo_a_directory_and_nothing_at_all_are_no_modules() {
    let path = Scratch::new("fifo");
    mknodat(CWD, &path.0, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
    assert_file_refused(&path, ErrorKind::Io);
    let path = Scratch::new("directory");
    fs::create_dir(&path.0).expect("a directory");
    assert_file_refused(&path, ErrorKind::Io);
    assert_file_refused(&Scratch::new("missing"), ErrorKind::NotFound);
}

#[test]
fn a_native_program_is_sent_to_the_other_backend() {
    let error = refused(&Policy::default(), &Program::executable("sh"));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_network_is_not_left_out_silently() {
    let mut policy = Policy::default();
    policy.network.mode = NetworkMode::Loopback;
    let error = refused(&policy, &module(HELLO));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("network"), "{error}");
}

#[test]
fn a_root_to_write_to_is_not_left_out_silently() {
    let mut policy = Policy::default();
    policy.filesystem.base = stockade_core::Base::WritableRootfs("/srv".into());
    let error = refused(&policy, &module(HELLO));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("writable") && error.hint().is_some(), "{error}");
}

#[test]
fn a_mount_or_a_root_that_is_not_there_is_named() {
    let [mut mount, mut root] = [(); 2].map(|()| Policy::default());
    mount.filesystem.mounts.push(Mount::read_only("/nonexistent/data", "/data"));
    root.filesystem.base = stockade_core::Base::Rootfs("/nonexistent/root".into());
    for (policy, word) in [(mount, "`/data`"), (root, "/nonexistent/root")] {
        let error = refused(&policy, &module(HELLO));
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(word) && error.hint().is_some(), "{error}");
    }
}

#[test]
fn an_argument_with_nul_is_refused() {
    let error = refused(&Policy::default(), &module(HELLO).arg("a\0b"));
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
}
