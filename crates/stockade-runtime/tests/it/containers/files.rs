//! The root, and what is mounted in it.

use std::fs;

use serde_json::json;

use crate::container::Container;
use crate::runtime::{cannot_run, is_stockade};

/// The options of a mount, as the program sees them.
const OPTIONS: &str =
    "options() { awk -v at=$1 '$2 == at { print $4 }' /proc/mounts | tail -n 1; }; ";

#[test]
fn the_root_is_writable_or_not_as_the_configuration_says() {
    if cannot_run() {
        return;
    }
    let script = "touch /new; echo $?; touch /dev/shm/new; echo $?";
    let mut container = Container::script(script);
    assert_eq!(container.says(), "0\n0");
    assert!(container.bundle.root("new").exists());
    let mut container = Container::script(script).set("/root/readonly", json!(true));
    assert_eq!(container.says(), "1\n0");
    assert!(!container.bundle.root("new").exists());
}

#[test]
fn nothing_of_the_hosts_tree_is_mounted_in_it() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("awk '{ print $5 }' /proc/self/mountinfo; ls -a /");
    let said = container.says();
    let above: Vec<&str> = said.lines().filter(|line| line.starts_with("/tmp/")).collect();
    assert_eq!(above, Vec::<&str>::new());
    assert_eq!(said.lines().filter(|line| *line == "/").count(), 1, "{said}");
    assert!(!said.contains("oldroot") && !said.contains("pivot"), "{said}");
    // Nor does the host see its mounts.
    let container = Container::sleeping();
    assert_eq!(
        crate::runtime::mounts_below(container.bundle.path()),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn binds_are_what_they_are_asked_to_be() {
    if cannot_run() {
        return;
    }
    let script = [
        OPTIONS,
        "cat /in/ro/file /in/file; touch /in/ro/new; echo $?; touch /in/rw/new; echo $?; ",
        "options /in/rw; options /in/ro; touch /in/late/new; echo $?",
    ]
    .concat();
    let mut container = Container::script(&script);
    for name in ["ro", "rw", "late"] {
        fs::create_dir(container.file(name)).expect("a directory");
    }
    fs::write(container.file("ro/file"), "content\n").expect("a file");
    let source = |name: &str| container.file(name).to_str().expect("a name").to_owned();
    let mounts = [
        json!({"destination": "/in/ro", "source": source("ro"), "type": "bind",
            "options": ["rbind", "ro"]}),
        json!({"destination": "/in/rw", "source": source("rw"), "type": "none",
            "options": ["bind", "nosuid", "nodev", "noexec"]}),
        json!({"destination": "/in/file", "source": source("ro/file"), "options": ["bind", "ro"]}),
        json!({"destination": "/in/late", "source": "late", "options": ["bind", "rw"]}),
    ];
    for mount in mounts {
        container.bundle.set("/mounts/-", mount);
    }
    let (status, said) = container.run();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..4], ["content", "content", "1", "0"], "{said} {}", container.stderr());
    assert_eq!(status, 0);
    let words: Vec<&str> = lines[4].split(',').collect();
    assert!(["rw", "nosuid", "nodev", "noexec"].iter().all(|word| words.contains(word)), "{said}");
    assert!(lines[5].split(',').any(|word| word == "ro"), "{said}");
    assert!(container.file("rw/new").exists() && container.file("late/new").exists());
    assert!(!container.file("ro/new").exists());
}

#[test]
fn a_bind_of_what_is_not_there_is_refused() {
    if cannot_run() {
        return;
    }
    let mount = json!({"destination": "/in", "source": "/no/such/source", "options": ["bind"]});
    let mut container = Container::sleeper().set("/mounts/-", mount);
    assert_ne!(container.create().code, 0);
    let error = container.error();
    assert!(error.contains("/no/such/source"), "{error}");
    assert!(error.to_lowercase().contains("no such file or directory"), "{error}");
    container.assert_gone();
}

