"""Backends, and programs prepared to be started many times."""

from __future__ import annotations

import atexit
import json
import os
import threading
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
    overload,
)

from . import _native
from .completed import completed
from .policy import Policy, policy_of
from .report import Enforcement

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .completed import Completed
    from .keywords import (
        AnyPipes,
        AnyResult,
        AnyRun,
        Args,
        Buffer,
        BytesPipes,
        BytesResult,
        BytesRun,
        LimitKeywords,
        TextPipes,
        TextResult,
        TextRun,
    )
    from .popen import Popen

__all__ = ["Plan", "Prepared", "Sandbox", "prepare"]

_REASONS = {
    "namespace": "auto: the program is a native executable",
    "wasm": "auto: the program is a WebAssembly binary",
}


def words(args: Args) -> Tuple[str, List[str]]:
    """A program and its arguments. A single text is a program's name, as in ``subprocess``."""
    if isinstance(args, (str, bytes, os.PathLike)):
        return os.fsdecode(args), []
    listed = [os.fsdecode(arg) for arg in args]
    if not listed:
        raise ValueError("there is no program: the list of arguments is empty")
    return listed[0], listed[1:]


class Sandbox:
    """A backend, ready to be used many times and from many threads.

    ``Sandbox("namespace")`` runs native programs behind Linux namespaces, ``Sandbox("wasm")`` modules
    in a WebAssembly engine. The functions of this package that are given no sandbox share one per
    backend, made when it is needed first.

    For modules, ``cache_dir`` keeps compiled code for other processes (it must belong to this user and
    be closed to others, and is made if it is missing), and ``compile_time`` is how many seconds of
    processor time compiling one may take.

    Raises:
        Unsupported: the host refuses what the backend needs; the hint says what refuses it.
        SetupError: the backend cannot be started.
    """

    def __init__(
        self,
        backend: str = "namespace",
        *,
        cache_dir: Optional[Union[str, os.PathLike[str]]] = None,
        compile_time: Optional[float] = None,
    ) -> None:
        if backend not in _REASONS:
            raise ValueError(f"a backend is 'namespace' or 'wasm', not {backend!r}")
        if backend == "namespace" and not (cache_dir is None and compile_time is None):
            raise ValueError("`cache_dir` and `compile_time` are for modules: Sandbox('wasm', …)")
        if compile_time is not None and not 0 < compile_time < 1e9:
            raise ValueError(f"`compile_time` is a number of seconds, not {compile_time!r}")
        directory = None if cache_dir is None else os.fspath(cache_dir)
        self.backend = backend
        self._native = _native.Sandbox(backend, directory, compile_time)

    @classmethod
    def _of(cls, backend: str, native: _native.Sandbox) -> Sandbox:
        sandbox = cls.__new__(cls)
        sandbox.backend, sandbox._native = backend, native
        return sandbox

    def support(self) -> Dict[str, Any]:
        """What this host can enforce, by control."""
        data: Dict[str, Any] = json.loads(self._native.support())
        return data

    def prepare(
        self,
        args: Args,
        *,
        policy: Union[Policy, Mapping[str, Any], None] = None,
        **keywords: Unpack[LimitKeywords],
    ) -> Prepared:
        """Binds a policy to a program: see :func:`stockade.prepare`."""
        return _prepared(self, args, policy_of(policy, keywords))

    @overload
    def run(self, args: Args, **how: Unpack[TextRun]) -> Completed[str]: ...
    @overload
    def run(self, args: Args, **how: Unpack[BytesRun]) -> Completed[bytes]: ...
    @overload
    def run(self, args: Args, **how: Unpack[AnyRun]) -> Completed[Any]: ...
    def run(self, args: Args, **how: Any) -> Completed[Any]:
        """Runs a program as :func:`stockade.run` does, in this sandbox."""
        from .process import run

        result: Completed[Any] = run(args, **{**how, "backend": self})
        return result

    def __repr__(self) -> str:
        return f"Sandbox({self.backend!r})"

    def __reduce__(self) -> Any:
        raise TypeError("a sandbox belongs to its process and cannot be pickled; pickle the Policy")


_shared: Dict[str, Dict[str, Sandbox]] = {}
_lock = threading.Lock()


def _forget() -> None:
    """In a forked child: what the parent made is the parent's."""
    global _shared, _lock
    _shared, _lock = {}, threading.Lock()


os.register_at_fork(
    before=_native.before_fork,
    after_in_parent=_native.after_fork,
    after_in_child=_native.after_fork,
)
os.register_at_fork(after_in_child=_forget)
atexit.register(_native.close)


def sandbox_for(backend: Any, name: str) -> Sandbox:
    """The sandbox for a program: the one that was given, or the shared one of its backend."""
    if isinstance(backend, Sandbox):
        return backend
    reason = None
    if backend == "auto":
        backend = "wasm" if _native.names_a_module(name) else "namespace"
        reason = _REASONS[backend]
    elif backend not in _REASONS:
        raise ValueError(f"a backend is 'auto', 'namespace' or 'wasm', not {backend!r}")
    found = _shared.get(backend)
    if found is None:
        with _lock:
            found = _shared.get(backend)
            if found is None:
                chosen = Sandbox(backend)
                auto = Sandbox._of(backend, chosen._native.because(_REASONS[backend]))
                found = _shared[backend] = {"chosen": chosen, "auto": auto}
    return found["chosen" if reason is None else "auto"]


