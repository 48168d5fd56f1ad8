#![allow(clippy::unwrap_used)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use stockade_core::{Error, ErrorKind, ProgramSource};

use super::{Cache, CacheError, DEFAULT_SIZE};
use crate::compile::{Compiler, DEFAULT_TIME, Origin};
use crate::engine::{Engines, Knobs};
use crate::imports::Imports;
use crate::module::Modules;

/// A directory of this test's own, which does not outlive it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-wasm-cache-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("modules")
    }

    fn compiler(&self, size: u64) -> Compiler {
        let cache = Cache::open(&self.path(), size).unwrap();
        Compiler { cache: Some(cache), time: DEFAULT_TIME }
    }

    fn compile(&self, text: &str) -> Origin {
        self.compile_for(&engine(false), text)
    }

    fn compile_for(&self, engine: &wasmtime::Engine, text: &str) -> Origin {
        compile(&self.compiler(DEFAULT_SIZE), engine, text)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(self.path()).unwrap().map(|item| item.unwrap().path());
        items.filter(|path| path.file_name().unwrap().len() == 64).collect()
    }

    fn entry(&self) -> PathBuf {
        match &*self.entries() {
            [entry] => entry.clone(),
            others => panic!("{others:?}"),
        }
    }

    fn refusal(&self) -> CacheError {
        Cache::open(&self.path(), DEFAULT_SIZE).expect_err("it is refused")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn engine(metered: bool) -> wasmtime::Engine {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true).consume_fuel(metered);
    wasmtime::Engine::new(&config).unwrap()
}

fn compile(compiler: &Compiler, engine: &wasmtime::Engine, text: &str) -> Origin {
    let bytes = wat::parse_str(text).unwrap();
    let content = Sha256::digest(&bytes).into();
    let (compiled, origin) = compiler.compile(engine, &bytes, &content).unwrap();
    assert!(compiled.size() > 0);
    origin
}

const MODULE: &str = r#"(module (func (export "_start")))"#;
const OTHER: &str = r#"(module (func (export "_start") nop))"#;
const COMPONENT: &str = "(component (core module (func)))";

#[test]
fn a_module_is_compiled_once_and_then_loaded_by_other_sandboxes() {
    let scratch = Scratch::new();
    assert_eq!(scratch.compile(MODULE), Origin::Compiled);
    assert_eq!(scratch.compile(MODULE), Origin::Disk);
    assert_eq!(scratch.compile(OTHER), Origin::Compiled);
    assert_eq!(scratch.compile(COMPONENT), Origin::Compiled);
    assert_eq!(scratch.compile(COMPONENT), Origin::Disk);
    assert_eq!(scratch.entries().len(), 3);
    for entry in scratch.entries() {
        assert_eq!(fs::metadata(entry).unwrap().mode() & 0o7777, 0o600);
    }
    assert_eq!(fs::metadata(scratch.path()).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(scratch.path().join("key")).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn an_entry_of_another_engine_is_not_used() {
    let scratch = Scratch::new();
    assert_eq!(scratch.compile_for(&engine(false), MODULE), Origin::Compiled);
    assert_eq!(scratch.compile_for(&engine(true), MODULE), Origin::Compiled);
    assert_eq!(scratch.compile_for(&engine(false), MODULE), Origin::Disk);
}

#[test]
fn an_entry_in_the_place_of_another_is_not_used() {
    let scratch = Scratch::new();
    scratch.compile(MODULE);
    let entry = scratch.entry();
    let artifact = fs::read(&entry).unwrap();
    scratch.compile(OTHER);
    for other in scratch.entries().iter().filter(|other| **other != entry) {
        fs::write(other, &artifact).unwrap();
    }
    assert_eq!(scratch.compile(OTHER), Origin::Compiled);
    assert_eq!(scratch.compile(MODULE), Origin::Disk);
}

#[test]
fn a_damaged_entry_is_compiled_again() {
    let scratch = Scratch::new();
    scratch.compile(MODULE);
    let whole = fs::read(scratch.entry()).unwrap();
    for step in 0..20 {
        let mut damaged = whole.clone();
        let at = step * (whole.len() - 1) / 19;
        damaged[at] ^= 1;
        fs::write(scratch.entry(), damaged).unwrap();
        assert_eq!(scratch.compile(MODULE), Origin::Compiled, "byte {at} of {}", whole.len());
        assert_eq!(scratch.compile(MODULE), Origin::Disk);
    }
    for len in [0, 7, 8, 39, 40, 41, whole.len() / 2, whole.len() - 1] {
        fs::write(scratch.entry(), &whole[..len]).unwrap();
        assert_eq!(scratch.compile(MODULE), Origin::Compiled, "{len} bytes");
    }
    fs::write(scratch.entry(), [&whole[..], b"\0"].concat()).unwrap();
    assert_eq!(scratch.compile(MODULE), Origin::Compiled);
}

#[test]
fn what_is_no_file_of_this_user_alone_is_no_entry() {
    let scratch = Scratch::new();
    scratch.compile(MODULE);
    let (entry, aside) = (scratch.entry(), scratch.0.join("aside"));
    let refused = |what: &str| {
        assert_eq!(scratch.compile(MODULE), Origin::Compiled, "{what}");
        assert_eq!(scratch.compile(MODULE), Origin::Disk, "after {what}");
    };

    fs::rename(&entry, &aside).unwrap();
    symlink(&aside, &entry).unwrap();
    refused("a link");
    assert!(aside.exists(), "what a link names stays");

    fs::remove_file(&entry).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &entry, rustix::fs::Mode::RWXU).unwrap();
    refused("a FIFO");

    fs::set_permissions(&entry, Permissions::from_mode(0o640)).unwrap();
    refused("a file that others read");

    File::options().write(true).open(&entry).unwrap().set_len(DEFAULT_SIZE + 1).unwrap();
    refused("a huge file");

    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&entry, Some(65534), None).unwrap();
        refused("a file of another user");
    }

    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    assert_eq!(scratch.compile(MODULE), Origin::Compiled);
    assert_eq!(scratch.compile(MODULE), Origin::Compiled, "a directory cannot be replaced");
}

