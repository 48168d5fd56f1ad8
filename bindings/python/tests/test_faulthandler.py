"""``faulthandler`` and the engine for modules both want the signals of a fault, in either order."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from host import Interpreter
from modules import binary

import stockade

TRAPS = """
(module
  (memory 1)
  (func (export "unreachable") unreachable)
  (func (export "outside") (drop (i32.load (i32.const 2000000000))))
  (func (export "divide") (drop (i32.div_s (i32.const 1) (i32.sub (memory.size) (i32.const 1)))))
  (func $deep (export "deep") (result i32) (i32.add (i32.const 1) (call $deep)))
  (func (export "fine")))
"""
#: In the interpreter: a module, what each trap comes to, and how Python itself crashes.
BEGIN = f"""
import ctypes, faulthandler, threading
import stockade
module = None
def engine():
    global module
    module = stockade.Module(bytes.fromhex({binary(TRAPS).hex()!r}))
    module.call("fine")
def trap(name):
    try:
        module.call(name)
    except stockade.SandboxProcessError as error:
        return error.verdict.kind
def traps():
    print(*(trap(name) for name in ("unreachable", "outside", "divide", "deep", "fine")))
def crash():
    ctypes.string_at(0)
"""
VERDICTS = "trapped trapped trapped trapped None\n"

ORDERS = {
    "never": "engine()",
    "before": "faulthandler.enable(); engine()",
    "after": "engine(); faulthandler.enable()",
    "again": "faulthandler.enable(); engine(); faulthandler.disable(); faulthandler.enable()",
    "turned off": "faulthandler.enable(); engine(); faulthandler.disable()",
    "between": "engine(); traps(); faulthandler.enable()",
}


@pytest.mark.parametrize("order", ORDERS)
def test_traps_are_verdicts_in_every_order(interpreter: Interpreter, order: str) -> None:
    printed = interpreter.prints(f"{BEGIN}\n{ORDERS[order]}\ntraps()\ntraps()")
    assert printed == VERDICTS * (3 if order == "between" else 2)


@pytest.mark.parametrize("order", ORDERS)
def test_traps_of_other_threads_are_verdicts_in_every_order(
    interpreter: Interpreter, order: str
) -> None:
    code = (
        f"{BEGIN}\n{ORDERS[order]}\n"
        "threads = [threading.Thread(target=traps) for _ in range(3)]\n"
        "for thread in threads: thread.start(); thread.join()"
    )
    assert interpreter.prints(code) == VERDICTS * (4 if order == "between" else 3)


@pytest.mark.parametrize("order", ["before", "after", "again", "between"])
def test_a_crash_of_python_is_still_reported(interpreter: Interpreter, order: str) -> None:
    done = interpreter.run(f"{BEGIN}\n{ORDERS[order]}\ntraps(); sys.stdout.flush()\ncrash()")
    assert done.stdout.endswith(VERDICTS)
    assert "Fatal Python error: Segmentation fault" in done.stderr
    assert "in crash" in done.stderr
    assert done.returncode == -signal.SIGSEGV


@pytest.mark.parametrize("order", ["never", "turned off"])
def test_a_crash_of_python_is_a_crash(interpreter: Interpreter, order: str) -> None:
    done = interpreter.run(f"{BEGIN}\n{ORDERS[order]}\ntraps(); sys.stdout.flush()\ncrash()")
    assert (done.stdout, done.returncode) == (VERDICTS, -signal.SIGSEGV)
    assert "Fatal Python error" not in done.stderr


def test_a_crash_of_a_function_that_a_module_calls_is_reported(interpreter: Interpreter) -> None:
    calls = binary('(module (import "env" "f" (func)) (func (export "call") (call 0)))').hex()
    done = interpreter.run(
        f"{BEGIN}\nengine(); faulthandler.enable(); traps(); sys.stdout.flush()\n"
        f"stockade.Module(bytes.fromhex({calls!r}), imports={{'env': {{'f': crash}}}}).call('call')"
    )
    assert (done.stdout, done.returncode) == (VERDICTS, -signal.SIGSEGV)
    assert "in crash" in done.stderr


def test_traps_are_verdicts_with_the_option(interpreter: Interpreter) -> None:
    options = ("-X", "faulthandler")
    assert interpreter.prints(f"{BEGIN}\nengine(); traps()", *options) == VERDICTS
    assert interpreter.prints(f"{BEGIN}\nengine(); traps()", PYTHONFAULTHANDLER="1") == VERDICTS
    done = interpreter.run(f"{BEGIN}\nengine(); traps(); sys.stdout.flush(); crash()", *options)
    assert (done.stdout, done.returncode) == (VERDICTS, -signal.SIGSEGV)
    assert "in crash" in done.stderr


def test_an_abort_is_still_reported(interpreter: Interpreter) -> None:
    done = interpreter.run(f"{BEGIN}\nengine(); faulthandler.enable(); traps(); os.abort()")
    assert done.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in done.stderr


def test_a_traceback_by_the_clock_does_not_disturb(interpreter: Interpreter) -> None:
    code = f"{BEGIN}\nfaulthandler.dump_traceback_later(60); engine(); traps()\n"
    assert interpreter.prints(code + "faulthandler.cancel_dump_traceback_later()") == VERDICTS


def test_traps_are_verdicts_under_pytest(interpreter: Interpreter, tmp_path: Path) -> None:
    """Its plugin turns faulthandler on at the start and off at the end, when this process has a
    module still."""
    test = f"{BEGIN}\ndef test_it():\n    engine()\n    assert trap('outside') == 'trapped'\n"
    conftest = "def pytest_unconfigure():\n    from test_it import traps\n    traps()\n"
    (tmp_path / "test_it.py").write_text(test)
    (tmp_path / "conftest.py").write_text(conftest)
    code = (
        f"import pytest\nsys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {str(tmp_path)!r}]))"
    )
    done = interpreter.run(code, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert VERDICTS in done.stdout


def test_traps_are_verdicts_in_this_very_process() -> None:
    module = stockade.Module(binary(TRAPS))
    for name in ("unreachable", "outside", "divide", "deep"):
        with pytest.raises(stockade.SandboxProcessError) as caught:
            module.call(name)
        assert caught.value.verdict.kind == "trapped"


def test_a_handler_of_pythons_does_not_take_the_engines_place(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}\nimport signal\nengine()\n"
        "for number in (signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGBUS):\n"
        "    signal.signal(number, lambda *_: print('a handler of Python ran'))\n"
        "traps()"
    )
    assert interpreter.prints(code) == VERDICTS
