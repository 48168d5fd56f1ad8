"""Frames between the host and a guest it does not trust.

A frame is two big-endian 32-bit numbers, the lengths of header and body; then the header, a JSON
object in UTF-8; then the body, raw bytes. The host believes no length, no type and no timing: what
arrives is bounded and checked before it is used, and waiting always has a deadline.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

HEADER_LIMIT = 1 << 20
"""Bytes that a header may have."""

_LENGTHS = struct.Struct(">II")
_BODY_MAXIMUM = (1 << 32) - 1
_CHUNK = 1 << 16

Watch = Dict[int, Callable[[], bool]]
"""Other descriptors to read while waiting: called when readable, forgotten when it answers False."""


class ChannelError(Exception):
    """The channel can no longer be used; the guest has to be killed."""


class ChannelClosed(ChannelError):
    """The guest has closed its end, or is dead."""


class Malformed(ChannelError):
    """The guest sent what no guest of ours sends."""


class DeadlinePassed(ChannelError):
    """A frame was not complete in time."""


class Frame:
    """One message from the guest; its fields are read through checks of type and size."""

    __slots__ = ("body", "header")

    def __init__(self, header: Dict[str, Any], body: bytearray) -> None:
        self.header = header
        self.body = body

    def text(self, name: str, limit: int = 4096) -> str:
        """The string called ``name``, of at most ``limit`` characters."""
        value = self.header.get(name)
        if type(value) is not str or len(value) > limit:
            raise Malformed(f"`{name}` is no text of at most {limit} characters")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """The whole number called ``name``, from ``low`` to ``high``."""
        value = self.header.get(name)
        if type(value) is not int or not low <= value <= high:
            raise Malformed(f"`{name}` is no number from {low} to {high}")
        return value


class Channel:
    """The host's ends of two pipes to a guest.

    ``reading`` and ``writing`` are descriptors that stay the caller's to close; they are made
    non-blocking. ``body_limit`` bounds the body of a received frame, in bytes. One thread may receive
    while another sends; no two may do the same.
    """

    def __init__(
        self, reading: int, writing: int, *, body_limit: int, header_limit: int = HEADER_LIMIT
    ) -> None:
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        self.reading = reading
        self._writing = writing
        self.body_limit = body_limit
        self.header_limit = header_limit

    def send(
        self,
        header: Mapping[str, Any],
        body: Union[bytes, bytearray, memoryview] = b"",
        *,
        deadline: Optional[float] = None,
        watch: Optional[Watch] = None,
    ) -> None:
        """Send one frame before ``deadline``, a time of ``time.monotonic()``."""
        head = json.dumps(header, allow_nan=False).encode()
        size = memoryview(body).nbytes
        if size > _BODY_MAXIMUM or len(head) > HEADER_LIMIT:
            raise ValueError("the message is larger than a frame can be")
        start = _LENGTHS.pack(len(head), size) + head
        if size <= _CHUNK:
            self.send_raw(start + bytes(body), deadline=deadline, watch=watch)
        else:
            self.send_raw(start, deadline=deadline, watch=watch)
            self.send_raw(body, deadline=deadline, watch=watch)

    def send_raw(
        self,
        data: Union[bytes, bytearray, memoryview],
        *,
        deadline: Optional[float] = None,
        watch: Optional[Watch] = None,
    ) -> None:
        """Send bytes that are no frame: the program that an interpreter starts with."""
        rest = memoryview(data).cast("B")
        while rest:
            try:
                with _broken_pipes_are_errors():
                    rest = rest[os.write(self._writing, rest) :]
            except BlockingIOError:
                _wait(self._writing, select.POLLOUT, deadline, watch)
            except OSError as error:
                raise ChannelClosed("the guest no longer reads") from error

    def receive(self, *, deadline: Optional[float] = None, watch: Optional[Watch] = None) -> Frame:
        """The next frame, complete before ``deadline``, a time of ``time.monotonic()``.

        Raises `ChannelClosed`, `Malformed` or `DeadlinePassed`, and whatever a function in ``watch``
        raises; after each of them the channel is of no more use.
        """
        lengths = self._read(_LENGTHS.size, deadline, watch)
        head, body = _LENGTHS.unpack(lengths)
        if head > self.header_limit:
            raise Malformed(f"a header of {head} bytes; at most {self.header_limit} are allowed")
        if body > self.body_limit:
            raise Malformed(f"a body of {body} bytes; at most {self.body_limit} are allowed")
        header = decode_header(self._read(head, deadline, watch))
        return Frame(header, self._read(body, deadline, watch))

    def discard(self) -> bool:
        """Drop what the guest says, at most 64 KiB; False at the end."""
        try:
            return bool(os.read(self.reading, _CHUNK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def quiet(self, *others: int) -> bool:
        """Whether the guest has neither spoken nor gone since the last frame, nor ``others`` anything."""
        poll = select.poll()
        for fd in (self.reading, *others):
            poll.register(fd, select.POLLIN)
        return not poll.poll(0)

    def _read(self, size: int, deadline: Optional[float], watch: Optional[Watch]) -> bytearray:
        # Grows as bytes arrive: a length alone must not make the host allocate.
        data = bytearray()
        while len(data) < size:
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlinePassed("the guest did not answer in time")
            try:
                part = os.read(self.reading, min(size - len(data), _CHUNK))
            except BlockingIOError:
                _wait(self.reading, select.POLLIN, deadline, watch)
                continue
            if not part:
                raise ChannelClosed("the guest has closed its end")
            data += part
        return data


def decode_header(data: Union[bytes, bytearray]) -> Dict[str, Any]:
    """The JSON object in ``data``, or `Malformed`."""
    try:
        header = json.loads(
            data.decode("utf-8"), parse_int=_small_integer, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("a header that is no JSON") from error
    if type(header) is not dict:
        raise Malformed("a header that is no JSON object")
    return header


def _small_integer(digits: str) -> int:
    # Without a bound, older interpreters take seconds for a number of a million digits.
    if len(digits) > 20:
        raise ValueError("a number of too many digits")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _wait(fd: int, event: int, deadline: Optional[float], watch: Optional[Watch]) -> None:
    """Wait until ``fd`` is ready, and serve ``watch`` meanwhile."""
    poll = select.poll()
    poll.register(fd, event)
    for other in watch or ():
        poll.register(other, select.POLLIN)
    while True:
        left = None
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeadlinePassed("the guest did not answer in time")
        ready = False
        for found, _ in poll.poll(None if left is None else left * 1000 + 1):
            if found == fd:
                ready = True
            elif watch is not None and found in watch and not watch[found]():
                poll.unregister(found)
                del watch[found]
        if ready:
            return


@contextmanager
def _broken_pipes_are_errors() -> Iterator[None]:
    """A guest that closes its end must not end the host, whose SIGPIPE may have its default action."""
    if signal.getsignal(signal.SIGPIPE) is not signal.SIG_DFL:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    except BrokenPipeError:
        if signal.SIGPIPE not in before:
            signal.sigtimedwait({signal.SIGPIPE}, 0)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Tail:
    """The last bytes of a stream that a guest writes, however much that is.

    ``fd`` stays the caller's to close. ``limit`` is in bytes.
    """

    def __init__(self, fd: int, limit: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._limit = limit
        self._kept = bytearray()
        self._total = 0

    def drain(self) -> bool:
        """Take what is there, at most 64 KiB; False at the end of the stream."""
        try:
            part = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._total += len(part)
        self._kept += part
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]
        return bool(part)

    def finish(self, mark: bytes, seconds: float) -> None:
        """Read up to ``mark``, which the guest writes after all else, for this long at most."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while True:
            at = self._kept.rfind(mark)
            if at >= 0:
                del self._kept[at : at + len(mark)]
                self._total -= len(mark)
                return
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000 + 1) or not self.drain():
                return

    def take(self) -> str:
        """The text kept so far, which is then forgotten; says how much came before it."""
        kept = bytes(self._kept[-self._limit :])
        dropped = self._total - len(kept)
        self._kept.clear()
        self._total = 0
        text = kept.decode("utf-8", "replace")
        return f"[{dropped} bytes before this were dropped]\n{text}" if dropped else text