#[test]
fn with_another_key_everything_is_compiled_again() {
    let scratch = Scratch::new();
    let key = scratch.path().join("key");
    scratch.compile(MODULE);
    fs::write(&key, [7; 32]).unwrap();
    assert_eq!(scratch.compile(MODULE), Origin::Compiled);
    assert_eq!(scratch.compile(MODULE), Origin::Disk);

    // What may be known to others, or is no key, is replaced.
    let spoil: [(&str, &dyn Fn()); 4] = [
        ("mode", &|| fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap()),
        ("length", &|| fs::write(&key, [7; 31]).unwrap()),
        ("empty", &|| fs::write(&key, []).unwrap()),
        ("link", &|| {
            fs::rename(&key, scratch.0.join("key")).unwrap();
            symlink(scratch.0.join("key"), &key).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        spoil();
        assert_eq!(scratch.compile(MODULE), Origin::Compiled, "{what}");
        assert_eq!(scratch.compile(MODULE), Origin::Disk, "{what}");
        assert!(fs::symlink_metadata(&key).unwrap().is_file());
    }
}

#[test]
fn a_directory_that_others_can_use_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path()).unwrap();
    for mode in [0o755, 0o770, 0o701, 0o740, 0o1777] {
        fs::set_permissions(scratch.path(), Permissions::from_mode(mode)).unwrap();
        let error = Error::from(scratch.refusal());
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{mode:o}");
        assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
    }
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(scratch.path(), Some(65534), None).unwrap();
        assert!(matches!(scratch.refusal(), CacheError::Owner { owner: 65534, .. }));
    }
}

#[test]
fn what_is_no_directory_is_refused() {
    let scratch = Scratch::new();
    let elsewhere = scratch.0.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o700)).unwrap();
    symlink(&elsewhere, scratch.path()).unwrap();
    assert!(matches!(scratch.refusal(), CacheError::NotADirectory { .. }));
    fs::remove_file(scratch.path()).unwrap();
    fs::write(scratch.path(), "").unwrap();
    assert!(matches!(scratch.refusal(), CacheError::NotADirectory { .. }));
    fs::remove_file(scratch.path()).unwrap();
    let error = Cache::open(&scratch.path().join("below"), DEFAULT_SIZE).expect_err("no parent");
    assert_eq!(Error::from(error).kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}

