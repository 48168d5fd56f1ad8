//! The stages of a container's life, and what is asked meanwhile.

use std::fs;

use serde_json::{Value, json};

use crate::container::{Container, until};
use crate::runtime::{cannot_run, cannot_run_as_root, finish, is_root};
use crate::terminal::{ConsoleSocket, read_all};

#[test]
fn a_container_is_created_then_running_then_stopped_then_gone() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("touch /began; exec sleep 1000");
    container = container.set("/annotations", json!({"org.example.key": "value"}));
    let outcome = container.create().ok();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    let state = container.state();
    let bundle = container.bundle.path().to_str().expect("a name").to_owned();
    assert_eq!(state["status"], "created");
    assert_eq!(state["id"], container.id.as_str());
    assert_eq!(state["pid"], json!(container.pid().as_raw_nonzero()));
    assert_eq!(state["bundle"], json!(bundle));
    assert_eq!(state["annotations"]["org.example.key"], "value");
    assert!(state["ociVersion"].as_str().expect("a version").starts_with("1."), "{state}");
    assert!(!container.bundle.root("began").exists(), "nothing runs before it is started");

    container.on(&["start"]).ok();
    until("its program has begun", || container.bundle.root("began").exists());
    assert_eq!(container.status(), "running");
    assert_ne!(container.on(&["start"]).code, 0, "it is started once");
    assert_ne!(container.on(&["delete"]).code, 0, "it is not deleted while it runs");
    assert_eq!(container.status(), "running");

    container.on(&["kill"]).ok();
    assert_eq!(container.status(), "running", "it is its own first process, deaf to SIGTERM");
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(container.wait(), 137);
    until("it is stopped", || container.status() == "stopped");
    container.on(&["delete"]).ok();
    assert_ne!(container.on(&["state"]).code, 0);
    assert!(container.error().contains("does not exist"), "{}", container.error());
    container.assert_gone();
}

#[test]
fn a_container_that_was_never_started_is_deleted() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("touch /began");
    container.create().ok();
    container.on(&["delete", "--force"]).ok();
    assert_eq!(container.wait(), 137);
    container.assert_gone();
    assert!(!container.bundle.root("began").exists());
    container.on(&["delete", "--force"]).ok();
    assert_ne!(container.on(&["delete"]).code, 0);
    assert!(container.error().contains("does not exist"), "{}", container.error());
}

#[test]
fn the_status_of_its_program_is_for_the_reaper_to_have() {
    if cannot_run() {
        return;
    }
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
        let mut container = Container::script(script);
        assert_eq!(container.run().0, status);
        assert_eq!(container.status(), "stopped");
        container.on(&["delete"]).ok();
        container.assert_gone();
    }
    let mut container = Container::script("trap 'exit 9' TERM; echo; while :; do sleep 0.01; done");
    container.started();
    until("it has its trap", || !container.stdout().is_empty());
    container.call(&["kill", &container.id, "SIGTERM"]).ok();
    assert_eq!(container.wait(), 9);
}

#[test]
fn run_gives_the_status_of_the_program_and_leaves_nothing() {
    if cannot_run() {
        return;
    }
    let run = |container: &Container| {
        container.bundle.write();
        let words = ["run", "--bundle"].map(str::to_owned);
        let mut command = container.runtime();
        container
            .run_with_files(command.args(words).arg(container.bundle.path()).arg(&container.id))
    };
    let container = Container::script("echo out; echo err >&2; exit 7");
    let outcome = run(&container);
    assert_eq!((outcome.code, outcome.text()), (7, "out"), "{outcome:?}");
    assert!(outcome.stderr.contains("err"), "{outcome:?}");
    container.assert_gone();

    // A signal's, as shells have it; here it is not the first of its namespace, which is immune. Another's
    // processes are root's to show.
    if is_root() {
        let mut container = Container::script("kill -TERM $$");
        container.bundle.without_namespace("pid");
        assert_eq!(run(&container).code, 143);
        container.assert_gone();
    }

    let container = Container::sleeper();
    container.bundle.write();
    let bundle = container.bundle.path().to_str().expect("a name");
    let words = ["run", "--detach", "--bundle", bundle, "--pid-file"];
    let mut command = container.runtime();
    command.args(words).arg(container.file("pid")).arg(&container.id);
    assert_eq!(container.run_with_files(&mut command).code, 0);
    assert_eq!(container.status(), "running");
    let pid = fs::read_to_string(container.file("pid")).expect("a pid file");
    assert_eq!(container.state()["pid"].to_string(), pid);
    container.on(&["delete", "--force"]).ok();
    container.assert_gone();
}

#[test]
fn a_container_is_running_as_soon_as_it_was_started() {
    if cannot_run() {
        return;
    }
    for _ in 0..20 {
        let container = Container::sleeping();
        assert_eq!(container.status(), "running");
    }
}

#[test]
fn streams_are_those_of_create() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("tr a-z A-Z; echo err >&2; test -t 0; echo $?");
    fs::write(container.file("stdin"), "given\n").expect("a file");
    assert_eq!(container.says(), "GIVEN\n1");
    assert_eq!(container.stderr(), "err\n");
}

#[test]
fn more_descriptors_are_given_when_it_is_asked_and_no_others() {
    if cannot_run() {
        return;
    }
    let given = Container::script("cat <&3; ls /proc/self/fd | tr '\\n' ' '");
    fs::write(given.file("given"), "third\n").expect("a file");
    given.bundle.write();
    let mut command = std::process::Command::new("sh");
    let script = "exec \"$@\" 3<given";
    command.args(["-c", script, "sh"]).arg(crate::runtime::binary());
    command.arg("--root").arg(given.state_root()).args(["run", "--preserve-fds", "1"]);
    command.arg(&given.id).current_dir(given.bundle.path());
    let outcome = given.run_with_files(&mut command).ok();
    // What `ls` has open is its directory.
    assert_eq!(outcome.text(), "third\n0 1 2 3 4");
}

