//! What tools write when they are asked for a config: `rootful.json` and `rootless.json` have what
//! `runc spec` and `runc spec --rootless` ask for.

use stockade_core::{Base, Bytes, Limit, Mount, ProgramSource};

use super::*;

const ROOTFUL: &str = include_str!("rootful.json");
const ROOTLESS: &str = include_str!("rootless.json");

fn streams() -> Options {
    Options { terminal_is_streams: true, ..Options::default() }
}

fn notes(bundle: &Bundle) -> Vec<(&str, NoteKind)> {
    bundle.notes.iter().map(|note| (note.path.as_str(), note.kind)).collect()
}

#[test]
fn a_terminal_is_all_that_is_refused_of_the_defaults() {
    let scratch = Scratch::new();
    for text in [ROOTFUL, ROOTLESS] {
        assert_eq!(refused(Bundle::from_config(text, &scratch.0)), ["process.terminal"]);
    }
}

#[test]
fn the_default_config_of_root_loads() {
    use NoteKind::{Harmless, NotEnforced};

    let scratch = Scratch::new();
    let bundle = accepted(Bundle::from_config_with(ROOTFUL, &scratch.0, &streams()));

    let mut expected = Policy::default();
    expected.filesystem.base = Base::Rootfs(scratch.0.join("rootfs"));
    expected.filesystem.mounts = vec![Mount::tmpfs("/dev/shm", Some(Bytes(64 << 20)))];
    expected.limits.open_files = Limit::At(1024);
    expected.limits.disk = Bytes(128 << 20).into();
    expected.network.mode = NetworkMode::Loopback;
    expected.process.cwd = "/".to_owned();
    expected.process.hostname = "runc".to_owned();
    expected.process.env = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("TERM", "xterm"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    assert_eq!(bundle.policy, expected);
    assert_eq!(bundle.program, Program::executable("sh"));
    let mut notes = notes(&bundle);
    notes.sort_unstable_by_key(|(path, _)| *path);
    assert_eq!(
        notes,
        [
            ("linux.maskedPaths[6]", Harmless),
            ("linux.maskedPaths[8]", Harmless),
            ("mounts[0]", Harmless),
            ("mounts[1]", Harmless),
            ("mounts[2]", Harmless),
            ("mounts[3].options[1]", NotEnforced),
            ("mounts[4]", Harmless),
            ("mounts[5]", Harmless),
            ("mounts[6]", Harmless),
            ("process.capabilities", Harmless),
            ("process.terminal", Harmless),
            ("process.user", Harmless),
        ]
    );
}

#[test]
fn the_default_config_of_a_user_loads() {
    let scratch = Scratch::new();
    let bundle = accepted(Bundle::from_config_with(ROOTLESS, &scratch.0, &streams()));
    let root = accepted(Bundle::from_config_with(ROOTFUL, &scratch.0, &streams()));
    let mut expected = root.policy;
    expected.network.mode = NetworkMode::Host;
    assert_eq!(bundle.policy, expected);
    noted(&bundle, "linux.namespaces", NoteKind::Opened);
    noted(&bundle, "linux.uidMappings", NoteKind::Harmless);
    noted(&bundle, "linux.gidMappings", NoteKind::Harmless);
    // `/sys`, which is a bind of the host's there.
    noted(&bundle, "mounts[5]", NoteKind::Harmless);
}

#[test]
fn a_module_of_the_root_is_run_as_one() {
    let scratch = Scratch::new();
    let root = scratch.0.join("rootfs");
    fs::create_dir(root.join("app")).expect("there is room");
    fs::write(root.join("app/job.wasm"), b"\0asm").expect("there is room");
    std::os::unix::fs::symlink("/app/job.wasm", root.join("link.wasm")).expect("there is room");
    std::os::unix::fs::symlink("/etc/passwd", root.join("out.wasm")).expect("there is room");
    fs::create_dir(root.join("dir.wasm")).expect("there is room");

    let named = |name: &str, cwd: &str| {
        let mut config = with("process.args", json!([name, "-v", "x"]));
        put(&mut config, "process.cwd", json!(cwd));
        put(&mut config, "process.env", json!(["PATH=/bin:/app"]));
        // A module has no sockets, so the host's network is not asked for either.
        put(&mut config, "linux.namespaces", json!([]));
        scratch.load(&config)
    };
    for (name, cwd) in [
        ("/app/job.wasm", "/"),
        ("/../../app/./job.wasm", "/"),
        ("/link.wasm", "/"),
        ("app/job.wasm", "/"),
        ("job.wasm", "/"),
        ("./job.wasm", "/app"),
        ("link.wasm", "/"),
    ] {
        let bundle = accepted(named(name, cwd));
        let file = root.join("app/job.wasm");
        assert_eq!(bundle.program.source, ProgramSource::ModuleFile(file), "{name}");
        assert_eq!(bundle.program.args, ["-v", "x"]);
        assert_eq!(bundle.policy.network.mode, NetworkMode::None);
        assert_eq!(bundle.notes, []);
    }
    for name in ["/out.wasm", "/dir.wasm", "/none.wasm", "./job.wasm", "none.wasm"] {
        let error = named(name, "/").expect_err("there is no such module");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error}");
        assert!(error.to_string().contains("process.args[0]"), "{error}");
    }
}

#[test]
fn a_module_that_a_mount_covers_is_not_there() {
    let scratch = Scratch::new();
    for dir in ["tmp", "app"] {
        let dir = scratch.0.join("rootfs").join(dir);
        fs::create_dir(&dir).expect("there is room");
        fs::write(dir.join("job.wasm"), b"\0asm").expect("there is room");
    }
    let named = |name: &str| with("process.args", json!([name]));
    accepted(scratch.load(&named("/app/job.wasm")));
    let mut config = named("/app/job.wasm");
    put(&mut config, "mounts", json!([{ "destination": "/app", "type": "tmpfs" }]));
    for config in [named("/tmp/job.wasm"), config] {
        let error = scratch.load(&config).expect_err("the program would not see it");
        assert!(error.to_string().ends_with("expected a module that no mount covers"), "{error}");
    }
}

#[test]
fn the_smallest_config_has_no_notes() {
    let scratch = Scratch::new();
    assert_eq!(accepted(scratch.load(&smallest())).notes, []);
}

#[test]
fn limits_that_are_not_mentioned_are_the_callers() {
    let scratch = Scratch::new();
    let mut options = Options::default();
    options.limits.memory = Limit::Unlimited;
    options.limits.processes = Limit::At(7);
    let config = with("linux.resources.pids.limit", json!(9));
    let bundle = accepted(scratch.load_with(&config, &options));
    assert_eq!(bundle.policy.limits.memory, Limit::Unlimited);
    assert_eq!(bundle.policy.limits.processes, Limit::At(9));
}
