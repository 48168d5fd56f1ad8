"""What can go wrong with a function in a sandbox, as exceptions."""

from __future__ import annotations

import re
from concurrent.futures import BrokenExecutor
from typing import TYPE_CHECKING, Any, Optional, Tuple

from ..errors import SandboxError, SandboxProcessError, SandboxTimeout

if TYPE_CHECKING:
    from ..report import Report, Verdict

# A terminal must not obey what a guest wrote. Tabs and ends of lines stay.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Text of a guest's with its control characters written out."""
    return _CONTROL.sub(lambda found: ascii(found.group())[1:-1], text)


class RemoteError(SandboxError):
    """A function in a sandbox raised an exception.

    The exception itself stays inside. ``type_name`` is the name of its type, ``message`` its text,
    ``traceback`` what Python prints of it, and ``output`` what the call had printed. All four were
    written by code that is not trusted.
    """

    def __init__(
        self,
        type_name: str,
        message: str,
        traceback: str = "",
        output: str = "",
        hint: Optional[str] = None,
    ) -> None:
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback
        self.output = output
        self.hint = hint

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n\n{self.traceback}" if self.traceback else text

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.type_name, self.message, self.traceback, self.output, self.hint)


class ResultError(SandboxError, TypeError):
    """What a function in a sandbox returned cannot be brought back in the format that was asked for.

    ``type_name`` names the type that does not fit, where the guest said it; ``hint`` what to do.
    """

    def __init__(
        self, message: str, type_name: Optional[str] = None, hint: Optional[str] = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.type_name = type_name
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.message, self.type_name, self.hint)


class CallTimeout(SandboxTimeout):
    """A call that took longer than its ``timeout``, so that the sandbox was killed.

    ``output`` is what it had printed.
    """

    def __init__(self, seconds: float, output: str, report: Report) -> None:
        super().__init__("a function in a sandbox", output, None, report)
        self.timeout = seconds

    def __str__(self) -> str:
        return f"the function took longer than {self.timeout:g} s"

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.timeout, self.output, self.report)


class LimitReached(SandboxProcessError):
    """A call whose sandbox reached a limit, or was stopped for a forbidden act: see ``verdict``."""

    def __init__(self, output: str, report: Report) -> None:
        super().__init__("a function in a sandbox", output, None, report)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.output, self.report)

    def __str__(self) -> str:
        return f"the function was {self.verdict}"


class WorkerLost(SandboxError, BrokenExecutor):
    """A worker died in a call, for a reason that is no limit, or did not keep to the protocol.

    Only this call fails; the executor goes on with a new worker. ``report`` and ``verdict`` are those of
    the worker's run, ``output`` what it had printed.
    """

    def __init__(self, message: str, report: Optional[Report] = None, output: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.report = report
        self.output = output

    @property
    def verdict(self) -> Optional[Verdict]:
        """Why the run ended, if it is known."""
        return None if self.report is None else self.report.verdict

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.message, self.report, self.output)


class BrokenSandboxExecutor(SandboxError, BrokenExecutor):
    """No worker can be started, so no call of this executor can ever be answered.

    The cause is in ``__cause__``: an error of setting up a sandbox, or of ``preload`` or ``initializer``.
    """
