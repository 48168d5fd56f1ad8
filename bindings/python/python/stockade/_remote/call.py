"""One run of code in a session: what is sent, and all that may come until its end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Iterator, List, Optional, Tuple

from ..errors import HostLost
from ..policy import Policy
from ..result import Failure, Result
from .channel import ChannelClosed, ChannelError, DeadlinePassed, Frame, Malformed
from .faults import plain
from .talk import BODY_LIMIT, Talk, Woken
from .toolbox import Toolbox, read_json
from .units import seconds as span
from .units import size

VALUE_LIMIT = 1 << 20
"""Bytes of JSON that the value of a call may have."""

_TEXT = 64 * 1024
_MEANWHILE = 64
"""Frames after which standard error is looked at, though there are more."""

UNSET: Any = object()
"""A limit of a call that is the session's."""

Event = Tuple[int, bytes]


class Lost(Exception):
    """The interpreter is gone, or had to be killed; the message says why."""

    def __init__(self, why: str, report: Any) -> None:
        super().__init__(why)
        self.report = report


@dataclass(frozen=True)
class CallLimits:
    """``timeout`` and ``grace`` in seconds, ``output`` in bytes of each stream."""

    timeout: Optional[float]
    grace: float
    output: Optional[int]
    truncate: bool

    def changed(self, timeout: Any, output: Any) -> CallLimits:
        """These with another ``timeout`` and ``output``, where they are not `UNSET`."""
        if timeout is UNSET and output is UNSET:
            return self
        seconds = self.timeout if timeout is UNSET else duration(timeout)
        most = (
            self.output if output is UNSET else None if output is None else size(output, "output")
        )
        return CallLimits(seconds, self.grace, most, self.truncate)

    @property
    def patience(self) -> Optional[float]:
        """Seconds that a request which cannot be interrupted may take."""
        return None if self.timeout is None else self.timeout + self.grace


class Request:
    """What other threads ask of a call."""

    def __init__(self) -> None:
        self.interrupt = False
        self.cancel = False


