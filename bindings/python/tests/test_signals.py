"""Signals of the interpreter: Ctrl-C ends a wait and its run, others are handled and disturb nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from host import Interpreter, Mark, until

#: What an interpreter waits in, for a guest that carries the mark.
WAITS = {
    "run": "stockade.run(MARK, best_effort=WEAK)",
    "run uncaptured": "stockade.run(MARK, capture_output=False, best_effort=WEAK)",
    "run checked": "stockade.run(MARK, check=True, input=b'x' * 1000000, best_effort=WEAK)",
    "prepared": "stockade.prepare(MARK, best_effort=WEAK).run()",
    "wait": "with popen() as process: process.wait()",
    "wait with a timeout": "with popen() as process: process.wait(60)",
    "communicate": "with popen() as process: process.communicate()",
    "communicate with a timeout": "with popen() as process: process.communicate(timeout=60)",
    "read": "with popen() as process: process.stdout.read()",
    "iterate": "with popen() as process: list(process)",
    "leave": "with popen() as process: pass",
    "asyncio": "asyncio.run(stockade.arun(MARK, best_effort=WEAK))",
    "asyncio streams": "asyncio.run(streams())",
}
BEGIN = """
import asyncio, signal, threading, time
import stockade
def popen():
    return stockade.Popen(MARK, stdin=stockade.PIPE, best_effort=WEAK)
async def streams():
    async with await stockade.create_sandboxed_exec(*MARK, best_effort=WEAK) as process:
        await process.communicate()
