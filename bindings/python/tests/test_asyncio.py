"""Runs of ``asyncio``: many at once, and none outlives the task that wants it."""

from __future__ import annotations

import asyncio
import functools
import gc
import subprocess
import threading
from typing import Any, Callable, Coroutine, List

import pytest
from host import Mark, until

import stockade

PIPE = stockade.PIPE


@pytest.fixture
def arun(weak: List[str]) -> Callable[..., Any]:
    return functools.partial(stockade.arun, best_effort=weak)


@pytest.fixture
def start(weak: List[str]) -> Callable[..., Any]:
    return functools.partial(stockade.create_sandboxed_exec, best_effort=weak)


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine; its loop complains of what takes it too long or is never awaited."""

    @functools.wraps(test)
    def run(*args: Any, **keywords: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **keywords), 60))

    return run


async def until_alive(mark: Mark, count: int = 1) -> None:
    while len(mark.alive()) < count:
        await asyncio.sleep(0.01)


@looped
async def test_a_run_is_awaited(arun: Any) -> None:
    done = await arun(["sh", "-c", "cat; exit 3"], input="hello", text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello", "")
    assert done.report.verdict.code == 3


@looped
async def test_check_and_errors_are_those_of_run(arun: Any) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        await arun(["false"], check=True)
    with pytest.raises(stockade.SandboxTimeout):
        await arun(["sleep", "60"], timeout=0.2, check=True)
    with pytest.raises(stockade.NotFound):
        await arun(["no-such-program"])
    with pytest.raises(stockade.InvalidPolicy):
        await arun(["true"], memory="lots")
    with pytest.raises(TypeError, match="memory"):
        await arun(["true"], memroy="1MiB")
    with pytest.raises(ValueError, match="stdin"):
        await arun(["true"], input=b"", stdin=stockade.DEVNULL)


@looped
async def test_fifty_runs_go_at_once(arun: Any) -> None:
    threads = threading.active_count()
    runs = [arun(["sh", "-c", f"echo {n}; exit {n}"]) for n in range(50)]
    done = await asyncio.gather(*runs)
    assert [one.returncode for one in done] == list(range(50))
    assert [one.stdout for one in done] == [b"%d\n" % n for n in range(50)]
    assert threading.active_count() == threads


@looped
async def test_the_loop_turns_while_runs_are_awaited(arun: Any) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.ensure_future(turn())
    await arun(["sleep", "0.3"])
    turning.cancel()
    assert turns > 100


@looped
async def test_a_cancelled_task_kills_its_run(arun: Any, mark: Mark) -> None:
    task = asyncio.ensure_future(arun(mark.sleep()))
    await until_alive(mark)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert mark.alive() == []


@looped
async def test_a_task_that_is_cancelled_before_it_starts_runs_nothing(
    arun: Any, mark: Mark
) -> None:
    task = asyncio.ensure_future(arun(mark.sleep()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert mark.alive() == []


@looped
async def test_a_task_may_be_cancelled_twice(arun: Any, mark: Mark) -> None:
    task = asyncio.ensure_future(arun(mark.sleep()))
    await until_alive(mark)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while mark.alive():
        await asyncio.sleep(0.01)


@looped
async def test_wait_for_kills_what_is_late(arun: Any, mark: Mark) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(arun(mark.sleep()), 0.3)
    assert mark.alive() == []


@looped
async def test_a_group_that_fails_kills_the_others(arun: Any, mark: Mark) -> None:
    others = [asyncio.ensure_future(arun(mark.sleep())) for _ in range(5)]
    await until_alive(mark, 5)
    with pytest.raises(stockade.NotFound):
        await asyncio.gather(arun(["no-such-program"]), *others)
    for other in others:
        other.cancel()
    assert {type(end) for end in await asyncio.gather(*others, return_exceptions=True)} == {
        asyncio.CancelledError
    }
    assert mark.alive() == []


@looped
async def test_streams_are_the_loops(start: Any) -> None:
    async with await start("sh", "-c", "cat; echo err >&2; exit 4", stdin=PIPE) as process:
        process.stdin.write(b"one\n")
        await process.stdin.drain()
        assert await process.stdout.readline() == b"one\n"
        assert process.returncode is None and process.report is None
        assert "running" in repr(process)
        process.stdin.close()
        assert await process.stdout.read() == b""
        assert await process.stderr.read() == b"err\n"
        assert await process.wait() == 4
    assert process.returncode == 4
    assert process.verdict == stockade.Verdict("exited", code=4)
    assert process.report.usage.stdout_bytes == 4
    assert repr(process).startswith("<Process")


@looped
async def test_communicate_moves_much_both_ways(start: Any) -> None:
    data = bytes(range(256)) * 16384
    async with await start("tee", "/dev/stderr", stdin=PIPE, output="8MiB") as process:
        assert await process.communicate(data) == (data, data)
    assert process.returncode == 0


@looped
async def test_communicate_does_not_mind_a_program_that_left(start: Any) -> None:
    async with await start("true", stdin=PIPE) as process:
        await process.wait()
        assert await process.communicate(b"x" * 1_000_000) == (b"", b"")


@looped
async def test_streams_may_be_elsewhere(start: Any) -> None:
    null = stockade.DEVNULL
    async with await start("true", stdout=null, stderr=null) as process:
        assert (process.stdin, process.stdout, process.stderr) == (None, None, None)
        assert await process.communicate() == (None, None)
    async with await start("sh", "-c", "echo err >&2", stderr=stockade.STDOUT) as process:
        assert await process.communicate() == (b"err\n", None)


@looped
async def test_a_run_may_be_awaited_by_many(start: Any) -> None:
    async with await start("sh", "-c", "read x; exit 3", stdin=PIPE) as process:
        waits = [asyncio.ensure_future(process.wait()) for _ in range(5)]
        await asyncio.sleep(0.05)
        process.stdin.close()
        assert await asyncio.gather(*waits) == [3] * 5
        assert await process.wait() == 3


@looped
async def test_a_cancelled_wait_kills(start: Any, mark: Mark) -> None:
    async with await start(*mark.sleep()) as process:
        await until_alive(mark)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 0.1)
        assert mark.alive() == []
        assert process.verdict.kind == "cancelled"


@looped
async def test_a_cancelled_communicate_kills(start: Any, mark: Mark) -> None:
    async with await start(*mark.sleep(), stdin=PIPE) as process:
        await until_alive(mark)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(process.communicate(b"x" * 1_000_000), 0.1)
        assert await process.wait() == -9
        assert process.verdict.kind == "cancelled"
        assert mark.alive() == []


@looped
async def test_a_kill_ends_the_run(start: Any, mark: Mark) -> None:
    async with await start(*mark.sleep()) as process:
        await until_alive(mark)
        process.kill()
        assert await process.wait() == -9
        assert mark.alive() == []
        process.terminate()


@looped
async def test_leaving_a_block_by_an_exception_kills(start: Any, mark: Mark) -> None:
    with pytest.raises(ZeroDivisionError):
        async with await start(*mark.sleep(), stdin=PIPE):
            await until_alive(mark)
            raise ZeroDivisionError
    assert mark.alive() == []


@looped
async def test_leaving_a_block_does_not_wait_for_output_that_nobody_wants(start: Any) -> None:
    async with await start("yes", output="unlimited", cpu_time="unlimited") as process:
        assert await process.stdout.readline() == b"y\n"
    assert process.verdict.signal == "SIGPIPE"


@looped
async def test_dropping_kills(start: Any, mark: Mark) -> None:
    null = stockade.DEVNULL
    process = await start(*mark.sleep(), stdout=null, stderr=null)
    await until_alive(mark)
    del process
    gc.collect()
    while mark.alive():
        await asyncio.sleep(0.01)


@looped
async def test_streams_of_a_loop_are_bytes(start: Any) -> None:
    for keywords in ({"text": True}, {"encoding": "utf-8"}, {"errors": "replace"}, {"bufsize": 5}):
        with pytest.raises((ValueError, TypeError)):
            await start("true", **keywords)


@looped
async def test_errors_before_the_start_leave_nothing(start: Any) -> None:
    with pytest.raises(stockade.NotFound):
        await start("no-such-program", stdin=PIPE)
    with pytest.raises(ValueError):
        await start()


@looped
async def test_prepared_programs_are_awaited(best_effort: stockade.Policy) -> None:
    prepared = stockade.prepare(["cat"], policy=best_effort)
    done = await asyncio.gather(*(prepared.arun(f"{n}", text=True) for n in range(10)))
    assert [one.stdout for one in done] == [f"{n}" for n in range(10)]


def test_a_loop_that_is_closed_with_runs_alive_leaves_none(arun: Any, mark: Mark) -> None:
    loop = asyncio.new_event_loop()
    task = loop.create_task(arun(mark.sleep()))
    loop.run_until_complete(until_alive(mark))
    loop.close()
    # It says of itself that it was pending.
    task._log_destroy_pending = False
    del task
    gc.collect()
    assert until(lambda: not mark.alive())


def test_a_loop_that_ends_cancels_its_runs(arun: Any, mark: Mark) -> None:
    async def main() -> None:
        asyncio.ensure_future(arun(mark.sleep()))
        await until_alive(mark)

    asyncio.run(main())
    assert mark.alive() == []


def test_every_thread_may_have_a_loop(arun: Any) -> None:
    codes: List[int] = []

    def work(code: int) -> None:
        done = asyncio.run(arun(["sh", "-c", f"exit {code}"]))
        codes.append(done.returncode)

    threads = [threading.Thread(target=work, args=[code]) for code in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == list(range(8))


def test_a_run_needs_a_loop(start: Any) -> None:
    waiting = start("true")
    try:
        with pytest.raises(RuntimeError):
            waiting.send(None)
    finally:
        waiting.close()
