use std::time::Duration;

use stockade::runtime::Language::JavaScript;
use stockade::{Control, Mount, Verdict};

use crate::{check, installed, policy, run, text};

#[test]
fn javascript_takes_code_a_file_or_standard_input() {
    let test = "javascript_takes_code_a_file_or_standard_input";
    let Some(javascript) = installed(test, JavaScript) else { return };
    let mut policy = policy();
    let code = "print(scriptArgs, {a: 1}, 2n)";
    check(&policy, &javascript.code(code).arg("x"), "", (0, "[\"-c\",\"x\"] {\"a\":1} 2\n", ""));
    check(&policy, &javascript.stdin(), code, (0, "[\"-\"] {\"a\":1} 2\n", ""));

    let script = "import value, {one} from './lib.js'; \
                  console.log(value, one, readFile(0), process.argv, process.env.KEY)";
    policy.process.env = [("KEY".to_owned(), "v".to_owned())].into();
    policy.filesystem.mounts.push(Mount::file("/src/job.js", script));
    policy
        .filesystem
        .mounts
        .push(Mount::file("/src/lib.js", "export const one = 1; export default 5"));
    let said = "5 1 in [\"/src/job.js\",\"a\"] v\n";
    check(&policy, &javascript.script("/src/job.js").arg("a"), "in", (0, said, ""));
}

#[test]
fn promises_timers_and_errors_end_as_expected() {
    let test = "promises_timers_and_errors_end_as_expected";
    let Some(javascript) = installed(test, JavaScript) else { return };
    let policy = policy();
    let cases = [
        ("Promise.resolve(3).then(print); print(1)", (0, "1\n3\n", "")),
        ("await new Promise(r => setTimeout(r, 5)); print('late')", (0, "late\n", "")),
        (
            "let n = 0; let t = setInterval(() => { if (++n == 3) { clearInterval(t); print(n) } }, 1)",
            (0, "3\n", ""),
        ),
        ("x = 5; print(x, typeof this)", (0, "5 object\n", "")),
        ("print('x'); exit(7); print('y')", (7, "x\n", "")),
        (
            "print('x'); throw new TypeError('no')",
            (1, "x\n", "Uncaught TypeError: no\n    at <eval> (<string>:1:23)\n"),
        ),
        ("Promise.reject(5)", (1, "", "Uncaught 5\n")),
        ("Promise.reject(5).catch(e => print('caught', e))", (0, "caught 5\n", "")),
        (
            "await new Promise(() => 0)",
            (13, "", "<string>: nothing is left that could end its top-level await\n"),
        ),
        ("function f() { f() } try { f() } catch (e) { print(e.name) }", (0, "RangeError\n", "")),
        (
            "try { readFile('/none') } catch (e) { print(e.message) }",
            (0, "/none: No such file or directory\n", ""),
        ),
    ];
    for (code, expected) in cases {
        check(&policy, &javascript.code(code), "", expected);
    }
}

#[test]
fn files_are_written_where_the_policy_lets_them() {
    let test = "files_are_written_where_the_policy_lets_them";
    let Some(javascript) = installed(test, JavaScript) else { return };
    let mut policy = policy();
    policy.filesystem.mounts.push(Mount::tmpfs("/out", None));
    policy.filesystem.mounts.push(Mount::file("/data", "old"));
    let code = "writeFile('/out/a', 'h\\u00e9'); print(readFile('/out/a'), readBytes('/out/a').length);
                try { writeFile('/data', 'new') } catch (e) { print('refused', readFile('/data')) }";
    check(&policy, &javascript.code(code), "", (0, "h\u{e9} 3\nrefused old\n", ""));
}

#[test]
fn javascript_is_held_by_every_limit() {
    let Some(javascript) = installed("javascript_is_held_by_every_limit", JavaScript) else {
        return;
    };
    let limited = |control: Control, code: &str, policy: &stockade::Policy| {
        let report = run(policy, &javascript.code(code), "");
        let hit = matches!(report.verdict, Verdict::Limit { control: hit, .. } if hit == control);
        assert!(hit, "{:?}: {}", report.verdict, text(&report.stderr));
    };
    let mut memory = policy();
    memory.limits.memory = "32MiB".parse().expect("a size");
    limited(Control::Memory, "let a = []; for (;;) a.push(new Uint8Array(1 << 20))", &memory);
    let mut busy = policy();
    busy.limits.cpu_time = Duration::from_millis(200).into();
    limited(Control::CpuTime, "for (;;) ;", &busy);
    let mut asleep = policy();
    asleep.limits.wall_time = Duration::from_millis(300).into();
    limited(Control::WallTime, "setTimeout(() => 0, 3600000)", &asleep);
    let mut counted = policy();
    counted.limits.fuel = Some(50_000_000);
    limited(Control::Fuel, "for (;;) ;", &counted);
    limited(Control::Output, "for (;;) print('x'.repeat(100))", &policy());
}
