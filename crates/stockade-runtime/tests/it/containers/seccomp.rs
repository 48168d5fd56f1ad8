//! Filters of system calls that the configuration brings.

use serde_json::{Value, json};

use crate::container::Container;
use crate::runtime::cannot_run;

/// A container with a filter that lets everything pass but for these rules.
fn filtered(script: &str, rules: Value) -> Container {
    let filter = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
        "syscalls": rules,
    });
    Container::script(script).set("/linux/seccomp", filter)
}

#[test]
fn a_call_is_refused_with_the_error_that_the_rule_says() {
    if cannot_run() {
        return;
    }
    let names = json!(["mkdir", "mkdirat", "nosuchcall"]);
    for (error, words) in [(38, "Function not implemented"), (13, "Permission denied")] {
        let rule = json!([{"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": error}]);
        let mut container = filtered("mkdir /new; grep Seccomp: /proc/self/status", rule);
        assert_eq!(container.says(), "Seccomp:\t2");
        assert!(container.stderr().contains(words), "{}", container.stderr());
        assert!(!container.bundle.root("new").exists());
    }
}

#[test]
fn a_rule_looks_at_arguments() {
    if cannot_run() {
        return;
    }
    let rule = |name: &str, index: u32| {
        let argument = json!({"index": index, "value": 0o777, "op": "SCMP_CMP_EQ"});
        json!({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": [argument]})
    };
    let rules = json!([rule("chmod", 1), rule("fchmodat", 2)]);
    let script = "touch /f; chmod 700 /f && chmod 777 /f; stat -c %a /f";
    let mut container = filtered(script, rules);
    assert_eq!(container.says(), "700");
    assert!(container.stderr().contains("Permission denied"), "{}", container.stderr());
}

#[test]
fn a_rule_may_kill() {
    if cannot_run() {
        return;
    }
    let rule = json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]);
    let mut container = filtered("mkdir /new; echo $?", rule);
    assert_eq!(container.says(), "159", "as it is for its shell: SIGSYS");
}

#[test]
fn a_filter_that_makes_no_sense_is_refused() {
    if cannot_run() {
        return;
    }
    for (pointer, value) in [
        ("/linux/seccomp/defaultAction", json!("SCMP_ACT_MAYBE")),
        ("/linux/seccomp/architectures", json!(["SCMP_ARCH_ABACUS"])),
    ] {
        let mut container = filtered("true", json!([])).set(pointer, value);
        assert_ne!(container.create().code, 0, "{pointer}");
        container.assert_gone();
    }
}
