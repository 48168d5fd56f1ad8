"""Sizes and durations as policies write them, as numbers."""

from __future__ import annotations

import re
from typing import Optional, Union

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|kB|MB|GB|KiB|MiB|GiB)?")
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}

_SPAN = re.compile(r"(\d+)([a-z]+) ?")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "day": 86400.0}
_SECONDS.update(days=86400.0, month=2630016.0, months=2630016.0, year=31557600.0, years=31557600.0)


def size(value: Union[int, str], name: str) -> int:
    """A number of bytes, or text such as ``"16MiB"``; ``name`` is whose it is, for the error."""
    if isinstance(value, int) and value > 0:
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{name}={value!r} is no size: a number of bytes, or text such as "16MiB"')
    return int(float(found[1]) * _BYTES[found[2] or "B"])


def seconds(text: str) -> Optional[float]:
    """The duration in a policy's `to_dict`; None for ``"unlimited"``."""
    if text == "unlimited":
        return None
    return sum(int(count) * _SECONDS[unit] for count, unit in _SPAN.findall(text))
