"""What is asked of a sandbox: limits, files, network, environment, system calls."""

from __future__ import annotations

import inspect
import json
import os
from datetime import timedelta
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

from . import _native
from .errors import InvalidPolicy

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import PolicyKeywords

    _Native = _native.Policy

__all__ = ["Policy"]

#: Which part of a policy each keyword stands in, and under which name.
_PLACES: Dict[str, Tuple[str, ...]] = {
    **{
        name: ("limits", name)
        for name in (
            "memory cpu_time wall_time cpus processes open_files file_size disk output fuel "
            "output_overflow"
        ).split()
    },
    "base": ("filesystem", "base"),
    "mounts": ("filesystem", "mounts"),
    "network": ("network", "mode"),
    "cwd": ("process", "cwd"),
    "hostname": ("process", "hostname"),
    "env": ("process", "env"),
    "syscalls": ("syscalls", "profile"),
    "best_effort": ("best_effort",),
    "warm": ("warm",),
}
#: Every keyword; ``rootfs`` with ``writable`` is a way to write ``base``.
KEYWORDS = (*_PLACES, "rootfs", "writable")


class Policy:
    """What is asked of a sandbox. Every default is closed: no network, none of the host's
    environment, no file of the host outside the read-only system directories, and a bound on every
    quantity.

    Keywords are the keys of a policy file. Sizes are bytes or text such as ``"64MiB"``; durations are
    seconds, text such as ``"500ms"``, or a ``timedelta``; ``"unlimited"`` lifts a limit. ``env`` is
    added to ``HOME``, ``LANG`` and ``PATH``, which are all there is otherwise. ``rootfs`` is a
    directory that takes the place of the system's; with ``writable=True`` the program may change it, in
    memory, until it ends.

    A policy is inert data: it can be compared, hashed, pickled and sent.

    >>> import stockade
    >>> policy = stockade.Policy(memory="64MiB", wall_time=2)
    >>> policy.replace(memory="1GiB") == policy
    False
    >>> stockade.Policy(memroy="64MiB")
    Traceback (most recent call last):
    TypeError: a policy has no keyword 'memroy'; did you mean 'memory'?

    Raises:
        InvalidPolicy: a value makes no sense; the message names the key and the value.
    """

    __slots__ = ("_native",)
    _native: _Native

    def __init__(
        self, start: Optional[Mapping[str, Any]] = None, /, **keywords: Unpack[PolicyKeywords]
    ) -> None:
        self._native = _checked(_merged(dict(start or {}), keywords))

    @classmethod
    def _of(cls, native: _Native) -> Policy:
        policy = cls.__new__(cls)
        policy._native = native
        return policy

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """Reads a policy from JSON."""
        return cls._of(_native.Policy(text))

    @classmethod
    def from_toml(cls, text: str) -> Policy:
        """Reads a policy from TOML, as the files of the command line are.

        >>> import stockade
        >>> stockade.Policy.from_toml('limits.memory = "64MiB"') == stockade.Policy(memory="64MiB")
        True
        """
        return cls._of(_native.Policy.from_toml(text))

    @classmethod
    def from_file(cls, path: Union[str, os.PathLike[str]]) -> Policy:
        """Reads a policy file: JSON if its name ends in ``.json``, TOML otherwise."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        return cls.from_json(text) if os.fspath(path).endswith(".json") else cls.from_toml(text)

    def replace(self, **keywords: Unpack[PolicyKeywords]) -> Policy:
        """The same policy with these keywords; ``env`` is added to what is there.

        >>> import stockade
        >>> policy = stockade.Policy(memory="64MiB", env={"A": "1"})
        >>> policy.replace(memory=None) is policy
        True
        >>> sorted(policy.replace(env={"B": "2"}).to_dict()["process"]["env"])
        ['A', 'B', 'HOME', 'LANG', 'PATH']
        """
        if not any(value is not None for value in keywords.values()):
            return self
        return self._of(_checked(_merged(self.to_dict(), keywords)))

    def to_dict(self) -> Dict[str, Any]:
        """Every key, as plain data."""
        data: Dict[str, Any] = json.loads(self._native.to_json())
        return data

    def to_json(self) -> str:
        """Every key, as JSON."""
        return self._native.to_json()

    def to_toml(self) -> str:
        """Every key, as TOML."""
        return self._native.to_toml()

    @property
    def policy_hash(self) -> str:
        """The hash that reports name it by: SHA-256 of its canonical JSON."""
        return self._native.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._native == other._native

    def __hash__(self) -> int:
        return hash(self._native)

    def __reduce__(self) -> Any:
        return Policy.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        return f"Policy({', '.join(f'{key}={value!r}' for key, value in self._changes())})"

    def _changes(self) -> List[Tuple[str, Any]]:
        """What differs from the default policy, by keyword; the limits on what matters most always."""
        mine, usual = self.to_dict(), _usual()
        changes = []
        for keyword, place in _PLACES.items():
            value = _at(mine, place)
            if keyword in ("memory", "cpu_time", "wall_time", "processes", "network") or (
                value != _at(usual, place)
            ):
                changes.append((keyword, value))
        return changes


@lru_cache(maxsize=None)
def _usual() -> Dict[str, Any]:
    data: Dict[str, Any] = json.loads(_native.Policy("{}").to_json())
    return data


def _at(data: Mapping[str, Any], place: Tuple[str, ...]) -> Any:
    found: Any = data
    for key in place:
        found = found.get(key)
    return found


def _merged(data: Dict[str, Any], keywords: Mapping[str, Any]) -> Dict[str, Any]:
    """A policy's data with keywords put where they belong."""
    keywords = {name: value for name, value in keywords.items() if value is not None}
    if "rootfs" in keywords:
        if "base" in keywords:
            raise InvalidPolicy("`rootfs` and `base` are two names for one thing: give one of them")
        keywords["base"] = {"rootfs": keywords.pop("rootfs")}
        if "writable" in keywords:
            keywords["base"]["writable"] = keywords.pop("writable")
    elif "writable" in keywords:
        raise InvalidPolicy("`writable` is said of a `rootfs`: give both")
    for name, value in keywords.items():
        if name not in _PLACES:
            raise TypeError(f"a policy has no keyword {name!r}{_meant(name)}")
        *parts, last = _PLACES[name]
        part = data
        for key in parts:
            inner = part.get(key) or {}
            if not isinstance(inner, Mapping):
                raise InvalidPolicy(f"`{key}` holds keys and values, and is not {inner!r}")
            part[key] = part = dict(inner)
        if name == "env":
            value = {**(part.get(last) or _usual()["process"]["env"]), **value}
        elif name in ("mounts", "best_effort"):
            value = [value] if isinstance(value, str) else list(value)
        part[last] = _plain(value)
    return data


