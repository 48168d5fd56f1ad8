"""`SandboxExecutor` with functions that behave, and with functions that fail."""

from __future__ import annotations

import concurrent.futures
import math
import operator
import os
import pickle
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

pytest.importorskip("cloudpickle", reason="SKIP: cloudpickle: not installed")

from executors import make, no_worker_is_left, throw, workers
from host import until

import stockade
from stockade import (
    BrokenSandboxExecutor,
    CallTimeout,
    LimitReached,
    RemoteError,
    ResultError,
    WorkerLost,
)

__all__ = ["no_worker_is_left"]


# What works.


def test_a_function_returns_what_it_returns_outside() -> None:
    with make() as executor:
        assert executor.submit(pow, 2, 10).result(60) == 1024
        assert executor.call(lambda *a, **k: [a, k], 1, b=2) == [[1], {"b": 2}]
        assert list(executor.map(operator.add, [1, 2, 3], [10, 20, 30], chunksize=2)) == [
            11,
            22,
            33,
        ]
        assert list(executor.map(pow, [])) == []


def test_a_function_runs_behind_the_walls() -> None:
    def look() -> List[Any]:
        import socket

        return [
            socket.gethostname(),
            os.path.exists(__file__),
            os.getuid(),
            sorted(os.environ),
            os.listdir("/tmp"),
        ]

    with make() as executor:
        host, sees_tests, user, names, tmp = executor.call(look)
    assert host == "stockade" and not sees_tests and user == 1000
    assert names == sorted(
        ["HOME", "LANG", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH"]
        + [name for name in names if name in ("LC_CTYPE", "LD_LIBRARY_PATH")]
    )
    assert not any("secret" in name for name in tmp)


def test_numpy_just_works() -> None:
    numpy = pytest.importorskip("numpy", reason="SKIP: numpy: not installed")
    with make(returns="numpy", preload=["numpy"]) as executor:
        array = executor.call(lambda n: numpy.arange(n).reshape(2, -1) * 2.5, 10)
        assert numpy.array_equal(array, numpy.arange(10).reshape(2, -1) * 2.5)
        big = executor.call(lambda: numpy.ones(1_000_000))
        assert big.sum() == 1_000_000
        # Arguments may be arrays in any case.
        assert executor.call(numpy.sum, numpy.ones(7)) == 7
    with make() as executor, pytest.raises(ResultError, match='returns="numpy"'):
        executor.call(lambda: numpy.arange(3))


@pytest.mark.parametrize("returns", ["msgpack", "bytes", "arrow"])
def test_the_other_formats_work(returns: str) -> None:
    for package in ("msgpack", "pyarrow"):
        pytest.importorskip(package, reason=f"SKIP: {package}: not installed")
    with make(returns=returns) as executor:
        if returns == "arrow":
            import pyarrow  # type: ignore[import-untyped, unused-ignore]

            table = executor.call(
                lambda: __import__("pyarrow").table({"a": [1, None], "b": ["x", "y"]})
            )
            assert table.equals(pyarrow.table({"a": [1, None], "b": ["x", "y"]}))
        elif returns == "bytes":
            assert executor.call(lambda: b"\0\xff") == b"\0\xff"
            with pytest.raises(ResultError, match="no bytes"):
                executor.call(lambda: 3)
        else:
            assert executor.call(lambda: {"a": [b"\0", 1.5]}) == {"a": [b"\0", 1.5]}


def test_what_a_function_prints_is_kept() -> None:
    def talk(error: bool) -> None:
        print("out", flush=False)
        sys.stderr.write("err\n")
        os.write(1, b"raw\xff")
        if error:
            raise ValueError("no")

    with make() as executor:
        future = executor.submit(talk, False)
        future.result(60)
        assert future.output == "out\nerr\nraw\ufffd"
        with pytest.raises(RemoteError) as caught:
            executor.call(talk, True)
        assert caught.value.output == "out\nerr\nraw\ufffd"


# What goes wrong, with a name.


class Strange(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_is_told_by_name_message_and_traceback() -> None:
    def inner() -> None:
        raise KeyError("lost")

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("bad \x1b[31mred\u202e") from error

    with make() as executor:
        with pytest.raises(RemoteError) as caught:
            executor.call(outer)
        error = caught.value
        assert (error.type_name, error.message) == ("ValueError", "bad \\x1b[31mred\\u202e")
        assert "in inner" in error.traceback and "in outer" in error.traceback
        assert "stockade guest" not in error.traceback and error.__cause__ is None
        assert "\x1b" not in str(error) and "ValueError: bad" in str(error)
        assert type(pickle.loads(pickle.dumps(error))) is RemoteError
        with pytest.raises(RemoteError, match="SystemExit: 3"):
            executor.call(sys.exit, 3)
        with pytest.raises(RemoteError, match="Strange"):
            executor.call(throw, Strange)


def test_a_result_that_does_not_fit_is_refused_with_what_to_do() -> None:
    with make(result_limit="1KiB") as executor:
        with pytest.raises(ResultError, match="a set does not fit JSON") as caught:
            executor.call(lambda: {1})
        assert caught.value.type_name == "set" and "sorted" in str(caught.value)
        with pytest.raises(ResultError, match="key of type int"):
            executor.call(lambda: [{1: 2}])
        with pytest.raises(ResultError, match="2002 bytes, and 1024 are allowed"):
            executor.call(lambda: "x" * 2000)
        assert math.isnan(executor.call(lambda: math.nan))
        assert executor.call(lambda: (1, (2,))) == [1, [2]]  # type: ignore[comparison-overlap]


def test_arguments_that_cannot_go_in_are_errors_of_the_call() -> None:
    with make(payload_limit=10_000) as executor:
        assert isinstance(executor.submit(print, threading.Lock()).exception(), TypeError)
        with pytest.raises(TypeError):
            executor.call(print, threading.Lock())
        with pytest.raises(ValueError, match="raise payload_limit"):
            executor.call(len, b"x" * 20_000)


def test_a_function_that_never_returns_is_killed_at_its_time() -> None:
    def stay() -> None:
        import signal

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        print("waiting", flush=True)
        while True:
            time.sleep(1)

    with make(timeout=0.5) as executor:
        before = time.monotonic()
        with pytest.raises(CallTimeout, match="longer than 0.5 s") as caught:
            executor.call(stay)
        assert time.monotonic() - before < 20
        assert isinstance(caught.value, subprocess.TimeoutExpired) and caught.value.timeout == 0.5
        assert (
            isinstance(caught.value, stockade.SandboxTimeout) and caught.value.output == "waiting\n"
        )
        assert caught.value.verdict.kind == "cancelled"
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        # Only this call is lost.
        assert executor.call(pow, 2, 2) == 4


def test_the_time_of_a_call_does_not_count_the_start_of_its_interpreter() -> None:
    with make(timeout=1, initializer=time.sleep, initargs=(1.5,)) as executor:
        assert executor.call(pow, 2, 2) == 4


def test_limits_are_errors_with_the_verdict() -> None:
    with make(memory="128MiB", cpu_time=2) as executor:
        with pytest.raises(LimitReached) as caught:
            executor.call(lambda: len([bytearray(1 << 20) for _ in range(1000)]))
        assert caught.value.verdict.control == "memory" and caught.value.returncode == -9
        assert isinstance(caught.value, subprocess.CalledProcessError)
        assert str(caught.value).startswith(
            "the function was stopped: memory limit 128 MiB reached"
        )
        assert pickle.loads(pickle.dumps(caught.value)).verdict == caught.value.verdict

        def spin() -> None:
            while True:
                pass

        with pytest.raises(LimitReached) as caught:
            executor.call(spin)
        assert caught.value.verdict.control == "cpu_time"


def test_a_limit_that_the_interpreter_itself_meets_is_that_limit() -> None:
    with make(memory="4MiB") as executor:
        with pytest.raises((LimitReached, BrokenSandboxExecutor)) as caught:
            executor.call(pow, 2, 2)
        if isinstance(caught.value, LimitReached):
            assert caught.value.verdict.control == "memory"


@pytest.mark.parametrize(
    ("end", "verdict"),
    [
        (lambda: os._exit(3), "exited with status 3"),
        (lambda: os.kill(os.getpid(), 11), "killed by SIGSEGV"),
    ],
    ids=["exit", "signal"],
)
def test_a_worker_that_dies_loses_its_call_and_no_other(
    end: Callable[[], None], verdict: str
) -> None:
    with make() as executor:
        good = executor.submit(pow, 2, 3)
        with pytest.raises(WorkerLost, match=verdict) as caught:
            executor.call(end)
        assert isinstance(caught.value, concurrent.futures.BrokenExecutor)
        assert caught.value.verdict is not None and str(caught.value.verdict) == verdict
        assert good.result(60) == 8 and executor.call(pow, 2, 4) == 16


# One sandbox for each call, or a kept one.


def leave_something() -> List[Any]:
    import builtins

    before = getattr(builtins, "left", None)
    builtins.left = "something"  # type: ignore[attr-defined]
    files = os.listdir("/tmp")
    with open("/tmp/left", "w") as file:
        file.write("something")
    return [before, "left" in files]


@pytest.mark.parametrize("warm", [0, 2])
def test_nothing_of_a_call_is_left_for_the_next(warm: int) -> None:
    with make(warm=warm) as executor:
        assert [executor.call(leave_something) for _ in range(5)] == [[None, False]] * 5


def test_a_kept_worker_serves_as_many_calls_as_it_may() -> None:
    with make(max_tasks_per_child=2) as executor:
        first = [None, False]
        second = ["something", True]
        assert [executor.call(leave_something) for _ in range(4)] == [first, second, first, second]
    with make(max_tasks_per_child=None) as executor:
        assert [executor.call(leave_something)[0] for _ in range(4)] == [None] + ["something"] * 3
        # An exception or a misfit of the function ends no worker; a lost one does.
        with pytest.raises(RemoteError):
            executor.call(throw, ValueError)
        assert executor.call(leave_something)[0] == "something"
        with pytest.raises(WorkerLost):
            executor.call(os._exit, 1)
        assert executor.call(leave_something)[0] is None


def test_warm_workers_are_started_ahead_and_replaced() -> None:
    with make(warm=2, preload=["decimal"]) as executor:
        assert executor.call(pow, 2, 2) == 4
        for _ in range(3):
            assert until(lambda: executor._pool.waiting() == 2)
            assert executor.call(lambda: "decimal" in sys.modules) is True
        assert "waiting" in repr(executor)


@pytest.mark.parametrize("started", [True, False])
def test_a_warm_worker_that_dies_while_it_waits_is_no_error(started: bool) -> None:
    with make(warm=1) as executor:
        executor.call(pow, 2, 2)
        assert until(lambda: executor._pool.waiting() == 1)
        worker = executor._pool._idle[0]
        if started:
            worker.ready()
        worker.kill()
        assert until(lambda: worker._process.poll() is not None and not worker._channel.quiet())
        assert executor.call(pow, 2, 3) == 8


def test_an_initializer_runs_in_every_worker() -> None:
    def prepare(value: int) -> None:
        import builtins

        builtins.prepared = value  # type: ignore[attr-defined]

    with make(initializer=prepare, initargs=(7,), warm=1) as executor:
        assert list(executor.map(eval, ["prepared"] * 4)) == [7] * 4


@pytest.mark.parametrize("warm", [0, 2])
def test_a_helper_that_is_lost_between_calls_is_no_error(warm: int) -> None:
    with make(warm=warm) as executor:
        future = executor.submit(time.sleep, 0.5)
        assert until(lambda: future.running() and workers())
        helper = parent(parent(workers()[0]))
        future.result(60)
        assert until(lambda: executor._pool.waiting() == warm and (warm or not workers()))
        os.kill(helper, 9)
        # A call that is handed to one before its end is known is lost with it.
        assert until(lambda: all(over(worker) for worker in executor._pool._idle))
        assert [executor.call(pow, 2, n) for n in range(4)] == [1, 2, 4, 8]


def over(worker: Any) -> bool:
    return bool(select.select([worker._process], [], [], 0)[0])


def parent(process: int) -> int:
    return int(Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[1])


# What functions bring along.


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of the user's own, which is not installed."""
    package = tmp_path / "ownpackage"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tools.py").write_text(
        "class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\ndef double(x): return 2 * x\n"
    )
    (package / "work.py").write_text(
        "from .tools import Pair, double\n"
        "def run(x): return double(x) + 1\n"
        "def total(pair): return pair.a + pair.b\n"
    )
    (tmp_path / "ownmodule.py").write_text("SCALE = 5\ndef scale(x): return SCALE * x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith(("ownpackage", "ownmodule"))]:
        del sys.modules[name]


def test_functions_and_classes_of_the_users_own_go_by_value(project: Path) -> None:
    import cloudpickle  # type: ignore[import-untyped, unused-ignore]
    import ownmodule  # type: ignore[import-not-found]
    from ownpackage import tools, work  # type: ignore[import-not-found]

    with make() as executor:
        assert executor.call(work.run, 4) == 9
        assert executor.call(work.total, tools.Pair(1, 2)) == 3
        assert executor.call(lambda x: ownmodule.scale(x), 2) == 10
        assert list(executor.map(ownmodule.scale, [1, 2])) == [5, 10]
        # A function of the library, with a value of the user's class.
        assert executor.call(getattr, tools.Pair(6, 2), "a") == 6
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_the_registration_of_others_is_left_alone(project: Path) -> None:
    import cloudpickle
    import ownmodule

    cloudpickle.register_pickle_by_value(ownmodule)
    try:
        with make() as executor:
            assert executor.call(ownmodule.scale, 2) == 10
        assert cloudpickle.list_registry_pickle_by_value() == {"ownmodule"}
    finally:
        cloudpickle.unregister_pickle_by_value(ownmodule)


def test_a_directory_that_is_named_can_be_imported_from(project: Path) -> None:
    def imports() -> int:
        import ownmodule

        return int(ownmodule.scale(2))

    with make() as executor, pytest.raises(RemoteError, match="ModuleNotFoundError"):
        executor.call(imports)
    with make(paths=[project]) as executor:
        assert executor.call(imports) == 10
