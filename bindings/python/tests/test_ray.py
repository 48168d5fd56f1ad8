"""`stockade.ray`, with real Ray, which is large: set STOCKADE_TEST_RAY=1.

Ray's processes listen on all interfaces. So the tests run once more inside a namespace of the network that
has nothing but loopback, and there they use Ray.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

MODE = os.environ.get("STOCKADE_TEST_RAY")
if MODE not in ("1", "loopback"):
    pytest.skip("it is large, and STOCKADE_TEST_RAY=1 is not set", allow_module_level=True)
outside = pytest.mark.skipif(MODE == "loopback", reason="this is the part with a network")
loopback = pytest.mark.skipif(MODE == "1", reason="runs inside test_ray_runs_with_loopback_alone")

import ray
from remains import BEST_EFFORT, MARK, nothing_left, strong, until

import stockade
from stockade.executor import CallTimeout, LimitReached, RemoteError, ResultError, WorkerLost
from stockade.ray import SandboxPool

EXAMPLE = Path(__file__).parent.parent / "examples" / "ray_two_workers.py"
ONLY_LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


def with_loopback_alone(*args):
    """Runs Python where there is no network; Ray has a folder of its own, with a short name for its sockets."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare(1) is not there")
    namespaces = "-n" if os.geteuid() == 0 else "-rn"
    # Ray's workers import the functions of this module, too.
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **QUIET, "STOCKADE_TEST_RAY": "loopback", "PYTHONPATH": path}
    command = [unshare, namespaces, sys.executable, "-c", ONLY_LOOPBACK, *args]
    with tempfile.TemporaryDirectory(prefix="r-") as environment["RAY_TMPDIR"]:
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def inside():
    return MARK not in os.environ


def double(x):
    return 2 * x if inside() else "outside"


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


def trap(path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (path,)

    return Trap()


def wait_for(folder, name):
    open(f"{folder}/{name}", "w").close()
    while not os.path.exists(f"{folder}/go"):
        pass
    return name


def pool_of(size, **options):
    return SandboxPool(size, best_effort=BEST_EFFORT, **options)


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Engines start and end processes between tests: `remains` asks it of each engine as a whole."""


@pytest.fixture(scope="module")
def running():
    """Ray with two processors, which knows of no network."""
    # Ray's driver has descriptors of its own until the process ends.
    with nothing_left(descriptors=False) as watch:
        options = {
            "num_cpus": 2,
            "include_dashboard": False,
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
        ray.init(object_store_memory=80 << 20, **options)
        try:
            yield watch
            watch.sandboxes()
        finally:
            ray.shutdown()


@pytest.fixture
def pool(running):
    with pool_of(2, timeout=5, memory="256MiB", paths=[running.folder]) as made:
        yield made
        running.sandboxes()


@outside
def test_ray_runs_with_loopback_alone():
    done = with_loopback_alone("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", __file__)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


@outside
@pytest.mark.skipif(not strong(), reason="this host only approximates limits")
def test_the_example_shows_what_becomes_of_each_submission():
    with nothing_left():
        done = with_loopback_alone(str(EXAMPLE))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["honest", "4950"],
        ["loops", "CallTimeout:"],
        ["greedy", "LimitReached:"],
        ["curious", "RemoteError:"],
        ["chatty", "RemoteError:"],
        ["trap", "ResultError:"],
    ]


@outside
def test_without_ray_the_import_says_what_to_install():
    code = "import sys; sys.modules['ray'] = None\ntry: import stockade.ray\nexcept ImportError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install stockade[ray]" in done.stdout


@outside
def test_options_that_make_no_sense_are_refused_where_the_pool_is_made():
    with pytest.raises(TypeError, match="memroy"):
        SandboxPool(2, memroy="1GiB")
    with pytest.raises(stockade.InvalidPolicy):
        SandboxPool(2, memory="much")
    with pytest.raises(ValueError, match="at least one"):
        SandboxPool(0)


@loopback
def test_calls_run_inside_and_results_are_arguments_of_others(pool):
    assert ray.get(pool.submit(inside)) is True
    assert list(pool.map(double, range(20))) == [2 * n for n in range(20)]
    assert ray.get(pool.submit(double, pool.submit(double, x=ray.put(5)))) == 20


@loopback
def test_both_actors_work_at_once(running, tmp_path):
    mount = {"bind": str(tmp_path), "target": "/folder", "access": "rw"}
    with pool_of(2, mounts=[mount], timeout=60, paths=[running.folder]) as pool:
        calls = [pool.submit(wait_for, "/folder", name) for name in "ab"]
        until(lambda: {"a", "b"} <= set(os.listdir(tmp_path)), "they did not run at once")
        (tmp_path / "go").touch()
        assert ray.get(calls) == ["a", "b"]


@loopback
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
def test_errors_reach_the_driver_as_their_types(pool, function, kind):
    with pytest.raises(kind) as caught:
        ray.get(pool.submit(function))
    assert type(caught.value.cause) is kind
    assert pickle.loads(pickle.dumps(caught.value.cause)).args == caught.value.cause.args
    if kind is LimitReached:
        assert caught.value.verdict.control == "memory"
    if kind is RemoteError:
        assert (caught.value.type_name, caught.value.output) == ("LookupError", "before the end\n")


@loopback
def test_a_pickle_from_inside_is_never_loaded(pool, tmp_path):
    with pytest.raises(ResultError):
        ray.get(pool.submit(trap, str(tmp_path / "gotcha")))
    assert not (tmp_path / "gotcha").exists()


@loopback
def test_a_cancelled_call_is_killed(running, tmp_path):
    mount = {"bind": str(tmp_path), "target": "/folder", "access": "rw"}
    limits = {
        "mounts": [mount],
        "timeout": 300,
        "cpu_time": 300,
        "warm": 0,
        "paths": [running.folder],
    }
    with pool_of(1, **limits) as pool:
        call = pool.submit(wait_for, "/folder", "begun")
        until(lambda: os.listdir(tmp_path) == ["begun"], "it did not begin")
        [sandbox] = running.sandboxes()
        ray.cancel(call)
        until(lambda: sandbox not in running.sandboxes(), "it runs on")
        with pytest.raises((ray.exceptions.TaskCancelledError, ray.exceptions.RayTaskError)):
            ray.get(call)
        assert ray.get(pool.submit(double, 2)) == 4


@loopback
def test_what_runs_when_a_pool_is_closed_ends_with_it(running, tmp_path):
    mount = {"bind": str(tmp_path), "target": "/folder", "access": "rw"}
    with pool_of(1, mounts=[mount], timeout=300, cpu_time=300, paths=[running.folder]) as pool:
        pool.submit(wait_for, "/folder", "begun")
        until(lambda: os.listdir(tmp_path) == ["begun"], "it did not begin")
        assert running.sandboxes()
    until(lambda: not running.sandboxes(), "a sandbox of the pool is left")
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(double, 1)
