"""The keywords that calls take, as types: for type checkers, and for functions of yours that pass
keywords on.

>>> from stockade.keywords import PolicyKeywords
>>> def grade(source: str, **limits: "Unpack[PolicyKeywords]") -> str:
...     return str(stockade.run(["python3", "-c", source], **limits).verdict)
>>> grade("exit(3)", memory="64MiB")
'exited with status 3'
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Optional, Sequence, TypedDict, Union

if TYPE_CHECKING:
    from typing import Literal

    from .policy import Policy
    from .sandbox import Sandbox

__all__ = [
    "AnyPipes",
    "AnyPopen",
    "AnyResult",
    "AnyRun",
    "BytesPipes",
    "BytesPopen",
    "BytesResult",
    "BytesRun",
    "CallKeywords",
    "LimitKeywords",
    "PolicyKeywords",
    "TextPipes",
    "TextPopen",
    "TextResult",
    "TextRun",
]

#: Bytes, or text such as ``"64MiB"``.
Size = Union[int, str]
#: Seconds, text such as ``"500ms"``, or a ``timedelta``.
Duration = Union[float, str, timedelta]
#: A number, or ``"unlimited"``.
Count = Union[int, str]
Arg = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
#: A program and its arguments, or a program alone.
Args = Union[Arg, Sequence[Arg]]
#: What input that is no text may be.
Buffer = Union[bytes, bytearray, memoryview]


class PolicyKeywords(TypedDict, total=False):
    """How a sandbox is limited, and what is in it. ``None`` is the same as leaving one out."""

    memory: Optional[Size]
    cpu_time: Optional[Duration]
    wall_time: Optional[Duration]
    cpus: Optional[float]
    processes: Optional[Count]
    open_files: Optional[Count]
    file_size: Optional[Size]
    disk: Optional[Size]
    output: Optional[Size]
    fuel: Optional[int]
    output_overflow: Optional[Literal["stop", "truncate"]]
    base: Optional[Union[str, Mapping[str, Any]]]
    rootfs: Optional[Union[str, os.PathLike[str]]]
    writable: Optional[bool]
    mounts: Optional[Iterable[Mapping[str, Any]]]
    network: Optional[Literal["none", "loopback", "host"]]
    cwd: Optional[Union[str, os.PathLike[str]]]
    hostname: Optional[str]
    env: Optional[Mapping[str, str]]
    syscalls: Optional[Literal["default", "strict"]]
    best_effort: Optional[Iterable[str]]
    warm: Optional[int]


class LimitKeywords(PolicyKeywords, total=False):
    """Where a program is started, ``timeout`` is another word for ``wall_time``."""

    timeout: Optional[Duration]


class CallKeywords(LimitKeywords, total=False):
    """A call that starts a program takes these besides."""

    policy: Optional[Union[Policy, Mapping[str, Any]]]
    backend: Union[Literal["auto", "namespace", "wasm"], Sandbox]


class _Encoding(TypedDict, total=False):
    encoding: Optional[str]
    errors: Optional[str]


class _Text(_Encoding):
    text: Literal[True]


class _Bytes(TypedDict, total=False):
    text: Optional[Literal[False]]


class _Either(_Encoding, total=False):
    text: Optional[bool]


class _Check(TypedDict, total=False):
    check: bool


class _Pipes(TypedDict, total=False):
    stdin: Any
    stdout: Any
    stderr: Any
    bufsize: int


class TextResult(_Text, _Check):
    """Of what is prepared, when its streams are text."""


class BytesResult(_Bytes, _Check):
    """Of what is prepared, when its streams are bytes."""


class AnyResult(_Either, _Check):
    """Of what is prepared, when that is not known before."""


class TextPipes(_Text, _Pipes):
    """Of live streams of text."""


class BytesPipes(_Bytes, _Pipes):
    """Of live streams of bytes."""


class AnyPipes(_Either, _Pipes):
    """Of live streams of either."""


class TextRun(CallKeywords, TextResult, total=False):
    """Of :func:`stockade.run` and :func:`stockade.arun`, with text."""

    input: Optional[str]
    stdin: Any


class BytesRun(CallKeywords, BytesResult, total=False):
    """Of :func:`stockade.run` and :func:`stockade.arun`, with bytes."""

    input: Optional[Buffer]
    stdin: Any


class AnyRun(CallKeywords, AnyResult, total=False):
    """Of :func:`stockade.run` and :func:`stockade.arun`, with either."""

    input: Any
    stdin: Any


class TextPopen(CallKeywords, TextPipes):
    """Of :class:`stockade.Popen`, with text."""


class BytesPopen(CallKeywords, BytesPipes):
    """Of :class:`stockade.Popen`, with bytes."""


class AnyPopen(CallKeywords, AnyPipes):
    """Of :class:`stockade.Popen`, with either."""
