"""Many threads at once: each gets its own, and none keeps the others from working."""

from __future__ import annotations

import concurrent.futures
import sys
import threading
from typing import Any, Callable, List

from host import Interpreter, Mark, until
from modules import binary

import stockade

ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
SPIN = '(module (func (export "spin") (loop $l (br $l))))'


def at_once(work: Callable[[int], Any], count: int, threads: int = 16) -> List[Any]:
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(count)))


def test_runs_of_many_threads_do_not_mix(run: Any) -> None:
    def work(n: int) -> Any:
        done = run(["sh", "-c", f"cat; exit {n}"], input=b"%d" % n)
        return done.returncode, done.stdout

    assert at_once(work, 100) == [(n, b"%d" % n) for n in range(100)]


def test_a_prepared_program_is_started_from_many_threads(best_effort: stockade.Policy) -> None:
    prepared = stockade.prepare(["cat"], policy=best_effort)
    prepared.warm(2)
    assert at_once(lambda n: prepared.run(b"%d" % n).stdout, 100) == [b"%d" % n for n in range(100)]
    prepared.warm(0)


def test_live_runs_of_many_threads_do_not_mix(popen: Any) -> None:
    def work(n: int) -> Any:
        with popen(["cat"], stdin=stockade.PIPE) as process:
            return process.communicate(b"%d" % n * 50_000)[0] == b"%d" % n * 50_000

    assert all(at_once(work, 40))


def test_modules_of_many_threads_do_not_mix() -> None:
    module = stockade.Module(binary(ADD))
    assert at_once(lambda n: module.call("add", n, n), 500) == [2 * n for n in range(500)]


def test_a_module_that_is_new_to_many_threads_is_one() -> None:
    for _ in range(5):
        module = stockade.Module(binary(ADD), memory=1 << 20)
        assert at_once(lambda n: module.call("add", n, 1), 32, 32) == list(range(1, 33))


def test_shared_sandboxes_that_are_new_to_many_threads_are_one(interpreter: Interpreter) -> None:
    code = (
        "import concurrent.futures, stockade\n"
        "def work(n):\n"
        "    done = stockade.run(['sh', '-c', f'exit {n}'], best_effort=WEAK)\n"
        "    return done.returncode, id(stockade.sandbox._shared['namespace'])\n"
        "with concurrent.futures.ThreadPoolExecutor(20) as pool:\n"
        "    results = list(pool.map(work, range(20)))\n"
        "print([code for code, _ in results] == list(range(20)), len({one for _, one in results}))"
    )
    assert interpreter.prints(code) == "True 1\n"


def counts_while(wait: Callable[[], Any], end: Callable[[], Any]) -> int:
    """How far another thread counts while this one waits, if it is let; it ends the wait."""
    count = 0

    def work() -> None:
        nonlocal count
        for _ in range(200_000):
            count += 1
        end()

    thread = threading.Thread(target=work)
    thread.start()
    wait()
    reached = count
    thread.join()
    return reached


def test_the_interpreter_is_free_while_a_run_is_waited_for(popen: Any) -> None:
    for wait in ("wait", "communicate"):
        with popen(["sleep", "60"]) as process:
            # The wait ends only when the other thread has counted to the end.
            assert counts_while(getattr(process, wait), process.kill) == 200_000
        assert process.verdict.kind == "cancelled"


def test_the_interpreter_is_free_while_a_run_is_run(run: Any, tmp_path: Any) -> None:
    tmp_path.chmod(0o777)
    mount = {"bind": str(tmp_path), "target": "/in", "access": "ro"}
    script = "until test -e /in/now; do sleep 0.01; done"

    def wait() -> None:
        assert run(["sh", "-c", script], mounts=[mount]).returncode == 0

    assert counts_while(wait, (tmp_path / "now").touch) == 200_000


def test_the_interpreter_is_free_while_a_module_computes() -> None:
    with stockade.Module(binary(SPIN)).instantiate() as instance:

        def wait() -> None:
            try:
                instance.call("spin")
            except stockade.SandboxProcessError as error:
                assert error.verdict.kind == "cancelled"

        assert counts_while(wait, instance.kill) == 200_000


def test_a_run_is_killed_and_waited_for_by_different_threads(popen: Any, mark: Mark) -> None:
    with popen(mark.sleep()) as process:
        assert until(mark.alive)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            waits = [pool.submit(process.wait) for _ in range(4)]
            kills = [pool.submit(process.kill) for _ in range(4)]
            assert [wait.result() for wait in waits] == [-9] * 4
            assert [kill.result() for kill in kills] == [None] * 4


def test_one_policy_serves_many_threads(weak: List[str]) -> None:
    policy = stockade.Policy(best_effort=weak, env={"A": "1"})

    def work(n: int) -> Any:
        return stockade.run(["sh", "-c", "echo $A $B"], policy=policy, env={"B": str(n)}).stdout

    assert at_once(work, 40) == [b"1 %d\n" % n for n in range(40)]


def test_errors_of_many_threads_are_their_own(run: Any) -> None:
    def work(n: int) -> Any:
        try:
            run([f"missing-{n}"] if n % 2 else ["true"], memory="lots" if n % 3 == 0 else "64MiB")
        except stockade.SandboxError as error:
            return error.kind, f"missing-{n}" in str(error)
        return None

    wanted = [
        ("invalid_policy", False) if n % 3 == 0 else ("not_found", True) if n % 2 else None
        for n in range(60)
    ]
    assert at_once(work, 60) == wanted


def test_the_native_half_does_not_bring_back_the_lock(interpreter: Interpreter) -> None:
    """An interpreter without the lock stays without it; one that has it says so."""
    code = "import stockade\nfree = getattr(sys, '_is_gil_enabled', lambda: True)\nprint(free())"
    has = getattr(sys, "_is_gil_enabled", lambda: True)()
    assert interpreter.prints(code) == f"{has}\n"
