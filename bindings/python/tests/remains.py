"""What a test has started, and whether it is all gone afterwards."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import time
import uuid
from multiprocessing import resource_tracker
from typing import Callable, Dict, Iterator, List, Tuple, Union

import stockade

MARK = "STOCKADE_TEST_MARK"
"""A variable of the environment that the processes of an engine inherit, and sandboxes do not."""

BEST_EFFORT = ("memory", "cpu_time", "processes", "cpus")
"""What an ordinary user without control groups gets approximately."""


def strong() -> bool:
    """Whether all limits are enforced here, as the examples want them."""
    try:
        stockade.prepare(["true"])
    except stockade.Unsupported:
        return False
    return True


class Watch:
    """Remembers the processes of an engine, and the sandboxes that have `folder` in their ``paths``."""

    def __init__(self, mark: str, folder: str) -> None:
        self.folder = folder
        self._mark = mark.encode()
        self._before = set(_pids())
        self._seen: Dict[int, str] = {}

    def sandboxes(self) -> List[int]:
        """The sandboxes that run now; they and what started them are remembered."""
        found = [pid for pid in _pids() if self.folder.encode() in _file(pid, "cmdline")]
        for pid in found:
            while pid > 1 and pid not in self._before:
                pid, self._seen[pid] = _origin(pid)
        return found

    def left(self) -> List[int]:
        """What still runs: engine, sandboxes, and what started them."""
        marked = [
            pid for pid in _pids() if pid != os.getpid() and self._mark in _file(pid, "environ")
        ]
        remembered = [pid for pid, born in self._seen.items() if born and _origin(pid)[1] == born]
        return sorted({*marked, *remembered, *self.sandboxes()})


@contextlib.contextmanager
def nothing_left(descriptors: bool = True) -> Iterator[Watch]:
    """Asserts that what was started inside the block has ended, and that this process has no descriptor more."""
    # Python's own helper for processes that are spawned stays as long as this process.
    resource_tracker.ensure_running()
    # So does Stockade's, once a sandbox was used here.
    stockade.run(["true"], best_effort=BEST_EFFORT)
    outer = os.environ.get(MARK)
    os.environ[MARK] = uuid.uuid4().hex
    before = _descriptors()
    with tempfile.TemporaryDirectory(prefix="stockade-watch-") as folder:
        watch = Watch(f"{MARK}={os.environ[MARK]}", folder)
        try:
            yield watch
        finally:
            if outer is None:
                del os.environ[MARK]
            else:
                os.environ[MARK] = outer
    until(lambda: not watch.left(), lambda: f"processes are left: {watch.left()}")
    if descriptors:
        until(
            lambda: len(_descriptors()) <= len(before),
            lambda: f"descriptors are left: {_descriptors()} after {before}",
        )


def until(
    condition: Callable[[], bool], complaint: Union[str, Callable[[], str]], seconds: float = 30.0
) -> None:
    """Waits for something that other processes do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, complaint if isinstance(complaint, str) else complaint()
        time.sleep(0.02)


def _pids() -> List[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _file(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _origin(pid: int) -> Tuple[int, str]:
    """The parent of a process, and when it began; that is empty once it has ended, reaped or not."""
    fields = _file(pid, "stat").rpartition(b")")[2].decode().split()
    return (0, "") if not fields or fields[0] in "ZX" else (int(fields[1]), fields[19])


def _descriptors() -> Dict[str, str]:
    gc.collect()  # an exception that was kept may hold what has some, in a cycle
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return found