#[test]
fn a_path_that_leads_elsewhere_later_changes_nothing() {
    let scratch = Scratch::new();
    let compiler = scratch.compiler(DEFAULT_SIZE);
    let moved = scratch.0.join("moved");
    fs::rename(scratch.path(), &moved).unwrap();
    fs::create_dir(scratch.path()).unwrap();
    assert_eq!(compile(&compiler, &engine(false), MODULE), Origin::Compiled);
    assert_eq!(compile(&compiler, &engine(false), MODULE), Origin::Disk);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(moved).unwrap().count(), 2);
}

#[test]
fn what_is_unused_for_longest_makes_room() {
    let scratch = Scratch::new();
    scratch.compile(MODULE);
    let size = fs::metadata(scratch.entry()).unwrap().len();
    let foreign = scratch.path().join("notes");
    fs::write(&foreign, vec![0; 3 * size as usize]).unwrap();
    let abandoned = scratch.path().join("tmp-1");
    fs::write(&abandoned, "").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(10_000);
    File::open(&abandoned).unwrap().set_modified(long_ago).unwrap();

    let compiler = scratch.compiler(2 * size + size / 2);
    let engine = engine(false);
    assert_eq!(compile(&compiler, &engine, OTHER), Origin::Compiled);
    assert!(!abandoned.exists());
    for entry in scratch.entries() {
        File::open(entry).unwrap().set_modified(long_ago).unwrap();
    }
    // Used again, so that it is the other one that goes.
    assert_eq!(compile(&compiler, &engine, MODULE), Origin::Disk);
    let newer = r#"(module (func (export "_start") nop nop))"#;
    assert_eq!(compile(&compiler, &engine, newer), Origin::Compiled);
    assert_eq!(scratch.entries().len(), 2);
    assert_eq!(compile(&compiler, &engine, MODULE), Origin::Disk);
    assert_eq!(compile(&compiler, &engine, newer), Origin::Disk);
    assert!(foreign.exists());

    let compiler = scratch.compiler(size / 2);
    assert_eq!(compile(&compiler, &engine, OTHER), Origin::Compiled);
    assert_eq!(compile(&compiler, &engine, OTHER), Origin::Compiled, "it is larger than the cache");
}

#[test]
fn a_directory_that_is_gone_costs_time_alone() {
    let scratch = Scratch::new();
    let compiler = scratch.compiler(DEFAULT_SIZE);
    fs::remove_dir_all(scratch.path()).unwrap();
    assert_eq!(compile(&compiler, &engine(false), MODULE), Origin::Compiled);
    assert_eq!(compile(&compiler, &engine(false), MODULE), Origin::Compiled);
}

#[test]
fn sandboxes_that_meet_in_one_directory_do_not_disturb_each_other() {
    let scratch = Scratch::new();
    let (scratch, engine) = (&scratch, &engine(false));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                let compiler = scratch.compiler(DEFAULT_SIZE);
                compile(&compiler, engine, MODULE);
                compile(&compiler, engine, OTHER);
            });
        }
    });
    assert_eq!(scratch.compile_for(engine, MODULE), Origin::Disk);
    assert_eq!(scratch.compile_for(engine, OTHER), Origin::Disk);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 3);
}

#[test]
fn threads_that_want_the_same_module_compile_it_once() {
    let compiler = Compiler { cache: None, time: DEFAULT_TIME };
    let modules = &Modules::new(&Engines::new(Knobs::default()).unwrap(), compiler).unwrap();
    let source = &ProgramSource::Module(wat::parse_str(MODULE).unwrap().into());
    let origins: Vec<Origin> = thread::scope(|scope| {
        let lookup = || modules.command(source, false, &Imports::new()).unwrap().1;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(lookup)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let compiled = origins.iter().filter(|origin| **origin == Origin::Compiled);
    assert_eq!(compiled.count(), 1, "{origins:?}");
    assert!(!origins.contains(&Origin::Disk));
    assert_eq!(modules.command(source, true, &Imports::new()).unwrap().1, Origin::Compiled);
}
