//! WebAssembly modules as the programs of containers.

use std::fs;
use std::path::Path;

use serde_json::json;
use stockade_guests::{Guest, HELLO, MEMORY_BOMB, PRINT_ARGS, PRINT_ENV, SPIN, WRITE_FILE};

use crate::container::Container;
use crate::runtime::{binary, cannot_run, cannot_run_as_root, is_not_ours, is_root, skip};

/// Whether modules cannot be tried: the command that runs them is built beside the runtime, by whoever builds
/// the whole workspace.
fn cannot_run_modules() -> bool {
    if cannot_run() || is_not_ours() {
        return true;
    }
    let command = binary().with_file_name("stockade");
    !command.is_file() && skip("the command `stockade` is not beside the runtime")
}

/// A container whose program is a guest as a module.
fn module(guest: &Guest, args: &[&str]) -> Container {
    let name = format!("/{}.wasm", guest.name);
    let mut all = vec![name.as_str()];
    all.extend(args);
    let container = Container::new(&all);
    put(&container.bundle.root(&name), guest);
    container
}

/// Runs it; gives its status and what it and the command printed.
#[track_caller]
fn end(mut container: Container) -> (i32, String) {
    let (status, stdout) = container.run();
    let stderr = fs::read_to_string(container.file("stderr")).expect("a file");
    (status, stdout + &stderr)
}

fn put(path: &Path, guest: &Guest) {
    fs::write(path, guest.module.expect("it is a module")).expect("a file");
}

#[test]
fn a_module_has_arguments_environment_and_a_status() {
    if cannot_run_modules() {
        return;
    }
    let (status, output) = end(module(&HELLO, &[]));
    assert_eq!((status, output.is_empty()), (0, false), "{output}");
    let (status, output) = end(module(&PRINT_ARGS, &["one", "two words"]));
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("two words"), "{output}");
    let (status, output) =
        end(module(&PRINT_ENV, &[]).set("/process/env", json!(["COLOUR=blue", "EMPTY="])));
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("COLOUR=blue"), "{output}");
    assert!(!output.contains("PATH="), "{output}");
}

#[test]
fn a_module_is_its_users_and_sees_binds_and_not_the_host() {
    if cannot_run_modules() {
        return;
    }
    let mut container = module(&WRITE_FILE, &["/there/file", "5"]);
    let dir = container.file("there");
    fs::create_dir(&dir).expect("a directory");
    // A user has one id to give: that of the directory.
    if is_root() {
        container.bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        std::os::unix::fs::chown(&dir, Some(1000), Some(1000)).expect("it is given away");
    }
    let bind = json!({
        "destination": "/there", "type": "bind", "source": dir, "options": ["rbind", "rw"],
    });
    container.bundle.set("/mounts/-", bind);
    let (status, output) = container.run();
    assert_eq!(status, 0, "{output}");
    assert_eq!(fs::read(dir.join("file")).expect("it is written").len(), 5);

    for word in ["ro", "rro"] {
        let mut container = module(&WRITE_FILE, &["/there/new", "5"]);
        // Beside the config, which is where relative sources begin.
        fs::create_dir(container.file("there")).expect("a directory");
        let bind = json!({"destination": "/there", "source": "there", "options": ["bind", word]});
        container.bundle.set("/mounts/-", bind);
        let dir = container.file("there");
        let (status, output) = container.run();
        assert_eq!(status, 3, "{word}: {output}");
        assert!(!dir.join("new").exists(), "{word}");
    }
    // There is no sysfs in the way, nor a reason to leave it out.
    let mut below = module(&WRITE_FILE, &["/sys/there/new", "5"]);
    let dir = below.file("there");
    fs::create_dir(&dir).expect("a directory");
    let bind = json!({"destination": "/sys/there", "source": "there", "options": ["bind"]});
    below.bundle.set("/mounts/-", bind);
    let (status, output) = below.run();
    assert_eq!((status, dir.join("new").exists()), (0, true), "{output}");

    let outside = Path::new("/run").join(format!("{}-outside", container.id));
    let path = outside.to_str().expect("a name").to_owned();
    let (status, output) = end(module(&WRITE_FILE, &[&path, "5"]));
    assert_ne!(status, 0, "{output}");
    assert!(!outside.exists());
}

#[test]
fn a_module_is_held_by_limits_of_the_config_and_of_annotations() {
    if cannot_run_modules() {
        return;
    }
    let time = json!({"dev.stockade.limits.wall_time": "300ms"});
    let (status, output) = end(module(&SPIN, &[]).set("/annotations", time));
    assert_eq!(status, 124, "{output}");
    assert!(output.contains("wall_time limit 0.3 s"), "{output}");
    if is_root() {
        let limit = json!({"limit": 128 << 20});
        let bomb = module(&MEMORY_BOMB, &[]).set("/linux/resources/memory", limit);
        let (status, output) = end(bomb);
        assert_eq!(status, 124, "{output}");
        assert!(output.contains("memory limit 96 MiB"), "{output}");
    }
    let wrong = json!({"dev.stockade.limits.patience": "300ms"});
    let (status, output) = end(module(&HELLO, &[]).set("/annotations", wrong));
    assert_eq!(status, 125, "{output}");
    assert!(output.contains("patience"), "{output}");
}

#[test]
fn a_module_that_runs_is_paused_and_killed_and_nothing_is_executed_beside_it() {
    if cannot_run_as_root() || cannot_run_modules() {
        return;
    }
    let mut container = module(&SPIN, &[]);
    container.started();
    assert_eq!(container.status(), "running");
    container.on(&["pause"]).ok();
    assert_eq!(container.status(), "paused");
    container.on(&["resume"]).ok();
    assert_eq!(container.call(&["exec", &container.id, "sh"]).code, 1);
    assert!(container.error().contains("beside a WebAssembly module"), "{}", container.error());
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(container.wait(), 137);
    container.on(&["delete"]).ok();
    container.assert_gone();
}

#[test]
fn a_module_that_is_not_there_is_an_error_before_anything_is_made() {
    if cannot_run_modules() {
        return;
    }
    let mut container = Container::new(&["/absent.wasm"]);
    assert_eq!(container.create().code, 1);
    assert!(container.error().contains("No such file"), "{}", container.error());
    // A link of the image leads nowhere but into the image.
    let mut container = Container::new(&["/link.wasm"]);
    let link = container.bundle.root("link.wasm");
    std::os::unix::fs::symlink("/usr/lib/os-release", link).expect("a link");
    assert_eq!(container.create().code, 1);
    container.assert_gone();
}
