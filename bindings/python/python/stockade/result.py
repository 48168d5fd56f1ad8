"""What a call of a session gives back, or raises."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any, Optional

from .errors import SandboxError

__all__ = ["Failure", "Result", "SessionLost"]


@dataclass(frozen=True)
class Failure:
    """An exception of the code that was run, as text: nothing of it is an object of the host's.

    ``type`` is the name of its class, ``message`` its text, ``traceback`` what Python prints of it.
    """

    type: str
    message: str
    traceback: str

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, repr=False)
class Result:
    """What one call of a session printed, gave and took.

    ``stdout`` and ``stderr`` are text; bytes that are no UTF-8 became U+FFFD.

    ``repr`` is what Python shows of the last expression, at most 32,768 characters of it, or None where
    the code does not end in an expression. ``value`` is the value itself where it is plain JSON: None,
    bool, int, finite float, str, list, dict with names of type str, of at most 1 MiB; ``has_value``
    tells a None that is the value from no value. Nothing else is handed over: a tuple, an array or an
    object of a class has its ``repr`` and no value.

    ``error`` is the exception that ended the code, or None. ``limit`` says which limit of the call
    stopped it: "timeout", "output" or None. ``truncated``: more was printed than is here. ``wall_ns``
    is the time the caller waited, in nanoseconds.
    """

    stdout: str
    stderr: str
    value: Any
    has_value: bool
    repr: Optional[str]
    error: Optional[Failure]
    limit: Optional[str]
    truncated: bool
    wall_ns: int

    @property
    def ok(self) -> bool:
        """Whether the code ran to its end."""
        return self.error is None

    def __repr__(self) -> str:
        parts = [str(self.error) if self.error else "ok"]
        if self.repr is not None:
            parts.append(f"repr={_short(self.repr)}")
        parts += [
            f"{name}={_short(text)}"
            for name, text in (("stdout", self.stdout), ("stderr", self.stderr))
            if text
        ]
        return f"<Result {' '.join(parts)} {self.wall_ns / 1e6:.1f} ms>"

    def _repr_html_(self) -> str:
        texts = [("stdout", self.stdout), ("stderr", self.stderr), ("repr", self.repr or "")]
        if self.error is not None:
            texts.append(("error", self.error.traceback or str(self.error)))
        shown = "".join(
            f'<pre class="stockade-{name}">{html.escape(text)}</pre>'
            for name, text in texts
            if text
        )
        return (
            f'<div class="stockade-result">{shown}<small>{self.wall_ns / 1e6:.1f} ms</small></div>'
        )


class SessionLost(SandboxError):
    """The interpreter is gone, and its variables and files with it; ``reset`` gives a new one.

    ``report`` is that of the sandbox, or None where there is none; ``verdict`` is its verdict. ``stdout``
    and ``stderr`` are what the call had printed.
    """

    kind = "session_lost"
    hint = "reset() starts a new interpreter in a new sandbox"

    def __init__(
        self, message: str, report: Any = None, stdout: str = "", stderr: str = ""
    ) -> None:
        super().__init__(message)
        self.report = report
        self.stdout = stdout
        self.stderr = stderr

    @property
    def verdict(self) -> Any:
        """Why the sandbox ended, or None."""
        return getattr(self.report, "verdict", None)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
