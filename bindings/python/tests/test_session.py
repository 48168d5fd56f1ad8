"""Sessions: values, output, errors, and what stays between calls."""

from __future__ import annotations

import doctest
import importlib.util
import math
import os
import pickle
import signal
from datetime import timedelta
from typing import Any, List, Tuple

import pytest
from sessions import nothing_is_left_behind, open_session, session  # noqa: F401, F811

import stockade.session
from stockade import RemoteError, Session, Unsupported


def test_variables_and_functions_stay_between_calls(session: Session) -> None:
    session.run("x = 20\ndef double(): return 2 * x")
    assert session.run("double() + 1").value == 41


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**8000),
        0.1,
        -0.0,
        "",
        "ä\U0001f600\0\n\u2028",
        [],
        {},
        [1, [2, {"a": None}]],
        {"": "x"},
    ],
)
def test_plain_json_is_handed_over_as_it_is(session: Session, value: Any) -> None:
    result = session.run(repr(value))
    assert result.has_value and result.value == value and type(result.value) is type(value)


@pytest.mark.parametrize(
    "code",
    [
        "(1, 2)", "{1: 2}", "{1}", "b'x'", "float('nan')", "[float('inf')]", "object", "2 ** 9000", "1j",
        "'\\ud800'", "[[(1,)]]", "type('I', (int,), {})(3)", "a = []; a.append(a); a", "'x' * (1 << 20)",
        "x = []\nfor _ in range(100): x = [x, x]\nNone if False else [x]" , "[0] * 1000000",
    ],
)  # fmt: skip
def test_what_is_no_plain_json_has_its_repr_and_no_value(session: Session, code: str) -> None:
    guard = "import builtins\nbuiltins.repr = lambda value: '...'\n" if "range(100)" in code else ""
    result = session.run(guard + code)
    assert result.ok and not result.has_value and result.value is None
    assert result.repr


def test_code_that_ends_in_a_statement_has_neither_repr_nor_value(session: Session) -> None:
    result = session.run("1\nx = 2")
    assert (result.repr, result.value, result.has_value) == (None, None, False)
    assert session.run("").ok


def test_a_long_repr_is_cut(session: Session) -> None:
    shown = session.run("'x' * 1000000").repr
    assert shown is not None and len(shown) == 32768 and shown.endswith("…")


def test_an_exception_of_the_code_is_in_the_result(session: Session) -> None:
    result = session.run("def f():\n    raise ValueError('näh')\nf()")
    assert not result.ok and result.error is not None
    assert (result.error.type, result.error.message) == ("ValueError", "näh")
    assert "in f\n    raise ValueError('näh')" in result.error.traceback
    assert "stockade" not in result.error.traceback
    assert session.run("f.__name__").value == "f"


def test_check_raises_the_exception_of_the_code_as_text(session: Session) -> None:
    with pytest.raises(RemoteError) as caught:
        session.run("{}['a']", check=True)
    assert caught.value.type_name == "KeyError" and "<session 1>" in caught.value.traceback


@pytest.mark.parametrize(
    "code, kind",
    [
        ("x = (", "SyntaxError"), ("return 1", "SyntaxError"), ("import no_such_module", "ModuleNotFoundError"),
        ("input()", "EOFError"), ("raise SystemExit(3)", "SystemExit"), ("exit()", "SystemExit"),
        ("import sys; sys.exit('bye')", "SystemExit"), ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(BaseException):\n  def __str__(self): return 1 / 0\nraise E", "E"),
        ("def f(): f()\nf()", "RecursionError"), ("'\\0'.join('ab') + 1", "TypeError"),
        ("class R:\n  def __repr__(self): raise OSError('no')\nR()", "OSError"),
        ("import subprocess; subprocess.run(['false'], check=True)", "subprocess.CalledProcessError"),
    ],
)  # fmt: skip
def test_whatever_the_code_raises_ends_the_call_and_not_the_session(
    session: Session, code: str, kind: str
) -> None:
    result = session.run("kept = 1\n" + code if "(" != code[-1] else code)
    assert result.error is not None and result.error.type == kind
    assert session.run("7").value == 7


def test_code_with_a_zero_byte_or_half_a_pair_is_an_error_of_the_code(session: Session) -> None:
    assert not session.run("1 + '\0'").ok
    assert not session.run("'\ud800'").ok
    assert session.run("1").ok


def test_output_is_collected_in_order_and_apart(session: Session) -> None:
    result = session.run(
        "import sys\nfor i in range(3):\n  print('o', i)\n  print('e', i, file=sys.stderr)"
    )
    assert result.stdout == "o 0\no 1\no 2\n" and result.stderr == "e 0\ne 1\ne 2\n"


