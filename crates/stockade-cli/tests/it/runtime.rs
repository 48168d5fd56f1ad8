//! `stockade runtime`, and scripts, with a runtime that only says hello.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use crate::command::{Outcome, TempDir, run_command, stockade};

const HELLO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "hello\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// A cache of one's own.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new())
    }

    fn call(&self, words: &[&str]) -> Outcome {
        let mut command = if words[0] == "run" { run_command() } else { stockade() };
        let words = words.strip_prefix(&["run"]).unwrap_or(words);
        command.args(words).env("XDG_CACHE_HOME", self.0.path()).current_dir(self.0.path());
        command.stdin(Stdio::null()).output().expect("the command starts").into()
    }

    fn install(&self) -> Outcome {
        let module = self.0.file("given.wasm", wat::parse_str(HELLO).expect("a module"));
        self.call(&["runtime", "install", "python", "--from", &module])
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("stockade/runtimes")
    }

    fn module(&self) -> PathBuf {
        let entries = fs::read_dir(self.store()).expect("a directory");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        paths.find(|path| path.extension().is_some_and(|end| end == "wasm")).expect("a module")
    }
}

/// Checks that nothing ran, and what was said.
fn refused(outcome: &Outcome, said: &[&str]) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (125, ""), "{outcome:?}");
    for said in said {
        assert!(outcome.stderr.contains(said), "{said}: {outcome:?}");
    }
}

#[test]
fn a_runtime_is_installed_from_a_file_listed_used_and_removed() {
    let home = Home::new();
    let install = home.install();
    assert_eq!(install.code, 0, "{install:?}");
    for said in ["size", "sha256", "PSF-2.0", "Apache-2.0 WITH LLVM-exception", ".NOTICE"] {
        assert!(install.stdout.contains(said), "{said}: {install:?}");
    }
    let mode =
        |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(home.store()), mode(home.module())), (0o700, 0o600));
    let entries = fs::read_dir(home.store()).expect("a directory").count();
    assert_eq!(entries, 2, "the module, its notice, and nothing else");

    let list = home.call(&["runtime", "list"]);
    assert!(list.stdout.contains("python-") && list.stdout.contains("javascript  not installed"));
    let ran = home.call(&["run", "--backend", "wasm", "python", "-c", "print(1)"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "hello\n"), "{ran:?}");

    let removed = home.call(&["runtime", "remove", "python"]);
    assert_eq!((removed.code, removed.stdout.as_str()), (0, "python removed\n"));
    assert_eq!(fs::read_dir(home.store()).expect("a directory").count(), 0);
    let again = home.call(&["runtime", "remove", "python"]);
    assert_eq!(again.stdout, "python was not installed\n");
}

#[test]
fn a_script_runs_by_its_name_unless_it_is_executable() {
    let home = Home::new();
    home.install();
    let script = home.0.file("job.py", "print(1)");
    for words in [&["run", script.as_str()][..], &["run", "--backend", "wasm", "job.py"]] {
        let ran = home.call(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "hello\n"), "{ran:?}");
    }
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("a file of one's own");
    let native = home.call(&["run", &script]);
    refused(&native, &["was not found"]);
}

#[test]
fn what_is_not_installed_says_how_to_install_it() {
    let home = Home::new();
    let hint = "stockade: hint: stockade runtime install python";
    refused(&home.call(&["run", "--backend", "wasm", "python", "-c", "1"]), &[hint]);
    let script = home.0.file("job.py", "");
    refused(&home.call(&["run", &script]), &[hint]);
    refused(&home.call(&["run", "--backend", "wasm", "none.py"]), &["none.py", "hint: "]);
}

#[test]
fn a_runtime_that_others_could_have_changed_is_not_run() {
    let home = Home::new();
    home.install();
    let use_it = || home.call(&["run", "--backend", "wasm", "python", "-c", "1"]);
    assert_eq!(use_it().code, 0);
    for (path, bad, good) in [(home.module(), 0o620, 0o600), (home.store(), 0o770, 0o700)] {
        let set = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
        set(bad);
        refused(&use_it(), &["others may write it"]);
        set(good);
    }
    let mut bytes = fs::read(home.module()).expect("a module");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(home.module(), bytes).expect("ours");
    refused(&use_it(), &["is not what was installed", "install the runtime again"]);
}

#[test]
fn what_is_no_module_is_not_installed() {
    let home = Home::new();
    let text = home.0.file("text.wasm", "plain text");
    let install = |from: &str| home.call(&["runtime", "install", "python", "--from", from]);
    refused(&install(&text), &["is no WebAssembly"]);
    refused(&install("/no/such.wasm"), &["/no/such.wasm"]);
    refused(&install("/dev/zero"), &["no regular file"]);
    assert_eq!(fs::read_dir(home.store()).expect("a directory").count(), 0);
}

#[test]
fn a_build_that_fails_says_what_is_missing_and_leaves_nothing() {
    let home = Home::new();
    let fake = home.0.file("python3", "#!/bin/sh\necho No module named venv >&2\nexit 1\n");
    let build = |path: &str| {
        let mut command = stockade();
        command.args(["runtime", "install", "python"]).env("PATH", path);
        let output = command.env("XDG_CACHE_HOME", home.0.path()).stdin(Stdio::null()).output();
        Outcome::from(output.expect("the command starts"))
    };
    refused(&build("/nonexistent"), &["cannot start `python3`", "apt-get install python3-venv"]);
    fs::set_permissions(&fake, Permissions::from_mode(0o755)).expect("a file of one's own");
    let path = home.0.path().to_str().expect("UTF-8").to_owned();
    refused(&build(&path), &["No module named venv", "apt-get install python3-venv"]);
    assert_eq!(fs::read_dir(home.store()).expect("a directory").count(), 0);
}
