"""A guest's result, read as data and never as code."""

from __future__ import annotations

import importlib.util
import json
import re
import struct
from typing import Any, Callable, Dict, Optional

from .channel import Frame, Malformed

FORMATS = ("json", "msgpack", "bytes", "numpy", "arrow")

_PACKAGES = {"msgpack": "msgpack", "numpy": "numpy", "arrow": "pyarrow"}
_DTYPE = re.compile(
    r"[<>|](?:b1|[iu][1248]|f[248]|c(?:8|16)|[mM]8\[(?:\d{1,9})?(?:[YMWDhms]|ms|us|ns|ps|fs|as)\])"
)
_DIGITS = 4300


def check_format(returns: str) -> None:
    """Raise `ValueError` for a format that does not exist, `ImportError` for one without its package."""
    if returns not in FORMATS:
        raise ValueError(f"returns={returns!r} is none of {', '.join(FORMATS)}")
    package = _PACKAGES.get(returns)
    if package is not None and importlib.util.find_spec(package) is None:
        raise ImportError(
            f"returns={returns!r} needs `{package}`, which is not installed", name=package
        )


def decode(returns: str, frame: Frame) -> Any:
    """The value in ``frame``; raises `Malformed` for what our encoder does not write."""
    try:
        return _DECODERS[returns](frame)
    except (ValueError, TypeError, RecursionError, OverflowError, MemoryError) as error:
        raise Malformed(f"a result that is no {returns}: {error}") from error


def _json(frame: Frame) -> Any:
    return json.loads(frame.body.decode("utf-8"), parse_int=_integer)


def _integer(digits: str) -> int:
    # The guest's own bound; older interpreters have none and take seconds for a million digits.
    if len(digits) > _DIGITS + 1:
        raise ValueError(f"a number of more than {_DIGITS} digits")
    return int(digits)


def _msgpack(frame: Frame) -> Any:
    import msgpack  # type: ignore[import-untyped, unused-ignore]

    try:
        return msgpack.unpackb(frame.body, raw=False, strict_map_key=True, ext_hook=_no_extension)
    except (msgpack.UnpackException, KeyError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _no_extension(code: int, _data: bytes) -> Any:
    raise ValueError(f"an extension of type {code}")


def _bytes(frame: Frame) -> bytes:
    return bytes(frame.body)


def _numpy(frame: Frame) -> Any:
    import numpy

    kind, order = frame.text("dtype", 32), frame.text("order", 1)
    shape, scalar = frame.header.get("shape"), frame.header.get("scalar")
    if not _DTYPE.fullmatch(kind) or order not in ("C", "F") or type(scalar) is not bool:
        raise Malformed("an array of a kind that is not taken")
    if (
        type(shape) is not list
        or len(shape) > 32
        or not all(type(n) is int and n >= 0 for n in shape)
    ):
        raise Malformed("an array without a shape")
    dtype = numpy.dtype(kind)
    count = 1
    for extent in shape:
        count *= extent
    if count * dtype.itemsize != len(frame.body) or (scalar and shape):
        raise Malformed("an array whose shape is not that of its bytes")
    if kind == "|b1" and count and max(frame.body) > 1:
        # numpy takes for granted that a bool is 0 or 1.
        raise Malformed("an array of booleans that are none")
    buffer = frame.body if count else None
    array: Any = numpy.ndarray(shape, dtype, buffer=buffer, order="F" if order == "F" else "C")
    return array[()] if scalar else array


def _arrow(frame: Frame) -> Any:
    import pyarrow  # type: ignore[import-untyped, unused-ignore]

    version = tuple(int(part) for part in re.findall(r"\d+", pyarrow.__version__)[:3])
    if version < (14, 0, 1):
        raise ImportError("pyarrow before 14.0.1 unpickles what it reads (CVE-2023-47248)")
    if b"ARROW:extension:name" in frame.body:
        # The classes that read those are code of others, and read what the guest wrote.
        raise Malformed("a table with an extension type")
    _plain_batches(memoryview(frame.body))
    try:
        with pyarrow.ipc.open_stream(pyarrow.py_buffer(frame.body)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(str(error)) from error
    return table


def _plain_batches(stream: memoryview) -> None:
    """Refuse compressed buffers, of which a few kilobytes become gigabytes, before any is unpacked.

    The layout of a stream: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
    """
    at = 0
    while at < len(stream):
        try:
            marker, size = struct.unpack_from("<Ii", stream, at)
            if marker != 0xFFFF_FFFF or size < 0 or size % 8 or size > len(stream):
                raise Malformed("a table that is no stream of messages")
            if size == 0:
                return
            message = stream[at + 8 : at + 8 + size]
            root = struct.unpack_from("<I", message)[0]
            body = _field(message, root, 3)
            length = 0 if body is None else struct.unpack_from("<q", message, body)[0]
            if not 0 <= length <= len(stream):
                raise Malformed("a message of a length that it has not")
            _plain_batch(message, root)
        except struct.error as error:
            raise Malformed("a table with a message that is cut short") from error
        at += 8 + size + length


def _plain_batch(message: memoryview, root: int) -> None:
    kind_at, header_at = _field(message, root, 1), _field(message, root, 2)
    kind = 0 if kind_at is None else message[kind_at]
    if header_at is None or kind not in (1, 2, 3):
        raise Malformed("a message of a kind that is not taken")
    if kind == 1:
        return
    batch = header_at + struct.unpack_from("<I", message, header_at)[0]
    if kind == 2:
        # A dictionary holds its record batch in the second field.
        data_at = _field(message, batch, 1)
        if data_at is None:
            raise Malformed("a dictionary without data")
        batch = data_at + struct.unpack_from("<I", message, data_at)[0]
    if _field(message, batch, 3) is not None:
        raise Malformed("a table with compressed buffers")


def _field(buffer: memoryview, table: int, number: int) -> Optional[int]:
    """Where field ``number`` of a flatbuffers table lies, or None if it is not there."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0:
        raise Malformed("a table that is no stream of messages")
    size = struct.unpack_from("<H", buffer, vtable)[0]
    slot = 4 + 2 * number
    if slot + 2 > size:
        return None
    offset = struct.unpack_from("<H", buffer, vtable + slot)[0]
    if offset and table + offset >= len(buffer):
        raise Malformed("a table with a message that is cut short")
    return table + offset if offset else None


_DECODERS: Dict[str, Callable[[Frame], Any]] = {
    "json": _json,
    "msgpack": _msgpack,
    "bytes": _bytes,
    "numpy": _numpy,
    "arrow": _arrow,
}
