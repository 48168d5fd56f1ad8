"""What can go wrong, as classes that people already catch.

Every error has ``kind``, the small stable name that Stockade's other languages use as well, and
``hint``, one sentence of advice apart from the message, or ``None``.

A program that ends badly is no error: that is a verdict. It becomes one where it is asked for, with
``check=True`` or :meth:`Completed.check_returncode`.
"""

from __future__ import annotations

import errno as _errno
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type

if TYPE_CHECKING:
    from .report import Report, Verdict

__all__ = [
    "HostLost",
    "InternalError",
    "InvalidPolicy",
    "IoError",
    "NotFound",
    "PermissionDenied",
    "SandboxError",
    "SandboxProcessError",
    "SandboxTimeout",
    "SetupError",
    "Unmet",
    "Unsupported",
]


class Unmet(NamedTuple):
    """A control that was required and cannot be enforced here."""

    control: str
    #: Why not.
    reason: str
    #: What would make it available, if something would.
    fix: Optional[str]
    #: Whether ``best_effort`` would get an approximation rather than nothing.
    approximable: bool


class SandboxError(Exception):
    """What every error of Stockade is."""

    kind: str = "internal"
    hint: Optional[str] = None

    def __str__(self) -> str:
        # Those that are OSErrors would give the number's text instead.
        text = str(self.args[0]) if self.args else ""
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> Any:
        return _restored, (type(self), self.args, self.__dict__, getattr(self, "errno", None))


class InvalidPolicy(SandboxError, ValueError):
    """A policy or the description of a program is wrong; the message names the key and the value."""

    kind = "invalid_policy"


class Unsupported(SandboxError, NotImplementedError):
    """This host or backend cannot enforce what was asked; :attr:`unmet` lists every such control."""

    kind = "unsupported"
    unmet: List[Unmet] = []


class NotFound(SandboxError, FileNotFoundError):
    """A program, interpreter, bind source or root that was named does not exist."""

    kind = "not_found"


class PermissionDenied(SandboxError, PermissionError):
    """The host denied access to something that was named."""

    kind = "permission_denied"


class SetupError(SandboxError, OSError):
    """Building the sandbox failed; ``errno`` is the system's number where there is one."""

    kind = "setup"


class HostLost(SandboxError, ConnectionError):
    """The helper process of the sandboxes is gone, or this is a fork of the process that had it."""

    kind = "host_lost"


class IoError(SandboxError, OSError):
    """Reading or writing a program's streams failed."""

    kind = "io"


class InternalError(SandboxError, RuntimeError):
    """A defect in Stockade itself."""

    kind = "internal"


class SandboxProcessError(SandboxError, subprocess.CalledProcessError):
    """A checked run that did not end well: :attr:`verdict` says why, :attr:`report` the rest."""

    kind = "verdict"
    report: Report

    def __init__(self, cmd: Any, output: Any, stderr: Any, report: Report) -> None:
        subprocess.CalledProcessError.__init__(self, report.returncode, cmd, output, stderr)
        self.report = report

    @property
    def verdict(self) -> Verdict:
        """Why the run ended."""
        return self.report.verdict

    def __str__(self) -> str:
        return f"{self.cmd!r}: {self.verdict}"

    def __reduce__(self) -> Any:
        return type(self), (self.cmd, self.output, self.stderr, self.report)


class SandboxTimeout(SandboxError, subprocess.TimeoutExpired):
    """A checked run that was ended by its ``wall_time``."""

    kind = "verdict"
    report: Report

    def __init__(self, cmd: Any, output: Any, stderr: Any, report: Report) -> None:
        limit = (report.verdict.limit or 0) / 1e9
        subprocess.TimeoutExpired.__init__(self, cmd, limit, output, stderr)
        self.report = report

    @property
    def verdict(self) -> Verdict:
        """Why the run ended."""
        return self.report.verdict

    def __str__(self) -> str:
        return f"{self.cmd!r}: {self.verdict}"

    def __reduce__(self) -> Any:
        return type(self), (self.cmd, self.output, self.stderr, self.report)


_CLASSES = {
    error.kind: error
    for error in (
        InvalidPolicy,
        Unsupported,
        NotFound,
        PermissionDenied,
        SetupError,
        HostLost,
        IoError,
        InternalError,
    )
}
_NUMBERS = {"not_found": _errno.ENOENT, "permission_denied": _errno.EACCES}


def from_native(
    kind: str, message: str, hint: Optional[str], unmet: str, errno: Optional[int]
) -> SandboxError:
    """The exception for an error of the native half."""
    made = _CLASSES.get(kind, InternalError)
    state: Dict[str, Any] = {"hint": hint}
    if made is Unsupported:
        state["unmet"] = [Unmet(**found) for found in json.loads(unmet)]
    return _restored(made, (message,), state, errno or _NUMBERS.get(kind))


def _restored(
    made: Type[SandboxError], args: Tuple[Any, ...], state: Mapping[str, Any], errno: Optional[int]
) -> SandboxError:
    """An error with everything that belongs to it; pickles are read by this as well."""
    error = made(*args)
    error.__dict__.update(state)
    if isinstance(error, OSError):
        error.errno = errno
        error.strerror = os.strerror(errno) if errno else None
    return error
