"""A run that is over, and how its streams are text."""

from __future__ import annotations

import codecs
import subprocess
from subprocess import DEVNULL
from typing import Any, AnyStr, Callable, Optional, Tuple

from . import _native
from .errors import SandboxProcessError, SandboxTimeout
from .report import Enforcement, Report, Usage, Verdict

__all__ = ["Completed"]


class Completed(subprocess.CompletedProcess[AnyStr]):
    """A run that is over: ``args``, ``returncode``, ``stdout`` and ``stderr`` as in
    ``subprocess.CompletedProcess``, and the report.

    ``returncode`` is the program's status; minus the number of a signal that killed it; -9 if Stockade
    stopped it; -6 if a module trapped. :attr:`verdict` tells these apart.
    """

    report: Report

    def __init__(self, args: Any, report: Report, stdout: Any = None, stderr: Any = None) -> None:
        super().__init__(args, report.returncode, stdout, stderr)
        self.report = report

    @property
    def verdict(self) -> Verdict:
        """Why the run ended."""
        return self.report.verdict

    @property
    def usage(self) -> Usage:
        """What it used."""
        return self.report.usage

    @property
    def enforcement(self) -> Tuple[Enforcement, ...]:
        """How each control that was asked for was enforced."""
        return self.report.enforcement

    def check_returncode(self) -> None:
        """Raises unless the program ended by itself with status 0.

        Raises:
            SandboxTimeout: its ``wall_time`` ended it.
            SandboxProcessError: it ended in any other way.
        """
        if self.returncode == 0:
            return
        verdict = self.verdict
        late = verdict.kind == "limit" and verdict.control == "wall_time"
        error = SandboxTimeout if late else SandboxProcessError
        raise error(self.args, self.stdout, self.stderr, self.report)

    def __repr__(self) -> str:
        shown = [f"args={self.args!r}", f"verdict={str(self.verdict)!r}"]
        shown += [
            f"{name}={value!r}"
            for name, value in (("stdout", self.stdout), ("stderr", self.stderr))
            if value
        ]
        return f"Completed({', '.join(shown)})"

    def _repr_html_(self) -> str:
        import html

        streams = [
            f"<p>{name}</p><pre>{html.escape(_decoded(value))}</pre>"
            for name, value in (("stdout", self.stdout), ("stderr", self.stderr))
            if value
        ]
        return "".join(streams) + self.report._repr_html_()


def _decoded(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode(errors="replace")


class Text:
    """How streams are text, if they are: ``text``, ``encoding`` and ``errors`` of ``subprocess``."""

    def __init__(
        self,
        text: Optional[bool] = None,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
    ) -> None:
        self.wanted = bool(text or encoding or errors)
        self.encoding = encoding or "utf-8"
        self.errors = errors or "strict"
        if self.wanted:
            # Said before anything has run, not when there is output.
            codecs.lookup(self.encoding)
            codecs.lookup_error(self.errors)

    def encode(self, data: Any) -> Any:
        """Input as bytes; ``None`` stays."""
        if isinstance(data, str):
            if not self.wanted:
                raise TypeError("input is bytes unless text=True")
            return data.encode(self.encoding, self.errors)
        if self.wanted and data is not None:
            raise TypeError(f"input is text with text=True, not {type(data).__name__}")
        # Not of bytes(), which makes so many of a number.
        return data if data is None or isinstance(data, bytes) else memoryview(data).tobytes()

    def decode(self, data: bytes) -> Any:
        """Output as it is wanted; line ends become ``\\n`` in text, as in ``subprocess``."""
        if not self.wanted:
            return data
        return data.decode(self.encoding, self.errors).replace("\r\n", "\n").replace("\r", "\n")


def completed(
    args: Any,
    input: Any,
    start: Callable[[Any], _native.Report],
    *,
    text: Optional[bool] = None,
    encoding: Optional[str] = None,
    errors: Optional[str] = None,
    check: bool = False,
) -> Completed[Any]:
    """A captured run, and its result as the caller wants it."""
    how = Text(text, encoding, errors)
    return concluded(args, start(how.encode(input)), how, check)


def concluded(args: Any, native: _native.Report, how: Text, check: bool) -> Completed[Any]:
    """The result of a captured run."""
    stdout, stderr = how.decode(native.stdout), how.decode(native.stderr)
    result: Completed[Any] = Completed(args, Report(native), stdout, stderr)
    if check:
        result.check_returncode()
    return result


def descriptor(stream: Any) -> Optional[int]:
    """The number of a stream that the caller has, or ``None`` for no input."""
    if stream is None or stream == DEVNULL:
        return None
    return stream if isinstance(stream, int) else int(stream.fileno())