def test_what_subprocesses_and_c_code_print_is_collected_too(session: Session) -> None:
    result = session.run(
        "import os, subprocess\nprint('a'); os.system('echo b; echo x >&2'); print('c', flush=True)\n"
        "os.write(1, b'd\\n'); subprocess.run(['echo', 'e']); os.write(2, b'y\\n'); print('f')"
    )
    assert result.stdout == "a\nb\nc\nd\ne\nf\n" and result.stderr == "x\ny\n"


def test_what_is_written_to_a_descriptor_itself_stays_in_order_and_in_its_call(
    session: Session,
) -> None:
    session.run("import os")
    result = session.run("for _ in range(100): os.write(1, b'a'); print('b', end='', flush=True)")
    assert result.stdout == "ab" * 100
    code = "import sys\nfor _ in range(100): os.write(2, b'a'); sys.stderr.write('b\\n')"
    assert session.run(code).stderr == "ab\n" * 100
    for number in range(50):
        result = session.run(f"os.write(1, b'{number}'); os.write(2, b'{number}')")
        assert (result.stdout, result.stderr) == (str(number), str(number))


def test_more_than_a_pipe_holds_comes_through(session: Session) -> None:
    result = session.run(
        "import subprocess, sys\nprint('x' * 300_000)\nsys.stderr.write('y' * 300_000)\n"
        'subprocess.run(\'head -c 300000 /dev/zero | tr "\\\\0" z; head -c 300000 /dev/zero | tr "\\\\0" w >&2\', shell=True)\n1'
    )
    assert result.value == 1
    assert result.stdout == "x" * 300_000 + "\n" + "z" * 300_000
    assert sorted(result.stderr) == ["w"] * 300_000 + ["y"] * 300_000


def test_bytes_that_are_no_text_are_shown_as_such(session: Session) -> None:
    result = session.run(
        "import sys, os\nsys.stdout.buffer.write(b'\\xff\\xfe')\nprint('\\ud800')\nos.write(2, b'\\x80')"
    )
    assert result.stdout == "\ufffd\ufffd?\n" and result.stderr == "\ufffd"


def test_listeners_hear_output_as_it_comes(session: Session) -> None:
    heard: List[Tuple[str, str]] = []
    code = "import sys, os\nprint('ä', end='', flush=True)\nprint('b', file=sys.stderr)\nprint('c')"
    result = session.run(
        code,
        on_stdout=lambda text: heard.append(("o", text)),
        on_stderr=lambda text: heard.append(("e", text)),
    )
    assert heard == [("o", "ä"), ("e", "b\n"), ("o", "c\n")] and result.stdout == "äc\n"


def test_a_character_that_comes_in_two_parts_is_heard_as_one(session: Session) -> None:
    code = "import os\nfor b in 'ä'.encode() + b'\\xc3': sys.stdout.buffer.write(bytes([b]))"
    assert [text for _, text in session.stream("import sys\n" + code)] == ["ä", "\ufffd"]


def test_a_stream_gives_output_while_the_code_still_runs(session: Session) -> None:
    stream = session.stream("print('first')\nwhile True: pass", timeout=30)
    assert next(stream) == ("stdout", "first\n")
    session.interrupt()
    assert list(stream) == []
    assert stream.result.error is not None and stream.result.error.type == "KeyboardInterrupt"


def test_leaving_a_stream_interrupts_the_code_and_keeps_the_session(session: Session) -> None:
    stream = session.stream("x = 5\nprint('a')\nwhile True: pass")
    for _ in stream:
        break
    stream.close()
    with pytest.raises(RuntimeError):
        print(stream.result)
    assert session.run("x").value == 5


def test_an_exception_of_a_listener_interrupts_the_code_and_comes_out(session: Session) -> None:
    def listener(text: str) -> None:
        raise KeyError(text)

    with pytest.raises(KeyError):
        session.run("x = 5\nprint('a')\nwhile True: pass", on_stdout=listener)
    assert session.run("x").value == 5


def test_a_child_that_the_code_forks_does_not_speak_for_it(session: Session) -> None:
    result = session.run(
        "import os\nprint('once')\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint('p' if pid else 'c')\npid > 0"
    )
    assert result.value is True and result.stdout == "once\nc\np\n" and result.stderr == ""
    assert session.run("pid > 0").value is True


def test_pools_of_processes_work_inside(session: Session) -> None:
    code = "import multiprocessing as m\ndef f(x): print('got', x); return x * x\nwith m.get_context('fork').Pool(1) as p: r = p.map(f, [1, 2])\nr"
    result = session.run(code)
    assert result.value == [1, 4] and result.stdout == "got 1\ngot 2\n"


