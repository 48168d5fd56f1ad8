use super::*;

/// A folder that stands for a hierarchy, with limits in it.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let tree = Self(env::temp_dir().join(format!("stockade-{name}-{}", std::process::id())));
        for (file, text) in files {
            let file = tree.0.join(file);
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        tree
    }

    fn evading(&self, own: &str, scope: &str) -> Option<Lack> {
        evading(&self.0.join(own), &self.0.join(scope))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SCOPE: &str = "user/manager/app/x.scope";

#[test]
fn a_limit_of_the_caller_alone_is_not_evaded() {
    for (file, text) in
        [("memory.max", "1073741824\n"), ("pids.max", "0\n"), ("cpu.max", "50000 100000\n")]
    {
        for group in ["user/session/1.scope", "user/session"] {
            let limit = format!("{group}/{file}");
            let tree = Tree::new("evaded", &[(&limit, text)]);
            let lack = tree.evading("user/session/1.scope", SCOPE).expect("it is evaded");
            assert!(lack.reason.contains(file) && lack.reason.ends_with(group), "{lack:?}");
            assert!(lack.fix.is_some_and(|fix| fix.ends_with("/user")));
        }
        // One above both binds both.
        let tree = Tree::new("shared", &[(&format!("user/{file}"), text)]);
        assert_eq!(tree.evading("user/session/1.scope", SCOPE), None);
    }
    let unlimited =
        [("user/session/memory.max", "max\n"), ("user/session/cpu.max", "max 100000\n")];
    assert_eq!(Tree::new("none", &unlimited).evading("user/session", SCOPE), None);
}

#[test]
fn a_limit_that_the_scope_has_too_is_not_evaded() {
    let own = "user/session/pids.max";
    for (there, is_evaded) in
        [("4915\n", false), ("100\n", false), ("4916\n", true), ("max\n", true)]
    {
        for group in ["user/manager", SCOPE] {
            let scope = format!("{group}/pids.max");
            let tree = Tree::new("equal", &[(own, "4915\n"), (&scope, there)]);
            assert_eq!(tree.evading("user/session", SCOPE).is_some(), is_evaded, "{there}");
        }
    }
    let rates = [("user/session/cpu.max", "50000 100000"), ("user/manager/cpu.max", "5000 10000")];
    assert_eq!(Tree::new("rates", &rates).evading("user/session", SCOPE), None);
}

#[test]
fn what_is_no_limit_is_taken_for_the_tightest() {
    for text in ["", "x", "-1", "5 0", "5 x", "99999999999999999999"] {
        let tree = Tree::new("odd", &[("own/cpu.max", text)]);
        let expected = if text.is_empty() { u64::MAX } else { 0 };
        assert_eq!(bound(&tree.0.join("own"), "cpu.max"), expected, "{text}");
    }
}

#[test]
fn the_launcher_is_told_who_asks_and_gets_no_other_environment() {
    let mut manager = Manager::pretend(LAUNCHER.into(), "/sys/fs/cgroup/x".into());
    let unit = Unit("stockade-1.scope".to_owned());
    let words = |manager: &Manager| {
        let command = manager.command(&unit);
        let words: Vec<_> =
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let variables: Vec<_> =
            command.get_envs().map(|(key, _)| key.to_string_lossy().into_owned()).collect();
        (words, variables)
    };
    let (system, variables) = words(&manager);
    assert!(!system.iter().any(|word| word == "--user") && variables.is_empty());
    assert_eq!(system.last().map(String::as_str), Some("--"));
    for word in ["--scope", "--unit=stockade-1.scope", "--property=Delegate=memory pids cpu"] {
        assert!(system.iter().any(|given| given == word), "{word}: {system:?}");
    }
    manager.runtime = Some("/run/user/1".into());
    let (user, variables) = words(&manager);
    assert!(user.iter().any(|word| word == "--user") && variables == ["XDG_RUNTIME_DIR"]);
}
