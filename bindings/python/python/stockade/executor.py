"""Python functions in sandboxes: an executor of the standard library's shape."""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Callable, Iterable, Iterator, Optional, Tuple, TypeVar, Union

from ._remote.faults import (
    BrokenSandboxExecutor,
    CallTimeout,
    LimitReached,
    RemoteError,
    ResultError,
    WorkerLost,
)
from ._remote.future import SandboxFuture
from ._remote.interpreter import Interpreter
from ._remote.payload import Packer
from ._remote.pool import Pool
from ._remote.results import check_format
from ._remote.units import size
from ._remote.worker import MODULES, Call, Start, StartFailed, Worker
from .errors import SandboxError, SetupError
from .policy import Policy, policy_of
from .sandbox import prepare

T = TypeVar("T")

__all__ = [
    "BrokenSandboxExecutor",
    "CallTimeout",
    "LimitReached",
    "RemoteError",
    "ResultError",
    "SandboxExecutor",
    "SandboxFuture",
    "WorkerLost",
]

_MEMORY = "512MiB"

# One thread for each, as calls are what is done in parallel. A library that starts one for every
# processor would also meet the limit on processes on a large machine.
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class SandboxExecutor(Executor):
    """Runs Python functions in sandboxes, as a `concurrent.futures.Executor`.

    Function and arguments go in by cloudpickle; the result comes back in a format that cannot run code;
    nothing that a sandbox wrote is ever unpickled.

    Parameters
    ----------
    max_workers
        Sandboxes that run at once; as many as there are processors by default.
    warm
        Interpreters that wait, started and in their sandbox, for a call each. They are started after the
        first call and whenever one is used, in the background. A call that finds one takes a millisecond
        or two, one that does not has to start Python.
    preload
        Names of modules that every interpreter imports before it waits.
    paths
        Directories of yours that functions import from. They are bound read-only. Without, the sandbox
        sees the interpreter and installed packages; functions and classes from elsewhere go by value.
    returns
        What the result comes back as:

        ``"json"``
            None, bool, int (up to 4,300 digits), float, str, list, and dict with keys that are str.
            Tuples come back as lists, and instances of their subclasses as the plain types. NaN and
            infinities stay what they are.
        ``"msgpack"``
            the same with bytes, also as keys; int of 64 bits. Needs ``msgpack``.
        ``"bytes"``
            bytes, bytearray or memoryview, as bytes.
        ``"numpy"``
            an array or scalar of bool, int, float, complex, datetime64 or timedelta64. Needs ``numpy``.
        ``"arrow"``
            a ``pyarrow.Table``; given one, or a data frame that has the Arrow interface. Needs
            ``pyarrow`` 14.0.1. Tables with extension types are refused.

        What does not fit is a `ResultError` that names the type and what to do.
    result_limit, payload_limit
        Bytes of one result as it is sent, 16 MiB by default, and of one pickled call, 64 MiB. A result of
        JSON or msgpack can take many times its size in memory.
    max_tasks_per_child
        Calls that one sandbox answers. By default 1: a call cannot influence the next. With more, or None
        for any number, a function can leave behind what answers for the next one.
    initializer, initargs
        A function that every interpreter calls before it waits.
    policy, **limits
        The sandbox's policy, and what of it is to be different, as for `stockade.run`. By default
        ``memory`` is 512 MiB. ``wall_time``, or ``timeout``, is for one call, from when the function is
        handed to a started interpreter; it is 30 s by default, and past it the sandbox is killed and
        `CallTimeout` raised, a `SandboxTimeout`. ``cpu_time`` and all else counts for the sandbox, from
        the start of its interpreter. A limit that ends a call raises `LimitReached`, a
        `SandboxProcessError` with the report and its verdict. ``output`` is not used: of what is printed
        the last 64 KiB are kept.

    Raises what `stockade.prepare` raises, `ImportError` without cloudpickle, and `ValueError`. A call
    raises `RemoteError`, `ResultError`, `CallTimeout`, `LimitReached`, `WorkerLost`, or `HostLost` if the
    helper of all sandboxes died meanwhile; after each of these the executor goes on.

    >>> from stockade import SandboxExecutor
    >>> with SandboxExecutor(memory="128MiB") as executor:
    ...     list(executor.map(pow, [2, 3], [10, 10]))
    [1024, 59049]
    """

    def __init__(
        self,
        max_workers: Optional[int] = None,
        *,
        warm: int = 1,
        preload: Iterable[str] = (),
        paths: Iterable[Union[str, os.PathLike[str]]] = (),
        returns: str = "json",
        result_limit: Union[int, str] = "16MiB",
        payload_limit: Union[int, str] = "64MiB",
        max_tasks_per_child: Optional[int] = 1,
        initializer: Optional[Callable[..., object]] = None,
        initargs: Tuple[Any, ...] = (),
        policy: Optional[Policy] = None,
        **limits: Any,
    ) -> None:
        check_format(returns)
        _check_counts(max_workers, warm, max_tasks_per_child)
        interpreter = Interpreter.current(paths)
        self._packer = Packer(interpreter, size(payload_limit, "payload_limit"))
        self._returns = returns
        self._result_limit = min(size(result_limit, "result_limit"), (1 << 32) - 1)
        if policy is None:
            limits.setdefault("memory", _MEMORY)
        room, self._timeout = interpreter.furnish(policy_of(policy, limits), _THREADS)
        args, program = interpreter.boot(*MODULES)
        start = b"" if initializer is None else self._packer.pack(initializer, initargs, None)
        self._pool = Pool(
            Start(prepare(args, backend="namespace", policy=room), program, tuple(preload), start),
            warm,
            max_tasks_per_child,
        )
        self._max_workers = max_workers or _processors()
        self._threads = ThreadPoolExecutor(self._max_workers, "stockade-calls")
        self._broken: Optional[SandboxError] = None
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._pending = 0
        self._closed = False
        # An executor that is forgotten takes its workers with it.
        weakref.finalize(self, self._pool.close, False)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> SandboxFuture[T]:
        """Run ``fn(*args, **kwargs)`` in a sandbox; the future of what it returns.

        What cannot be pickled is an exception of the future. Raises `BrokenSandboxExecutor`, and
        `RuntimeError` after `shutdown` or in a forked process.
        """
        self._check()
        future: SandboxFuture[T] = SandboxFuture()
        try:
            payload = self._packer.pack(fn, args, kwargs)
        except Exception as error:
            future.set_exception(error)
            return future
        self._enter()
        try:
            queued = self._threads.submit(self._work, future, payload)
        except BaseException:
            self._leave()
            raise
        queued.add_done_callback(functools.partial(self._unqueued, future))
        future.add_done_callback(lambda done: done.cancelled() and queued.cancel())
        return future

    def call(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Run ``fn(*args, **kwargs)`` in a sandbox, from this thread, and return what it returns.

        Faster than ``submit(...).result()``, as no other thread is in between; not counted in
        ``max_workers``. Ctrl-C kills the sandbox.
        """
        self._check()
        payload = self._packer.pack(fn, args, kwargs)
        self._enter()
        try:
            return self._serve(payload, None)  # type: ignore[no-any-return]
        finally:
            self._leave()

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: Optional[float] = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """The results for each item, in order; see `concurrent.futures.Executor.map`.

        Every item has a call of its own, whatever ``chunksize`` is. When the iterator is left, by an
        error, by ``timeout`` or by closing it, what still runs is killed.
        """
        end = None if timeout is None else time.monotonic() + timeout
        futures = [self.submit(fn, *items) for items in zip(*iterables)]
        futures.reverse()

        def results() -> Iterator[T]:
            try:
                while futures:
                    value = futures[-1].result(None if end is None else end - time.monotonic())
                    futures.pop()
                    yield value
            finally:
                for future in futures:
                    future.cancel()

        return results()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; see `concurrent.futures.Executor.shutdown`.

        Calls that run are finished. ``cancel_futures`` cancels those that have not begun.
        """
        if self._process != os.getpid():
            return
        with self._lock:
            self._closed = True
            idle = not self._pending
        if idle:
            self._pool.close(wait)
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            self._pool.close()

    def __repr__(self) -> str:
        state = (
            "broken"
            if self._broken
            else "shut down"
            if self._closed
            else f"{self._pool.waiting()} waiting"
        )
        return (
            f"<SandboxExecutor max_workers={self._max_workers} returns={self._returns!r}: {state}>"
        )

    def __reduce__(self) -> Any:
        raise TypeError(
            "a SandboxExecutor holds sandboxes and cannot be pickled; make one where it is used"
        )

    def _check(self) -> None:
        if self._process != os.getpid():
            raise RuntimeError(
                "this SandboxExecutor belongs to the process that was forked; make a new one"
            )
        broken = self._broken
        if broken is not None:
            raise BrokenSandboxExecutor(f"no worker can be started: {broken}") from broken

    def _enter(self) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._pending += 1

    def _leave(self) -> None:
        with self._lock:
            self._pending -= 1
            last = self._closed and not self._pending
        if last:
            self._pool.close(wait=False)

    def _unqueued(self, future: SandboxFuture[Any], queued: Future[None]) -> None:
        if queued.cancelled():
            future.cancel()
            future.set_running_or_notify_cancel()
            self._leave()

    def _work(self, future: SandboxFuture[Any], payload: bytes) -> None:
        value, failure = None, None
        try:
            if not future.cancelled():
                value = self._serve(payload, future)
        except BaseException as error:
            failure = error
        self._leave()
        future.settle(value, failure)

    def _serve(self, payload: bytes, future: Optional[SandboxFuture[Any]]) -> Any:
        worker = self._take()
        sound = False
        try:
            if future is not None:
                future.attach(worker)
            value = worker.call(Call(payload, self._returns, self._result_limit, self._timeout))
            sound = True
            return value
        except (RemoteError, ResultError):
            sound = True
            raise
        finally:
            if future is not None:
                future.detach(worker.output)
            self._pool.give_back(worker, sound)

    def _take(self) -> Worker:
        self._check()
        try:
            return self._pool.take()
        except StartFailed as failed:
            self._broken = failed.cause
        except SetupError as error:
            self._broken = error
        self._check()
        raise AssertionError("a broken executor raises")


def _check_counts(max_workers: Optional[int], warm: int, tasks: Optional[int]) -> None:
    if max_workers is not None and max_workers < 1:
        raise ValueError("max_workers must be at least 1")
    if warm < 0:
        raise ValueError("warm must not be negative")
    if tasks is not None and tasks < 1:
        raise ValueError("max_tasks_per_child must be at least 1, or None")


def _processors() -> int:
    return len(os.sched_getaffinity(0))
