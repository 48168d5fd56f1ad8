"""Celery tasks whose bodies run in sandboxes.

>>> from celery import Celery                                              # doctest: +SKIP
>>> app = Celery("grader", broker="redis://localhost")                     # doctest: +SKIP
>>> @app.task(base=SandboxTask, sandbox={"memory": "256MiB", "timeout": 10})   # doctest: +SKIP
... def grade(source: str) -> int:
...     names = {}
...     exec(source, names)
...     return names["answer"]()
>>> grade.delay("def answer(): return 42").get()                           # doctest: +SKIP
42

The module of the tasks is loaded by the worker, outside; so what is not trusted is not imported there,
but comes as an argument, like the text above.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import Any, Callable, ClassVar, Dict, Mapping, Type

from ._engines import OPTIONS, check, missing
from ._remote.portable import (
    CallTimeout,
    LimitReached,
    RemoteError,
    ResultError,
    WorkerLost,
    portable,
)
from .errors import SandboxError
from .executor import SandboxExecutor

try:
    from celery import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        Task,
        signals,
    )
except ImportError as error:
    raise missing("celery", "celery 5.4 or later", error) from error

__all__ = [
    "CallTimeout",
    "LimitReached",
    "RemoteError",
    "ResultError",
    "SandboxTask",
    "WorkerLost",
    "close",
]


class SandboxTask(Task):  # type: ignore[misc, unused-ignore]
    """A base class for tasks: ``run`` is executed in a sandbox, however the task is called.

    ``sandbox`` are the options of `SandboxExecutor`. Each process of a worker makes its own sandboxes at
    the first call, one set for each class of tasks; the prefork, threads and solo pools are supported.

    Without ``timeout``, a sandbox has the task's ``soft_time_limit``, or else its ``time_limit``, less a
    tenth or a second: so it is the sandbox that ends, in pools where Celery has no time limits as well.
    Should one of Celery's limits be reached, the sandbox is killed with the task.

    A task inside has no ``self``: ``bind=True`` is refused, and in a class ``run`` is a static method.
    To try again is for ``autoretry_for``, as ``(WorkerLost,)``. `local` is the function itself, to be
    called without a sandbox.

    The errors are those of `SandboxExecutor`, as subclasses which Celery's JSON can carry:
    ``AsyncResult.get`` raises them again.

    Raises `TypeError`, `ValueError` and `InvalidPolicy` when a task is declared, for options that make
    no sense.

    >>> class Grade(SandboxTask):
    ...     name = "grade"
    ...     sandbox = {"memory": "256MiB", "timeout": 10}
    ...     @staticmethod
    ...     def run(source: str) -> int:
    ...         return len(source)
    >>> Grade.local("abc")
    3
    """

    sandbox: ClassVar[Mapping[str, Any]] = {}
    local: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        stray = sorted(OPTIONS & vars(cls).keys())
        if stray:
            raise TypeError(f"options of the sandbox belong into it: sandbox={{{stray[0]!r}: ...}}")
        check(cls.sandbox)
        body = vars(cls).get("run")
        if body is None:
            return
        if not isinstance(body, staticmethod):
            raise TypeError(
                "a task in a sandbox has no `self`: no bind=True, and `run` is a static method"
            )
        function = body.__func__
        cls.local = body  # type: ignore[assignment]

        @functools.wraps(function)
        def run(self: SandboxTask, *args: Any, **kwargs: Any) -> Any:
            try:
                return _executor_of(type(self)).call(function, *args, **kwargs)
            except SandboxError as error:
                raise portable(error) from None

        cls.run = run

    @classmethod
    def _options(cls) -> Dict[str, Any]:
        options = dict(cls.sandbox)
        limit = cls.soft_time_limit or cls.time_limit
        if limit and not options.keys() & {"timeout", "wall_time", "policy"}:
            options["timeout"] = limit - min(1.0, limit / 10)
        return options


_executors: Dict[type, SandboxExecutor] = {}
_lock = threading.Lock()


def _executor_of(task: Type[SandboxTask]) -> SandboxExecutor:
    with _lock:
        if task not in _executors:
            _executors[task] = SandboxExecutor(**task._options())
        return _executors[task]


def close(**_: Any) -> None:
    """Take down the sandboxes of tasks that were called in this process; the next call makes new ones.

    Celery's workers do so when they end. It is of use where tasks are called without a worker, and in tests.
    """
    with _lock:
        closing = list(_executors.values())
        _executors.clear()
    for one in closing:
        one.shutdown(cancel_futures=True)


def _forget() -> None:
    # In a fork, they are the parent's, and so might be the lock.
    global _lock
    _lock = threading.Lock()
    _executors.clear()


os.register_at_fork(after_in_child=_forget)
signals.worker_process_shutdown.connect(close)  # of a process of the prefork pool
signals.worker_shutdown.connect(close)
