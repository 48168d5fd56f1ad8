"""What the tests of executors share: executors that this host can have, and a look at their workers."""

from __future__ import annotations

import atexit
import gc
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from host import until

from stockade import SandboxExecutor

BEST_EFFORT = ("memory", "cpu_time", "processes", "cpus")

MARK = tempfile.mkdtemp(prefix="stockade-executors-")
"""A directory that every interpreter here has in its path, which tells its processes from others'."""

_OWNER = os.getpid()


@atexit.register
def _remove() -> None:
    if os.getpid() == _OWNER:
        os.rmdir(MARK)


def workers() -> List[int]:
    """The processes of this module's sandboxes, by what their Pythons were told to run."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                command = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue  # gone meanwhile
            if MARK.encode() in command and b"stockade_guest" in command:
                found.append(int(name))
    return found


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    gc.collect()
    before = descriptors()
    yield
    gc.collect()
    assert until(lambda: not workers()), f"sandboxes are left: {workers()}"
    assert until(lambda: descriptors() <= before), "descriptors are left"
    assert until(lambda: not [t for t in threading.enumerate() if t.name.startswith("stockade-")])


def make(**options: Any) -> SandboxExecutor:
    paths = [*options.pop("paths", ()), MARK]
    return SandboxExecutor(
        **{"max_workers": 2, "warm": 0, "best_effort": BEST_EFFORT, "paths": paths, **options}
    )


def throw(kind: type) -> None:
    raise kind()
