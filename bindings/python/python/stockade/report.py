"""The account of a run: why it ended, what it used, and what enforced each limit."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, fields
from typing import Any, Dict, List, Optional, Tuple

from . import _native

__all__ = ["Enforcement", "Report", "Usage", "Verdict"]


@dataclass(frozen=True, repr=False)
class Verdict:
    """Why a run ended. ``kind`` says which of the other fields are there.

    ``exited``: ``code``. ``signaled``: ``signal`` and ``number``. ``limit``: ``control``, ``limit``
    and ``observed``, in bytes, nanoseconds or a count. ``denied``: ``control`` and ``detail``.
    ``trapped``: ``trap`` and perhaps ``backtrace``. ``cancelled``: none.
    """

    kind: str
    code: Optional[int] = None
    signal: Optional[str] = None
    number: Optional[int] = None
    control: Optional[str] = None
    limit: Optional[int] = None
    observed: Optional[int] = None
    detail: Optional[str] = None
    trap: Optional[str] = None
    backtrace: Optional[str] = None

    @property
    def success(self) -> bool:
        """Whether the program ended by itself with status 0."""
        return self.kind == "exited" and self.code == 0

    def __repr__(self) -> str:
        there = ((field.name, getattr(self, field.name)) for field in fields(self))
        shown = ", ".join(f"{name}={value!r}" for name, value in there if value is not None)
        return f"Verdict({shown})"

    def __str__(self) -> str:
        if self.kind == "exited":
            return f"exited with status {self.code}"
        if self.kind == "signaled":
            return f"killed by {self.signal}"
        if self.kind == "limit":
            limit = _amount(self.control, self.limit)
            observed = _amount(self.control, self.observed)
            return f"stopped: {self.control} limit {limit} reached ({observed} observed)"
        if self.kind == "denied":
            return f"stopped: {self.control} denied: {self.detail}"
        if self.kind == "trapped":
            return f"trapped: {self.trap}"
        return self.kind


@dataclass(frozen=True)
class Usage:
    """What a run used; times in nanoseconds, memory in bytes."""

    wall_ns: int
    cpu_user_ns: int
    cpu_system_ns: int
    peak_memory: int
    #: Most tasks alive at once; 0 where nothing counts them.
    peak_processes: int
    stdout_bytes: int
    stderr_bytes: int
    #: Instructions used, where they are metered.
    fuel: Optional[int] = None

    @property
    def cpu_ns(self) -> int:
        """User and system time together."""
        return self.cpu_user_ns + self.cpu_system_ns


@dataclass(frozen=True)
class Enforcement:
    """How one control was enforced, by what the kernel or the engine answered."""

    control: str
    #: ``enforced``, ``approximated`` or ``not_enforced``.
    status: str
    mechanism: Optional[str] = None
    #: Why it is not fully enforced, or what was read back.
    reason: Optional[str] = None


class Report:
    """The account of one run. :meth:`to_dict` has the fields that all of Stockade's languages share.

    >>> import stockade
    >>> report = stockade.run(["sh", "-c", "exit 3"]).report
    >>> report.verdict
    Verdict(kind='exited', code=3)
    >>> report.enforcement[0].control
    'memory'
    """

    __slots__ = ("_dict", "_json", "returncode")

    #: The verdict as ``subprocess`` has it: the status; minus the number of a signal; -9 for what
    #: Stockade stopped; -6 for a trap.
    returncode: int

    def __init__(self, native: _native.Report) -> None:
        self.returncode = native.returncode
        self._json: Any = native
        self._dict: Optional[Dict[str, Any]] = None

    @property
    def _data(self) -> Dict[str, Any]:
        if self._dict is None:
            self._dict = json.loads(self.to_json())
        return self._dict

    def to_json(self) -> str:
        """The report as JSON text."""
        if not isinstance(self._json, str):
            self._json = self._json.to_json()
        text: str = self._json
        return text

    def to_dict(self) -> Dict[str, Any]:
        """The report as plain data, a new copy."""
        data: Dict[str, Any] = json.loads(self.to_json())
        return data

    @property
    def backend(self) -> str:
        """``namespace`` or ``wasm``."""
        return str(self._data["backend"])

    @property
    def backend_reason(self) -> Optional[str]:
        """Why that backend; ``None`` if the caller chose it."""
        reason: Optional[str] = self._data["backend_reason"]
        return reason

    @property
    def verdict(self) -> Verdict:
        """Why the run ended."""
        return Verdict(**self._data["verdict"])

    @property
    def usage(self) -> Usage:
        """What it used."""
        return Usage(**self._data["usage"])

    @property
    def enforcement(self) -> Tuple[Enforcement, ...]:
        """How each control that was asked for was enforced."""
        return tuple(Enforcement(**entry) for entry in self._data["enforcement"])

    @property
    def timings(self) -> Dict[str, Any]:
        """Where the time went that was not the program's, in nanoseconds."""
        timings: Dict[str, Any] = self._data["timings"]
        return timings

    @property
    def output(self) -> Dict[str, bool]:
        """Whether an output was longer than what was kept."""
        output: Dict[str, bool] = self._data["output"]
        return output

    @property
    def policy_hash(self) -> str:
        """The policy's hash."""
        return str(self._data["policy_hash"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Report) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        usage = self.usage
        used = f"{usage.cpu_ns / 1e6:.1f} ms CPU, {_size(usage.peak_memory)}"
        return f"<Report {self.verdict}; {used}; {self.backend}>"

    def __reduce__(self) -> Any:
        return _restored, (self.returncode, self.to_json())

    def _repr_html_(self) -> str:
        usage = self.usage
        facts = [
            ("verdict", str(self.verdict)),
            ("wall time", f"{usage.wall_ns / 1e6:.1f} ms"),
            ("CPU time", f"{usage.cpu_ns / 1e6:.1f} ms"),
            ("peak memory", _size(usage.peak_memory)),
            ("backend", self.backend),
        ]
        rows = [_row(("th", name), ("td", text)) for name, text in facts]
        head = _row(*(("th", name) for name in ("control", "status", "mechanism", "reason")))
        receipt = [
            _row(*(("td", text or "") for text in (e.control, e.status, e.mechanism, e.reason)))
            for e in self.enforcement
        ]
        return (
            f"<table>{''.join(rows)}</table>"
            f"<details><summary>how each control was enforced</summary>"
            f"<table>{head}{''.join(receipt)}</table></details>"
        )


class _Kept:
    """What a report is made of again after it was pickled."""

    def __init__(self, returncode: int, text: str) -> None:
        self.returncode = returncode
        self._text = text

    def to_json(self) -> str:
        return self._text


def _restored(returncode: int, text: str) -> Report:
    kept: Any = _Kept(returncode, text)
    return Report(kept)


def _row(*cells: Tuple[str, str]) -> str:
    inner: List[str] = [f"<{tag}>{html.escape(text)}</{tag}>" for tag, text in cells]
    return f"<tr>{''.join(inner)}</tr>"


_TIMES = ("cpu_time", "wall_time")
_SIZES = ("memory", "file_size", "disk", "output")


def _amount(control: Optional[str], value: Optional[int]) -> str:
    if value is None:
        return "unknown"
    if control in _TIMES:
        return f"{value / 1e9:g} s"
    if control in _SIZES:
        return _size(value)
    return str(value)


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} bytes"
