use std::time::Duration;

use stockade::runtime::Language::Python;
use stockade::{Control, Mount, Verdict};

use crate::{check, installed, policy, run, text};

#[test]
fn python_takes_code_a_file_or_standard_input() {
    let test = "python_takes_code_a_file_or_standard_input";
    let Some(python) = installed(test, Python) else { return };
    let mut policy = policy();
    let code = "import sys; print(sys.argv, __name__)";
    let program = python.code(code).args(["a", "-c"]);
    check(&policy, &program, "", (0, "['-c', 'a', '-c'] __main__\n", ""));
    check(&policy, &python.stdin(), code, (0, "['-'] __main__\n", ""));
    check(&policy, &python.program(), code, (0, "[''] __main__\n", ""));

    let script =
        "import sys, helper; print(sys.argv, sys.path, __file__, helper.X); print(input())";
    policy.filesystem.mounts.push(Mount::file("/src/job.py", script));
    policy.filesystem.mounts.push(Mount::file("/src/helper.py", "X = 5"));
    let said = "['/src/job.py', 'x'] ['/src'] /src/job.py 5\nline\n";
    check(&policy, &python.script("/src/job.py").arg("x"), "line\n", (0, said, ""));
}

#[test]
fn python_ends_with_the_status_of_the_program() {
    let test = "python_ends_with_the_status_of_the_program";
    let Some(python) = installed(test, Python) else { return };
    let policy = policy();
    let cases = [
        ("print('x', end=''); raise SystemExit(7)", (7, "x", "")),
        ("import sys; sys.exit()", (0, "", "")),
        ("import sys; sys.exit('why')", (1, "", "why\n")),
        ("import os; os._exit(9)", (9, "", "")),
        ("import atexit; atexit.register(print, 'bye'); raise SystemExit(2)", (2, "bye\n", "")),
        (
            "print('x')\n1/0",
            (
                1,
                "x\n",
                "Traceback (most recent call last):\n  File \"<string>\", line 2, in <module>\n    \
                 1/0\n    ~^~\nZeroDivisionError: division by zero\n",
            ),
        ),
        (
            "x = = 1",
            (
                1,
                "",
                "  File \"<string>\", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n",
            ),
        ),
    ];
    for (code, expected) in cases {
        check(&policy, &python.code(code), "", expected);
    }
    let missing = run(&policy, &python.script("/none.py"), "");
    assert_eq!(missing.verdict, Verdict::Exited { code: 2 });
    assert!(text(&missing.stderr).starts_with("python: can't open file '/none.py': "));
}

#[test]
fn python_has_its_standard_library_and_the_policys_environment() {
    let test = "python_has_its_standard_library_and_the_policys_environment";
    let Some(python) = installed(test, Python) else { return };
    let mut policy = policy();
    policy.process.env = [("KEY".to_owned(), "value".to_owned())].into();
    // Some of these are in the snapshot, some are kept as code.
    let code = "
import asyncio, email.mime.text, http.client, json, os, pydoc, re, sqlite3, xmlrpc.client
print(json.dumps({'a': [1]}), re.sub('a', 'b', 'aa'), dict(os.environ))
print(sqlite3.connect(':memory:').execute('select 6 * 7').fetchall())
async def one(i):
    await asyncio.sleep(0.001 * i)
    return i
async def all():
    return await asyncio.gather(one(2), one(1))
print(asyncio.run(all()))";
    let said = "{\"a\": [1]} bb {'KEY': 'value'}\n[(42,)]\n[2, 1]\n";
    check(&policy, &python.code(code), "", (0, said, ""));
}

#[test]
fn randomness_is_not_that_of_the_snapshot() {
    let Some(python) = installed("randomness_is_not_that_of_the_snapshot", Python) else { return };
    let code = "import os, random, uuid; print(random.random(), os.urandom(8), uuid.uuid4())";
    let [one, other] = [(), ()].map(|()| run(&policy(), &python.code(code), ""));
    let (one, other) = (text(&one.stdout), text(&other.stdout));
    assert!(one.split(' ').zip(other.split(' ')).all(|(one, other)| one != other), "{one}{other}");
}

#[test]
fn python_is_held_by_every_limit() {
    let Some(python) = installed("python_is_held_by_every_limit", Python) else { return };
    let limited = |control: Control, code: &str, policy: &stockade::Policy| {
        let report = run(policy, &python.code(code), "");
        let hit = matches!(report.verdict, Verdict::Limit { control: hit, .. } if hit == control);
        assert!(hit, "{:?}: {}", report.verdict, text(&report.stderr));
    };
    let mut memory = policy();
    memory.limits.memory = "64MiB".parse().expect("a size");
    limited(Control::Memory, "x = bytearray(10**9)", &memory);
    let mut busy = policy();
    busy.limits.cpu_time = Duration::from_millis(200).into();
    limited(Control::CpuTime, "while True: pass", &busy);
    let mut asleep = policy();
    asleep.limits.wall_time = Duration::from_millis(300).into();
    limited(Control::WallTime, "import time; time.sleep(3600)", &asleep);
    limited(Control::Output, "while True: print('x' * 100)", &policy());
}
