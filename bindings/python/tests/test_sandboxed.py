"""Functions that run in a sandbox whenever they are called."""

from __future__ import annotations

import gc
import inspect
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

cloudpickle = pytest.importorskip("cloudpickle", reason="SKIP: cloudpickle: not installed")

import stockade
from stockade import CallTimeout, RemoteError, sandboxed

BEST_EFFORT = ("memory", "cpu_time", "processes", "cpus")
OPTIONS: Dict[str, Any] = {"best_effort": BEST_EFFORT, "warm": 0}


@sandboxed(**OPTIONS)
def where(x: int = 3, *, y: str = "z") -> List[Any]:
    """Says where it is."""
    import socket

    return [x, y, socket.gethostname(), os.getpid()]


@sandboxed(**OPTIONS)
def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@sandboxed(**OPTIONS)
def twice(n: int) -> int:
    return 2 * fibonacci(n)


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance

    @sandboxed(**OPTIONS)
    def plus(self, amount: int) -> int:
        return self.balance + amount


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """The functions here have executors for good; each test is to leave nothing."""
    yield
    for function in (where, fibonacci, twice, Account.plus):
        if function._made is not None:
            function._made.shutdown()
            function._made = None
    gc.collect()


def test_a_call_runs_in_a_sandbox_and_gives_the_result() -> None:
    x, y, host, process = where(5, y="a")
    assert (x, y, host) == (5, "a", "stockade") and process != os.getpid()
    assert where.local()[3] == os.getpid()


def test_it_looks_like_the_function_it_wraps() -> None:
    assert where.__name__ == "where" and where.__doc__ == "Says where it is."  # type: ignore[attr-defined]
    assert str(inspect.signature(where)).startswith("(x: 'int' = 3, *, y: 'str' = 'z')")
    assert inspect.unwrap(where) is where.local and "where" in repr(where)


def test_map_and_submit_run_it_in_sandboxes_too() -> None:
    assert [row[:3] for row in where.map([1, 2])] == [[1, "z", "stockade"], [2, "z", "stockade"]]
    assert where.submit(7, y="b").result(60)[:2] == [7, "b"]


def test_inside_a_sandbox_sandboxed_functions_call_each_other_as_they_are() -> None:
    assert fibonacci(10) == 55
    assert twice(10) == 110


def test_methods_work() -> None:
    assert Account(4).plus(3) == 7


def test_without_options_it_is_a_plain_decorator() -> None:
    decorated: Any = sandboxed(pow)
    assert isinstance(decorated, stockade.SandboxedFunction) and decorated.local(2, 3) == 8


def test_policy_and_options_reach_the_sandbox() -> None:
    import time

    nap = sandboxed(timeout=0.3, **OPTIONS)(time.sleep)
    with pytest.raises(CallTimeout, match="0.3 s"):
        nap(60)
    policy = stockade.Policy(hostname="elsewhere", best_effort=BEST_EFFORT)
    assert sandboxed(policy=policy, warm=0)(where.local)()[2] == "elsewhere"
    with pytest.raises(stockade.InvalidPolicy):
        sandboxed(memory="no size")(os.getpid)()


def test_an_error_of_the_function_is_a_remote_error() -> None:
    with pytest.raises(RemoteError, match="ZeroDivisionError: division by zero"):
        sandboxed(**OPTIONS)(lambda: 1 / 0)()


def test_it_is_pickled_by_name_where_it_can_be_imported() -> None:
    assert pickle.loads(pickle.dumps(where)) is where
    assert pickle.loads(pickle.dumps(Account.plus)) is Account.plus


def test_one_made_on_the_spot_goes_by_value() -> None:
    def triple(x: int) -> int:
        return 3 * x

    back = pickle.loads(cloudpickle.dumps(sandboxed(**OPTIONS)(triple)))
    assert isinstance(back, stockade.SandboxedFunction) and back(4) == 12 and back.local(5) == 15
    assert back._options == OPTIONS


def test_a_script_can_send_its_function_to_another_process_and_fork(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(
        textwrap.dedent(
            f"""
            import os, subprocess, sys, warnings
            import cloudpickle
            from stockade import sandboxed

            @sandboxed(best_effort={BEST_EFFORT!r}, warm=0)
            def double(x):
                return 2 * x

            if __name__ == "__main__":
                print(double(4))
                code = "import sys, pickle; print(pickle.load(sys.stdin.buffer)(21))"
                command, sent = [sys.executable, "-c", code], cloudpickle.dumps(double)
                done = subprocess.run(command, input=sent, capture_output=True)
                print(done.stdout.decode(), done.stderr.decode(), end="", flush=True)
                warnings.simplefilter("ignore", DeprecationWarning)
                if not os.fork():
                    print(double(5), flush=True)
                else:
                    os.wait()
            """
        )
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(stockade.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=120, env=environment
    )
    assert (done.stdout.split(), done.stderr) == (["8", "42", "10"], "")