def _meant(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, KEYWORDS, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _plain(value: Any) -> Any:
    """A value as a policy file writes it."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            value = os.fsencode(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value)
        try:
            return value.decode()
        except UnicodeDecodeError:
            return list(value)
    if isinstance(value, Mapping):
        strange = [key for key in value if not isinstance(key, str)]
        if strange:
            # JSON would write a number's digits.
            raise InvalidPolicy(f"a key of a policy is text, not {strange[0]!r}")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value


def _checked(data: Mapping[str, Any]) -> _native.Policy:
    try:
        text = json.dumps(data, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidPolicy(
            f"a policy is made of text, numbers, lists and mappings: {error}"
        ) from None
    return _native.Policy.of_data(text)


@lru_cache(maxsize=256)
def _known(keywords: Tuple[Tuple[str, Any], ...]) -> Policy:
    return Policy(**dict(keywords))


def policy_of(policy: Any, keywords: Mapping[str, Any]) -> Policy:
    """The policy for a call that may be given one, keywords, or both. ``timeout`` is another word for
    ``wall_time``."""
    given = {name: value for name, value in keywords.items() if value is not None}
    if "timeout" in given:
        if "wall_time" in given:
            raise TypeError("`timeout` is another word for `wall_time`: give one of them")
        given["wall_time"] = given.pop("timeout")
    if policy is None:
        return _known(tuple(given.items())) if _simple(given) else Policy(**given)
    if isinstance(policy, Mapping):
        policy = Policy(policy)
    if not isinstance(policy, Policy):
        raise TypeError(f"a policy is a Policy or a mapping, not {type(policy).__name__}")
    changed: Policy = policy.replace(**given)
    return changed


def _simple(given: Mapping[str, Any]) -> bool:
    """Whether equal values are the same policy: 1 equals True and 1.0, which are written otherwise."""
    return all(type(value) in (str, int) for value in given.values())


_Function = TypeVar("_Function", bound=Callable[..., Any])


def with_keywords(function: _Function) -> _Function:
    """Has a function's signature show every keyword of a policy."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    names = {parameter.name for parameter in own}
    rest = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in (*KEYWORDS, "timeout")
        if name not in names
    ]
    function.__signature__ = signature.replace(parameters=own + rest)  # type: ignore[attr-defined]
    return function
