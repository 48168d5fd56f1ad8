"""`stockade.dask`, with real Dask workers in processes of their own."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

dask = pytest.importorskip("dask", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")

from dask import _task_spec as spec
from distributed import Client, LocalCluster
from distributed.worker import _run_task_simple
from remains import BEST_EFFORT, MARK, nothing_left, strong, until

import stockade
from stockade._dask_tasks import blocking, call_of
from stockade.dask import SandboxPlugin, _TaskExecutor
from stockade.executor import CallTimeout, LimitReached, RemoteError, ResultError, WorkerLost

EXAMPLE = Path(__file__).parent.parent / "examples" / "dask_two_workers.py"


def inside():
    return MARK not in os.environ


def double(x):
    return 2 * x if inside() else "outside"


def total(numbers, more=None):
    return [sum(numbers), more, inside()]


async def double_later(x):
    await asyncio.sleep(0)
    return double(x)


def fail():
    print("before the end")
    raise LookupError("not there")


def eat():
    return len(bytearray(1 << 30))


def spin():
    while True:
        pass


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def trap(path):
    made = Trap.__new__(Trap)
    made.path = path
    return made


def fail_twice(folder):
    attempts = len(os.listdir(folder))
    open(f"{folder}/{attempts}", "w").close()
    if attempts < 2:
        raise RuntimeError("again")
    return attempts


def begin_and_wait(folder):
    name = f"{folder}/begun-{len(os.listdir(folder))}"
    open(name, "w").close()
    while not os.path.exists(f"{folder}/go"):
        time.sleep(0.01)
    return "went"


def calls(client, name):
    """How many calls run on each worker."""
    return client.run(lambda name, dask_worker: len(dask_worker.executors[name]._running), name)


def cluster(folder, workers=2):
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        local_directory=str(folder),
        silence_logs=logging.CRITICAL,
    )


def plugin(name="sandbox", **options):
    return SandboxPlugin(name, best_effort=BEST_EFFORT, **options)


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Engines start and end processes between tests: `remains` asks it of each engine as a whole."""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Two workers, each a process under a nanny, with a plugin for JSON and one for arrays."""
    with LocalCluster(
        n_workers=0,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ):
        pass  # what Dask keeps for the life of a process is there before descriptors are counted
    with nothing_left() as watch:
        with cluster(tmp_path_factory.mktemp("dask")) as workers, Client(workers) as client:
            client.register_plugin(plugin(timeout=5, memory="256MiB", paths=[watch.folder]))
            client.register_plugin(plugin("arrays", returns="numpy", timeout=20))
            client.watch = watch
            yield client
            watch.sandboxes()


@pytest.fixture
def client(running):
    with dask.annotate(executor="sandbox"):
        yield running


def test_functions_run_inside_and_their_results_are_dependencies_of_others(client):
    doubled = client.map(double, range(6))
    assert client.gather(doubled) == [0, 2, 4, 6, 8, 10]
    nested = client.submit(
        total, doubled, more={"k": doubled[3], "n": [doubled[2], {"deep": doubled[1]}]}
    )
    assert nested.result() == [30, {"k": 6, "n": [4, {"deep": 2}]}, True]
    assert client.submit(inside, pure=False).result() is True
    assert client.run(inside) == dict.fromkeys(client.run(inside), False)


def test_both_workers_have_sandboxes(client):
    futures = client.map(double, range(100, 120))
    client.gather(futures)
    held = client.who_has(futures)
    assert len({worker for workers in held.values() for worker in workers}) == 2
    until(lambda: len(client.watch.sandboxes()) >= 2, "no sandboxes wait on both workers")


def test_a_graph_of_delayed_functions_runs_inside(client):
    delayed = dask.delayed
    graph = delayed(total)(
        [delayed(double)(1), delayed(double)(delayed(double)(2))], more=(delayed(double)(5),)
    )
    assert client.compute(graph).result() == [10, [10], True]


def test_what_other_executors_computed_comes_as_argument(client):
    with dask.annotate(executor="default"):
        outside = client.submit(lambda: {"kept": (1, {2})}, pure=False)
    assert client.submit(lambda got: [got == {"kept": (1, {2})}, str(got)], outside).result() == [
        True,
        "{'kept': (1, {2})}",
    ]


def test_arrays_come_back_as_arrays(client):
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    with dask.annotate(executor="arrays"):
        made = client.submit(lambda n: numpy.arange(n) * 2, 5)
        assert client.submit(lambda array: array + 1, made).result().tolist() == [1, 3, 5, 7, 9]


def test_asynchronous_functions_run_inside_too(client):
    # Dask would run them in the worker itself, before it looks at the executor.
    assert client.submit(double_later, 4).result() == 8


@pytest.mark.parametrize(
    "function, kind",
    [
        (fail, RemoteError),
        (eat, LimitReached),
        (spin, CallTimeout),
        (die, WorkerLost),
        (object, ResultError),
    ],
)
def test_errors_reach_the_client_as_their_types(client, function, kind):
    error = client.submit(function, pure=False).exception()
    assert type(error) is kind
    assert isinstance(error, stockade.SandboxError)


def test_errors_keep_what_they_say(client):
    failed, eaten, late = (
        client.submit(function, pure=False).exception() for function in (fail, eat, spin)
    )
    assert (failed.type_name, failed.message, failed.output) == (
        "LookupError",
        "not there",
        "before the end\n",
    )
    assert "in fail" in failed.traceback
    assert (eaten.verdict.control, eaten.verdict.limit) == ("memory", 256 << 20)
    assert isinstance(late, subprocess.TimeoutExpired)
    assert late.timeout == 5


def test_a_pickle_from_inside_is_never_loaded(client, tmp_path):
    path = str(tmp_path / "gotcha")
    error = client.submit(trap, path).exception()
    assert isinstance(error, ResultError)
    assert not os.path.exists(path)


def test_a_task_is_tried_again_as_often_as_was_asked(running, tmp_path):
    folder = str(tmp_path)
    mount = {"bind": folder, "target": "/attempts", "access": "rw"}
    running.register_plugin(plugin("attempts", mounts=[mount]))
    with dask.annotate(executor="attempts"):
        assert running.submit(fail_twice, "/attempts", retries=2, pure=False).result() == 2
    running.unregister_worker_plugin("stockade-attempts")


def test_a_cancelled_task_is_killed_and_can_be_run_again(running, tmp_path):
    folder = str(tmp_path)
    mount = {"bind": folder, "target": "/folder", "access": "rw"}
    running.register_plugin(plugin("patient", mounts=[mount], timeout=60))
    with dask.annotate(executor="patient"):
        first = running.submit(begin_and_wait, "/folder", key="wait")
        until(lambda: os.listdir(folder) == ["begun-0"], "it did not begin")
        assert sum(calls(running, "patient").values()) == 1
        first.cancel()
        until(lambda: not any(calls(running, "patient").values()), "it was not killed")
        again = running.submit(begin_and_wait, "/folder", key="wait")
        until(lambda: "begun-1" in os.listdir(folder), "it did not begin again")
        (tmp_path / "go").touch()
        assert again.result() == "went"
    running.unregister_worker_plugin("stockade-patient")


def test_a_task_for_a_plugin_that_was_removed_is_refused(running):
    running.register_plugin(plugin("passing"))
    with dask.annotate(executor="passing"):
        assert running.submit(double, 7, pure=False).result() == 14
        running.unregister_worker_plugin("stockade-passing")
        with pytest.raises(RuntimeError, match="no sandboxes"):
            running.submit(double, 7, pure=False).result()


def test_a_task_of_a_lost_worker_is_run_by_another_and_its_sandbox_ends(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    mount = {"bind": str(folder), "target": "/folder", "access": "rw"}
    with nothing_left() as watch, cluster(tmp_path / "dask") as workers, Client(workers) as client:
        client.register_plugin(plugin(mounts=[mount], timeout=60, warm=0, paths=[watch.folder]))
        with dask.annotate(executor="sandbox"):
            future = client.submit(begin_and_wait, "/folder")
            until(lambda: len(os.listdir(folder)) == 1, "it did not begin")
            [runs_on] = [name for name, tasks in client.processing().items() if tasks]
            [sandbox] = watch.sandboxes()
            os.kill(client.run(os.getpid, workers=[runs_on])[runs_on], signal.SIGKILL)
            until(lambda: len(os.listdir(folder)) == 2, "it did not begin again")
            until(
                lambda: sandbox not in watch.sandboxes(), "the sandbox of the lost worker runs on"
            )
            (folder / "go").touch()
            assert future.result() == "went"


def test_as_default_it_runs_every_task_or_none(tmp_path):
    with (
        nothing_left(),
        cluster(tmp_path / "dask", workers=1) as workers,
        Client(workers) as client,
    ):
        with pytest.raises(FileNotFoundError):
            client.register_plugin(plugin("default", paths=["/this/does/not/exist"]))
        with pytest.raises(RuntimeError, match="no sandboxes"):
            client.submit(inside, pure=False).result()
        client.register_plugin(plugin("default"))
        assert client.submit(inside, pure=False).result() is True
        assert client.submit(double_later, 1).result() == 2


def test_what_was_cancelled_has_neither_result_nor_error(tmp_path):
    # So a task that is wanted again before its sandbox has ended is run again.
    mount = {"bind": str(tmp_path), "target": "/folder", "access": "rw"}
    with nothing_left() as watch:
        options = {
            "max_workers": 1,
            "best_effort": BEST_EFFORT,
            "mounts": [mount],
            "paths": [watch.folder],
        }
        executor = _TaskExecutor(options)
        answer = executor.submit(
            _run_task_simple, spec.Task("key", begin_and_wait, "/folder"), {}, 0
        )
        until(lambda: len(os.listdir(tmp_path)) == 1, "it did not begin")
        assert watch.sandboxes()
        executor.cancel("key")
        assert type(answer.result()["actual_exception"]) is distributed.Reschedule
        executor.stop()


def test_tasks_of_data_are_taken_apart_and_others_go_in_whole():
    data = {"a": 1, "b": [2]}
    plain = spec.Task(
        "k", double, spec.List(spec.TaskRef("a"), spec.Dict(x=spec.TaskRef("b")), spec.Tuple(3, 4))
    )
    assert call_of(plain, data) == (double, ([1, {"x": [2]}, (3, 4)],), {})
    computes = spec.Task("k", double, spec.Task("inner", double, 1))
    assert call_of(computes, data) == (computes, (data,), {})
    hidden = spec.Task("k", double, spec.List(spec.Task("inner", double, 1)))
    assert call_of(hidden, data) == (hidden, (data,), {})
    assert spec.Task("k", double_later, 3).is_coro
    assert not blocking(spec.Task("k", double_later, 3)).is_coro


def test_fused_tasks_run_inside(client):
    fused = spec.Task.fuse(
        spec.Task("one", double, 3), spec.Task("two", double, spec.TaskRef("one"))
    )
    assert client.get({"two": fused}, "two") == 12


def test_options_that_make_no_sense_are_refused_where_the_plugin_is_made():
    with pytest.raises(TypeError, match="memroy"):
        SandboxPlugin(memroy="1GiB")
    with pytest.raises(stockade.InvalidPolicy):
        SandboxPlugin(memory="much")
    with pytest.raises(ValueError, match="pickle"):
        SandboxPlugin(returns="pickle")
    with pytest.raises(ValueError, match="offload"):
        SandboxPlugin("offload")


def test_a_plugin_is_sent_by_pickle():
    copy = pickle.loads(pickle.dumps(SandboxPlugin("mine", policy=stockade.Policy(memory="64MiB"))))
    assert copy.name == "stockade-mine"


def test_without_dask_the_import_says_what_to_install():
    code = "import sys; sys.modules['distributed'] = None\ntry: import stockade.dask\nexcept ImportError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install stockade[dask]" in done.stdout


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
