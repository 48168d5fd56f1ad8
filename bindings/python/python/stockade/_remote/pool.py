"""Workers that wait for calls, and the thread that keeps as many as are wanted."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections import deque
from typing import Deque, List, Optional

from ..errors import HostLost, SandboxError
from .worker import Start, Worker

_REST = 1.0
"""Seconds between two attempts to start a worker that will wait."""


class Pool:
    """Hands out workers. ``warm`` wait, started; each answers at most ``tasks`` calls, or any number.

    A thread starts what is missing and takes down what is used, so that no caller waits for either.
    It begins with the first call and ends with `close`.
    """

    def __init__(self, start: Start, warm: int, tasks: Optional[int]) -> None:
        self._start = start
        self._warm = warm
        self._tasks = tasks
        self._changed = threading.Condition()
        self._idle: Deque[Worker] = deque()
        self._used: List[Worker] = []
        self._keeper: Optional[threading.Thread] = None
        self._closed = False
        self._process = os.getpid()
        _pools.add(self)

    def take(self) -> Worker:
        """A started worker; raises what `Worker` and `Worker.ready` raise if none can be started."""
        while True:
            with self._changed:
                worker = self._idle.popleft() if self._idle else None
                self._keep()
            if worker is None:
                break
            try:
                # One that died while it waited says nothing about the next.
                worker.ready()
                if worker.idle():
                    return worker
            except Exception:
                self._retire(worker)
                break
            except BaseException:
                self._retire(worker)
                raise
            self._retire(worker)
        try:
            return self._fresh()
        except HostLost:
            # Nothing of the call has begun, and the next start has a new helper.
            return self._fresh()

    def _fresh(self) -> Worker:
        worker = Worker(self._start)
        try:
            worker.ready()
        except BaseException:
            self._retire(worker)
            raise
        return worker

    def give_back(self, worker: Worker, sound: bool) -> None:
        """Keep a worker for a next call if it is ``sound`` and may have one, or take it down."""
        with self._changed:
            last = self._tasks is not None and worker.calls >= self._tasks
            if sound and not last and not self._closed:
                self._idle.appendleft(worker)
                return
        self._retire(worker)

    def waiting(self) -> int:
        """How many workers wait for a call."""
        with self._changed:
            return len(self._idle)

    def close(self, wait: bool = True) -> None:
        """Take down every worker that waits. Those that answer a call are taken down after it."""
        if self._process != os.getpid():
            return  # a fork has copies of the descriptors, and no say
        with self._changed:
            self._closed = True
            self._used.extend(self._idle)
            self._idle.clear()
            keeper = self._keeper
            self._changed.notify_all()
        if keeper is None:
            self._take_down()
        elif wait and keeper is not threading.current_thread():
            keeper.join()

    def _retire(self, worker: Worker) -> None:
        # Killed at once, waited for later.
        worker.kill()
        with self._changed:
            alone = self._keeper is None
            self._used.append(worker)
            self._changed.notify_all()
        if alone:
            self._take_down()

    def _keep(self) -> None:
        """Have the thread, and let it see that a worker was taken."""
        if self._keeper is None and not self._closed:
            keeper = threading.Thread(target=self._keep_up, name="stockade-workers", daemon=True)
            try:
                keeper.start()
            except RuntimeError:
                return  # the interpreter shuts down, or has no thread left: callers take down theirs
            self._keeper = keeper
        self._changed.notify_all()

    def _keep_up(self) -> None:
        rest = 0.0
        while True:
            with self._changed:
                missing = len(self._idle) < self._warm and not self._closed
                if self._closed and not self._used:
                    self._keeper = None
                    return
                if not self._used and (rest or not missing):
                    self._changed.wait(rest or None)
                    rest = 0.0
                    continue
            if missing and not rest:
                rest = self._refill()
            self._take_down(1)

    def _refill(self) -> float:
        """Start one worker; the seconds to rest before the next, after one that could not be started."""
        try:
            worker = Worker(self._start, waits=True)
        except Exception:
            return _REST  # the next call starts its own, and tells its caller why it cannot
        with self._changed:
            (self._used if self._closed else self._idle).append(worker)
        return 0.0

    def _take_down(self, most: int = sys.maxsize) -> None:
        for _ in range(most):
            with self._changed:
                if not self._used:
                    return
                worker = self._used.pop()
            try:
                worker.close()
            except (SandboxError, OSError):
                continue  # the helper is lost, and its sandboxes with it


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for pool in list(_pools):
        pool.close()
