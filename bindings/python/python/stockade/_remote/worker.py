"""One sandbox with a Python that waits for functions, seen from the host."""

from __future__ import annotations

import os
import select
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Tuple

from ..errors import SandboxError
from .channel import Channel, ChannelClosed, ChannelError, DeadlinePassed, Frame, Malformed, Tail
from .faults import CallTimeout, LimitReached, RemoteError, ResultError, WorkerLost, plain
from .results import decode

if TYPE_CHECKING:
    from ..popen import Popen
    from ..report import Report
    from ..sandbox import Prepared

MODULES = ("frames", "results", "worker")
"""The guest's side, in `guest`."""

_START_LIMIT = 120.0
"""Seconds for an interpreter to start and to import; some packages take long on a cold disk."""

_GRACE = 2.0
"""Seconds between the end of a guest's streams and the report of its end."""

_MARK_LIMIT = 0.2
"""Seconds between an answer and the mark behind what was printed before it."""

_OUTPUT_LIMIT = 1 << 16


class StartFailed(Exception):
    """The guest could not do what it does before its first call; ``cause`` says why."""

    def __init__(self, cause: SandboxError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True)
class Start:
    """What every worker of a pool starts with."""

    prepared: Prepared
    program: bytes
    preload: Tuple[str, ...]
    initializer: bytes


@dataclass(frozen=True)
class Call:
    """One function to run: its pickle, the format and size of the result, and seconds of time."""

    payload: bytes
    returns: str
    result_limit: int
    timeout: Optional[float]


class Worker:
    """A started sandbox; ``calls`` counts what it has answered.

    One that ``waits`` for a call imports beforehand what functions by value need.
    """

    def __init__(self, start: Start, waits: bool = False) -> None:
        self.calls = 0
        self.output = ""
        self._ready = False
        process = start.prepared.popen(
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._process: Popen[bytes] = process
        assert process.stdin and process.stdout and process.stderr
        self._streams = (process.stdin, process.stdout, process.stderr)
        try:
            self._channel = Channel(process.stdout.fileno(), process.stdin.fileno(), body_limit=0)
            self._tail = Tail(process.stderr.fileno(), _OUTPUT_LIMIT)
            self._watch = {self._tail.fd: self._tail.drain}
            self._deadline = time.monotonic() + _START_LIMIT
            self._channel.send_raw(start.program, deadline=self._deadline)
            preload = ("cloudpickle", *start.preload) if waits else start.preload
            self._channel.send({"preload": preload}, start.initializer, deadline=self._deadline)
        except ChannelClosed:
            return  # dead already: `ready` says of what
        except BaseException:
            self.close()
            raise

    def ready(self) -> None:
        """Wait until it is started.

        Raises `StartFailed` if no other would start either, else `WorkerLost` or `SandboxProcessError`.
        """
        if self._ready:
            return
        # One that has waited for long has said long ago that it is ready.
        deadline = max(self._deadline, time.monotonic() + 1)
        try:
            frame = self._channel.receive(deadline=deadline, watch=self._watch)
            operation = frame.text("op", 16)
            if operation == "failed":
                self._end()
                raise StartFailed(self._remote(frame))
            if operation != "ready":
                raise Malformed("it did not say that it is ready")
        except DeadlinePassed as error:
            raise self._loss(error) from None
        except ChannelError as error:
            loss = self._loss(error)
            raise StartFailed(loss) if isinstance(loss, WorkerLost) else loss from None
        self._ready = True

    def idle(self) -> bool:
        """Whether it still waits as it should: alive, and silent since its last answer."""
        return not self._ready or self._channel.quiet(self._process.fileno())

    def call(self, call: Call) -> Any:
        """Run one function; the worker is of no more use after any error but those of the function."""
        self.ready()
        self.calls += 1
        self.output = ""
        deadline = None if call.timeout is None else time.monotonic() + call.timeout
        mark = os.urandom(16).hex()
        header = {
            "id": self.calls,
            "returns": call.returns,
            "limit": call.result_limit,
            "mark": mark,
        }
        self._channel.body_limit = call.result_limit
        try:
            self._channel.send(header, call.payload, deadline=deadline, watch=self._watch)
            frame = self._channel.receive(deadline=deadline, watch=self._watch)
            frame.integer("id", self.calls, self.calls)
            self._note_output(mark)
            return self._answer(frame, call)
        except DeadlinePassed:
            report = self._end()
            raise CallTimeout(call.timeout or 0.0, self.output, report) from None
        except ChannelError as error:
            raise self._loss(error) from None

    def kill(self) -> None:
        """End it; also from another thread, whose `call` then raises."""
        self._process.kill()

    def close(self) -> None:
        """End it, wait until it has ended, and give back what it holds."""
        self._process.kill()
        for stream in self._streams:
            # Before the wait: what nobody reads could hold up the end.
            stream.close()
        self._process.wait()

    def _answer(self, frame: Frame, call: Call) -> Any:
        operation = frame.text("op", 16)
        if operation == "returned":
            return decode(call.returns, frame)
        if operation == "raised":
            raise self._remote(frame)
        if operation == "unfit":
            message, name, fix = (
                frame.text("message", 8192),
                frame.text("type", 200),
                frame.text("fix", 200),
            )
            raise ResultError(plain(message), plain(name), plain(fix))
        raise Malformed("an answer of a kind that does not exist")

    def _remote(self, frame: Frame) -> RemoteError:
        name = plain(frame.text("type", 200))
        hint = None
        if name == "ModuleNotFoundError" and frame.header.get("phase") != "call":
            hint = (
                "the sandbox sees installed packages only; name the module's directory in `paths`"
            )
        message, trace = frame.text("message", 8192), frame.text("traceback", 32768)
        return RemoteError(name, plain(message), plain(trace), self.output, hint)

    def _loss(self, error: ChannelError) -> SandboxError:
        """Why there is no answer: by the verdict of the run, where it ended by itself."""
        when = "in the call" if self._ready else "before its first call"
        alone = isinstance(error, ChannelClosed) and self._ended(_GRACE)
        report = self._end()
        if not alone:
            return WorkerLost(f"the worker broke the protocol {when}: {error}", report, self.output)
        if report.verdict.kind in ("limit", "denied"):
            return LimitReached(self.output, report)
        return WorkerLost(f"the worker ended {when}: {report.verdict}", report, self.output)

    def _end(self) -> Report:
        self._process.kill()
        while not self._ended(1.0):
            pass
        self._note_output()
        self._process.wait()
        report = self._process.report
        assert report is not None
        return report

    def _ended(self, seconds: float) -> bool:
        """Whether the run is over within this time; what it still says is read, or it could not end."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        for fd in (self._process.fileno(), self._channel.reading, self._tail.fd):
            poll.register(fd, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = [fd for fd, _ in poll.poll(max(0.0, left * 1000))]
            if self._process.fileno() in ready and self._tail.fd not in ready:
                return True
            if self._tail.fd in ready and not self._tail.drain():
                poll.unregister(self._tail.fd)
            if self._channel.reading in ready and not self._channel.discard():
                poll.unregister(self._channel.reading)
            if left <= 0:
                return False

    def _note_output(self, mark: str = "") -> None:
        if mark:
            self._tail.finish(mark.encode(), _MARK_LIMIT)
        self.output = (self.output + plain(self._tail.take()))[-_OUTPUT_LIMIT:]
