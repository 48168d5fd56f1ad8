//! More processes in a running container.

use std::fs;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity};
use serde_json::{Value, json};

use crate::container::{Container, reap, until};
use crate::runtime::{Outcome, cannot_run, cannot_run_as_root, is_not_ours, is_root, is_unified};
use crate::terminal::{ConsoleSocket, read_all};

/// Runs something in the container in the foreground.
#[track_caller]
fn exec(container: &Container, options: &[&str], words: &[&str]) -> Outcome {
    let mut command = container.runtime();
    command.arg("exec").args(options).arg(&container.id).args(words);
    container.run_with_files(&mut command)
}

/// Runs a process that a document describes; gives its status and what it printed.
#[track_caller]
fn exec_detached(container: &Container, process: &Value, options: &[&str]) -> (i32, String) {
    let (document, pid_file) = (container.file("process.json"), container.file("exec-pid"));
    fs::write(&document, process.to_string()).expect("a file");
    let mut command = container.runtime();
    command.arg("exec").arg("--process").arg(document).arg("--detach").args(options);
    container.run_with_files(command.arg("--pid-file").arg(&pid_file).arg(&container.id)).ok();
    let pid: i32 = fs::read_to_string(pid_file).expect("a pid file").parse().expect("a number");
    let status =
        reap(Pid::from_raw(pid).expect("a pid")).expect("it ends, and is ours to wait for");
    (status, container.stdout())
}

/// A process as engines describe it.
fn process(words: &[&str]) -> Value {
    json!({
        "user": {"uid": 0, "gid": 0},
        "args": words,
        "env": ["PATH=/bin"],
        "cwd": "/",
    })
}

#[test]
fn exec_gives_the_status_and_the_output_of_what_it_runs() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeping();
    let outcome = exec(&container, &[], &["sh", "-c", "echo out; hostname; exit 7"]);
    assert_eq!((outcome.code, outcome.text()), (7, "out\ncontained"), "{outcome:?}");
    let outcome = exec(&container, &[], &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(outcome.code, 143, "{outcome:?}");
    // It is in every namespace of the container's, and in its groups.
    for kind in ["pid", "net", "ipc", "uts", "mnt"] {
        let link = format!("/proc/self/ns/{kind}");
        let outcome = exec(&container, &[], &["readlink", &link]).ok();
        let own = fs::read_link(container.proc(&format!("ns/{kind}"))).expect("a link");
        assert_eq!(outcome.text(), own.to_str().expect("a name"));
    }
    if !is_root() {
        return;
    }
    let groups = exec(&container, &[], &["cat", "/proc/self/cgroup"]).ok();
    let kind = if is_unified() { "0::" } else { ":memory:" };
    let memory = groups.stdout.lines().find(|line| line.contains(kind)).expect("a line");
    assert!(memory.ends_with(&container.id), "{memory}");
}

#[test]
fn exec_takes_directory_variables_and_user_from_options() {
    if cannot_run_as_root() {
        return;
    }
    let container = Container::sleeping();
    let options = ["--cwd", "/tmp", "--env", "COLOUR=blue", "--user", "12:34"];
    let outcome = exec(&container, &options, &["sh", "-c", "pwd; echo $COLOUR; id -u; id -g"]);
    assert_eq!((outcome.code, outcome.text()), (0, "/tmp\nblue\n12\n34"), "{outcome:?}");
}