"""


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_a_wait_and_its_run(interpreter: Interpreter, mark: Mark, wait: str) -> None:
    code = (
        f"{BEGIN}\nMARK = {mark.sleep()!r}\n"
        "try:\n"
        f"    {WAITS[wait]}\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
        # That nothing is left is not for the interpreter's end to see to.
        "sys.stdin.read()"
    )
    with interpreter.start(code) as process:
        try:
            assert until(mark.alive), process.stderr
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            assert time.monotonic() - began < 5
            assert until(lambda: not mark.alive(), 5)
            stdout, stderr = process.communicate("", timeout=20)
            assert (stdout, stderr, process.returncode) == ("", "", 0)
        finally:
            process.kill()


@pytest.mark.parametrize(
    "call",
    [
        "module.call('spin')",
        "module.instantiate().call('spin')",
        "stockade.Module(SPIN, wall_time='unlimited', cpu_time='unlimited').call('spin')",
        "sleeping.run()",
        "stockade.Module(CALLS, imports={'env': {'f': lambda: time.sleep(60)}}).call('call')",
    ],
)
def test_ctrl_c_ends_a_module(interpreter: Interpreter, call: str) -> None:
    code = (
        f"{BEGIN}\n{MODULES}\n"
        "module = stockade.Module(SPIN, wall_time=60, cpu_time=60)\n"
        "sleeping = stockade.Module(SLEEP, wall_time=60)\n"
        "module.functions, sleeping.command().plan\n"
        "try:\n"
        "    print('begun', flush=True)\n"
        f"    {call}\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    with interpreter.start(code) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            time.sleep(0.2)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=20)
            assert (stdout, stderr, process.returncode) == ("interrupted\n", "", 0)
            assert time.monotonic() - began < 5
        finally:
            process.kill()


def modules() -> str:
    from modules import binary

    texts = {
        "SPIN": '(module (func (export "spin") (loop $l (br $l))))',
        "CALLS": '(module (import "env" "f" (func)) (func (export "call") (call 0)))',
        "SLEEP": """
            (module
              (import "wasi_snapshot_preview1" "poll_oneoff"
                (func $poll (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (func (export "_start")
                (i32.store (i32.const 16) (i32.const 1))
                (i64.store (i32.const 24) (i64.const 60000000000))
                (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
            """,
    }
    return "\n".join(
        f"{name} = bytes.fromhex({binary(text).hex()!r})" for name, text in texts.items()
    )


MODULES = modules()


def test_ctrl_c_in_a_loop_of_runs_ends_the_loop(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}\n"
        "print('begun', flush=True)\n"
        "runs = 0\n"
        "try:\n"
        "    while True:\n"
        "        assert stockade.run(['echo', 'x'], best_effort=WEAK).stdout == b'x\\n'\n"
        "        runs += 1\n"
        "except KeyboardInterrupt:\n"
        "    print(stockade.run(['echo', 'after'], best_effort=WEAK, text=True).stdout, end='')\n"
    )
    for turn in range(5):
        with interpreter.start(code) as process:
            assert process.stdout.readline() == "begun\n"
            time.sleep(0.05 * turn)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20) == ("after\n", "")
            assert process.returncode == 0


def test_an_interrupt_that_nobody_catches_ends_the_interpreter_as_usual(
    interpreter: Interpreter, mark: Mark
) -> None:
    code = f"{BEGIN}\nstockade.run({mark.sleep()!r}, best_effort=WEAK)"
    with interpreter.start(code) as process:
        assert until(mark.alive)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
        assert stderr.endswith("KeyboardInterrupt\n")
        assert process.returncode == -signal.SIGINT
    assert until(lambda: not mark.alive(), 5)


def test_an_exception_of_another_handler_ends_the_run_as_well(
    interpreter: Interpreter, mark: Mark
) -> None:
    code = (
        f"{BEGIN}\n"
        "class Own(Exception): pass\n"
        "def handler(*_): raise Own('from the handler')\n"
        "signal.signal(signal.SIGUSR1, handler)\n"
        "try:\n"
        f"    stockade.run({mark.sleep()!r}, best_effort=WEAK)\n"
        "except Own as error:\n"
        "    print(error, flush=True)\n"
        "sys.stdin.read()"
    )
    with interpreter.start(code) as process:
        assert until(mark.alive)
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == "from the handler\n"
        assert until(lambda: not mark.alive(), 5)
        process.communicate("", timeout=20)


@pytest.mark.parametrize("wait", ["run", "prepared", "wait", "communicate", "asyncio"])
def test_a_handler_that_does_not_raise_runs_and_the_run_goes_on(
    interpreter: Interpreter, wait: str
) -> None:
    code = (
        f"{BEGIN}\n"
        "MARK = ['sleep', '1.5']\n"
        "seen = []\n"
        "signal.signal(signal.SIGALRM, lambda *_: seen.append(time.monotonic()))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)\n"
        f"{WAITS[wait]}\n"
        "end = time.monotonic()\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        # Not all at once when the wait was over.
        "print(len(seen) > 5, end - seen[0] > 0.5)"
    )
    assert interpreter.prints(code) == "True True\n"


def test_children_of_the_host_are_the_hosts(interpreter: Interpreter) -> None:
    """A host that has a handler for its children gets those that it started, with their statuses."""
    code = (
        f"{BEGIN}\nimport subprocess\n"
        "told = []\n"
        "signal.signal(signal.SIGCHLD, lambda *_: told.append(1))\n"
        "mine = [os.spawnvp(os.P_NOWAIT, 'sh', ['sh', '-c', f'sleep 0.3; exit {n}']) for n in range(5)]\n"
        "for _ in range(20):\n"
        "    assert stockade.run(['sh', '-c', 'exit 4'], best_effort=WEAK).returncode == 4\n"
        "    assert subprocess.run(['sh', '-c', 'exit 5']).returncode == 5\n"
        "print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in mine])\n"
        "print(len(told) > 0)\n"
    )
    assert interpreter.prints(code) == "[0, 1, 2, 3, 4]\nTrue\n"


def test_a_host_that_ignores_its_children_has_runs(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "print(stockade.run(['sh', '-c', 'sh -c true; exit 4'], best_effort=WEAK).returncode)\n"
        "print(signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN)\n"
    )
    assert interpreter.prints(code) == "4\nTrue\n"


def test_a_host_that_reaps_every_child_has_runs(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}\n"
        "def reap(*_):\n"
        "    try:\n"
        "        while os.waitpid(-1, os.WNOHANG)[0]: pass\n"
        "    except ChildProcessError: pass\n"
        "signal.signal(signal.SIGCHLD, reap)\n"
        "for _ in range(10):\n"
        "    assert stockade.run(['sh', '-c', 'exit 4'], best_effort=WEAK).returncode == 4\n"
        "    reap()\n"
    )
    assert interpreter.prints(code) == ""


def test_no_disposition_and_no_mask_is_changed(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}\nimport pathlib\n"
        "def state():\n"
        "    handlers = [signal.getsignal(n) for n in signal.valid_signals()]\n"
        "    lines = pathlib.Path('/proc/self/status').read_text().splitlines()\n"
        "    words = [l for l in lines if l.startswith(('SigBlk', 'SigIgn', 'SigCgt'))]\n"
        "    return handlers, words, signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        # The C library has a signal of its own as soon as there are threads.
        "thread = threading.Thread(target=id, args=[0]); thread.start(); thread.join()\n"
        "before = state()\n"
        "stockade.run(['true'], best_effort=WEAK)\n"
        "with stockade.Popen(['cat'], stdin=stockade.PIPE, best_effort=WEAK) as process: pass\n"
        "asyncio.run(stockade.arun(['true'], best_effort=WEAK))\n"
        "after = state()\n"
        "print(before == after, (before, after) if before != after else '')\n"
    )
    assert interpreter.prints(code).strip() == "True"


def test_the_wakeup_descriptor_is_the_hosts(interpreter: Interpreter) -> None:
    code = (
        f"{BEGIN}\nimport socket\n"
        "mine, other = socket.socketpair()\n"
        "for end in (mine, other): end.setblocking(False)\n"
        "signal.set_wakeup_fd(mine.fileno())\n"
        "signal.signal(signal.SIGUSR1, lambda *_: None)\n"
        "stockade.run(['true'], best_effort=WEAK)\n"
        "threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()\n"
        "stockade.run(['sleep', '0.5'], best_effort=WEAK)\n"
        "print(other.recv(100), signal.set_wakeup_fd(-1) == mine.fileno())\n"
        "mine.close(); other.close()\n"
    )
    assert interpreter.prints(code) == "b'\\n' True\n"


@pytest.mark.parametrize("wait", ["run", "wait", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_signal_that_ends_the_host_ends_its_runs(
    interpreter: Interpreter, mark: Mark, wait: str, number: signal.Signals
) -> None:
    with interpreter.start(f"{BEGIN}\nMARK = {mark.sleep()!r}\n{WAITS[wait]}") as process:
        assert until(mark.alive)
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == -number
    assert until(lambda: not mark.alive(), 5)


def test_ctrl_c_of_a_terminal_reaches_the_host_alone(mark: Mark, interpreter: Interpreter) -> None:
    """The whole group of a terminal's foreground gets it; a guest is not in it."""
    code = (
        f"{BEGIN}\nsignal.signal(signal.SIGINT, lambda *_: print('told', flush=True))\n"
        f"stockade.run({mark.sleep()!r}, best_effort=WEAK)"
    )
    with interpreter.start(code) as process:
        try:
            assert until(mark.alive)
            groups = {os.getpgid(pid) for pid in mark.alive()}
            assert os.getpgid(process.pid) not in groups
        finally:
            process.kill()
            process.communicate()


def test_a_thread_that_waits_leaves_signals_to_the_main_thread(
    interpreter: Interpreter, mark: Mark
) -> None:
    code = (
        f"{BEGIN}\nMARK = {mark.sleep()!r}\n"
        "thread = threading.Thread(target=lambda: stockade.run(MARK, best_effort=WEAK), daemon=True)\n"
        "thread.start()\n"
        "try:\n"
        "    thread.join()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    with interpreter.start(code) as process:
        assert until(mark.alive)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("interrupted\n", "")
        assert process.returncode == 0
    assert until(lambda: not mark.alive(), 5)


def test_a_wait_of_subprocess_is_undisturbed(run: Any) -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(9)"]) as child:
        for _ in range(5):
            run(["true"])
        assert child.wait() == 9
