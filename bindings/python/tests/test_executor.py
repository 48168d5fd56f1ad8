"""`SandboxExecutor` with functions that behave, and with functions that do not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import math
import operator
import os
import pickle
import select
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

pytest.importorskip("cloudpickle", reason="SKIP: cloudpickle: not installed")

import stockade
from stockade import (
    BrokenSandboxExecutor,
    CallTimeout,
    LimitReached,
    RemoteError,
    ResultError,
    SandboxExecutor,
    SandboxFuture,
    WorkerLost,
)

BEST_EFFORT = ("memory", "cpu_time", "processes", "cpus")


MARK = tempfile.mkdtemp(prefix="stockade-executors-")
"""A directory that every interpreter here has in its path, which tells its processes from others'."""


def workers() -> List[int]:
    """The processes of this module's sandboxes, by what their Pythons were told to run."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                command = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue  # gone meanwhile
            if MARK.encode() in command and b"stockade_guest" in command:
                found.append(int(name))
    return found


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def until(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture(scope="module", autouse=True)
def helper() -> Iterator[None]:
    """The helper of all sandboxes stays for the process, and is no leftover."""
    stockade.run(["true"], best_effort=BEST_EFFORT)
    yield
    os.rmdir(MARK)


@pytest.fixture(autouse=True)
def nothing_is_left(helper: None) -> Iterator[None]:
    gc.collect()
    before = descriptors()
    yield
    gc.collect()
    assert until(lambda: not workers()), f"sandboxes are left: {workers()}"
    assert until(lambda: descriptors() <= before), "descriptors are left"
    assert until(lambda: not [t for t in threading.enumerate() if t.name.startswith("stockade-")])


def make(**options: Any) -> SandboxExecutor:
    paths = [*options.pop("paths", ()), MARK]
    return SandboxExecutor(
        **{"max_workers": 2, "warm": 0, "best_effort": BEST_EFFORT, "paths": paths, **options}
    )


# What works.


def test_a_function_returns_what_it_returns_outside() -> None:
    with make() as executor:
        assert executor.submit(pow, 2, 10).result(60) == 1024
        assert executor.call(lambda *a, **k: [a, k], 1, b=2) == [[1], {"b": 2}]
        assert list(executor.map(operator.add, [1, 2, 3], [10, 20, 30], chunksize=2)) == [11, 22, 33]
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

            table = executor.call(lambda: __import__("pyarrow").table({"a": [1, None], "b": ["x", "y"]}))
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
            executor.call(_raise, Strange)


def _raise(kind: type) -> None:
    raise kind()


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
        assert isinstance(caught.value, stockade.SandboxTimeout) and caught.value.output == "waiting\n"
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
        assert str(caught.value).startswith("the function was stopped: memory limit 128 MiB reached")
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
def test_a_worker_that_dies_loses_its_call_and_no_other(end: Callable[[], None], verdict: str) -> None:
    with make() as executor:
        good = executor.submit(pow, 2, 3)
        with pytest.raises(WorkerLost, match=verdict) as caught:
            executor.call(end)
        assert isinstance(caught.value, concurrent.futures.BrokenExecutor)
        assert caught.value.verdict is not None and str(caught.value.verdict) == verdict
        assert good.result(60) == 8 and executor.call(pow, 2, 4) == 16


# Functions that attack the host's side.


def channel() -> int:
    """Inside: the descriptor that answers are written to."""
    mine = os.fstat(2)
    for number in range(3, 64):
        try:
            found = os.fstat(number)
            os.write(number, b"")
        except OSError:
            continue
        if found.st_ino != mine.st_ino:
            return number
    raise LookupError


def forge(
    header: bytes, body: bytes = b"", head_size: Optional[int] = None, body_size: Optional[int] = None
) -> None:
    """Inside: write a frame, and stay."""
    sizes = [
        len(header) if head_size is None else head_size,
        len(body) if body_size is None else body_size,
    ]
    data = b"".join(size.to_bytes(4, "big") for size in sizes) + header + body
    number = channel()
    while data:
        data = data[os.write(number, data) :]
    time.sleep(1000)


def garbage_everywhere() -> None:
    for number in range(64):
        try:
            os.write(number, os.urandom(4096))
        except OSError:
            continue


def flood() -> None:
    while True:
        garbage_everywhere()


def close_everything() -> None:
    os.closerange(0, 64)
    time.sleep(1000)


def children() -> None:
    for _ in range(5):
        if not os.fork():
            os.setsid()
            time.sleep(1000)
    os._exit(0)


HOSTILE: Dict[str, Callable[[], Any]] = {
    "garbage": garbage_everywhere,
    "flood": flood,
    "close": close_everything,
    "children": children,
    "huge header": lambda: forge(b"", head_size=0xFFFF_FFFF),
    "huge body": lambda: forge(b"{}", body_size=0xFFFF_FFFF),
    "short header": lambda: forge(b"{}", head_size=100),
    "short body": lambda: forge(b'{"op":"returned","id":1}', b"1", body_size=100),
    "no JSON": lambda: forge(b"\xff\xfe"),
    "a list": lambda: forge(b"[]"),
    "deep header": lambda: forge(b"[" * 100_000),
    "huge number": lambda: forge(b'{"id":' + b"9" * 500_000 + b"}"),
    "NaN": lambda: forge(b'{"id":NaN}'),
    "no id": lambda: forge(b'{"op":"returned"}'),
    "wrong id": lambda: forge(b'{"op":"returned","id":2}', b"1"),
    "no op": lambda: forge(b'{"id":1}'),
    "strange op": lambda: forge(b'{"id":1,"op":"pickle"}'),
    "op is a list": lambda: forge(b'{"id":1,"op":[]}'),
    "deep body": lambda: forge(b'{"id":1,"op":"returned"}', b"[" * 500_000),
    "body of text": lambda: forge(b'{"id":1,"op":"returned"}', b"\xc3\x28"),
    "pickle": lambda: forge(b'{"id":1,"op":"returned"}', pickle.dumps(print)),
    "digits": lambda: forge(b'{"id":1,"op":"returned"}', b"9" * 900_000),
    "error without text": lambda: forge(b'{"id":1,"op":"raised"}'),
    "error of numbers": lambda: forge(b'{"id":1,"op":"raised","type":1,"message":2,"traceback":3}'),
    "long error": lambda: forge(
        b'{"id":1,"op":"raised","type":"' + b"x" * 1000 + b'","message":"","traceback":""}'
    ),
    "misfit without fix": lambda: forge(b'{"id":1,"op":"unfit","type":"a","message":"b"}'),
}

ENDS: Dict[str, Any] = {
    "close": (WorkerLost, "protocol in the call: the guest has closed"),
    "children": (WorkerLost, "ended in the call: exited with status 0"),
    "short header": (CallTimeout, "longer"),
    "short body": (CallTimeout, "longer"),
}


@pytest.mark.parametrize("attack", HOSTILE, ids=str)
def test_a_hostile_function_gets_a_typed_error_and_the_host_goes_on(attack: str) -> None:
    with make(timeout=2, result_limit="1MiB") as executor:
        # Not merely some error: none of these may fail before it has attacked.
        expected = ENDS.get(attack, (WorkerLost, "broke the protocol in the call"))
        with pytest.raises(expected[0], match=expected[1]):
            executor.call(HOSTILE[attack])
        assert executor.call(pow, 2, 2) == 4


@pytest.mark.parametrize(
    "wrong", [{"dtype": "|O"}, {"shape": [10**9]}, {"dtype": "<U1"}, {"shape": [-1]}], ids=str
)
def test_a_forged_array_is_refused(wrong: Dict[str, Any]) -> None:
    pytest.importorskip("numpy", reason="SKIP: numpy: not installed")
    import json

    good = {"id": 1, "op": "returned", "dtype": "<f8", "shape": [1], "order": "C", "scalar": False}
    with make(returns="numpy") as executor:
        forged: Any = executor.call(forge, json.dumps(good).encode(), bytes(8))
        assert forged.shape == (1,)
        with pytest.raises(WorkerLost, match="protocol"):
            executor.call(forge, json.dumps({**good, **wrong}).encode(), bytes(8))


def test_a_forged_answer_is_only_a_result_and_a_second_one_reaches_nobody() -> None:
    def twice() -> int:
        import threading as inside

        forge_now = b'{"op":"returned","id":1}'
        frame = len(forge_now).to_bytes(4, "big") + (1).to_bytes(4, "big") + forge_now + b"7"
        os.write(channel(), frame * 3)
        inside.Event().wait(0.2)
        return 1

    for tasks in (1, None):
        with make(max_tasks_per_child=tasks) as executor:
            assert executor.call(twice) == 7
            # A kept worker that spoke out of turn is not asked again.
            time.sleep(0.5)
            assert executor.call(pow, 2, 5) == 32


def test_output_without_end_is_bounded() -> None:
    def talk() -> None:
        for _ in range(300):
            os.write(2, b"x" * 65536)
        raise ValueError

    with make() as executor, pytest.raises(RemoteError) as caught:
        executor.call(talk)
    assert len(caught.value.output) <= 1 << 16 and caught.value.output.endswith("xxx")


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
            executor.call(_raise, ValueError)
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


# Futures.


def test_a_call_that_waits_can_be_cancelled() -> None:
    with make(max_workers=1) as executor:
        running = executor.submit(time.sleep, 30)
        waiting = executor.submit(pow, 2, 2)
        assert until(running.running)
        assert waiting.cancel() and waiting.cancelled()
        assert not waiting.running()
        assert running.cancel()
        both: List[concurrent.futures.Future[Any]] = [running, waiting]
        assert concurrent.futures.wait(both, timeout=20).not_done == set()


def test_a_call_that_runs_can_be_cancelled_and_its_sandbox_is_killed() -> None:
    with make() as executor:
        future = executor.submit(time.sleep, 60)
        assert until(future.running) and workers()
        assert future.cancel() and future.cancelled() and not future.running()
        assert until(lambda: not workers())
        with pytest.raises(concurrent.futures.CancelledError):
            future.result()
        assert concurrent.futures.wait([future], timeout=20).done == {future}
        done = executor.submit(pow, 2, 2)
        done.result(60)
        assert not done.cancel()


def test_a_worker_is_killed_by_its_own_call_only() -> None:
    class Fake:
        killed = False

        def kill(self) -> None:
            self.killed = True

    worker: Any = Fake()
    future: SandboxFuture[None] = SandboxFuture()
    future.attach(worker)
    future.detach("")
    assert future.cancel() and not worker.killed
    future.attach(worker)
    assert worker.killed


def test_cancelling_does_not_hit_the_next_call_of_a_kept_worker() -> None:
    with make(max_workers=1, max_tasks_per_child=None) as executor:
        for _ in range(50):
            first, second = executor.submit(pow, 2, 2), executor.submit(pow, 2, 3)
            first.result(60)
            first.cancel()
            assert second.result(60) == 8


def test_map_gives_up_at_its_time_and_takes_its_sandboxes_along() -> None:
    with make() as executor:
        with pytest.raises(concurrent.futures.TimeoutError):
            list(executor.map(time.sleep, [0, 60, 60, 60], timeout=1))
        assert until(lambda: not workers())


def test_callbacks_as_completed_and_many_threads_work() -> None:
    seen: List[int] = []
    with make(warm=2) as executor:
        futures = [executor.submit(pow, n, 2) for n in range(6)]
        for future in futures:
            future.add_done_callback(lambda done: seen.append(done.result()))
        assert sorted(f.result() for f in concurrent.futures.as_completed(futures, timeout=60)) == [
            n * n for n in range(6)
        ]
        results: List[int] = []
        threads = [
            threading.Thread(target=lambda n=n: results.append(executor.call(pow, n, 3)))
            for n in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seen) == [n * n for n in range(6)] and sorted(results) == [n**3 for n in range(6)]


def test_it_serves_asyncio_and_cancelling_the_task_kills() -> None:
    async def main(executor: SandboxExecutor) -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor, pow, 2, 5) == 32
        pending = loop.run_in_executor(executor, time.sleep, 60)
        while not workers():
            await asyncio.sleep(0.01)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.run_in_executor(executor, time.sleep, 60), 0.3)

    with make() as executor:
        asyncio.run(main(executor))
        assert until(lambda: not workers())


# The end of an executor.


def test_after_shutdown_nothing_is_taken() -> None:
    executor = make(warm=1)
    future = executor.submit(pow, 2, 2)
    executor.shutdown()
    assert future.result(0) == 4 and not workers()
    for call in (executor.submit, executor.call):
        with pytest.raises(RuntimeError, match="after shutdown"):
            call(pow, 2, 2)
    executor.shutdown()
    assert "shut down" in repr(executor)


def test_shutdown_without_waiting_finishes_what_was_asked() -> None:
    executor = make(warm=1)
    futures = [executor.submit(pow, 2, n) for n in range(4)]
    executor.shutdown(wait=False)
    assert [future.result(60) for future in futures] == [1, 2, 4, 8]
    assert until(lambda: not workers()) and "shut down" in repr(executor)


def test_shutdown_can_cancel_what_waits() -> None:
    executor = make(max_workers=1)
    first = executor.submit(time.sleep, 1)
    rest = [executor.submit(pow, 2, n) for n in range(4)]
    assert until(first.running)
    executor.shutdown(cancel_futures=True)
    assert first.result(0) is None and all(future.cancelled() for future in rest)
    assert concurrent.futures.wait(rest, timeout=20).not_done == set()


def test_an_executor_that_is_forgotten_takes_its_sandboxes_along() -> None:
    executor = make(warm=2)
    executor.call(pow, 2, 2)
    assert until(lambda: executor._pool.waiting() == 2)
    del executor
    gc.collect()
    assert until(lambda: not workers())


@pytest.mark.parametrize(
    "options",
    [
        {"preload": ["no_such_module"]},
        {"initializer": _raise, "initargs": (ValueError,)},
        {"initializer": os._exit, "initargs": (3,)},
    ],
    ids=["preload", "initializer", "death"],
)
def test_an_executor_whose_workers_cannot_start_is_broken(options: Dict[str, Any]) -> None:
    with make(max_workers=1, **options) as executor:
        futures = [executor.submit(pow, 2, n) for n in range(3)]
        for future in futures:
            error = future.exception(60)
            assert isinstance(error, BrokenSandboxExecutor) and error.__cause__ is not None
            assert isinstance(error, concurrent.futures.BrokenExecutor)
        for call in (executor.submit, executor.call):
            with pytest.raises(BrokenSandboxExecutor):
                call(pow, 2, 2)
        assert "broken" in repr(executor)


def test_wrong_options_are_errors_before_anything_starts() -> None:
    for wrong in (
        {"max_workers": 0},
        {"warm": -1},
        {"max_tasks_per_child": 0},
        {"returns": "pickle"},
        {"result_limit": "much"},
        {"result_limit": 0},
    ):
        with pytest.raises(ValueError):
            make(**wrong)
    with pytest.raises(stockade.InvalidPolicy):
        make(memory=0)
    with pytest.raises(stockade.InvalidPolicy, match="base"):
        make(base="empty")
    with pytest.raises(TypeError):
        make(memroy="1MiB")
    with pytest.raises(FileNotFoundError):
        make(paths=["/no/such/directory"])
    with make() as executor, pytest.raises(TypeError, match="pickled"):
        pickle.dumps(executor)


def script(text: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(text))
    package = str(Path(stockade.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )


START = f"""
import os, sys, time, warnings
from stockade import SandboxExecutor
def make(**options): return SandboxExecutor(**{{"best_effort": {BEST_EFFORT!r}, **options}})
"""


def test_a_program_that_ends_without_shutdown_finishes_and_leaves_nothing(tmp_path: Path) -> None:
    done = script(
        START
        + """
