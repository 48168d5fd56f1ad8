"""One interpreter of a session in one sandbox: its start, frames with it, its end."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import threading
import time
from typing import Any, List, Mapping, Optional, Union

from . import channel
from .channel import Channel, ChannelClosed, ChannelError, Frame, Malformed, Watch

_LENGTHS = struct.Struct(">II")
_PIECE = 1 << 16
_ENDING = 1.0
"""Seconds that a sandbox has to be gone by itself, once it has closed the channel."""

BODY_LIMIT = 1 << 16
"""Bytes that the guest puts into a frame of output."""


class Feed(Channel):
    """A channel whose waiting can be broken off and resumed: half a frame is kept until its rest comes."""

    def __init__(self, reading: int, writing: int) -> None:
        super().__init__(reading, writing, body_limit=BODY_LIMIT)
        self._data = bytearray()
        self.unsent = False
        """Whether a frame was begun and not finished, after which nothing more can be said."""

    def say(
        self,
        header: Mapping[str, Any],
        body: Union[bytes, memoryview] = b"",
        *,
        deadline: Optional[float],
    ) -> None:
        """Send one frame, and know it if that is broken off."""
        self.unsent = True
        self.send(header, body, deadline=deadline)
        self.unsent = False

    def receive(self, *, deadline: Optional[float] = None, watch: Optional[Watch] = None) -> Frame:
        """As `Channel.receive`, and after `DeadlinePassed` or what ``watch`` raised it can be called again."""
        while True:
            frame = self._complete()
            if frame is not None:
                return frame
            if deadline is not None and time.monotonic() >= deadline:
                raise channel.DeadlinePassed("the guest did not answer in time")
            try:
                part = os.read(self.reading, _PIECE)
            except BlockingIOError:
                channel._wait(self.reading, select.POLLIN, deadline, watch)
                continue
            if not part:
                raise ChannelClosed("the guest has closed its end")
            self._data += part

    def _complete(self) -> Optional[Frame]:
        data = self._data
        if len(data) < _LENGTHS.size:
            return None
        head, body = _LENGTHS.unpack_from(data)
        if head > self.header_limit or body > self.body_limit:
            raise Malformed(
                f"a frame of {head} and {body} bytes; at most {self.header_limit} and {self.body_limit} are allowed"
            )
        start = _LENGTHS.size + head
        if len(data) < start + body:
            return None
        header = channel.decode_header(data[_LENGTHS.size : start])
        frame = Frame(header, data[start : start + body])
        del data[: start + body]
        return frame


class Woken(Exception):
    """There is news that is no frame."""


class Talk:
    """A sandbox with the interpreter in it, from its start to its end."""

    def __init__(self, prepared: Any, program: bytes, request: Mapping[str, Any]) -> None:
        process = prepared.popen(
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._process: Any = process
        self.report: Any = None
        self.feed = Feed(process.stdout.fileno(), process.stdin.fileno())
        self.calls = 0
        self._pid = os.getpid()
        self._closing = threading.RLock()
        self.ended = False
        self._errors = process.stderr.fileno()
        self._printed: List[bytes] = []
        os.set_blocking(self._errors, False)
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        self.watch: Watch = {self._errors: self._read_errors, self._woken: self._read_wake}
        try:
            # Less than a pipe holds, so that nobody waits here for the interpreter to come up.
            self.feed.send_raw(program, deadline=time.monotonic() + 60)
            self.feed.say(request, deadline=time.monotonic() + 60)
        except ChannelError:
            pass  # it is dead already, which is found out where its first answer is read
        except BaseException:
            self.close()
            raise

    def ask(
        self,
        header: Mapping[str, Any],
        body: Union[bytes, memoryview],
        *,
        most: int,
        deadline: Optional[float],
    ) -> Frame:
        """Send a request, and receive its one answer, whose body has at most ``most`` bytes.

        What is printed meanwhile is dropped. Raises what `Channel.receive` does.
        """
        if header:
            self.feed.say(header, body, deadline=deadline)
        self.feed.body_limit = max(most, BODY_LIMIT)
        while True:
            try:
                frame = self.feed.receive(deadline=deadline, watch=self.watch)
            except Woken:
                del self._printed[:-1]  # the last piece may say why it died
                continue
            if frame.header.get("op") != "out":
                return frame

    @property
    def mine(self) -> bool:
        """Whether this is the process that made it, and no child of that."""
        return os.getpid() == self._pid

    def over(self) -> bool:
        """Whether the sandbox has ended already."""
        return self._process is None or self._process.poll() is not None

    def wake(self) -> None:
        """Break off a waiting that another thread is in; also from a signal handler."""
        with self._closing, contextlib.suppress(BlockingIOError):
            if self._process is not None:
                os.write(self._wake, b"!")

    def printed(self) -> bytes:
        """What came by standard error since the last time: what a crash leaves, or what no guest of ours writes."""
        if not self._printed:
            return b""
        found = b"".join(self._printed)
        self._printed.clear()
        return found

    def look(self) -> None:
        """Take what is on standard error now, at most 64 KiB."""
        if self._errors in self.watch:
            with contextlib.suppress(Woken):
                if not self._read_errors():
                    del self.watch[self._errors]

    def _read_errors(self) -> bool:
        try:
            part = os.read(self._errors, _PIECE)
        except BlockingIOError:
            return True
        if part:
            self._printed.append(part)
            raise Woken
        return False

    def _read_wake(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, _PIECE)
        raise Woken

    def kill(self) -> None:
        """Kill the sandbox, if it is still there; from any thread."""
        process = self._process
        if process is not None:
            process.kill()

    def end(self, kill: bool) -> Any:
        """The report of the sandbox, which is over, or is killed now."""
        self.ended = True
        process = self._process
        if process is None:
            return self.report
        if not kill:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_ENDING)
        process.kill()
        process.wait()
        self.look()
        self.report = process.report
        return self.report

    def close(self) -> None:
        """Kill the sandbox, if it is still there, and close every descriptor."""
        with self._closing:  # a descriptor that somebody wakes may not become another's
            process, self._process = self._process, None
        if process is None or not self.mine:
            return
        self.watch.clear()  # a circle, which would keep this object
        try:
            process.kill()
            process.wait()
        finally:
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    stream.close()
            os.close(self._woken)
            os.close(self._wake)
