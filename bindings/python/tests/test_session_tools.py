"""Tools: functions of the host's that code in a session calls."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any, List

import pytest
from sessions import nothing_is_left_behind, open_session  # noqa: F401, F811


def failing(*args: Any) -> None:
    """It fails."""
    raise LookupError("not this")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError


def unprintable() -> None:
    raise Unprintable


TOOLS = {
    "echo": lambda *args, **kwargs: [args, kwargs],
    "thread": threading.get_ident,
    "failing": failing,
    "unprintable": unprintable,
    "odd": lambda: object(),
    "large": lambda size: "x" * size,
}


def test_a_tool_gets_arguments_and_gives_a_result_as_json() -> None:
    with open_session(tools=TOOLS) as session:
        assert session.run("echo(1, 'ä', [None], key={'a': 1.5})").value == [
            [1, "ä", [None]],
            {"key": {"a": 1.5}},
        ]
        assert session.run("import stockade_tools; stockade_tools.echo((1, 2))").value == [
            [[1, 2]],
            {},
        ]
        assert session.run("echo('\\ud800')").value == [["?"], {}]
        assert session.run("failing.__doc__, failing.__name__").repr == "('It fails.', 'failing')"


def test_a_tool_runs_in_the_thread_of_the_caller() -> None:
    with open_session(tools=TOOLS) as session:
        assert session.run("thread()").value == threading.get_ident()


def test_what_a_tool_raises_arrives_as_text() -> None:
    with open_session(tools=TOOLS) as session:
        error = session.run("failing(1)").error
        assert error is not None and (error.type, error.message) == (
            "stockade_tools.ToolError",
            "LookupError: not this",
        )
        assert __file__ not in error.traceback
        code = "from stockade_tools import ToolError\ntry: failing()\nexcept ToolError as e: caught = str(e)\ncaught"
        assert session.run(code).value == "LookupError: not this"
        for call, text in (
            ("odd()", "not JSON serializable"),
            ("unprintable()", "Unprintable"),
            ("echo", None),
        ):
            error = session.run(call).error
            assert (error is None) == (text is None) and (text is None or text in error.message)  # type: ignore[union-attr]
        assert session.run("echo(object())").error.type == "TypeError"  # type: ignore[union-attr]


def test_arguments_and_results_are_bounded() -> None:
    with open_session(tools=TOOLS, tool_bytes=1000) as session:
        assert session.run("len(large(900))").value == 900
        for code in ("large(1000)", "echo('x' * 1000)"):
            error = session.run(code).error
            assert error is not None and "at most 1000 are allowed" in error.message


def test_calls_in_one_run_are_counted() -> None:
    with open_session(tools=TOOLS, tool_calls=3, tool_rate=1e9) as session:
        for _ in range(2):
            error = session.run("for i in range(4): echo(i)\n").error
            assert error is not None and "more than 3 calls" in error.message
        assert session.run("for i in range(3): echo(i)").ok


def test_calls_in_a_second_are_bounded_across_runs() -> None:
    with open_session(tools=TOOLS, tool_rate=5) as session:
        refusals = [session.run("echo()").error for _ in range(10)]
        assert any(error is not None and "in a second" in error.message for error in refusals)
        assert refusals[0] is None


def test_threads_inside_call_tools_one_at_a_time() -> None:
    running: List[int] = []

    def slow(number: int) -> int:
        assert not running
        running.append(number)
        time.sleep(0.001)
        running.clear()
        return number

    with open_session(tools={"slow": slow}, tool_rate=1e9) as session:
        code = "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as p: r = list(p.map(slow, range(40)))\nr"
        assert session.run(code).value == list(range(40))


def test_a_thread_that_was_left_running_cannot_call_between_calls() -> None:
    with open_session(tools=TOOLS) as session:
        session.run(
            "import threading\ngo, told = threading.Event(), []\n"
            "def work():\n  go.wait()\n  import time\n  while host.cuts.running is not None: time.sleep(0.001)\n"
            "  try: echo()\n  except Exception as e: told.append(str(e))\n"
            "import sys; host = sys.modules['stockade_guest.session'].host\n"
            "t = threading.Thread(target=work); t.start()"
        )
        session.run("go.set()")
        while not session.run("t.join(0.01); told").value:
            pass
        assert "while code of the session runs" in session.run("told[0]").value


def test_a_child_inside_cannot_call_tools() -> None:
    with open_session(tools=TOOLS) as session:
        code = "import os\npid = os.fork()\nif pid == 0:\n  try: echo()\n  except Exception as e: print(e)\nelse: os.waitpid(pid, 0)\n"
        result = session.run(code)
        assert result.ok and "while code of the session runs" in result.stdout
        assert session.run("echo(1)").value == [[1], {}]


def test_time_of_a_tool_counts_for_the_call() -> None:
    with open_session(tools={"wait": lambda: time.sleep(0.3)}) as session:
        result = session.run("x = 5\nwait()\nwhile True: pass", timeout=0.1)
        assert result.limit == "timeout"
        assert session.run("x").value == 5


def test_a_session_that_stops_refuses_tools() -> None:
    with open_session(tools=TOOLS, grace=5.0) as session:
        code = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt:\n  try: echo()\n  except Exception as e: told = str(e)"
        assert session.run(code, timeout=0.1).limit == "timeout"
        assert "being stopped" in session.run("told").value


@pytest.mark.parametrize("thread", [False, True])
def test_ctrl_c_in_a_tool_ends_the_call_and_keeps_the_session(thread: bool) -> None:
    with open_session(
        tools={"press": lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(5)}
    ) as session:
        code = "x = 5\nimport threading\n" + (
            "t = threading.Thread(target=press); t.start(); t.join()" if thread else "press()"
        )
        with pytest.raises(KeyboardInterrupt):
            session.run(code + "\nwhile True: pass")
        assert session.run("x").value == 5


def test_an_interrupt_while_a_tool_runs_is_raised_when_it_is_over() -> None:
    with open_session(tools={"press": lambda: session.interrupt()}) as session:
        for code in (
            "press()\nwhile True: pass",
            "import threading\nt = threading.Thread(target=press)\nt.start()\nwhile True: pass",
        ):
            error = session.run(code).error
            assert error is not None and error.type == "KeyboardInterrupt"
        assert session.run("1").ok


def test_a_tool_cannot_run_code_in_its_own_session() -> None:
    with open_session(tools={"again": lambda: session.run("1").value}) as session:
        error = session.run("again()").error
        assert error is not None and "under way" in error.message
        assert session.run("1").ok


def test_two_sessions_may_be_each_others_tools() -> None:
    with (
        open_session() as inner,
        open_session(tools={"ask": lambda code: inner.run(code).value}) as outer,
    ):
        assert outer.run("ask('6 * 7')").value == 42


def test_tools_are_there_again_after_a_reset() -> None:
    with open_session(tools=TOOLS) as session:
        session.reset()
        assert session.run("echo(1)").value == [[1], {}]


def test_a_tool_that_closes_over_a_coroutine_is_refused() -> None:
    async def tool() -> None:
        pass

    with pytest.raises(TypeError):
        open_session(tools={"tool": tool})