executor = make(warm=2)
futures = [executor.submit(pow, 2, n) for n in range(4)]
futures[-1].add_done_callback(lambda done: print(done.result(), flush=True))
""",
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "8\n", "")


def test_a_program_that_is_interrupted_in_a_call_ends_at_once(tmp_path: Path) -> None:
    done = script(
        START
        + """
import signal, threading
executor = make()
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    executor.call(time.sleep, 25)
except KeyboardInterrupt:
    print("interrupted", executor.call(pow, 2, 2))
""",
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted 4\n", "")


def test_a_fork_has_no_say_over_the_executor_and_may_make_its_own(tmp_path: Path) -> None:
    done = script(
        START
        + """
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point
executor = make(warm=1)
executor.call(pow, 2, 2)
pid = os.fork()
if not pid:
    try:
        executor.submit(pow, 2, 2)
    except RuntimeError as error:
        print("child:", error)
    executor.shutdown()
    del executor
    with make() as own:
        print("child:", own.call(pow, 2, 3))
    sys.stdout.flush()
    sys.exit(0)
print("status", os.waitpid(pid, 0)[1])
print("parent:", executor.call(pow, 2, 4))
""",
        tmp_path,
    )
    assert done.stdout.splitlines() == [
        "child: this SandboxExecutor belongs to the process that was forked; make a new one",
        "child: 8",
        "status 0",
        "parent: 16",
    ]
    assert (done.returncode, done.stderr) == (0, "")


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
