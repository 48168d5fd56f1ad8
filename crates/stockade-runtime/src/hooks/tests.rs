use std::fs;
use std::path::PathBuf;
use std::thread;

use oci_spec::runtime::HookBuilder;

use super::*;
use crate::tests::{inside, is_inside};

/// A hook that is a line for the shell.
fn shell(line: &str) -> Hook {
    let args = ["sh", "-c", line].map(str::to_owned);
    HookBuilder::default().path("/bin/sh").args(args).build().expect("a hook")
}

fn failure(hook: Hook, state: &str) -> String {
    run(&[hook], state).expect_err("it fails").to_string()
}

/// A folder of a test's own, taken away at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("stockade-hooks-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("the file").trim().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_hook_gets_the_state_its_arguments_and_no_variable_but_its_own() {
    let folder = Folder::new("gets");
    let (state, rest) = (folder.0.join("state"), folder.0.join("rest"));
    let line =
        format!("cat > {}; {{ echo $0 $1; /usr/bin/env; }} > {}", state.display(), rest.display());
    let args = ["called", "-c", &line, "zero", "one"].map(str::to_owned);
    let hook = HookBuilder::default()
        .path("/bin/sh")
        .args(args)
        .env(vec!["MINE=a=b".to_owned()])
        .build()
        .expect("a hook");
    run(&[hook], "{\"id\":\"x\"}").expect("it succeeds");
    assert_eq!(folder.read("state"), "{\"id\":\"x\"}");
    let rest = folder.read("rest");
    assert!(rest.starts_with("zero one\n") && rest.contains("\nMINE=a=b"), "{rest}");
    assert!(!rest.contains("CARGO") && !rest.contains("HOME"), "{rest}");
    // The first argument is the name that it is called by.
    let name = folder.0.join("name");
    let hook = HookBuilder::default()
        .path("/bin/busybox")
        .args(vec!["touch".to_owned(), name.display().to_string()])
        .build()
        .expect("a hook");
    if Path::new("/bin/busybox").exists() {
        run(&[hook], "").expect("it succeeds");
        assert!(name.exists());
    }
}

#[test]
fn hooks_run_in_their_order_until_one_fails() {
    let folder = Folder::new("order");
    let line = |word: &str| format!("echo {word} >> {}", folder.0.join("order").display());
    let fails = format!("{}; echo wrong >&2; exit 3", line("two"));
    let hooks = [shell(&line("one")), shell(&fails), shell(&line("three"))];
    let failure = run(&hooks, "").expect_err("the second fails").to_string();
    assert_eq!(folder.read("order"), "one\ntwo");
    let words = "error running hook #1 /bin/sh: exit status 3, stdout: , stderr: wrong";
    assert_eq!(failure, words);
}

#[test]
fn only_the_end_of_what_a_failing_hook_says_is_kept() {
    let line = "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; kill -9 $$";
    let failure = failure(shell(line), "");
    assert!(failure.contains("signal: 9"), "{failure}");
    assert!(failure.ends_with("line 2999"), "{failure}");
    assert!(failure.len() < KEPT + 200, "{}", failure.len());
}

#[test]
fn a_hook_that_reads_nothing_of_a_large_state_is_no_error() {
    let state = "x".repeat(1 << 20);
    run(&[shell("exit 0")], &state).expect("it succeeds");
    // Nor one that closes it, and goes on.
    run(&[shell("exec <&-; sleep 0.2")], &state).expect("it succeeds");
    let reads = shell("test $(wc -c) = 1048576");
    run(&[reads], &state).expect("it gets all of it");
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_what_it_started() {
    let folder = Folder::new("long");
    let line = format!("sleep 1000 & echo $! > {}; wait", folder.0.join("pid").display());
    let mut hook = shell(&line);
    hook.set_timeout(Some(1));
    let begun = Instant::now();
    let failure = failure(hook, &"x".repeat(1 << 20));
    assert!(failure.contains("hook ran past specified timeout of 1.0s"), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(100), "it was not waited for");
    // Whoever reaps it may take a moment.
    let status = format!("/proc/{}/stat", folder.read("pid"));
    let gone = |_| match fs::read_to_string(&status) {
        Ok(stat) if !stat.contains(") Z ") => {
            thread::sleep(Duration::from_millis(10));
            false
        }
        _ => true,
    };
    assert!((0..1000).any(gone), "{:?}", fs::read_to_string(&status));
}

#[test]
fn what_a_hook_leaves_behind_is_not_waited_for() {
    let folder = Folder::new("behind");
    let line = format!("sleep 1000 & echo $! > {}", folder.0.join("pid").display());
    run(&[shell(&line)], "").expect("it succeeds");
    let pid = folder.read("pid").parse().ok().and_then(Pid::from_raw).expect("a number");
    process::kill_process(pid, Signal::KILL).expect("it still runs");
}

#[test]
fn what_is_no_hook_is_refused() {
    let with = |path: &str, timeout: i64| {
        let mut hook = HookBuilder::default().path(path).build().expect("a hook");
        hook.set_timeout(Some(timeout));
        hook
    };
    let mut named = shell("exit 0");
    named.set_env(Some(vec!["novalue".to_owned()]));
    for (hook, words) in [
        (with("bin/sh", 1), "not absolute"),
        (with("/bin/sh", 0), "timeout is 0"),
        (with("/bin/sh", -1), "timeout is -1"),
        (with("/no/such/hook", 1), "error running hook #0 /no/such/hook: it cannot be started"),
        (named, "invalid environment variable"),
    ] {
        let failure = failure(hook, "");
        assert!(failure.contains(words), "{failure}");
    }
}

const SIGNALS: &str = "hooks::tests::a_hook_has_signals_as_a_program_expects_them";

#[test]
fn a_hook_has_signals_as_a_program_expects_them() {
    if is_inside(SIGNALS) {
        let _caught = crate::console::Foreground::prepare().expect("signals are caught");
    }
    inside(SIGNALS, &["env"], || {
        let hook = shell("grep -q 'SigBlk:.0*$' /proc/self/status && kill -TERM $$; exit 1");
        let failure = failure(hook, "");
        assert!(failure.contains("signal: 15"), "{failure}");
    });
}