class Plan:
    """A policy, and how each control it asks for will be enforced. Nothing has started yet."""

    __slots__ = ("backend", "backend_reason", "enforcement", "policy", "policy_hash")

    def __init__(self, data: Mapping[str, Any], policy: Policy) -> None:
        self.backend: str = data["backend"]
        self.backend_reason: Optional[str] = data["backend_reason"]
        self.policy = policy
        self.policy_hash: str = data["policy_hash"]
        self.enforcement = tuple(Enforcement(**entry) for entry in data["enforcement"])

    def __repr__(self) -> str:
        weaker = [e.control for e in self.enforcement if e.status != "enforced"]
        note = f"weaker: {', '.join(weaker)}" if weaker else "all enforced"
        return f"<Plan {self.backend}: {len(self.enforcement)} controls, {note}>"


class Prepared:
    """A policy bound to a program, with everything computed that can be. Start it as often as you
    like, from any thread.

    >>> import stockade
    >>> prepared = stockade.prepare(["tr", "a-z", "A-Z"], memory="64MiB", wall_time=5)
    >>> [prepared.run(word, text=True).stdout for word in ("one", "two")]
    ['ONE', 'TWO']
    """

    def __init__(self, native: _native.Prepared, args: Any, policy: Policy) -> None:
        self._native = native
        self.args = args
        self.policy = policy

    @property
    def plan(self) -> Plan:
        """How every control will be enforced."""
        return Plan(json.loads(self._native.plan()), self.policy)

    def warm(self, count: int) -> None:
        """Keeps ``count`` sandboxes of this program built and waiting (128 at most), so that a start
        only has to let one go. 0 ends it. The program itself is not started before its run.

        Returns at once. Each one that waits serves one run, and takes memory and a process or two.
        For modules this does nothing: they start in microseconds.
        """
        self._native.warm(count)

    @overload
    def run(self, input: Optional[str] = ..., **how: Unpack[TextResult]) -> Completed[str]: ...
    @overload
    def run(
        self, input: Optional[Buffer] = ..., **how: Unpack[BytesResult]
    ) -> Completed[bytes]: ...
    @overload
    def run(self, input: Any = ..., **how: Unpack[AnyResult]) -> Completed[Any]: ...
    def run(self, input: Any = None, **how: Any) -> Completed[Any]:
        """Runs it and waits: ``text``, ``encoding``, ``errors`` and ``check`` as in
        :func:`stockade.run`."""
        return completed(self.args, input, self._native.run, **how)

    @overload
    def popen(self, **how: Unpack[TextPipes]) -> Popen[str]: ...
    @overload
    def popen(self, **how: Unpack[BytesPipes]) -> Popen[bytes]: ...
    @overload
    def popen(self, **how: Unpack[AnyPipes]) -> Popen[Any]: ...
    def popen(self, **how: Any) -> Popen[Any]:
        """Starts it with live streams: ``stdin``, ``stdout``, ``stderr``, ``text``, ``encoding``,
        ``errors`` and ``bufsize`` as in :class:`stockade.Popen`."""
        from .popen import Popen

        process: Popen[Any] = Popen(self, **how)
        return process

    @overload
    async def arun(
        self, input: Optional[str] = ..., **how: Unpack[TextResult]
    ) -> Completed[str]: ...
    @overload
    async def arun(
        self, input: Optional[Buffer] = ..., **how: Unpack[BytesResult]
    ) -> Completed[bytes]: ...
    @overload
    async def arun(self, input: Any = ..., **how: Unpack[AnyResult]) -> Completed[Any]: ...
    async def arun(self, input: Any = None, **how: Any) -> Completed[Any]:
        """Runs it without blocking the event loop, as :func:`stockade.arun` does."""
        from .aio import awaited

        return await awaited(self.args, input, lambda given: self._native.start(given), **how)

    def __repr__(self) -> str:
        return f"<Prepared {self.args!r}: {self.policy!r}>"

    def __reduce__(self) -> Any:
        raise TypeError(
            "a prepared program belongs to its process and cannot be pickled; pickle its policy"
        )


def _prepared(backend: Union[str, Sandbox], args: Any, policy: Policy) -> Prepared:
    name, rest = words(args)
    sandbox = sandbox_for(backend, name)
    return Prepared(sandbox._native.prepare(policy._native, name, rest), args, policy)


def prepare(
    args: Args,
    *,
    backend: Union[str, Sandbox] = "auto",
    policy: Union[Policy, Mapping[str, Any], None] = None,
    **keywords: Unpack[LimitKeywords],
) -> Prepared:
    """Binds a policy to a program, so that it can be started many times at less cost.

    Takes what :func:`stockade.run` takes to say what runs and how it is limited.

    Raises:
        InvalidPolicy: a value makes no sense.
        Unsupported: this host cannot enforce what was asked.
        NotFound, PermissionDenied: of the program, or of what is bound.
    """
    return _prepared(backend, args, policy_of(policy, keywords))
