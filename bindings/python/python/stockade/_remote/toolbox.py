"""Functions of the host's that code in a session may call, and how often."""

from __future__ import annotations

import inspect
import json
import keyword
import time
from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Tuple, Union

from .channel import Malformed

_DOCUMENTATION = 4096
_MESSAGE = 32 * 1024


@dataclass(frozen=True)
class ToolLimits:
    """``calls`` in one run, ``size`` of arguments and of a result in bytes of JSON, ``rate`` per second."""

    calls: int
    size: int
    rate: float


class Toolbox:
    """The tools of one session. They run in the thread that called ``run``."""

    def __init__(self, tools: Mapping[str, Callable[..., Any]], limits: ToolLimits) -> None:
        for name, tool in tools.items():
            if not (isinstance(name, str) and name.isidentifier()) or keyword.iskeyword(name):
                raise ValueError(f"{name!r} cannot be the name of a tool: it is no identifier")
            if not callable(tool) or inspect.iscoroutinefunction(tool):
                raise TypeError(f"the tool `{name}` is no ordinary function")
        self._tools = dict(tools)
        self.limits = limits
        self._allowance = limits.rate
        self._seen = time.monotonic()
        self._used = 0

    def described(self) -> List[List[str]]:
        """Names and documentation."""
        return [
            [name, (inspect.getdoc(tool) or "")[:_DOCUMENTATION]]
            for name, tool in self._tools.items()
        ]

    def begin(self) -> None:
        """A run starts: its calls are counted anew."""
        self._used = 0

    def answer(self, name: str, body: Union[bytes, bytearray]) -> Tuple[bool, bytes]:
        """Whether it went well, and the JSON of the result, or a text.

        What is no `Exception` passes through: Ctrl-C, for one. Raises `Malformed` for arguments that
        are no JSON.
        """
        refusal = self._refusal(name, len(body))
        if refusal:
            return False, f"{name}: {refusal}".encode("utf-8", "replace")
        args, kwargs = _arguments(body)
        try:
            result = json.dumps(self._tools[name](*args, **kwargs), ensure_ascii=False).encode(
                "utf-8", "replace"
            )
        except Exception as error:
            return False, _text(error)
        if len(result) > self.limits.size:
            return (
                False,
                f"{name}: a result of {len(result)} bytes; at most {self.limits.size} are allowed".encode(),
            )
        return True, result

    def _refusal(self, name: str, size: int) -> str:
        if name not in self._tools:
            return "there is no such tool"
        if size > self.limits.size:
            return f"arguments of {size} bytes; at most {self.limits.size} are allowed"
        self._used += 1
        if self._used > self.limits.calls:
            return f"more than {self.limits.calls} calls of tools in one run"
        now = time.monotonic()
        grown = self._allowance + (now - self._seen) * self.limits.rate
        self._allowance, self._seen = min(grown, max(self.limits.rate, 1.0)), now
        if self._allowance < 1:
            return f"more than {self.limits.rate:g} calls of tools in a second"
        self._allowance -= 1
        return ""


def _arguments(body: Union[bytes, bytearray]) -> Tuple[List[Any], Mapping[str, Any]]:
    found = read_json(body)
    if type(found) is not dict or set(found) != {"args", "kwargs"}:
        raise Malformed("arguments of a tool that are none")
    args, kwargs = found["args"], found["kwargs"]
    if type(args) is not list or type(kwargs) is not dict:
        raise Malformed("arguments of a tool that are none")
    return args, kwargs


def _text(error: Exception) -> bytes:
    try:
        message = f"{type(error).__name__}: {error}"
    except Exception:
        message = type(error).__name__
    return message[:_MESSAGE].encode("utf-8", "replace")


def read_json(data: Union[bytes, bytearray]) -> Any:
    """A JSON value that a guest wrote, made of types of the language alone, or `Malformed`."""
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a pair cannot be printed
    except (ValueError, RecursionError) as error:
        raise Malformed("a value that is no JSON") from error
    return value


def _integer(digits: str) -> int:
    # 8192 bits, as the guest's own bound; without one, older interpreters take minutes.
    if len(digits) > 2468:
        raise ValueError("a number of too many digits")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)
