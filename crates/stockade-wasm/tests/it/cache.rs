//! Compiled modules kept on disk, and compiling that takes too long, as a caller sees them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stockade_core::{ErrorKind, Policy, Sandbox, Stdio};
use stockade_wasm::WasmSandbox;

use crate::{assert_exited, module};

/// Ends with status 7, by way of a table and of memory.
const SEVEN: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (data (i32.const 8) "\07")
    (table funcref (elem $load))
    (func $load (result i32) i32.const 8 i32.load)
    (func (export "_start") i32.const 0 call_indirect (result i32) call $exit))"#;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-wasm-it-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn assert_runs(directory: &Path) {
    let sandbox = WasmSandbox::builder().cache_dir(directory).build().unwrap();
    let prepared = sandbox.prepare(&Policy::default(), &module(SEVEN)).unwrap();
    assert_exited(&prepared.start(Stdio::captured()).unwrap().wait().unwrap(), 7);
}

fn entry(directory: &Path) -> PathBuf {
    let items = fs::read_dir(directory).unwrap().map(|item| item.unwrap().path());
    items.into_iter().find(|path| !path.ends_with("key")).unwrap()
}

#[test]
fn a_module_loaded_from_the_cache_runs_as_it_did() {
    let scratch = Scratch::new();
    let directory = scratch.0.join("modules");
    assert_runs(&directory);
    let made = fs::metadata(entry(&directory)).unwrap().created().unwrap();
    assert_runs(&directory);
    assert_eq!(fs::metadata(entry(&directory)).unwrap().created().unwrap(), made);
}

#[test]
fn a_module_whose_entry_is_damaged_runs_as_it_did() {
    let scratch = Scratch::new();
    let directory = scratch.0.join("modules");
    assert_runs(&directory);
    let whole = fs::read(entry(&directory)).unwrap();
    for step in 0..20 {
        let mut damaged = whole.clone();
        damaged[step * (whole.len() - 1) / 19] ^= 0x80;
        fs::write(entry(&directory), &damaged).unwrap();
        assert_runs(&directory);
        assert_ne!(fs::read(entry(&directory)).unwrap(), damaged);
    }
}

#[test]
fn a_cache_that_others_can_write_to_is_refused_before_anything_runs() {
    let scratch = Scratch::new();
    fs::set_permissions(&scratch.0, Permissions::from_mode(0o777)).unwrap();
    let error = WasmSandbox::builder().cache_dir(&scratch.0).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.hint().is_some_and(|hint| hint.contains("0700")), "{error:?}");
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
}

#[test]
fn a_module_that_takes_too_long_to_compile_is_refused() {
    let sandbox = WasmSandbox::builder().compile_time(Duration::ZERO).build().unwrap();
    let error = sandbox.prepare(&Policy::default(), &module(SEVEN)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("processor time"), "{error}");
}
