"""The guest's side of the channel of a session, and the interrupts that come by it.

While code runs, nothing but an interrupt can come. The kernel says by SIGIO that something is there, so
no thread has to wait for it.
"""

from __future__ import annotations

import json
import os
import select
import struct
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Mapping, Optional, Tuple

LENGTHS = struct.Struct(">II")


def header(fields: Mapping[str, Any]) -> bytes:
    """The bytes of a frame's header."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Wire:
    """Frames on two descriptors. Only the thread whose turn it is reads."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink = source, sink
        self.cuts = Cuts(self)
        self.lock = threading.Lock()
        self.poll = select.poll()
        self.poll.register(source, select.POLLIN)

    def exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self.source, min(size, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def head(self) -> Tuple[Dict[str, Any], int]:
        header, body = LENGTHS.unpack(self.exactly(8))
        return json.loads(self.exactly(header)), body

    def receive(self) -> Tuple[Dict[str, Any], bytes]:
        header, body = self.head()
        return header, self.exactly(body)

    def send(self, header: bytes, body: bytes = b"") -> None:
        data = memoryview(LENGTHS.pack(len(header), len(body)) + header + body)
        with self.cuts, self.lock:
            while data:
                data = data[os.write(self.sink, data) :]


class Cuts:
    """Interrupts: raised in the main thread, while code runs, and never within a frame."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.running: Optional[int] = None  # the call that may be interrupted
        self.asking = False  # a tool's answer is waited for, so that who waits sees interrupts
        self.forced = False  # and has seen one, in another thread
        self.shields = 0
        self.pending = False
        self.main = threading.get_ident()

    def __enter__(self) -> None:
        if threading.get_ident() == self.main:
            self.shields += 1

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() == self.main:
            self.shields -= 1
            if self.pending and not self.shields:
                self.pending = False
                self.look()

    def signalled(self, *_: object) -> None:
        if self.shields:
            self.pending = True
        else:
            self.look()

    def look(self) -> None:
        if self.running is None or self.asking:
            return
        found, self.forced = self.forced, False
        self.shields += 1
        try:
            while self.wire.poll.poll(0):
                header, _ = self.wire.receive()
                found = found or (header["op"] == "interrupt" and header["id"] == self.running)
        finally:
            self.shields -= 1
        if found:
            raise KeyboardInterrupt
