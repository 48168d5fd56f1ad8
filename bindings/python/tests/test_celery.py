"""`stockade.celery`, with a real worker that forks, and with one of threads in this process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

celery = pytest.importorskip("celery", reason="celery is not installed")

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from remains import BEST_EFFORT, nothing_left, strong, until

import stockade.celery
from stockade.celery import (
    CallTimeout,
    LimitReached,
    RemoteError,
    ResultError,
    SandboxTask,
    WorkerLost,
)

TESTS = Path(__file__).parent
EXAMPLE = TESTS.parent / "examples" / "celery_two_workers.py"


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Engines start and end processes between tests: `remains` asks it of each engine as a whole."""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """The module of the tasks, while a worker with two processes answers them."""
    folder = tmp_path_factory.mktemp("celery")
    for part in ("queue", "done", "control", "results", "attempts"):
        (folder / part).mkdir()
    with nothing_left() as watch:
        os.environ["STOCKADE_TEST_CELERY"] = str(folder)
        os.environ["STOCKADE_TEST_WATCH"] = watch.folder
        log = folder / "log"
        options = "-A sandboxed_tasks worker --concurrency 2 --without-mingle --without-gossip --loglevel ERROR"
        with open(log, "wb") as output:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *options.split()],
                cwd=TESTS,
                stdout=output,
                stderr=output,
            )
        import sandboxed_tasks

        try:
            first = sandboxed_tasks.pid.delay()
            until(lambda: first.ready() or worker.poll() is not None, log.read_text)
            assert worker.poll() is None, log.read_text()
            assert len({get(sandboxed_tasks.pid) for _ in range(20)}) == 2
            sandboxed_tasks.watch, sandboxed_tasks.log = watch, log
            yield sandboxed_tasks
            watch.sandboxes()
        finally:
            worker.terminate()
            status = worker.wait(timeout=60)
            sandboxed_tasks.app.close()
            del os.environ["STOCKADE_TEST_CELERY"], os.environ["STOCKADE_TEST_WATCH"]
    assert status == 0, log.read_text()


def get(task, *args, **options):
    return task.apply_async(args, **options).get(timeout=60, interval=0.02)


def error_of(task, *args, **options):
    return task.apply_async(args, **options).get(timeout=60, interval=0.02, propagate=False)


def test_the_body_of_a_task_runs_inside(tasks):
    assert get(tasks.double, 21) == 42
    assert get(tasks.triple, 5) == 15
    assert tasks.double.__doc__ == "Two times."


def test_sandboxes_that_the_parent_used_before_the_fork_do_not_hinder(tasks):
    assert Path(tasks.FOLDER, "parent").read_text() == "42"
    assert [get(tasks.double, n) for n in range(8)] == [0, 2, 4, 6, 8, 10, 12, 14]


def test_every_way_to_call_a_task_leads_inside(tasks):
    assert tasks.double(1) == tasks.double.run(1) == tasks.double.apply((1,)).get() == 2
    assert tasks.triple(1) == tasks.triple.run(1) == 3
    assert tasks.die_twice.run.__wrapped__ is not None
    assert tasks.double.local(1) == "outside"
    stockade.celery.close()


@pytest.mark.parametrize(
    "name, kind",
    [("fail", RemoteError), ("eat", LimitReached), ("spin", CallTimeout), ("die", WorkerLost)],
)
def test_errors_come_through_json_as_their_types(tasks, name, kind):
    error = error_of(getattr(tasks, name))
    assert type(error) is kind
    assert isinstance(error, stockade.SandboxError)
    assert isinstance(error, kind.__mro__[2])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, str(again)) == (kind, error.args, str(error))


def test_errors_keep_what_they_say(tasks):
    failed, eaten, late, died = (
        error_of(task) for task in (tasks.fail, tasks.eat, tasks.spin, tasks.die)
    )
    assert (failed.type_name, failed.message, failed.output) == (
        "LookupError",
        "not there",
        "before the end\n",
    )
    assert str(failed).startswith("LookupError: not there\n")
    assert "in fail" in failed.traceback
    assert (eaten.verdict.control, eaten.verdict.limit) == ("memory", 256 << 20)
    assert isinstance(late, subprocess.TimeoutExpired)
    assert late.timeout == 2
    assert (died.verdict.kind, died.verdict.number) == ("signaled", 9)
    assert repr(eaten) == f"LimitReached({str(eaten)!r})"


