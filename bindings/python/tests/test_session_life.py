"""Sessions: limits, interrupts, loss, threads, forks and the end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from typing import Any, List

import pytest
from sessions import nothing_is_left_behind, open_session, session  # noqa: F401, F811

import stockade
from stockade import Session, SessionLost
from stockade.errors import HostLost

STUBBORN = "import time\nwhile True:\n  try: time.sleep(60)\n  except BaseException: pass"


def interrupt_when(session: Session, marker: str) -> Any:
    """A listener that interrupts the session when it hears the marker."""
    return lambda text: session.interrupt() if marker in text else None


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import threading; threading.Event().wait()",
    ],
)
def test_code_that_takes_too_long_is_interrupted_and_its_state_kept(
    session: Session, code: str
) -> None:
    session.run("x = 5")
    result = session.run(code, timeout=0.1)
    assert result.error is not None and (result.error.type, result.limit) == (
        "TimeoutError",
        "timeout",
    )
    assert "KeyboardInterrupt" in result.error.traceback
    assert session.run("x").value == 5


def test_code_that_prints_without_end_is_stopped_at_its_limit(session: Session) -> None:
    result = session.run("x = 5\nwhile True: print('a' * 99)", output=1000)
    assert result.error is not None and (result.error.type, result.limit) == (
        "OutputLimit",
        "output",
    )
    assert result.truncated and len(result.stdout) == 1000 and result.wall_ns < 10e9
    assert session.run("x").value == 5


def test_output_without_end_on_a_descriptor_itself_is_stopped_too(session: Session) -> None:
    for fd in (1, 2):
        result = session.run(f"import os\nwhile True: os.write({fd}, b'a' * 999)", output=1000)
        assert result.limit == "output" and len(result.stdout + result.stderr) == 1000
    assert session.run("1").ok


def test_output_is_dropped_past_its_limit_if_that_is_asked_for() -> None:
    with open_session(output=10, output_overflow="truncate") as session:
        result = session.run("print('a' * 100); 7")
        assert result.ok and result.value == 7
        assert result.truncated and result.stdout == "a" * 10
        assert not session.run("print('b' * 9)").truncated


def test_as_much_as_the_limit_is_allowed(session: Session) -> None:
    result = session.run("print('a' * 99)", output=100)
    assert result.ok and not result.truncated


def test_code_that_does_not_obey_is_killed_and_the_session_says_so() -> None:
    with open_session(grace=0.2) as session:
        with pytest.raises(SessionLost) as caught:
            session.run("print('here', flush=True)\n" + STUBBORN, timeout=0.1)
        assert caught.value.stdout == "here\n" and caught.value.report is not None
        assert not session.alive
        for call in (
            lambda: session.run("1"),
            lambda: session.files(),
            lambda: session.put("a", b""),
        ):
            with pytest.raises(SessionLost, match="took more than 0.1 s"):
                call()
        session.reset()
        assert session.run("1").value == 1 and session.alive


def test_interrupts_come_by_another_thread_and_may_be_caught(session: Session) -> None:
    code = (
        "import time\ntry:\n  print('go')\n  time.sleep(60)\nexcept KeyboardInterrupt: got = 1\ngot"
    )
    assert session.run(code, on_stdout=interrupt_when(session, "go")).value == 1
    code = "import threading\nprint('go')\nthreading.Event().wait()"
    error = session.run(code, on_stdout=interrupt_when(session, "go")).error
    assert error is not None and error.type == "KeyboardInterrupt"
    assert session.interrupt() is False


def test_an_interrupt_does_not_hit_a_later_call(session: Session) -> None:
    for _ in range(20):
        session.run("print('go')", on_stdout=interrupt_when(session, "go"))
        assert session.run("sum(range(1000))").ok

    def late(text: str) -> None:
        talk = session._keeper._talk
        assert talk is not None
        talk.feed.say({"op": "interrupt", "id": talk.calls - 1}, deadline=time.monotonic() + 9)

    assert session.run("print('go')\nimport time\ntime.sleep(0.2)\n5", on_stdout=late).value == 5


def test_interrupts_within_output_leave_every_frame_whole(session: Session) -> None:
    for count in range(20):
        heard: List[str] = []

        def listener(text: str, count: int = count, heard: List[str] = heard) -> None:
            heard.append(text)
            if len(heard) == count + 1:
                session.interrupt()
            # So that the pipe is full, and half a frame written when the interrupt comes.
            time.sleep(0.001)

        error = session.run("while True: print('a' * 50000)", on_stdout=listener, output=None).error
        assert error is not None and error.type == "KeyboardInterrupt"
        assert set("".join(heard)) <= {"a", "\n"}


def test_a_crash_ends_the_session_with_its_reason(session: Session) -> None:
    with pytest.raises(SessionLost) as caught:
        session.run("import os\nprint('a')\nos._exit(3)")
    assert caught.value.stdout == "a\n" and "3" in str(caught.value.verdict)
    session.reset()
    with pytest.raises(SessionLost) as caught:
        session.run("import ctypes\nctypes.string_at(0)")
    assert "Segmentation fault" in caught.value.stderr and "<session 1>" in caught.value.stderr


@pytest.mark.parametrize(
    "code", ["os.kill(os.getpid(), 9)", "os.closerange(3, 200)", "os.close(3)", "os.abort()"]
)
def test_code_that_destroys_its_interpreter_loses_the_session_and_no_time(
    session: Session, code: str
) -> None:
    started = time.monotonic()
    with pytest.raises(SessionLost) as caught:
        session.run("import os\n" + code)
        session.run("1")
    assert caught.value.verdict.kind in ("signaled", "exited")
    assert time.monotonic() - started < 10


def test_a_process_that_ends_between_calls_is_found_by_the_next(session: Session) -> None:
    code = "import os, threading\nr, w = os.pipe()\nthreading.Thread(target=lambda: (os.read(r, 1), os._exit(4))).start()"
    session.run(code)
    with pytest.raises(SessionLost):
        session.run("os.write(w, b'x')\nwhile True: pass")


def test_a_reset_forgets_everything_but_what_was_given() -> None:
    with open_session(files={"a": b"1"}) as session:
        session.run("x = 1; open('a', 'w').write('2'); open('b', 'w')")
        session.reset()
        assert session.run("'x' in globals()").value is False
        assert session.files() == {"a": 1} and session.get("a") == b"1"


def test_a_spare_takes_over_at_a_reset() -> None:
    with open_session(spare=True, files={"a": b"1"}, preload=["json"]) as session:
        for _ in range(3):
            session.run("x = 1")
            session.reset()
            assert session.run("'x' in globals()").value is False and session.get("a") == b"1"


def test_a_spare_that_died_is_replaced_at_the_reset() -> None:
    with open_session(spare=True) as session:
        spare = session._keeper._spare
        assert spare is not None
        spare.end(kill=True)
        session.reset()
        assert session.run("1").ok


def test_a_closed_session_says_so(session: Session) -> None:
    session.close()
    session.close()
    assert not session.alive and "closed" in repr(session)
    for call in (lambda: session.run("1"), session.reset, session.files):
        with pytest.raises(SessionLost, match="closed"):
            call()
    assert session.interrupt() is False


def test_closing_ends_the_call_of_another_thread() -> None:
    session = open_session()
    closers: List[threading.Thread] = []

    def listener(text: str) -> None:
        closers.append(threading.Thread(target=session.close))
        closers[0].start()

    with pytest.raises(SessionLost, match="closed"):
        session.run("print('go')\nwhile True: pass", on_stdout=listener)
    closers[0].join()


def test_closing_within_a_call_ends_it() -> None:
    session = open_session(tools={"shut": lambda: session.close()})
    with pytest.raises(SessionLost, match="closed"):
        session.run("shut()")
    assert not session.alive


def test_a_second_thread_waits_for_its_turn(session: Session) -> None:
    session.run("x = 0")
    code = "y = x\nimport time; time.sleep(0.001)\nx = y + 1"
    threads = [
        threading.Thread(target=lambda: [session.run(code) for _ in range(5)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.run("x").value == 20


def test_a_call_within_a_call_is_refused(session: Session) -> None:
    with pytest.raises(RuntimeError, match="under way"):
        session.run("print('a')", on_stdout=lambda text: session.run("1"))
    assert session.run("1").ok


def test_ctrl_c_interrupts_the_code_and_keeps_the_session(session: Session) -> None:
    session.run("x = 5")
    with pytest.raises(KeyboardInterrupt):
        session.run(
            "print('go')\nwhile True: pass",
            on_stdout=lambda text: signal.raise_signal(signal.SIGINT),
        )
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        session.run("while True: pass")
    timer.join()
    assert session.run("x").value == 5


def test_ctrl_c_kills_code_that_does_not_obey() -> None:
    with open_session(grace=0.2) as session:
        with pytest.raises(KeyboardInterrupt):
            code = (
                "import time\ntry: print('go'); time.sleep(60)\nexcept BaseException: pass\n"
                + STUBBORN
            )
            session.run(code, on_stdout=lambda text: signal.raise_signal(signal.SIGINT))
        with pytest.raises(SessionLost):
            session.run("1")


def test_a_child_of_the_host_cannot_use_the_session_nor_end_it(session: Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            for call in (lambda: session.run("1"), session.files, session.reset, session.interrupt):
                try:
                    call()
                    os._exit(1)
                except HostLost:
                    pass
            session.close()
            session.__del__()
            os._exit(0 if not session.alive else 2)
        except BaseException:
            os._exit(3)
    assert os.waitpid(child, 0)[1] == 0
    assert session.run("1").value == 1


def test_a_call_that_a_child_of_the_host_inherits_is_not_touched_by_it(session: Session) -> None:
    stream = session.stream("print('a')\nimport time\ntime.sleep(0.2)\nprint('b')")
    assert next(stream) == ("stdout", "a\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            next(stream)
            os._exit(1)
        except HostLost:
            stream.close()
            os._exit(0)
        except BaseException:
            os._exit(3)
    assert os.waitpid(child, 0)[1] == 0
    assert list(stream) == [("stdout", "b\n")] and stream.result.ok


def test_a_session_that_is_dropped_warns_and_ends() -> None:
    session = open_session()
    process = session._keeper._talk._process  # type: ignore[union-attr]
    with pytest.warns(ResourceWarning, match="unclosed"):
        del session
    assert process.poll() is not None


@pytest.mark.parametrize(
    "end",
    [
        "",
        "import threading; threading.Thread(target=lambda: s.run('while True: pass', timeout=None), daemon=True).start(); s2 = None",
    ],
)
def test_an_interpreter_that_ends_with_open_sessions_does_not_hang(end: str) -> None:
    code = f"import sys; sys.path[:] = {sys.path!r}\nfrom sessions import open_session\ns = open_session(spare=True)\nprint(s.run('1').value)\n{end}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_coroutines_run_beside_the_loop(session: Session) -> None:
    async def both() -> Any:
        with open_session() as other:
            return await asyncio.gather(
                session.arun("1 + 1"), other.arun("import time; time.sleep(0.1); 3")
            )

    first, second = asyncio.run(both())
    assert (first.value, second.value) == (2, 3)


def test_cancelling_a_coroutine_interrupts_the_code_and_keeps_the_session(session: Session) -> None:
    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        started = asyncio.Event()
        task = asyncio.ensure_future(
            session.arun(
                "x = 5\nprint('go')\nwhile True: pass",
                on_stdout=lambda _: loop.call_soon_threadsafe(started.set),
            )
        )
        await started.wait()
        cancelled_at = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "idle" in repr(session) and time.monotonic() - cancelled_at < 10

    asyncio.run(cancelled())
    assert session.run("x").value == 5


def test_a_coroutine_that_was_cancelled_before_its_turn_runs_nothing(session: Session) -> None:
    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        started = asyncio.Event()
        first = asyncio.ensure_future(
            session.arun(
                "print('go')\nimport time\ntime.sleep(0.3)",
                on_stdout=lambda _: loop.call_soon_threadsafe(started.set),
            )
        )
        await started.wait()
        second = asyncio.ensure_future(session.arun("ran = 1"))
        await asyncio.sleep(0.05)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert not first.done() and (await first).ok

    asyncio.run(cancelled())
    assert session.run("'ran' in globals()").value is False


def test_cancelling_a_coroutine_kills_code_that_does_not_obey() -> None:
    async def cancelled(session: Session) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.arun(STUBBORN), 0.3)

    with open_session(grace=0.2) as session:
        asyncio.run(cancelled(session))
        with pytest.raises(SessionLost):
            session.run("1")


def test_too_much_memory_ends_the_session_with_that_verdict() -> None:
    with open_session(memory="128MiB") as session:
        with pytest.raises(SessionLost) as caught:
            session.run("x = bytearray(1 << 29)\nfor i in range(0, len(x), 4096): x[i] = 1")
        verdict = caught.value.verdict
        assert (verdict.kind, verdict.control) == ("limit", "memory")


def test_nothing_is_left_after_many_sessions() -> None:
    started = time.monotonic()
    for _ in range(20):
        with open_session() as session:
            assert session.run("1").ok
    assert time.monotonic() - started < 120
    assert stockade.Session is Session