def test_output_of_a_thread_that_was_left_running_belongs_to_a_later_call(session: Session) -> None:
    session.run(
        "import threading\ngo = threading.Event()\nt = threading.Thread(target=lambda: (go.wait(), print('late')))\nt.start()"
    )
    assert session.run("go.set(); t.join()").stdout == "late\n"


def test_streams_that_the_code_closed_are_there_again_in_the_next_call(session: Session) -> None:
    session.run("import sys; sys.stdout.close()")
    assert session.run("print('a')").stdout == "a\n"


def test_a_name_of_a_forgotten_module_does_not_matter(session: Session) -> None:
    assert session.run("__name__").value == "__main__"
    assert (
        session.run(
            "import pickle\nclass C: pass\ntype(pickle.loads(pickle.dumps(C()))) is C"
        ).value
        is True
    )


def test_the_environment_of_the_host_is_not_inside(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    with open_session() as other:
        assert other.run("import os; 'SECRET' in os.environ").value is False
        assert other.run("import os; os.getcwd()").value == "/work"


def test_modules_are_imported_ahead(session: Session) -> None:
    with open_session(preload=["decimal"]) as other:
        assert other.run("import sys; 'decimal' in sys.modules").value is True
    assert session.run("import sys; 'decimal' in sys.modules").value is False


def test_a_module_that_cannot_be_imported_ahead_is_an_error_of_the_start() -> None:
    with pytest.raises(RemoteError) as caught:
        open_session(preload=["no_such_module"])
    assert caught.value.type_name == "ModuleNotFoundError"


def test_numpy_is_there_where_the_caller_has_it() -> None:
    if importlib.util.find_spec("numpy") is None:
        pytest.skip("SKIP: numpy_is_there: numpy is not installed")
    with open_session(preload=["numpy"], memory="512MiB") as other:
        result = other.run("import numpy\na = numpy.ones((200, 200))\n(a @ a).sum()")
        assert result.repr in ("8000000.0", "np.float64(8000000.0)") and not result.has_value
        assert other.run("(a @ a).sum().item()").value == 8000000.0


def test_results_are_shown_escaped_and_short(session: Session) -> None:
    result = session.run("print('<b>' * 100); '<script>'")
    assert "<script>" not in result._repr_html_() and "&lt;script&gt;" in result._repr_html_()
    assert len(repr(result)) < 200
    broken = session.run("raise ValueError('<i>')")
    assert "<i>" not in broken._repr_html_()


def test_control_characters_of_an_error_do_not_reach_a_terminal(session: Session) -> None:
    error = session.run("raise ValueError('\\x1b[2J')").error
    assert error is not None and "\x1b" not in error.message + error.traceback


def test_what_a_session_cannot_be_given_is_refused() -> None:
    for keywords in (
        {"timeout": 0},
        {"timeout": math.nan},
        {"output_overflow": "x"},
        {"tools": {"a b": print}},
    ):
        with pytest.raises(ValueError):
            open_session(**keywords)
    for keywords in ({"cwd": "/"}, {"tools": {"a": 1}}):
        with pytest.raises(TypeError):
            open_session(**keywords)


def test_sizes_and_times_are_written_as_in_a_policy(session: Session) -> None:
    with open_session(
        timeout=timedelta(seconds=9), output="1KiB", grace="2s", tool_bytes="1MiB"
    ) as other:
        assert "timeout=9.0 output=1024" in repr(other)
        assert other.run("while True: pass", timeout="100ms").limit == "timeout"
    for limits in ({"timeout": "soon"}, {"output": "much"}, {"output": -1}, {"timeout": "-1s"}):
        with pytest.raises(ValueError):
            session.run("1", **limits)  # type: ignore[arg-type]


def test_a_session_does_not_pickle(session: Session) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(session)


def test_signals_that_the_code_takes_for_itself_are_its_own(session: Session) -> None:
    code = "import signal, time\ndef f(*a): raise TimeoutError('mine')\nsignal.signal(signal.SIGALRM, f)\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(30)"
    error = session.run(code).error
    assert error is not None and error.message == "mine"
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and os.getpid() > 0


def test_examples_of_the_documentation_run() -> None:
    try:
        Session().close()
    except Unsupported as error:
        pytest.skip(f"SKIP: examples_of_the_documentation: {error}")
    failed, tried = doctest.testmod(stockade.session, optionflags=doctest.ELLIPSIS)
    assert failed == 0 and tried > 5
