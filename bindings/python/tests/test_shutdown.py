"""Ends of the interpreter: with whatever is alive, it ends at once, silently, and leaves nothing."""

from __future__ import annotations

import signal
import sys

import pytest
from host import Interpreter, Mark, until

BEGIN = """
import asyncio, atexit, signal, threading, time
import stockade
"""
#: What is alive when the interpreter ends. Each prints nothing, and begins a guest with the mark.
ALIVE = {
    "a live run": "process = stockade.Popen(MARK, stdout=NULL, stderr=NULL, best_effort=WEAK)",
    "a live run with streams": "process = stockade.Popen(MARK, stdin=stockade.PIPE, best_effort=WEAK)",
    "a live run in a cycle": (
        "process = stockade.Popen(MARK, stdout=NULL, stderr=NULL, best_effort=WEAK)\n"
        "process.itself = process"
    ),
    "a live run of another module": (
        "asyncio.run_is_alive = stockade.Popen(MARK, stdout=NULL, stderr=NULL, best_effort=WEAK)"
    ),
    "a daemon thread in run": (
        "threading.Thread(target=stockade.run, args=[MARK], kwargs={'best_effort': WEAK}, daemon=True)"
        ".start()"
    ),
    "daemon threads in wait": (
        "process = stockade.Popen(MARK, stdout=NULL, stderr=NULL, best_effort=WEAK)\n"
        "for _ in range(4): threading.Thread(target=process.wait, daemon=True).start()"
    ),
    "a daemon thread that reads": (
        "process = stockade.Popen(MARK, stderr=NULL, best_effort=WEAK)\n"
        "threading.Thread(target=process.stdout.read, daemon=True).start()"
    ),
    "a daemon thread with a loop": (
        "threading.Thread(target=lambda: asyncio.run(stockade.arun(MARK, best_effort=WEAK)),"
        " daemon=True).start()"
    ),
    "a prepared program that waits": (
        "prepared = stockade.prepare(MARK, best_effort=WEAK); prepared.warm(2)\n"
        "process = prepared.popen(stdout=NULL, stderr=NULL)"
    ),
}
#: Ways to end, and the status that each has.
ENDS = {
    "by its end": ("pass", 0),
    "by sys.exit": ("sys.exit(7)", 7),
    "by an exception": ("sys.stderr = None; raise ValueError", 1),
    "in a handler": (
        "signal.signal(signal.SIGALRM, lambda *_: sys.exit(9)); signal.alarm(1); time.sleep(60)",
        9,
    ),
    "by os._exit": ("os._exit(5)", 5),
}


@pytest.mark.parametrize("alive", ALIVE)
def test_an_interpreter_ends_whatever_is_alive(
    interpreter: Interpreter, mark: Mark, alive: str
) -> None:
    code = (
        f"{BEGIN}MARK, NULL = {mark.sleep()!r}, stockade.DEVNULL\n"
        f"{ALIVE[alive]}\nprint('begun', flush=True)\nsys.stdin.readline()\n"
    )
    # Files that nobody closed are told of, and a pending task: by Python, and rightly so.
    options = ("-W", "ignore::ResourceWarning")
    with interpreter.start(code, *options) as process:
        assert process.stdout.readline() == "begun\n"
        assert until(mark.alive)
        assert process.communicate("\n", timeout=20) == ("", "")
        assert process.returncode == 0
    assert until(lambda: not mark.alive(), 5)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("alive", ["a live run", "a daemon thread in run"])
def test_the_status_is_that_of_the_end(
    interpreter: Interpreter, mark: Mark, end: str, alive: str
) -> None:
    how, status = ENDS[end]
    code = (
        f"{BEGIN}MARK, NULL = {mark.sleep()!r}, stockade.DEVNULL\n"
        f"{ALIVE[alive]}\nprint('begun', flush=True)\nsys.stdin.readline()\n{how}\n"
    )
    with interpreter.start(code) as process:
        assert process.stdout.readline() == "begun\n"
        assert until(mark.alive)
        assert process.communicate("\n", timeout=20) == ("", "")
        assert process.returncode == status
    assert until(lambda: not mark.alive(), 5)


@pytest.mark.parametrize("module", ["run()", "call('spin')", "instantiate().call('spin')"])
def test_a_daemon_thread_in_a_module_does_not_keep_it(
    interpreter: Interpreter, module: str
) -> None:
    from modules import binary

    spin = binary(
        '(module (memory (export "memory") 1) (func (export "spin") (export "_start") (loop $l (br $l))))'
    )
    code = (
        f"{BEGIN}module = stockade.Module(bytes.fromhex({spin.hex()!r}), wall_time=60, cpu_time=60)\n"
        "begun = threading.Event()\n"
        f"def work():\n    begun.set()\n    module.{module}\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "begun.wait(); time.sleep(0.2)\n"
    )
    assert interpreter.prints(code) == ""


