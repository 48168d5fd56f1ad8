"""Limits: each ends a run with its verdict, and a value that makes no sense starts nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Type

import pytest

import stockade

MIB = 1 << 20
# One process more than is allowed, and no fork beyond it: without control groups one more is let through
# and found by a count, and a Python that cannot fork ends.
FORK = "import os, time\nfor n in range(8):\n    if os.fork() == 0:\n        time.sleep(30); os._exit(0)\ntime.sleep(30)"
UNSHARE = "import ctypes; ctypes.CDLL(None).unshare(0)"
# The table is looked at now and then.
OPEN = """
import time
files = []
try:
    while True:
        files.append(open("/dev/null"))
except OSError:
    time.sleep(1)
    raise
"""


@pytest.mark.parametrize(
    ("keywords", "args", "control", "limit"),
    [
        ({"memory": "64MiB"}, ["python3", "-c", "b'x' * (300 << 20)"], "memory", 64 * MIB),
        ({"cpu_time": 0.3}, ["python3", "-c", "while True: pass"], "cpu_time", 300_000_000),
        ({"wall_time": "300ms"}, ["sleep", "60"], "wall_time", 300_000_000),
        ({"processes": 8}, ["python3", "-c", FORK], "processes", 8),
        ({"output": 1000}, ["head", "-c", "100000", "/dev/zero"], "output", 1000),
        ({"file_size": 4096}, ["dd", "if=/dev/zero", "of=/tmp/x", "count=99"], "file_size", 4096),
        ({"disk": "64KiB"}, ["dd", "if=/dev/zero", "of=/tmp/x", "count=999"], "disk", 65536),
        ({"open_files": 32}, ["python3", "-c", OPEN], "open_files", 32),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_limit_ends_the_run_and_is_named(
    run: Any, keywords: Dict[str, Any], args: List[str], control: str, limit: int
) -> None:
    done = run(args, **{"timeout": 20, **keywords} if "wall_time" not in keywords else keywords)
    assert (done.verdict.kind, done.verdict.control, done.verdict.limit) == (
        "limit",
        control,
        limit,
    )
    assert not done.verdict.success
    assert done.returncode == -9
    assert str(done.verdict).startswith(f"stopped: {control} limit ")
    with pytest.raises(stockade.SandboxError):
        done.check_returncode()


def test_output_past_its_limit_is_cut(run: Any) -> None:
    done = run(["head", "-c", "100000", "/dev/zero"], output=1000)
    assert len(done.stdout) == 1000
    done = run(["head", "-c", "100000", "/dev/zero"], output=1000, output_overflow="truncate")
    assert (len(done.stdout), done.verdict.success) == (1000, True)
    assert done.report.output == {"stdout_truncated": True, "stderr_truncated": False}


def test_much_output_is_kept_where_it_is_allowed(run: Any) -> None:
    done = run(["head", "-c", "20000000", "/dev/zero"], output="unlimited")
    assert len(done.stdout) == 20_000_000


def test_a_rate_of_processor_time_can_be_asked_for(run: Any) -> None:
    try:
        done = run(["python3", "-c", "while True: pass"], cpus=0.2, cpu_time=5, timeout=1)
    except stockade.Unsupported as error:
        assert [unmet.control for unmet in error.unmet] == ["cpus"]
        pytest.skip(error.unmet[0].reason)
    assert done.verdict.control == "wall_time"
    assert done.usage.cpu_ns < 600_000_000


def test_a_forbidden_call_is_denied(run: Any) -> None:
    done = run(["python3", "-c", UNSHARE], syscalls="strict")
    assert (done.verdict.kind, done.verdict.control) == ("denied", "syscalls")
    assert done.returncode == -9
    assert "denied" in str(done.verdict)


@pytest.mark.parametrize(("name", "number"), [("SEGV", 11), ("KILL", 9), ("TERM", 15), ("ABRT", 6)])
def test_a_signal_of_ones_own_is_the_programs(run: Any, name: str, number: int) -> None:
    done = run(["sh", "-c", f"kill -{name} $$"])
    assert done.verdict == stockade.Verdict("signaled", signal=f"SIG{name}", number=number)
    assert done.returncode == -number
    assert str(done.verdict) == f"killed by SIG{name}"


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"memory": "lots"}, "memory"),
        ({"memory": -1}, "memory"),
        ({"memory": 1}, "memory"),
        ({"memory": 1.5}, "memory"),
        ({"memory": True}, "memory"),
        ({"memory": 1 << 70}, "memory"),
        ({"memory": [1]}, "memory"),
        ({"cpu_time": "soon"}, "cpu_time"),
        ({"cpu_time": -1}, "cpu_time"),
        ({"wall_time": 0}, "wall_time"),
        ({"timeout": 0}, "wall_time"),
        ({"timeout": float("inf")}, ""),
        ({"timeout": float("nan")}, ""),
        ({"timeout": "5 parsecs"}, "wall_time"),
        ({"cpus": 0}, "cpus"),
        ({"cpus": "half"}, "cpus"),
        ({"processes": 0}, "processes"),
        ({"processes": 1.5}, "processes"),
        ({"open_files": 1}, "open_files"),
        ({"file_size": 0}, "file_size"),
        ({"disk": 1}, "disk"),
        ({"output": "x"}, "output"),
        ({"output_overflow": "explode"}, "output_overflow"),
        ({"fuel": -1}, "fuel"),
        ({"base": "nothing"}, "base"),
        ({"mounts": [{}]}, "mounts"),
        ({"mounts": [{"bind": "/usr", "target": "relative"}]}, "target"),
        ({"mounts": [{"bind": "/usr", "target": "/x", "access": "some"}]}, "access"),
        ({"mounts": ["/usr"]}, "mounts"),
        ({"network": "internet"}, "network"),
        ({"cwd": "relative"}, "cwd"),
        ({"cwd": ""}, "cwd"),
        ({"hostname": "a b"}, "hostname"),
        ({"hostname": ""}, "hostname"),
        ({"env": {"A=B": "x"}}, "A=B"),
        ({"env": {"A": "a\0b"}}, "env"),
        ({"env": {"A": 1}}, "env"),
        ({"env": {1: "A"}}, "1"),
        ({"syscalls": "some"}, "syscalls"),
        ({"best_effort": ["magic"]}, "magic"),
        ({"best_effort": "magic"}, "magic"),
        ({"warm": -1}, "warm"),
        ({"warm": 1000}, "warm"),
        ({"memory": object()}, ""),
    ],
    ids=str,
)
def test_a_value_that_makes_no_sense_starts_nothing(
    weak: List[str], tmp_path: Path, keywords: Dict[str, Any], named: str
) -> None:
    tmp_path.chmod(0o777)
    mounts = [{"bind": str(tmp_path), "target": "/out", "access": "rw"}]
    given = {"mounts": mounts, "best_effort": weak, **keywords}
    with pytest.raises(stockade.InvalidPolicy) as caught:
        stockade.run(["touch", "/out/ran"], **given)
    assert isinstance(caught.value, ValueError)
    assert caught.value.kind == "invalid_policy"
    assert named in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"env": "A=1"}, (TypeError, ValueError)),
        ({"env": ["A"]}, (TypeError, ValueError)),
        ({"mounts": 7}, (TypeError, ValueError)),
        ({"best_effort": 7}, (TypeError, ValueError)),
        ({"rootfs": "/no/such/root"}, stockade.NotFound),
        ({"mounts": [{"bind": "/no/such/source", "target": "/x"}]}, stockade.NotFound),
        ({"cwd": "/no/such/folder"}, stockade.NotFound),
        ({"fuel": 1000}, stockade.Unsupported),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_by_its_type(
    run: Any, weak: List[str], keywords: Dict[str, Any], error: Type[Exception]
) -> None:
    with pytest.raises(error):
        stockade.run(["true"], **{"best_effort": weak, **keywords})


def test_what_a_host_cannot_enforce_is_listed() -> None:
    with pytest.raises(NotImplementedError) as caught:
        stockade.run(["true"], fuel=1000, best_effort=["memory", "cpu_time", "processes"])
    error = caught.value
    assert isinstance(error, stockade.Unsupported)
    assert [unmet.control for unmet in error.unmet] == ["fuel"]
    assert error.unmet[0].reason
    assert not error.unmet[0].approximable
    assert error.hint


def test_an_unknown_keyword_is_a_type_error_with_a_suggestion(run: Any) -> None:
    with pytest.raises(TypeError, match="did you mean 'memory'"):
        run(["true"], memroy=1)
    with pytest.raises(TypeError, match="did you mean 'wall_time'"):
        run(["true"], walltime=1)
    with pytest.raises(TypeError, match="shell"):
        run(["true"], shell=True)
