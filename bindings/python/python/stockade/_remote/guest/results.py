"""A function's result as bytes that the host can read without trusting them."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, Tuple

Encoded = Tuple[Dict[str, Any], Any]

# The host has the same pattern, and it is the host's that counts.
_DTYPE = re.compile(
    r"[<>|](?:b1|[iu][1248]|f[248]|c(?:8|16)|[mM]8\[(?:\d{1,9})?(?:[YMWDhms]|ms|us|ns|ps|fs|as)\])"
)

_FIXES = {
    "bytes": 'ask for returns="bytes"',
    "bytearray": 'ask for returns="bytes"',
    "complex": "return the two parts",
    "coroutine": "the function is asynchronous: return asyncio.run(...)",
    "datetime.date": "return .isoformat()",
    "datetime.datetime": "return .isoformat()",
    "decimal.Decimal": "return str(...)",
    "int": "return whole numbers of 64 bits, or text",
    "frozenset": "return sorted(...)",
    "generator": "return list(...)",
    "numpy.ndarray": 'ask for returns="numpy", or return .tolist()',
    "pandas.DataFrame": 'ask for returns="arrow"',
    "polars.dataframe.frame.DataFrame": 'ask for returns="arrow"',
    "pyarrow.lib.Table": 'ask for returns="arrow"',
    "range": "return list(...)",
    "set": "return sorted(...)",
    "uuid.UUID": "return str(...)",
}


class Unfit(Exception):
    """The result does not fit the format: ``type_name`` is what does not, ``fix`` what to do."""

    def __init__(self, type_name: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.type_name = type_name
        self.fix = fix


def name_of(kind: type) -> str:
    """A type's name as it is written in code: without ``builtins``."""
    module = kind.__module__
    return (
        kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"
    )


def encode(returns: str, value: Any, limit: int) -> Encoded:
    """Header fields and body for ``value``; raises `Unfit`."""
    fields, body = _ENCODERS[returns](value)
    size = memoryview(body).nbytes
    if size > limit:
        message = f"the result has {size} bytes, and {limit} are allowed"
        raise Unfit(name_of(type(value)), message, "return less, or raise result_limit")
    return fields, body


def _refuse(value: Any, format_name: str) -> Unfit:
    name = name_of(type(value))
    fix = _FIXES.get(name)
    if fix is None and name.startswith("numpy."):
        fix = "return .item()"
    if fix is None and hasattr(value, "__dataclass_fields__"):
        fix = "return dataclasses.asdict(...)"
    return Unfit(
        name, f"a {name} does not fit {format_name}", fix or "return numbers, text, lists and dicts"
    )


def _as_json(value: Any) -> Encoded:
    def refuse(found: Any) -> Any:
        raise _refuse(found, "JSON")

    try:
        text = json.dumps(value, default=refuse, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        # A key of a strange type, a circle, a number of very many digits, or too deep.
        raise Unfit(
            name_of(type(value)), f"the result does not fit JSON: {error}", "return plain data"
        ) from None
    _only_keys(value, (str,), "JSON")
    return {}, text.encode()


def _as_msgpack(value: Any) -> Encoded:
    import msgpack  # type: ignore[import-untyped, unused-ignore]

    def refuse(found: Any) -> Any:
        raise _refuse(found, "msgpack")

    try:
        packed = msgpack.packb(value, default=refuse)
    except (TypeError, ValueError, OverflowError) as error:
        message = f"the result does not fit msgpack: {error}"
        raise Unfit(
            name_of(type(value)), message, "return plain data, and whole numbers of 64 bits"
        ) from None
    _only_keys(value, (str, bytes), "msgpack")
    return {}, packed


def _only_keys(value: Any, allowed: Tuple[type, ...], format_name: str) -> None:
    # Not changed in silence: {1: "a"} would come back as {"1": "a"}.
    rest = [value]
    while rest:
        found = rest.pop()
        if isinstance(found, dict):
            for key in found:
                if not isinstance(key, allowed):
                    name = name_of(type(key))
                    message = f"a dict with a key of type {name} does not fit {format_name}"
                    raise Unfit(name, message, "return keys that are str, or a list of pairs")
            found = found.values()
        elif not isinstance(found, (list, tuple)):
            continue
        rest.extend(item for item in found if isinstance(item, (dict, list, tuple)))


def _as_bytes(value: Any) -> Encoded:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise Unfit(
            name_of(type(value)),
            f"a {name_of(type(value))} is no bytes",
            'return bytes, or ask for returns="json"',
        )
    return {}, bytes(value)


def _as_numpy(value: Any) -> Encoded:
    import numpy

    name = name_of(type(value))
    scalar = isinstance(value, numpy.generic)
    # Other subclasses hold more than their bytes say: a mask, a unit.
    if not scalar and type(value) not in (numpy.ndarray, numpy.memmap):
        raise Unfit(
            name,
            f"a {name} is no numpy array",
            'return numpy.asarray(...), or ask for returns="json"',
        )
    array = numpy.asarray(value)
    if not _DTYPE.fullmatch(array.dtype.str):
        fix = 'convert it with .astype(...), or return .tolist() with returns="json"'
        raise Unfit(name, f"an array of dtype {array.dtype} has no plain bytes", fix)
    columns = array.flags.f_contiguous and not array.flags.c_contiguous
    flat = numpy.ascontiguousarray(array.T if columns else array).reshape(-1).view(numpy.uint8)
    fields = {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "order": "F" if columns else "C",
        "scalar": scalar,
    }
    return fields, flat.data if flat.size else b""


def _as_arrow(value: Any) -> Encoded:
    import pyarrow  # type: ignore[import-untyped, unused-ignore]

    try:
        table = pyarrow.table(value)
    except (TypeError, ValueError) as error:
        name = name_of(type(value))
        raise Unfit(
            name, f"a {name} is no table: {error}", "return a pyarrow.Table or a data frame"
        ) from None
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return {}, memoryview(sink.getvalue())


_ENCODERS: Dict[str, Callable[[Any], Encoded]] = {
    "json": _as_json,
    "msgpack": _as_msgpack,
    "bytes": _as_bytes,
    "numpy": _as_numpy,
    "arrow": _as_arrow,
}
