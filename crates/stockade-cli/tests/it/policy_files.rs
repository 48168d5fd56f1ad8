//! Policy files, good and bad.

use std::process::Command;

use serde_json::Value;

use crate::command::{TempDir, call};

#[test]
fn a_good_policy_is_ok_and_has_a_hash() {
    let dir = TempDir::new();
    let toml = dir.file("policy.toml", "[limits]\nmemory = \"64MiB\"\n");
    let json = dir.file("policy.JSON", r#"{"limits": {"memory": 67108864}}"#);
    let hashes = [&toml, &json].map(|file| {
        let outcome = call(&["policy", "check", file]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let (said, hash) = outcome.stdout.rsplit_once(' ').expect("words");
        assert_eq!(said, format!("{file}: ok, policy hash"));
        assert_eq!(hash.trim_end().len(), 64);
        hash.to_owned()
    });
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn a_bad_policy_is_status_1_and_says_what_is_wrong() {
    let dir = TempDir::new();
    let deep = "[".repeat(1_000_000);
    for (name, contents, expected) in [
        ("a.toml", &b"[limits]\nmemroy = 1"[..], "unknown field `memroy`"),
        ("b.toml", b"[limits]\nmemory = 1", "`limits.memory = 1` makes no sense"),
        ("c.json", b"{\"limits\": {\"cpus\": -1}}", "`limits.cpus`"),
        ("d.toml", b"\xff", "not UTF-8"),
        ("e.json", deep.as_bytes(), "not valid JSON"),
        ("f.toml", &[b' '; 10 << 20], "larger than 1048576 bytes"),
    ] {
        let file = dir.file(name, contents);
        let outcome = call(&["policy", "check", &file]);
        assert_eq!(outcome.code, 1, "{name}: {outcome:?}");
        assert!(outcome.stdout.is_empty());
        assert!(outcome.stderr.starts_with("stockade: error: "), "{outcome:?}");
        assert!(outcome.stderr.contains(&file), "{outcome:?}");
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
        assert_eq!(call(&["run", "--policy", &file, "true"]).code, 125);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let dir = TempDir::new();
    let fifo = dir.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo starts");
    assert!(made.success());
    let fifo = fifo.to_str().expect("UTF-8");
    let missing = dir.path().join("missing.toml");
    let cases = [
        (dir.path().to_str().expect("UTF-8"), "it is a directory"),
        (fifo, "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (missing.to_str().expect("UTF-8"), "No such file"),
    ];
    for (file, expected) in cases {
        for (code, words) in [(1, ["policy", "check", file]), (125, ["policy", "show", file])] {
            let outcome = call(&words);
            assert_eq!(outcome.code, code, "{outcome:?}");
            assert!(outcome.stderr.contains(expected), "{outcome:?}");
        }
    }
}

#[test]
fn a_shown_policy_has_every_key_and_is_a_policy() {
    let dir = TempDir::new();
    let file = dir.file("policy.toml", "[limits]\ncpus = 0.5\n");
    let shown = call(&["policy", "show", &file]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for line in
        ["cpus = 0.5", "memory = \"256MiB\"", "mode = \"none\"", "# limits.fuel: not bounded"]
    {
        assert!(shown.stdout.lines().any(|shown| shown == line), "no {line} in {}", shown.stdout);
    }
    let copy = dir.file("copy.toml", &shown.stdout);
    assert_eq!(call(&["policy", "show", &copy]).stdout, shown.stdout);

    let json = call(&["policy", "show", "--json", &file]).stdout;
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["limits"]["cpus"], 0.5);
    let copy = dir.file("copy.json", &json);
    assert_eq!(call(&["policy", "show", &copy]).stdout, shown.stdout);
}

#[test]
fn without_a_file_the_default_policy_is_shown() {
    let shown = call(&["policy", "show"]);
    assert_eq!(shown.code, 0);
    assert!(shown.stdout.contains("wall_time = \"30s\""), "{shown:?}");
}
