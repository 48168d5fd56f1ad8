//! Bundles of the runtime specification, run.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use stockade_guests::{HELLO, PRINT_ARGS, PRINT_ENV, WRITE_FILE};

use crate::command::{Outcome, TempDir, run};

/// A bundle with guests in /bin that prints its arguments.
struct Ground {
    dir: TempDir,
    config: Value,
}

impl Ground {
    fn new() -> Self {
        let dir = TempDir::new();
        for name in ["bin", "dev", "proc", "tmp", "srv"] {
            fs::create_dir_all(dir.path().join("rootfs").join(name)).expect("a directory");
        }
        for guest in [HELLO, PRINT_ARGS, PRINT_ENV, WRITE_FILE] {
            let path = dir.path().join("rootfs/bin").join(guest.name);
            fs::write(&path, guest.image).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        let config = json!({
            "ociVersion": "1.2.1",
            "root": { "path": "rootfs", "readonly": true },
            "process": {
                "cwd": "/srv",
                "args": ["/bin/print_args", "of", "the bundle"],
                "env": ["PATH=/bin", "COLOUR=blue"],
                "user": { "uid": 0, "gid": 0 },
            },
            "linux": {
                "namespaces": [{ "type": "network" }, { "type": "pid" }, { "type": "mount" }],
                "resources": { "pids": { "limit": 7 } },
            },
        });
        let ground = Self { dir, config };
        ground.write();
        ground
    }

    /// The same, with something else in its config.
    fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a place");
        self.config.pointer_mut(parent).expect("its parent")[key] = value;
        self.write();
        self
    }

    fn write(&self) {
        fs::write(self.dir.path().join("config.json"), self.config.to_string()).expect("a file");
    }

    fn path(&self) -> String {
        self.dir.path().display().to_string()
    }

    fn run(&self, words: &[&str]) -> Outcome {
        run(&[&["--bundle", &self.path()], words].concat())
    }
}

/// Nothing ran, and this is why.
#[track_caller]
fn refused(outcome: &Outcome, says: &[&str]) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (125, ""), "{outcome:?}");
    for says in says {
        assert!(outcome.stderr.contains(says), "{says:?}: {outcome:?}");
    }
    assert!(outcome.stderr.contains("stockade: hint: "), "{outcome:?}");
}

#[test]
fn a_bundle_is_run_as_its_config_says_and_words_replace_its_arguments() {
    let ground = Ground::new();
    let outcome = ground.run(&[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "of\nthe bundle\n"), "{outcome:?}");
    let outcome = ground.run(&["--", "print_args", "given", "--here"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "given\n--here\n"), "{outcome:?}");
    let outcome = ground.run(&["--env", "COLOUR=red", "--", "print_env"]);
    assert!(outcome.stdout.contains("COLOUR=red\n"), "{outcome:?}");
    assert!(!outcome.stdout.contains("blue"), "{outcome:?}");
    // Nothing of the host is there.
    refused(&ground.run(&["--", "/usr/bin/env"]), &["/usr/bin/env"]);
}