#[test]
fn file_systems_in_memory_have_their_options() {
    if cannot_run() {
        return;
    }
    let script = [
        OPTIONS,
        "options /scratch; stat -c '%a' /scratch; df -k /scratch | tail -n 1 | awk '{ print $2 }'; \
         ls /scratch",
    ]
    .concat();
    let mount = json!({"destination": "/scratch", "source": "tmpfs", "type": "tmpfs",
        "options": ["nosuid", "nodev", "noexec", "size=1024k", "mode=1700"]});
    let mut container = Container::script(&script).set("/mounts/-", mount);
    let said = container.says();
    let lines: Vec<&str> = said.lines().collect();
    for word in ["rw", "nosuid", "nodev", "noexec", "size=1024k", "mode=1700"] {
        assert!(lines[0].split(',').any(|found| found == word), "{word}: {said}");
    }
    assert_eq!(lines[1..], ["1700", "1024"]);
}

#[test]
fn what_was_in_the_image_is_copied_up_when_it_is_asked() {
    if cannot_run() {
        return;
    }
    let mount = json!({"destination": "/full", "source": "tmpfs", "type": "tmpfs",
        "options": ["tmpcopyup"]});
    let mut container = Container::script("cat /full/file; rm /full/file").set("/mounts/-", mount);
    fs::create_dir(container.bundle.root("full")).expect("a directory");
    fs::write(container.bundle.root("full/file"), "content\n").expect("a file");
    assert_eq!(container.says(), "content");
    assert!(container.bundle.root("full/file").exists());
}

#[test]
fn masked_paths_are_empty_and_read_only_paths_are_read_only() {
    if cannot_run() {
        return;
    }
    let script = "cat /etc/secret; ls /etc/secrets; touch /fixed/new; echo $?; \
        echo 1 > /proc/sys/net/core/somaxconn; echo $?; cat /proc/kcore | wc -c";
    let mut container = Container::script(script)
        .set(
            "/linux/maskedPaths",
            json!(["/etc/secret", "/etc/secrets", "/proc/kcore", "/not/there"]),
        )
        .set("/linux/readonlyPaths", json!(["/fixed", "/proc/sys", "/not/there/either"]));
    fs::write(container.bundle.root("etc/secret"), "secret").expect("a file");
    for name in ["etc/secrets", "fixed"] {
        fs::create_dir(container.bundle.root(name)).expect("a directory");
    }
    fs::write(container.bundle.root("etc/secrets/one"), "secret").expect("a file");
    let (_, said) = container.run();
    assert_eq!(said, "1\n1\n0\n", "{}", container.stderr());
}

#[test]
fn the_propagation_of_the_root_is_as_asked() {
    if cannot_run() {
        return;
    }
    let script = "awk '$5 == \"/\" { print $7 }' /proc/self/mountinfo";
    let mut all = vec![("private", "-"), ("slave", "-")];
    if is_stockade() {
        // Others leave the root as private as they need it.
        all.push(("shared", "shared:"));
    }
    for (asked, found) in all {
        let mut container = Container::script(script);
        container.bundle.set("/linux/rootfsPropagation", json!(asked));
        let said = container.says();
        assert!(said.starts_with(found), "{asked}: {said}");
    }
    let mut container = Container::sleeper().set("/linux/rootfsPropagation", json!("sideways"));
    assert_ne!(container.create().code, 0);
    container.assert_gone();
}

#[test]
fn a_mount_is_propagated_as_its_options_say() {
    if cannot_run() {
        return;
    }
    let script = "awk '$5 == \"/in\" { print $7 }' /proc/self/mountinfo";
    for (option, found) in [("rshared", "shared:"), ("rprivate", "-")] {
        let mut container = Container::script(script);
        fs::create_dir(container.file("source")).expect("a directory");
        let mount = json!({"destination": "/in", "source": container.file("source"),
            "options": ["rbind", option]});
        container.bundle.set("/mounts/-", mount);
        let said = container.says();
        assert!(said.starts_with(found), "{option}: {said}");
    }
}

#[test]
fn a_root_that_the_bundle_does_not_hold_is_named_by_its_path() {
    if cannot_run() {
        return;
    }
    let other = Container::sleeper();
    let mut container = Container::script("touch /was-here");
    container.bundle.set("/root/path", json!(other.bundle.root("")));
    assert_eq!(container.run().0, 0);
    assert!(other.bundle.root("was-here").exists());
}

#[test]
fn without_pivot_root_the_root_is_the_root_all_the_same() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("ls /; cat /proc/self/mountinfo");
    container.create_with(&["--no-pivot"]).ok();
    container.on(&["start"]).ok();
    assert_eq!(container.wait(), 0);
    let said = container.stdout();
    assert!(said.starts_with("bin\ndev\netc\n"), "{said}");
}
