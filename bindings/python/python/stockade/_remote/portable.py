"""Errors of functions in sandboxes, for engines that carry errors as JSON."""

from __future__ import annotations

from typing import Any, Dict, Tuple, Type

from ..errors import SandboxError
from ..report import Report, _restored
from . import faults


class Portable(SandboxError):
    """An error that is made again by calling its class with its ``args``, which JSON can hold."""

    def __init__(self, *args: Any) -> None:
        super().__init__(
            *(_restored(**value) if isinstance(value, dict) else value for value in args)
        )
        self._text = super().__str__()
        self.args: Tuple[Any, ...] = tuple(_plain(value) for value in args)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        # Engines write this into their logs, and a report is long.
        return f"{type(self).__name__}({self._text.partition(chr(10))[0]!r})"


class RemoteError(Portable, faults.RemoteError):
    """The function of a task raised an exception."""


class ResultError(Portable, faults.ResultError):
    """What a task returned cannot be brought back in the format that was asked for."""


class CallTimeout(Portable, faults.CallTimeout):
    """A task took longer than its ``timeout``."""


class LimitReached(Portable, faults.LimitReached):
    """A task reached a limit of its sandbox, or was stopped for a forbidden act."""


class WorkerLost(Portable, faults.WorkerLost):
    """A task's sandbox ended for a reason that is no limit."""


_CLASSES: Dict[type, Type[Portable]] = {
    faults.RemoteError: RemoteError,
    faults.ResultError: ResultError,
    faults.CallTimeout: CallTimeout,
    faults.LimitReached: LimitReached,
    faults.WorkerLost: WorkerLost,
}


def portable(error: SandboxError) -> SandboxError:
    """The same error, of a class that can be carried as JSON."""
    made = _CLASSES.get(type(error))
    return error if made is None else made(*error.__reduce__()[1])


def _plain(value: Any) -> Any:
    if isinstance(value, Report):
        return {"returncode": value.returncode, "text": value.to_json()}
    return value
