"""The guest's side of the channel."""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any, Dict, Tuple, Union

_LENGTHS = struct.Struct(">II")


class Ends:
    """The channel, moved away from descriptors 0 and 1 so that user code does not meet it by accident.

    Afterwards 0 reads as empty and 1 is the same as 2. Nothing here is a secret to user code: it is
    the host that believes nothing.
    """

    def __init__(self) -> None:
        self.reading = os.dup(0)
        self.writing = os.dup(1)
        self._printing = os.dup(2)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        for stream in (sys.stdout, sys.stderr):
            # A guest may die at any moment; what it printed until then is the caller's.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]

    def receive(self) -> Tuple[Dict[str, Any], bytearray]:
        """The next frame; raises `EOFError` when the host has gone."""
        head, body = _LENGTHS.unpack(self._read(_LENGTHS.size))
        return json.loads(self._read(head)), self._read(body)

    def send(self, header: Dict[str, Any], body: Union[bytes, bytearray, memoryview] = b"") -> None:
        """Send one frame."""
        head = json.dumps(header).encode()
        view = memoryview(body).cast("B")
        start = _LENGTHS.pack(len(head), view.nbytes) + head
        if view.nbytes <= 1 << 16:
            self._write(memoryview(start + bytes(view)))
        else:
            self._write(memoryview(start))
            self._write(view)

    def mark(self, text: str) -> None:
        """Write ``text`` after all that was printed, so that the host knows it has read everything."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                continue  # the user's own, or closed
        os.write(self._printing, text.encode())

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            count = os.readv(self.reading, [rest])
            if not count:
                raise EOFError
            rest = rest[count:]
        return data

    def _write(self, rest: memoryview) -> None:
        while rest:
            rest = rest[os.write(self.writing, rest) :]
