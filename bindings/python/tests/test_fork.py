"""Forks of a process that has sandboxes: what it had stays its, and the child can have its own."""

from __future__ import annotations

import os
import threading
import traceback
from typing import Any, Callable, List, Tuple

import pytest
from host import Interpreter, Mark, until

import stockade

#: (func (export "add") (param i32 i32) (result i32) …)
ADD = bytes.fromhex(
    "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b"
)


def in_fork(work: Callable[[], Any]) -> None:
    """Does something in a forked child, which has to do it well and to end within a minute."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            try:
                work()
                status = 0
            except BaseException:
                os.write(writer, traceback.format_exc().encode())
        finally:
            os._exit(status)
    os.close(writer)
    try:
        ended: List[Tuple[int, int]] = []

        def reaped() -> bool:
            found = os.waitpid(pid, os.WNOHANG)
            if found[0]:
                ended.append(found)
            return bool(ended)

        if not until(reaped, 60):
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            pytest.fail("the child hangs")
        assert ended[0][1] == 0, os.read(reader, 65536).decode()
    finally:
        os.close(reader)


def ignore_forks_with_threads(test: Any) -> Any:
    """Python 3.12 and later warn of forks beside threads, which is what is tested."""
    return pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")(test)


def lost(use: Callable[[], Any]) -> None:
    with pytest.raises(stockade.HostLost) as caught:
        use()
    assert caught.value.kind == "host_lost"
    assert isinstance(caught.value, OSError)
    assert caught.value.hint is not None
    assert "fork" in caught.value.hint


@ignore_forks_with_threads
def test_a_child_has_runs_of_its_own(run: Any) -> None:
    def child() -> None:
        assert run(["echo", "x"]).stdout == b"x\n"
        assert stockade.Module(ADD).call("add", 2, 3) == 5

    in_fork(child)
    assert run(["echo", "y"]).stdout == b"y\n"
    assert stockade.Module(ADD).call("add", 2, 3) == 5


@ignore_forks_with_threads
def test_handles_of_the_parent_are_lost_to_the_child(
    popen: Any, best_effort: stockade.Policy, mark: Mark
) -> None:
    sandboxes = [stockade.Sandbox("namespace"), stockade.Sandbox("wasm")]
    prepared = stockade.prepare(["echo", "x"], policy=best_effort)
    prepared.warm(1)
    module = stockade.Module(ADD)
    instance = module.instantiate()
    assert instance.call("add", 1, 1) == 2
    over = popen(["true"], stdout=stockade.DEVNULL, stderr=stockade.DEVNULL)
    over.wait()
    with popen(mark.sleep(), stdin=stockade.PIPE) as process:
        assert until(mark.alive)

        def child() -> None:
            for sandbox in sandboxes:
                lost(sandbox.support)
            lost(
                lambda: sandboxes[0].run(["true"], best_effort=best_effort.to_dict()["best_effort"])
            )
            for use in (
                prepared.run,
                prepared.popen,
                lambda: prepared.plan,
                lambda: prepared.warm(1),
            ):
                lost(use)
            for use in (
                module.instantiate,
                lambda: module.call("add", 1, 1),
                lambda: module.functions,
            ):
                lost(use)
            for use in (
                lambda: instance.call("add", 1, 1),
                lambda: instance.call_bytes("add", b""),
                lambda: instance.report,
                instance.kill,
            ):
                lost(use)
            for use in (
                process.poll,
                process.wait,
                process.kill,
                process.fileno,
                process.communicate,
            ):
                lost(use)
            for use in (lambda: process.returncode, lambda: process.report):
                lost(use)
            # What was known before the fork is known.
            assert over.returncode == 0
            assert over.report.verdict.success
            for thing in (process, over, prepared, module, instance, *sandboxes):
                assert repr(thing)

        in_fork(child)
        # Nothing of it was touched.
        assert process.poll() is None
        assert mark.alive()
        assert instance.call("add", 2, 2) == 4
        assert prepared.run().stdout == b"x\n"
        process.kill()
        assert process.wait() == -9
    instance.kill()


@ignore_forks_with_threads
def test_dropping_in_the_child_does_nothing_to_the_parents(
    popen: Any, best_effort: stockade.Policy, mark: Mark
) -> None:
    prepared = stockade.prepare(["echo", "x"], policy=best_effort)
    things = {"instance": stockade.Module(ADD).instantiate(), "sandbox": stockade.Sandbox()}
    null = stockade.DEVNULL
    things["process"] = popen(mark.sleep(), stdout=null, stderr=null)
    assert until(mark.alive)

    def child() -> None:
        import gc

        things.clear()
        gc.collect()

    in_fork(child)
    assert things["process"].poll() is None
    assert len(mark.alive()) == 1
    assert things["instance"].call("add", 2, 2) == 4
    assert things["sandbox"].run(["echo", "z"], policy=best_effort).stdout == b"z\n"
    assert prepared.run().stdout == b"x\n"
    things["process"].kill()
    things["process"].wait()
    things.clear()


@ignore_forks_with_threads
def test_a_child_may_leave_a_block_of_its_parents(popen: Any, mark: Mark) -> None:
    with popen(mark.sleep(), stdin=stockade.PIPE) as process:
        assert until(mark.alive)

        def child() -> None:
            with pytest.raises(stockade.HostLost):
                process.__exit__(None, None, None)
            with pytest.raises((stockade.HostLost, ZeroDivisionError)):
                with process:
                    raise ZeroDivisionError

        in_fork(child)
        assert process.poll() is None
        process.kill()


@ignore_forks_with_threads
def test_streams_are_shared_as_those_of_subprocess_are(popen: Any) -> None:
    with popen(["cat"], stdin=stockade.PIPE, bufsize=0) as process:
        in_fork(lambda: process.stdin.write(b"from the child"))
        process.stdin.close()
        assert process.stdout.read() == b"from the child"


def test_an_interpreter_that_forks_and_ends_normally_leaves_the_parents_runs(
    interpreter: Interpreter, mark: Mark
) -> None:
    """By `sys.exit`, which runs what is to run at exit and drops what there is."""
    code = (
        "import stockade, warnings\nwarnings.simplefilter('ignore')\n"
        f"process = stockade.Popen({mark.sleep()!r}, best_effort=WEAK)\n"
        f"instance = stockade.Module({ADD!r}).instantiate()\n"
        "prepared = stockade.prepare(['echo', 'x'], best_effort=WEAK)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    sys.exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), process.poll())\n"
        "print(instance.call('add', 1, 2), prepared.run().stdout)\n"
        "process.kill(); process.communicate()"
    )
    assert interpreter.prints(code) == "7 None\n3 b'x\\n'\n"


@ignore_forks_with_threads
def test_a_grandchild_has_runs_of_its_own(run: Any) -> None:
    def child() -> None:
        assert run(["echo", "x"]).stdout == b"x\n"
        prepared = stockade.prepare(["true"], best_effort=["memory", "cpu_time", "processes"])

        def grandchild() -> None:
            lost(prepared.run)
            assert run(["echo", "y"]).stdout == b"y\n"

        in_fork(grandchild)
        assert prepared.run().returncode == 0

    in_fork(child)


@ignore_forks_with_threads
def test_a_child_of_a_parent_that_never_ran_anything_has_runs(interpreter: Interpreter) -> None:
    code = (
        "import stockade\n"
        "pid = os.fork()\n"
        "print(os.getpid() != pid, stockade.run(['echo', 'x'], best_effort=WEAK).stdout, flush=True)\n"
        "if pid: assert os.waitpid(pid, 0)[1] == 0\n"
    )
    assert interpreter.prints(code) == "True b'x\\n'\n" * 2


@ignore_forks_with_threads
def test_forks_beside_threads_that_run_sandboxes_do_not_hang(run: Any) -> None:
    stop = threading.Event()
    errors: List[BaseException] = []
    module = stockade.Module(ADD)
    module.functions

    def work(at: int) -> None:
        try:
            while not stop.is_set():
                if at % 3 == 0:
                    assert run(["echo", "x"]).stdout == b"x\n"
                elif at % 3 == 1:
                    assert module.call("add", 1, 2) == 3
                    # One that the engine has not seen: a section of a name and five bytes.
                    unseen = ADD + b"\0\7\1x" + os.urandom(5)
                    assert stockade.Module(unseen).call("add", 1, 2) == 3
                else:
                    # The one place that this package locks: where sandboxes are made.
                    stockade.sandbox._shared.clear()
                    assert run(["echo", "y"]).stdout == b"y\n"
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[at]) for at in range(4)]
    for thread in threads:
        thread.start()

    def child() -> None:
        assert run(["echo", "x"]).stdout == b"x\n"
        assert stockade.Module(ADD).call("add", 2, 3) == 5

    try:
        for _ in range(50):
            in_fork(child)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    # What is shared is there again, so that no later test is the one that makes it.
    assert run(["true"]).returncode == 0 and stockade.Module(ADD).functions


def work(number: int) -> Tuple[int, bytes, int]:
    """What a worker process does."""
    weak = ["memory", "cpu_time", "processes"]
    done = stockade.run(["echo", str(number)], best_effort=weak)
    return os.getpid(), done.stdout, stockade.Module(ADD).call("add", number, 1)


def limited(policy: stockade.Policy) -> stockade.Report:
    """What a worker process does with a policy that was sent to it, and it sends a report back."""
    return stockade.run(["sh", "-c", "exit 3"], policy=policy).report


def failing() -> None:
    """What fails in a worker process."""
    stockade.run(["false"], check=True, best_effort=["memory", "cpu_time", "processes"])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_have_runs(interpreter: Interpreter, method: str) -> None:
    code = (
        "import concurrent.futures, multiprocessing, stockade, warnings\n"
        "warnings.filterwarnings('ignore', '.*multi-threaded', DeprecationWarning)\n"
        "from test_fork import failing, limited, work\n"
        "assert work(1)[1:] == (b'1\\n', 2)\n"
        f"context = multiprocessing.get_context({method!r})\n"
        "with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:\n"
        "    results = list(pool.map(work, range(8)))\n"
        "    assert [result[1:] for result in results] == [(b'%d\\n' % n, n + 1) for n in range(8)]\n"
        "    assert os.getpid() not in {result[0] for result in results}\n"
        "    report = pool.submit(limited, stockade.Policy(best_effort=WEAK)).result()\n"
        "    assert report.verdict.code == 3\n"
        "    error = pool.submit(failing).exception()\n"
        "    assert isinstance(error, stockade.SandboxProcessError) and error.verdict.code == 1\n"
        "    with stockade.Popen(['cat'], stdin=stockade.PIPE, best_effort=WEAK) as process:\n"
        "        error = pool.submit(repr, process).exception()\n"
        "        assert 'pickled' in str(error), error\n"
        "with context.Pool(2) as pool:\n"
        "    assert [result[1] for result in pool.map(work, range(4))] == [b'0\\n', b'1\\n', b'2\\n', b'3\\n']\n"
        "    pool.close(); pool.join()\n"
        "assert work(5)[1:] == (b'5\\n', 6)\n"
    )
    assert interpreter.prints(code) == ""


def test_a_child_that_is_made_by_subprocess_has_runs(interpreter: Interpreter, run: Any) -> None:
    assert run(["true"]).returncode == 0
    code = "import stockade\nprint(stockade.run(['echo', 'x'], best_effort=WEAK).stdout)"
    assert interpreter.prints(code) == "b'x\\n'\n"