#[test]
fn exec_takes_all_that_a_document_says_and_is_waited_for_by_the_reaper() {
    if cannot_run_as_root() {
        return;
    }
    let container = Container::sleeping();
    let script = "pwd; echo $COLOUR; id -u; id -G; grep -E 'CapEff|NoNew' /proc/self/status; \
        ulimit -s; exit 5";
    let mut document = process(&["sh", "-c", script]);
    document["user"] = json!({"uid": 12, "gid": 34, "additionalGids": [56]});
    document["cwd"] = json!("/tmp");
    document["env"] = json!(["PATH=/bin", "COLOUR=blue"]);
    document["noNewPrivileges"] = json!(true);
    document["rlimits"] = json!([{"type": "RLIMIT_STACK", "soft": 4 << 20, "hard": 6 << 20}]);
    let (status, stdout) = exec_detached(&container, &document, &[]);
    let lines: Vec<&str> = stdout.lines().map(str::trim_end).collect();
    let none = "CapEff:\t0000000000000000";
    assert_eq!(
        (status, lines),
        (5, vec!["/tmp", "blue", "12", "34 56", none, "NoNewPrivs:\t1", "4096"]),
        "{}",
        container.stderr()
    );

    let mut document = process(&["grep", "CapEff", "/proc/self/status"]);
    let kill = json!(["CAP_KILL"]);
    document["capabilities"] = json!({"bounding": kill, "effective": kill, "permitted": kill});
    let (status, stdout) = exec_detached(&container, &document, &[]);
    assert_eq!((status, stdout.as_str()), (0, "CapEff:\t0000000000000020\n"));
}

#[test]
fn exec_takes_what_other_runtimes_leave_out_of_a_document() {
    if cannot_run() || is_not_ours() {
        return;
    }
    let container = Container::sleeping();
    let mut document = process(&["sh", "-c", "umask; cat /proc/self/oom_score_adj"]);
    document["user"]["umask"] = json!(0o027);
    document["oomScoreAdj"] = json!(500);
    let (status, stdout) = exec_detached(&container, &document, &[]);
    assert_eq!((status, stdout.as_str()), (0, "0027\n500\n"));
}

#[test]
fn exec_runs_on_the_processors_that_are_said() {
    if cannot_run() || is_not_ours() {
        return;
    }
    let own = sched_getaffinity(None).expect("a set");
    let last = (0..CpuSet::MAX_CPU).rfind(|&cpu| own.is_set(cpu)).expect("one processor");
    let show = ["grep", "Cpus_allowed_list", "/proc/self/status"];
    let only = |said: &str| format!("Cpus_allowed_list:\t{said}\n");

    // From the configuration, whose own process it is not about.
    let mut container = Container::sleeper().set(
        "/process/execCPUAffinity",
        json!({"initial": last.to_string(), "final": last.to_string()}),
    );
    container.started();
    let status = fs::read_to_string(container.proc("status")).expect("a status");
    assert_eq!(status.contains(&only(&last.to_string())), own.count() == 1, "{status}");
    assert_eq!(exec(&container, &[], &show).ok().stdout, only(&last.to_string()));

    let mut document = process(&show);
    document["execCPUAffinity"] = json!({"final": format!("{last}-{last},{last}")});
    let (status, stdout) = exec_detached(&container, &document, &[]);
    assert_eq!((status, stdout), (0, only(&last.to_string())));
    let (_, stdout) = exec_detached(&container, &process(&show), &[]);
    assert_eq!(stdout == only(&last.to_string()), own.count() == 1, "{stdout}");

    for (said, words) in [
        (json!({"initial": "1023"}), "execCPUAffinity.initial"),
        (json!({"final": "1023"}), "execCPUAffinity.final"),
        (json!({"final": "1024"}), "is no list of CPUs"),
        (json!({"final": "1-0"}), "is no list of CPUs"),
        (json!({"final": "all"}), "Invalid execCPUAffinity format"),
    ] {
        document["execCPUAffinity"] = said;
        assert!(refused(&container, &document).contains(words), "{words}: {}", container.error());
    }
}

/// What is said of a document that is refused.
#[track_caller]
fn refused(container: &Container, document: &Value) -> String {
    let path = container.file("process.json");
    fs::write(&path, document.to_string()).expect("a file");
    let mut command = container.runtime();
    command.arg("exec").arg("--process").arg(&path).arg("--detach").arg(&container.id);
    assert_ne!(container.run_with_files(&mut command).code, 0, "{document} is not refused");
    container.error()
}

