//! Who the program is, and what it may.

use std::fs;

use serde_json::{Value, json};

use crate::container::Container;
use crate::runtime::{cannot_run, cannot_run_as_root};

/// A line of /proc/self/status of a container with this process.
fn status(line: &str, process: &[(&str, Value)]) -> String {
    let mut container = Container::new(&["grep", &format!("^{line}:"), "/proc/self/status"]);
    for (name, value) in process {
        container.bundle.set(&format!("/process/{name}"), value.clone());
    }
    let said = container.says();
    said.split_once(':').expect("a name and a value").1.trim().to_owned()
}

#[test]
fn the_user_and_the_groups_are_those_of_the_configuration() {
    if cannot_run_as_root() {
        return;
    }
    let mut container = Container::script("id -u; id -g; id -G; umask; touch /tmp/new");
    let user = json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o027});
    container.bundle.set("/process/user", user);
    assert_eq!(container.says(), "1000\n1001\n1001 5 6\n0027");
    use std::os::unix::fs::MetadataExt;
    let made = fs::metadata(container.bundle.root("tmp/new")).expect("it was made");
    assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (1000, 1001, 0o640));
    // The groups of whoever called are not there.
    assert_eq!(status("Groups", &[]), "");
}

#[test]
fn capabilities_are_those_of_the_configuration_set_by_set() {
    if cannot_run_as_root() {
        return;
    }
    let (kill, raw) = (json!(["CAP_KILL"]), json!(["CAP_KILL", "CAP_NET_RAW"]));
    let sets = json!({"bounding": raw, "effective": kill, "permitted": raw, "inheritable": kill,
        "ambient": kill});
    let ordinary = json!({"uid": 1000, "gid": 1000});
    let root = [("capabilities", sets.clone())];
    assert_eq!(status("CapBnd", &root), "0000000000002020");
    assert_eq!(
        status("CapEff", &root),
        "0000000000002020",
        "root's are what is bounded, after exec"
    );
    assert_eq!(status("CapAmb", &root), "0000000000000020");
    let user = [("capabilities", sets), ("user", ordinary.clone())];
    assert_eq!(status("CapEff", &user), "0000000000000020");
    assert_eq!(status("CapInh", &user), "0000000000000020");
    let none = [("capabilities", json!({})), ("user", ordinary)];
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(set, &none), "0000000000000000");
    }
}

#[test]
fn no_new_privileges_is_set_when_it_is_asked() {
    if cannot_run() {
        return;
    }
    for (asked, found) in [(true, "1"), (false, "0")] {
        assert_eq!(status("NoNewPrivs", &[("noNewPrivileges", json!(asked))]), found);
    }
}

#[test]
fn resource_limits_and_the_oom_score_are_set() {
    if cannot_run() {
        return;
    }
    let script =
        "ulimit -S -s; ulimit -H -s; ulimit -H -n; ulimit -c; cat /proc/self/oom_score_adj";
    let mut container = Container::script(script)
        .set(
            "/process/rlimits",
            json!([
                {"type": "RLIMIT_STACK", "soft": 4 << 20, "hard": 6 << 20},
                {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            ]),
        )
        .set("/process/oomScoreAdj", json!(500));
    assert_eq!(container.says(), "4096\n6144\n200\n0\n500");
}

#[test]
fn the_environment_is_that_of_the_configuration_and_no_more() {
    if cannot_run() {
        return;
    }
    let mut container = Container::new(&["env"]);
    container.bundle.set("/process/env", json!(["PATH=/bin", "COLOUR=blue=green", "EMPTY="]));
    let said = container.says();
    let mut lines: Vec<&str> = said.lines().collect();
    // HOME is added by runtimes where it is missing.
    lines.retain(|line| *line != "HOME=/root");
    lines.sort_unstable();
    assert_eq!(lines, ["COLOUR=blue=green", "EMPTY=", "PATH=/bin"]);
}

#[test]
fn the_working_directory_is_made_and_is_where_the_program_begins() {
    if cannot_run() {
        return;
    }
    for cwd in ["/tmp", "/not/there/yet"] {
        let mut container = Container::new(&["pwd"]).set("/process/cwd", json!(cwd));
        assert_eq!(container.says(), cwd);
    }
    let mut container = Container::new(&["pwd"]).set("/process/cwd", json!("tmp"));
    assert_ne!(container.create().code, 0, "it must be absolute");
    container.assert_gone();
}

#[test]
fn a_program_is_looked_for_in_the_path_of_its_own_environment() {
    if cannot_run() {
        return;
    }
    let mut container = Container::new(&["mine"]);
    fs::create_dir(container.bundle.root("own")).expect("a directory");
    std::os::unix::fs::symlink("/bin/busybox", container.bundle.root("own/mine")).expect("a link");
    container.bundle.set("/process/args", json!(["mine", "--help"]));
    container.bundle.set("/process/env", json!(["PATH=/nowhere:/own"]));
    // Busybox does not know itself by this name, and says so.
    let (status, _) = container.run();
    assert_eq!(status, 127);
    assert!(container.stderr().contains("applet not found"), "{}", container.stderr());
}

#[test]
fn the_first_process_is_the_first_of_its_namespace() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("echo $$; read name < /proc/1/comm; echo $name");
    assert_eq!(container.says(), "1\nsh");
}
