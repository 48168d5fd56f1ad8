"""Functions that run in a sandbox whenever they are called."""

from __future__ import annotations

import functools
import os
import sys
import threading
import types
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    Iterator,
    Optional,
    TypeVar,
    overload,
)

from ._remote.future import SandboxFuture
from .executor import SandboxExecutor

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self

    P = ParamSpec("P")
else:
    # Python 3.9 has no ParamSpec, and at run time any variable will do.
    P = TypeVar("P")
R = TypeVar("R")

__all__ = ["SandboxedFunction", "sandboxed"]


class SandboxedFunction(Generic[P, R]):
    """A function that runs in a sandbox when it is called; what `sandboxed` makes."""

    def __init__(self, function: Callable[P, R], options: Dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.local = function
        """The function itself, to be called without a sandbox."""
        self._options = options
        self._made: Optional[SandboxExecutor] = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it in a sandbox, and return what it returns."""
        return self.executor.call(self.local, *args, **kwargs)

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> SandboxFuture[R]:
        """Run it in a sandbox, and return a future."""
        return self.executor.submit(self.local, *args, **kwargs)

    def map(self, *iterables: Iterable[Any], timeout: Optional[float] = None) -> Iterator[R]:
        """The results for each item, in order, as of `SandboxExecutor.map`."""
        return self.executor.map(self.local, *iterables, timeout=timeout)

    @property
    def executor(self) -> SandboxExecutor:
        """The executor of this function, made at the first use."""
        if self._process != os.getpid():
            # Forked: the lock may be held by a thread that does not exist here.
            self._lock, self._made, self._process = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._made is None:
                self._made = SandboxExecutor(**self._options)
            return self._made

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[..., R]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<sandboxed {self.local!r}>"

    def __reduce__(self) -> Any:
        module, name = self.local.__module__, self.local.__qualname__
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self and module != "__main__":
            return name
        return _restore, (self.local, self._options)

    @staticmethod
    def __stockade_local__(sandboxed: SandboxedFunction[Any, Any]) -> Callable[..., Any]:
        return sandboxed.local


def _restore(function: Callable[P, R], options: Dict[str, Any]) -> SandboxedFunction[P, R]:
    return SandboxedFunction(function, options)


@overload
def sandboxed(function: Callable[P, R], /) -> SandboxedFunction[P, R]: ...
@overload
def sandboxed(**options: Any) -> Callable[[Callable[P, R]], SandboxedFunction[P, R]]: ...
def sandboxed(function: Optional[Callable[..., Any]] = None, /, **options: Any) -> Any:
    """Make a function run in a sandbox whenever it is called.

    ``options`` are those of `SandboxExecutor`. The function has ``local`` (itself, without a sandbox),
    ``submit`` and ``map``. It keeps its name, documentation and signature, and can be pickled. Inside a
    sandbox, one sandboxed function that calls another or itself calls it as it is.

    >>> from stockade import sandboxed
    >>> @sandboxed(memory="128MiB", timeout=5)
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> double.local(4)
    8
    >>> double(4)
    8
    """
    if function is None:
        return functools.partial(SandboxedFunction, options=options)
    return SandboxedFunction(function, options)