#[test]
fn its_limits_hold_and_options_count_more() {
    let limit = json!([{ "type": "RLIMIT_FSIZE", "hard": 1000, "soft": 1000 }]);
    let ground = Ground::new().with("/process/rlimits", limit);
    let write = ["--", "/bin/write_file", "/tmp/new", "5000"];
    let outcome = ground.run(&write);
    assert_eq!(outcome.code, 124, "{outcome:?}");
    assert!(outcome.stderr.contains("file_size limit"), "{outcome:?}");
    let outcome = ground.run(&[&["--file-size", "1MiB"], &write[..]].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

#[test]
fn what_is_not_done_is_refused_by_name_with_the_way_to_accept_it() {
    let ground = Ground::new()
        .with("/root/readonly", json!(false))
        .with("/process/terminal", json!(true))
        .with("/hooks", json!({ "prestart": [{ "path": "/bin/true" }] }));
    let outcome = ground.run(&[]);
    refused(&outcome, &["`root.readonly`", "`process.terminal`", "`hooks.prestart`"]);
    let accepted = "--allow writable_root_is_ephemeral,terminal_is_streams";
    assert!(outcome.stderr.contains(accepted), "{outcome:?}");

    let ground = ground.with("/hooks", Value::Null);
    let allow = "writable_root_is_ephemeral,terminal_is_streams";
    let outcome = ground.run(&["--allow", allow]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "of\nthe bundle\n"), "{outcome:?}");
    refused(&ground.run(&["--allow", "terminal_is_streams"]), &["`root.readonly`"]);
}

#[test]
fn a_root_is_written_to_as_far_as_was_accepted() {
    let write = ["--", "/bin/write_file", "/srv/new", "10"];
    let ground = Ground::new();
    let outcome = ground.run(&write);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (3, "open: EROFS\n"), "{outcome:?}");
    let ground = ground.with("/root/readonly", json!(false));
    let outcome = ground.run(&[&["--read-only"], &write[..]].concat());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (3, "open: EROFS\n"), "{outcome:?}");
    let allow = ["--disk", "256MiB", "--allow", "writable_root_is_ephemeral"];
    let outcome = ground.run(&[&allow, &write[..]].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(!ground.dir.path().join("rootfs/srv/new").exists());
}

#[test]
fn what_opens_a_wall_is_said() {
    let ground = Ground::new();
    assert_eq!(ground.run(&[]).stderr, "", "nothing does");
    let ground = ground.with("/linux/namespaces", json!([{ "type": "pid" }, { "type": "mount" }]));
    let outcome = ground.run(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("stockade: note: linux.namespaces: "), "{outcome:?}");
    assert!(outcome.stderr.contains("the host's network"), "{outcome:?}");
}

#[test]
fn modules_of_bundles_are_run_by_the_other_backend() {
    let module = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (call $exit (i32.const 9))))"#,
    );
    let ground = Ground::new().with("/process/args", json!(["/srv/job.wasm"]));
    let file = ground.dir.path().join("rootfs/srv/job.wasm");
    fs::write(file, module.expect("a module")).expect("a file");
    let outcome = ground.run(&[]);
    assert_eq!(outcome.code, 9, "{outcome:?}");
    refused(&ground.run(&["--backend", "namespace"]), &["a WebAssembly module"]);
    refused(&Ground::new().run(&["--backend", "wasm"]), &["native"]);
}

#[test]
fn what_is_no_bundle_is_told_before_anything_runs() {
    refused(&run(&["--bundle", "/no/such/bundle"]), &["/no/such/bundle"]);
    let ground = Ground::new();
    fs::write(ground.dir.path().join("config.json"), "{").expect("a file");
    refused(&ground.run(&[]), &["config.json is not valid JSON"]);
    refused(&Ground::new().with("/ociVersion", json!("9.0.0")).run(&[]), &["9.0.0"]);
    refused(&Ground::new().with("/root/path", json!("gone")).run(&[]), &["`root.path`", "gone"]);
    refused(&Ground::new().with("/root/path", json!("../..")).run(&[]), &["`root.path`"]);
    refused(&Ground::new().with("/process/args", json!([])).run(&[]), &["`process.args`"]);
    refused(&Ground::new().with("/process/args", json!(["/bin/gone"])).run(&[]), &["/bin/gone"]);
}

#[test]
fn what_does_not_go_together_is_a_misuse() {
    let ground = Ground::new();
    let bundle = ground.path();
    for words in [
        &["--bundle", bundle.as_str(), "--image", "app"][..],
        &["--bundle", &bundle, "--rootfs", "/"],
        &["--bundle", &bundle, "--base", "empty"],
        &["--bundle", &bundle, "--policy", "file.toml"],
        &["--bundle", &bundle, "--writable"],
        &["--bundle", &bundle, "--allow", "everything"],
        &["--allow", "terminal_is_streams", "true"],
    ] {
        assert_eq!(run(words).code, 2, "{words:?}");
    }
}