#[test]
fn a_document_that_asks_for_what_is_not_done_is_refused() {
    if cannot_run() || is_not_ours() {
        return;
    }
    let container = Container::sleeping();
    for (name, value, words) in [
        ("commandLine", json!("cmd /c"), "`process.commandLine`"),
        ("rlimits", json!([{"type": "RLIMIT_BOGUS", "soft": 1, "hard": 1}]), "rlimits[0].type"),
        ("args", json!([]), "`process.args` must not be empty"),
        ("cwd", json!("tmp"), "must be an absolute path"),
    ] {
        let mut document = process(&["true"]);
        document[name] = value;
        let error = refused(&container, &document);
        assert!(error.contains(words) && error.contains("process"), "{name}: {error}");
    }
}

#[test]
fn exec_with_a_terminal_sends_it_to_the_console_socket() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeping();
    let socket = ConsoleSocket::new(container.file("console"));
    let path = socket.path().to_str().expect("a name").to_owned();
    let mut document = process(&["sh", "-c", "tty; read line; echo got $line; exit 6"]);
    document["terminal"] = json!(true);
    fs::write(container.file("process.json"), document.to_string()).expect("a file");
    let (file, pid_file) = (container.file("process.json"), container.file("exec-pid"));
    let mut command = container.runtime();
    command.args(["exec", "--detach", "--console-socket", &path, "--process"]).arg(file);
    command.arg("--pid-file").arg(&pid_file).arg(&container.id);
    container.run_with_files(&mut command).ok();
    let terminal = socket.terminal();
    std::io::Write::write_all(&mut &terminal, b"words\n").expect("it is open");
    let said = read_all(&terminal).replace('\r', "");
    let pid: i32 = fs::read_to_string(pid_file).expect("a pid file").parse().expect("a number");
    assert_eq!(reap(Pid::from_raw(pid).expect("a pid")), Some(6), "{said}");
    // What is typed is shown; whether before or after the terminal's name is the scheduler's matter.
    assert!(said.contains("/dev/pts/0\n") && said.ends_with("got words\n"), "{said}");
}

#[test]
fn what_cannot_be_run_is_refused_in_the_words_that_engines_know() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeping();
    for (program, words) in [
        ("nosuch", "executable file not found in $PATH"),
        ("/nosuch", "no such file or directory"),
        ("/etc", "permission denied"),
        ("/etc/passwd", "permission denied"),
    ] {
        let outcome = exec(&container, &[], &[program]);
        assert_ne!(outcome.code, 0);
        assert!(container.error().contains(words), "{program}: {}", container.error());
    }
    assert_eq!(container.status(), "running");
    if !is_root() {
        return;
    }
    // What failed has left no process.
    until("only the first process is left", || {
        container.on(&["ps", "--format", "json"]).ok().text()
            == format!("[{}]", container.pid().as_raw_nonzero())
    });
}

#[test]
fn exec_reaches_a_container_that_is_created_but_not_started() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeper();
    container.create().ok();
    let outcome = exec(&container, &[], &["echo", "early"]);
    assert_eq!((outcome.code, outcome.text()), (0, "early"), "{outcome:?}");
    assert_eq!(container.status(), "created");
}

#[test]
fn what_exec_started_ends_with_the_container() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeping();
    let document = process(&["sleep", "999"]);
    fs::write(container.file("process.json"), document.to_string()).expect("a file");
    let mut command = container.runtime();
    command.args(["exec", "--detach", "--process"]).arg(container.file("process.json"));
    command.arg("--pid-file").arg(container.file("exec-pid")).arg(&container.id);
    container.run_with_files(&mut command).ok();
    let pid = fs::read_to_string(container.file("exec-pid")).expect("a pid file");
    container.call(&["kill", &container.id, "9"]).ok();
    let pid = Pid::from_raw(pid.parse().expect("a number")).expect("a pid");
    // The kernel has the first wait for those that are not its own to wait for.
    assert_eq!(reap(pid), Some(137));
    assert_eq!(container.wait(), 137);
    container.on(&["delete"]).ok();
    container.assert_gone();
}
