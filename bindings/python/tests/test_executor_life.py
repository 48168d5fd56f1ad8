"""Futures of `SandboxExecutor`, and how it ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

pytest.importorskip("cloudpickle", reason="SKIP: cloudpickle: not installed")

from executors import BEST_EFFORT, make, no_worker_is_left, throw, workers
from host import until

import stockade
from stockade import BrokenSandboxExecutor, SandboxExecutor, SandboxFuture

__all__ = ["no_worker_is_left"]


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
        {"initializer": throw, "initargs": (ValueError,)},
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