class Call:
    """``events`` runs it; afterwards ``result`` is there, or ``Lost`` was raised."""

    def __init__(self, talk: Talk, tools: Toolbox, limits: CallLimits, request: Request) -> None:
        self._talk, self._tools, self._limits, self._request = talk, tools, limits, request
        talk.calls += 1
        self._ident = talk.calls
        self._stopped: Optional[str] = None
        self._deadline: Optional[float] = None
        self._collected = {1: bytearray(), 2: bytearray()}
        self._truncated = False
        self._news: List[Event] = []
        self._over = False
        self.result: Optional[Result] = None

    def events(self, code: bytes) -> Iterator[Event]:
        """Run the code; yields what it prints: the number of the stream, and bytes.

        Whatever ends the iteration early interrupts the code.
        """
        start = time.monotonic_ns()
        if self._limits.timeout is not None:
            self._deadline = start / 1e9 + self._limits.timeout
        self._talk.feed.body_limit = max(BODY_LIMIT, VALUE_LIMIT, self._tools.limits.size)
        self._tools.begin()
        try:
            self._send({"op": "run", "id": self._ident}, code)
            yield from self._until_end(start)
        except ChannelError as error:
            raise self._lost(error) from None
        except Lost:
            raise
        except BaseException:
            if self._talk.mine:
                self._settle()
            raise

    def _until_end(self, start: int) -> Iterator[Event]:
        frames = 0
        while self.result is None:
            frame = self._next()
            frames += 1
            if frame is not None:
                self._take(frame, start)
            if frame is None or frames % _MEANWHILE == 0:
                self._errors()
            if self._news:
                news, self._news = self._news, []
                yield from news

    def _next(self) -> Optional[Frame]:
        self._obey()
        try:
            return self._talk.feed.receive(deadline=self._deadline, watch=self._talk.watch)
        except Woken:
            return None
        except DeadlinePassed:
            if self._stopped:
                raise
            self._stop("timeout")
            return None

    def _obey(self) -> None:
        if not self._talk.mine:
            raise HostLost(
                "the call belongs to the process that made it, and this is a child of that"
            )
        if self._request.interrupt:
            self._request.interrupt = False
            self._interrupt()
        if self._request.cancel and not self._stopped:
            self._stop("cancelled")

    def _stop(self, why: str) -> None:
        self._stopped = why
        self._deadline = time.monotonic() + self._limits.grace
        self._interrupt()

    def _interrupt(self) -> None:
        self._talk.feed.say(
            {"op": "interrupt", "id": self._ident}, deadline=time.monotonic() + self._limits.grace
        )

    def _send(self, header: Any, body: bytes) -> None:
        self._talk.feed.say(header, body, deadline=self._deadline)

    def _take(self, frame: Frame, start: int) -> None:
        kind = frame.header.get("op")
        if kind == "out":
            self._collect(frame.integer("fd", 1, 2), bytes(frame.body))
        elif kind == "tool":
            self._serve(frame)
        elif kind == "end":
            frame.integer("id", self._ident, self._ident)
            self._over = True
            self.result = self._read_result(frame, time.monotonic_ns() - start)
        else:
            raise Malformed("a message that no call has")

    def _serve(self, frame: Frame) -> None:
        number, name = frame.integer("id", 0, 1 << 53), frame.text("name", 1000)
        if self._stopped:
            done, body = False, b"the call is being stopped"
        else:
            done, body = self._tools.answer(name, frame.body)
        self._send({"op": "tool", "id": number, "ok": done}, body)

    def _errors(self) -> None:
        self._talk.look()
        self._collect(2, self._talk.printed())

    def _collect(self, number: int, data: bytes) -> None:
        kept = self._collected[number]
        if self._limits.output is not None and len(data) > self._limits.output - len(kept):
            data = data[: self._limits.output - len(kept)]
            self._truncated = True
            if not (self._limits.truncate or self._stopped or self._over):
                self._stop("output")
        if data:
            kept += data
            self._news.append((number, data))

    def _read_result(self, frame: Frame, wall_ns: int) -> Result:
        header = frame.header
        found = header.get("value") is True
        return Result(
            stdout=self.text(1),
            stderr=self.text(2),
            value=read_json(frame.body) if found else None,
            has_value=found,
            repr=plain(frame.text("repr", _TEXT)) if "repr" in header else None,
            error=self._failure(header.get("error")),
            limit=self._limit(),
            truncated=self._truncated,
            wall_ns=wall_ns,
        )

    def text(self, number: int) -> str:
        """What was printed until now."""
        return self._collected[number].decode("utf-8", "replace")

    def _limit(self) -> Optional[str]:
        if self._truncated and not self._limits.truncate:
            return "output"
        return "timeout" if self._stopped == "timeout" else None

    def _failure(self, found: Any) -> Optional[Failure]:
        name, message, traceback = ("", "", "") if found is None else failure_texts(found)
        limit = self._limit()
        if limit == "timeout":
            return Failure(
                "TimeoutError", f"it took more than {self._limits.timeout:g} s", traceback
            )
        if limit == "output":
            return Failure(
                "OutputLimit", f"it printed more than {self._limits.output} bytes", traceback
            )
        return None if found is None else Failure(name, message, traceback)

    def _lost(self, error: ChannelError) -> Lost:
        """The interpreter cannot be spoken to: its sandbox ends, and says why if it did so by itself."""
        report = self._talk.end(kill=not isinstance(error, ChannelClosed))
        self._over = True
        self._errors()
        if isinstance(error, DeadlinePassed):
            asked = {
                "timeout": f"took more than {self._limits.timeout or 0:g} s",
                "output": "printed too much",
            }
            what = asked.get(self._stopped or "", "was to stop")
            return Lost(
                f"the code {what} and went on for {self._limits.grace:g} s when it was interrupted",
                report,
            )
        if isinstance(error, Malformed):
            return Lost(f"the interpreter broke the protocol: {error}", report)
        return Lost(f"the interpreter ended: {getattr(report, 'verdict', None)}", report)

    def _settle(self) -> None:
        """Something of the host's ended the call: the code inside is to end as well, and be forgotten."""
        self._stopped = self._stopped or "cancelled"
        try:
            if self._over:
                return
            if self._talk.feed.unsent:
                raise DeadlinePassed("half a message was sent")
            self._stopped = "cancelled"
            self._stop("cancelled")
            while self.result is None:
                frame = self._next()
                if frame is not None:
                    self._take(frame, time.monotonic_ns())
                self._news.clear()
        except BaseException as error:
            # Also a second Ctrl-C: who cannot wait for the grace need not.
            self._talk.end(kill=True)
            if not isinstance(error, ChannelError):
                raise


def failure_texts(found: Any) -> List[str]:
    """Type, message and traceback of an exception inside, or `Malformed`."""
    if type(found) is not list or len(found) != 3:
        raise Malformed("an error that is none")
    if not all(type(text) is str and len(text) <= _TEXT for text in found):
        raise Malformed("an error that is none")
    return [plain(text) for text in found]


def duration(value: Any) -> Optional[float]:
    """Seconds: a number, text or a ``timedelta`` as in a policy; None for no bound."""
    if value is not None and not isinstance(value, (int, float)):
        value = span(Policy(wall_time=value).to_dict()["limits"]["wall_time"])
    if value is not None and not 0 < value < 1e9:
        raise ValueError(f"timeout={value!r} is no time in seconds")
    return None if value is None else float(value)