#[test]
fn a_terminal_is_made_and_sent_to_the_console_socket() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script(
        "tty; stty size; echo $(stat -c %t:%T /dev/console); test -t 0 && test -t 2; exit $?",
    );
    container.bundle.set("/process/terminal", json!(true));
    container.bundle.set("/process/consoleSize", json!({"height": 31, "width": 97}));
    if is_root() {
        container.bundle.set("/process/user", json!({"uid": 5, "gid": 5}));
    }
    let socket = ConsoleSocket::new(container.file("console"));
    let path = socket.path().to_str().expect("a name").to_owned();
    container.create_with(&["--console-socket", &path]).ok();
    let terminal = socket.terminal();
    container.on(&["start"]).ok();
    let said = read_all(&terminal).replace('\r', "");
    assert_eq!(container.wait(), 0, "{said}");
    assert_eq!(said, "/dev/pts/0\n31 97\n88:0\n", "the terminal is /dev/console, too");
}

#[test]
fn a_terminal_without_a_console_socket_is_refused_and_the_other_way_round() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeper().set("/process/terminal", json!(true));
    assert_ne!(container.create().code, 0);
    assert!(container.error().contains("console"), "{}", container.error());
    container.assert_gone();
    let mut container = Container::sleeper();
    let _socket = ConsoleSocket::new(container.file("console"));
    let path = container.file("console").to_str().expect("a name").to_owned();
    assert_ne!(container.create_with(&["--console-socket", &path]).code, 0);
    assert!(container.error().contains("console"), "{}", container.error());
    container.assert_gone();
}

#[test]
fn ps_lists_its_processes_as_the_host_numbers_them() {
    if cannot_run_as_root() {
        return;
    }
    let mut container = Container::script("sleep 1000 & wait");
    container.started();
    let pids = || -> Vec<i32> {
        let outcome = container.on(&["ps", "--format", "json"]).ok();
        serde_json::from_str(&outcome.stdout).expect("JSON")
    };
    until("there are two", || pids().len() == 2);
    assert!(pids().contains(&container.pid().as_raw_nonzero().get()));
    let table = container.on(&["ps"]).ok();
    assert!(table.stdout.contains("PID") && table.stdout.contains("sleep 1000"), "{table:?}");
}

#[test]
fn list_names_every_container_of_a_root() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeping();
    let listed = container.call(&["list", "--format", "json"]).ok();
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let entry = &listed[0];
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(entry["id"], container.id.as_str());
    assert_eq!(entry["status"], "running");
    assert_eq!(entry["pid"], json!(container.pid().as_raw_nonzero()));
    assert_eq!(entry["bundle"], json!(container.bundle.path()));
    assert!(entry["created"].as_str().is_some_and(|time| time.contains('T')), "{entry}");
    assert_eq!(container.call(&["list", "--quiet"]).ok().text(), container.id);
    let table = container.call(&["list"]).ok();
    assert!(table.stdout.starts_with("ID ") && table.stdout.contains("running"), "{table:?}");

    container.on(&["delete", "--force"]).ok();
    container.wait();
    assert_eq!(container.call(&["list", "--quiet"]).ok().text(), "");
}

#[test]
fn a_paused_container_stands_still_and_goes_on() {
    if cannot_run_as_root() {
        return;
    }
    let mut container = Container::script("while :; do echo; sleep 0.01; done");
    container.started();
    until("it runs", || !container.stdout().is_empty());
    container.on(&["pause"]).ok();
    assert_eq!(container.status(), "paused");

    let before = container.stdout().len();
    std::thread::sleep(std::time::Duration::from_millis(60));
    assert_eq!(container.stdout().len(), before);
    assert_ne!(container.on(&["exec"]).code, 0);
    container.on(&["resume"]).ok();
    assert_eq!(container.status(), "running");
    until("it goes on", || container.stdout().len() > before);
    assert_ne!(container.on(&["resume"]).code, 0, "it is not paused");

    container.on(&["pause"]).ok();
    container.on(&["delete", "--force"]).ok();
    assert_eq!(container.wait(), 137);
    container.assert_gone();
    assert_ne!(container.on(&["pause"]).code, 0);
}

#[test]
fn a_stopped_container_is_told_from_a_running_one_in_the_words_that_engines_know() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("true");
    container.run();
    let refusal = |words: &[&str], known: &[&str]| {
        let outcome = finish(container.runtime().args(words));
        assert_ne!(outcome.code, 0, "{words:?}");
        let error = container.error();
        assert!(known.iter().any(|words| error.contains(words)), "{words:?}: {error}");
    };
    let id = container.id.as_str();
    refusal(&["kill", id, "9"], &["process already finished", "container not running"]);
    refusal(&["kill", id, "TERM"], &["process already finished", "container not running"]);
    refusal(&["exec", id, "true"], &["cannot exec in a stopped container"]);
    refusal(&["start", id], &["cannot start a container that has stopped"]);
    refusal(&["pause", id], &["not running"]);
    refusal(&["ps", "--format", "json", "nobody"], &["does not exist"]);
    refusal(&["kill", id, "NOSUCH"], &["unknown signal", "invalid signal"]);
    container.on(&["kill", "--all"]);
    container.on(&["delete"]).ok();
    refusal(&["kill", id, "9"], &["does not exist"]);
    refusal(&["start", id], &["does not exist"]);
}