def test_a_pickle_from_inside_is_never_loaded(tasks, tmp_path):
    error = error_of(tasks.trap, str(tmp_path / "gotcha"))
    assert isinstance(error, ResultError)
    assert not (tmp_path / "gotcha").exists()


def test_a_task_is_tried_again_after_what_it_asked_for(tasks):
    assert get(tasks.die_twice) == 2


def test_limits_of_time_that_celery_has_kill_the_sandbox(tasks):
    waiting = len(tasks.watch.sandboxes())
    assert isinstance(error_of(tasks.spin_softly), SoftTimeLimitExceeded)
    assert isinstance(error_of(tasks.spin_hard), TimeLimitExceeded)
    # None spins on, and those that wait do so for other tasks.
    until(lambda: len(tasks.watch.sandboxes()) <= waiting + 1, "a sandbox runs on")
    until(
        lambda: len({get(tasks.pid) for _ in range(8)}) == 2,
        "there is no process instead of the one killed",
    )
    assert get(tasks.double, 4) == 8


def test_threads_of_one_process_run_tasks_too():
    from celery import Celery
    from celery.contrib.testing.worker import start_worker

    with nothing_left() as watch:
        app = Celery("here", broker="memory://", backend="cache+memory://")

        @app.task(
            base=SandboxTask,
            soft_time_limit=2,
            sandbox={"paths": [watch.folder], "best_effort": BEST_EFFORT},
        )
        def spin():
            while True:
                pass

        @app.task(base=SandboxTask, sandbox={"paths": [watch.folder], "best_effort": BEST_EFFORT})
        def square(x):
            return x * x

        with start_worker(
            app, pool="threads", concurrency=2, perform_ping_check=False, shutdown_timeout=60
        ):
            late = spin.delay()
            assert [get(square, n) for n in range(5)] == [0, 1, 4, 9, 16]
            assert watch.sandboxes()
            error = late.get(timeout=60, propagate=False)
            # Celery has no limits of time for threads: that of the sandbox comes before it.
            assert isinstance(error, CallTimeout)
            assert error.timeout == pytest.approx(1.8)
        app.close()
        # This kind of worker, for tests alone, does not say when it ends.
        stockade.celery.close()


def test_what_cannot_be_a_task_in_a_sandbox_is_refused_where_it_is_declared():
    app = celery.Celery("here")

    def declare(**options):
        def nothing(self=None):
            pass

        return app.task(base=SandboxTask, lazy=False, **options)(nothing)

    with pytest.raises(TypeError, match="bind=True"):
        declare(bind=True, name="a")
    with pytest.raises(TypeError, match="sandbox={'memory': ...}"):
        declare(memory="1GiB", name="b")
    with pytest.raises(TypeError, match="memroy"):
        declare(sandbox={"memroy": "1GiB"}, name="c")
    with pytest.raises(stockade.InvalidPolicy):
        declare(sandbox={"memory": "much"}, name="d")
    with pytest.raises(TypeError, match="static method"):
        type("Bound", (SandboxTask,), {"run": lambda self: None})
    app.close()


def test_without_celery_the_import_says_what_to_install():
    code = "import sys; sys.modules['celery'] = None\ntry: import stockade.celery\nexcept ImportError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install stockade[celery]" in done.stdout


@pytest.mark.skipif(not strong(), reason="this host only approximates limits")
def test_the_example_shows_what_becomes_of_each_submission():
    with nothing_left():
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1] == "workers that took part: 2"
    assert [line.split()[:2] for line in lines[2:]] == [
        ["honest", "4950"],
        ["loops", "CallTimeout:"],
        ["greedy", "LimitReached:"],
        ["curious", "RemoteError:"],
        ["chatty", "RemoteError:"],
        ["trap", "ResultError:"],
    ]