def test_a_daemon_thread_in_a_function_of_python_does_not_keep_it(interpreter: Interpreter) -> None:
    from modules import binary

    calls = binary(
        '(module (import "env" "f" (func)) (func (export "call") (loop $l (call 0) (br $l))))'
    )
    code = (
        f"{BEGIN}seen = threading.Event()\n"
        f"module = stockade.Module(bytes.fromhex({calls.hex()!r}), imports={{'env': {{'f': seen.set}}}})\n"
        "threading.Thread(target=lambda: module.call('call'), daemon=True).start()\n"
        "seen.wait()\n"
    )
    for _ in range(5):
        assert interpreter.prints(code) == ""


def test_a_thread_that_is_waited_for_has_its_run(interpreter: Interpreter) -> None:
    """Python waits for threads that are no daemons."""
    code = (
        f"{BEGIN}def work():\n"
        "    done = stockade.run(['sh', '-c', 'sleep 0.5; echo late'], best_effort=WEAK)\n"
        "    print(done.stdout)\n"
        "threading.Thread(target=work).start()\n"
    )
    assert interpreter.prints(code) == "b'late\\n'\n"


def test_runs_at_exit_are_runs(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}"
        "atexit.register(lambda: print(stockade.run(['echo', 'x'], best_effort=WEAK).stdout))\n"
        "class Late:\n"
        "    def __del__(self): print(stockade.run(['echo', 'y'], best_effort=WEAK).returncode)\n"
        "atexit.register(lambda late: None, Late())\n"
        "stockade.run(['true'], best_effort=WEAK)\n"
    )
    assert interpreter.prints(code) == "b'x\\n'\n0\n"


def test_output_that_was_printed_before_the_end_is_there(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}stockade.run(['echo', 'last words'], capture_output=False, best_effort=WEAK)\n"
        "os._exit(0)"
    )
    for _ in range(10):
        assert interpreter.prints(code) == "last words\n"


def test_a_loop_that_is_abandoned_leaves_nothing(interpreter: Interpreter, mark: Mark) -> None:
    code = (
        f"{BEGIN}loop = asyncio.new_event_loop()\n"
        f"task = loop.create_task(stockade.arun({mark.sleep()!r}, best_effort=WEAK))\n"
        "loop.run_until_complete(asyncio.sleep(0.3))\n"
        "task._log_destroy_pending = False\n"
        "print('begun', flush=True)\nsys.stdin.readline()\n"
    )
    with interpreter.start(code, "-W", "ignore::ResourceWarning") as process:
        assert process.stdout.readline() == "begun\n"
        assert until(mark.alive)
        assert process.communicate("\n", timeout=20) == ("", "")
        assert process.returncode == 0
    assert until(lambda: not mark.alive(), 5)


def test_an_interpreter_that_is_killed_leaves_nothing(interpreter: Interpreter, mark: Mark) -> None:
    code = (
        f"{BEGIN}MARK = {mark.sleep()!r}\n"
        "processes = [stockade.Popen(MARK, best_effort=WEAK) for _ in range(3)]\n"
        "prepared = stockade.prepare(MARK, best_effort=WEAK); prepared.warm(2)\n"
        "stockade.run(MARK, best_effort=WEAK)\n"
    )
    with interpreter.start(code) as process:
        assert until(lambda: len(mark.alive()) >= 4)
        process.send_signal(signal.SIGKILL)
        assert process.communicate(timeout=20) == ("", "")
    assert until(lambda: not mark.alive(), 5)


def test_an_import_alone_starts_nothing(interpreter: Interpreter) -> None:
    code = (
        "before = sorted(os.listdir('/proc/self/fd')), os.listdir('/proc/self/task')\n"
        "import stockade\n"
        "after = sorted(os.listdir('/proc/self/fd')), os.listdir('/proc/self/task')\n"
        "print(before == after)\n"
        "print([name for name in ('multiprocessing', 'cloudpickle', 'numpy') if name in sys.modules])"
    )
    assert interpreter.prints(code) == "True\n[]\n"


def test_a_second_interpreter_is_refused_or_works(interpreter: Interpreter) -> None:
    code = (
        "import _xxsubinterpreters as interpreters, stockade\n"
        "assert stockade.run(['true'], best_effort=WEAK).returncode == 0\n"
        "try:\n"
        "    stockade.run(['missing'], best_effort=WEAK)\n"
        "except stockade.NotFound:\n"
        "    pass\n"
        "one = interpreters.create()\n"
        "script = f'''\n"
        "try:\n"
        "    import sys; sys.path[:0] = {sys.path!r}\n"
        "    import stockade\n"
        "except ImportError as error:\n"
        "    text = 'refused: ' + str(error)\n"
        "else:\n"
        "    text = stockade.run(['echo', 'x'], best_effort={WEAK!r}, text=True).stdout\n"
        "    try:\n"
        "        stockade.run(['missing'], best_effort={WEAK!r})\n"
        "    except stockade.NotFound:\n"
        "        text += 'its own error'\n"
        "import os; os.write(1, text.encode())\n"
        "'''\n"
        "interpreters.run_string(one, script)\n"
        "interpreters.destroy(one)\n"
    )
    if sys.version_info >= (3, 13):
        code = code.replace("_xxsubinterpreters", "_interpreters").replace("run_string", "exec")
    printed = interpreter.prints(code)
    assert printed.startswith("refused: ") or printed == "x\nits own error"
    if printed.startswith("refused: "):
        assert "interpreter" in printed
