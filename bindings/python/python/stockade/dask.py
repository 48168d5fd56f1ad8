"""Sandboxes on the workers of Dask: tasks of untrusted functions run in them, wherever Dask puts them.

>>> client.register_plugin(SandboxPlugin(memory="256MiB", timeout=10))    # doctest: +SKIP
>>> with dask.annotate(executor="sandbox"):                               # doctest: +SKIP
...     future = client.submit(untrusted, 21)
>>> future.result()                                                       # doctest: +SKIP
42

Only the function runs inside. Dask's own account of the task is made outside, of a result that was read
by a format which cannot run code. Errors reach the client as their own types: `stockade.RemoteError`
for an exception of the function, `stockade.SandboxTimeout`, and so on.

Trusted remain the client and the scheduler, since Dask's workers unpickle what those send; so do the
classes of arguments. Code that others wrote is best sent as text to a function of yours that runs it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional

from ._engines import check, missing
from .executor import SandboxExecutor, SandboxFuture

try:
    from distributed import (  # type: ignore[import-not-found, unused-ignore]
        Reschedule,
        Worker,
        WorkerPlugin,
    )
    from distributed.worker import _run_task_simple  # type: ignore[import-not-found, unused-ignore]

    from ._dask_tasks import blocking, call_of
except ImportError as error:
    raise missing("dask", "distributed 2025.1 or later", error) from error

__all__ = ["SandboxPlugin"]


class SandboxPlugin(WorkerPlugin):  # type: ignore[misc, unused-ignore]
    """A plugin that gives every worker an executor of sandboxes.

    ``name`` is what tasks are annotated with. With ``"default"``, every task of the workers runs in a
    sandbox. That is the safe choice where Dask optimises graphs, as of arrays and data frames: it may
    lose annotations then, and such a task runs outside.

    ``options`` are those of `SandboxExecutor`; ``max_workers`` is the worker's number of threads unless
    given. Register one plugin, under a name of its own, for each format of results.

    A task that is cancelled while it runs is killed. When the plugin is removed, so is what runs, and
    tasks for its executor fail until the worker is restarted.

    Raises `TypeError`, `ValueError` and `InvalidPolicy` for options that make no sense.

    >>> SandboxPlugin("arrays", returns="numpy", memory="1GiB").name
    'stockade-arrays'
    """

    def __init__(self, name: str = "sandbox", **options: Any) -> None:
        if name in ("actor", "offload"):
            raise ValueError(f"{name!r} is an executor that Dask itself needs")
        check(options)
        self.name = f"stockade-{name}"
        self._executor_name = name
        self._options = options
        self._tasks: Optional[_TaskExecutor] = None

    def setup(self, worker: Worker) -> None:
        """Dask calls this on each worker."""
        self._worker = worker
        replaced = worker.executors.get(self._executor_name)
        # If there will be no sandboxes, nothing is run instead.
        worker.executors[self._executor_name] = _NoExecutor()
        if replaced is not None:
            replaced.shutdown(wait=False)
        self._tasks = _TaskExecutor({"max_workers": worker.state.nthreads, **self._options})
        worker.executors[self._executor_name] = self._tasks

    async def teardown(self, worker: Worker) -> None:
        """Dask calls this when the worker closes or the plugin is removed."""
        worker.executors[self._executor_name] = _NoExecutor()
        if self._tasks is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._tasks.stop)

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Dask calls this when the state of a task changes."""
        task = self._worker.state.tasks.get(key)
        if (
            task is None
            or (task.annotations or {}).get("executor", "default") != self._executor_name
        ):
            return
        if task.run_spec is not None and task.run_spec.is_coro:
            # Workers run coroutines in their own event loop, whatever the executor.
            task.run_spec = blocking(task.run_spec)
        if task.state == "cancelled" and self._tasks is not None:
            self._tasks.cancel(key)


class _TaskExecutor(Executor):
    """Runs a worker's tasks in sandboxes, and what the worker wants to know of them outside."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._sandboxes = SandboxExecutor(**options)
        self._threads = ThreadPoolExecutor(options["max_workers"], "stockade-dask")
        self._running: Dict[Any, SandboxFuture[Any]] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if fn is not _run_task_simple:
            return self._sandboxes.submit(fn, *args, **kwargs)
        # It calls its first argument and makes an envelope of pickles for what comes of it.
        task, *rest = args
        return self._threads.submit(fn, partial(self._run, task), *rest, **kwargs)

    def cancel(self, key: Any) -> None:
        running = self._running.get(key)
        if running is not None:
            running.cancel()

    def stop(self) -> None:
        for key in list(self._running):
            self.cancel(key)
        self.shutdown(cancel_futures=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        self._sandboxes.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _run(self, task: Any, data: Mapping[Any, Any]) -> Any:
        function, args, kwargs = call_of(task, data)
        future = self._running[task.key] = self._sandboxes.submit(function, *args, **kwargs)
        try:
            return future.result()
        except CancelledError:
            raise Reschedule() from None  # which is to say that there is neither result nor error
        finally:
            del self._running[task.key]


class _NoExecutor(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise RuntimeError(
            "this worker has no sandboxes: its plugin was removed, or could not start"
        )
