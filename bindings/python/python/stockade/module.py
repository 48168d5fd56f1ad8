"""WebAssembly modules: run commands, call functions, and let modules call yours."""

from __future__ import annotations

import os
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from . import _native
from .errors import SandboxError, SandboxProcessError, SandboxTimeout
from .policy import Policy, policy_of
from .report import Report
from .sandbox import Prepared, Sandbox, sandbox_for

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .completed import Completed
    from .keywords import AnyResult, Buffer, BytesResult, LimitKeywords, TextResult

__all__ = ["Instance", "Module", "uses_memory"]

Imports = Mapping[str, Mapping[str, Callable[..., Any]]]


_Function = TypeVar("_Function", bound=Callable[..., Any])


def uses_memory(function: _Function) -> _Function:
    """Has a host function get the guest's memory as its first argument.

    The memory has ``read(at, length)`` and ``write(at, data)``, and can be used until the function
    returns. What lies there is nothing to be trusted.

    >>> @uses_memory
    ... def log(memory, at, length):
    ...     print(memory.read(at, length).decode(errors="replace"))
    """
    function._stockade_uses_memory = True  # type: ignore[attr-defined]
    return function


class Module:
    """A WebAssembly module under a policy.

    ``code`` is the module's bytes, or the path of its file. ``imports`` are functions that it may
    call, by module and name; they get numbers and return a number, or a tuple of them, of the types
    with which the module imports them. An exception that one raises ends the guest's call, and comes
    out of yours. They run on the calling thread, in the guest's time.

    >>> import stockade
    >>> adder = bytes.fromhex(  # (func (export "add") (param i32 i32) (result i32) …)
    ...     "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b")
    >>> module = stockade.Module(adder)
    >>> module.functions
    {'add': '(i32, i32) -> i32'}
    >>> with module.instantiate() as instance:
    ...     instance.call("add", 2, 3)
    5

    Raises:
        InvalidPolicy: it is no valid module, or a value of the policy makes no sense.
        NotFound: there is no such file.
        Unsupported: it imports something that is not offered.
    """

    def __init__(
        self,
        code: Union[bytes, str, os.PathLike[str]],
        *,
        imports: Optional[Imports] = None,
        sandbox: Optional[Sandbox] = None,
        policy: Union[Policy, Mapping[str, Any], None] = None,
        **keywords: Unpack[LimitKeywords],
    ) -> None:
        self.policy = policy_of(policy, keywords)
        self._code = code if isinstance(code, bytes) else os.fspath(code)
        self._sandbox = sandbox or sandbox_for("wasm", "")
        self._functions = _functions(imports or {})
        self._library: Optional[_native.Library] = None
        self._commands: Dict[Tuple[str, ...], Prepared] = {}

    def _bound(self) -> _native.Library:
        if self._library is None:
            native = self._sandbox._native
            self._library = native.library(self.policy._native, self._code, self._functions)
        return self._library

    @property
    def functions(self) -> Dict[str, str]:
        """The exported functions of numbers, and their types."""
        return {
            name: f"({', '.join(takes)}) -> {_result(gives)}"
            for name, takes, gives in self._bound().functions()
        }

    @overload
    def run(
        self, args: Sequence[str] = ..., input: Optional[str] = ..., **how: Unpack[TextResult]
    ) -> Completed[str]: ...
    @overload
    def run(
        self, args: Sequence[str] = ..., input: Optional[Buffer] = ..., **how: Unpack[BytesResult]
    ) -> Completed[bytes]: ...
    @overload
    def run(
        self, args: Sequence[str] = ..., input: Any = ..., **how: Unpack[AnyResult]
    ) -> Completed[Any]: ...
    def run(self, args: Sequence[str] = (), input: Any = None, **how: Any) -> Completed[Any]:
        """Runs it as a command (WASI preview 1 or 2), with these arguments after its name. Takes
        ``text``, ``encoding``, ``errors`` and ``check`` as :func:`stockade.run` does."""
        result: Completed[Any] = self.command(*args).run(input, **how)
        return result

    def command(self, *args: str) -> Prepared:
        """The module as a command with these arguments, prepared once."""
        prepared = self._commands.get(args)
        if prepared is None:
            if self._functions:
                raise ValueError("a module with imports has its functions called; it is no command")
            native = self._sandbox._native.prepare(self.policy._native, self._code, list(args))
            prepared = self._commands[args] = Prepared(native, [repr(self), *args], self.policy)
        return prepared

    def instantiate(self) -> Instance:
        """A memory and a state of its own, in which functions are called."""
        return Instance(self._bound().instantiate(), repr(self))

    def call(self, name: str, /, *arguments: Union[int, float]) -> Any:
        """Calls a function in an instance of its own."""
        return self.instantiate().call(name, *arguments)

    def call_bytes(self, name: str, data: bytes) -> bytes:
        """Calls a function of bytes in an instance of its own."""
        return self.instantiate().call_bytes(name, data)

    def __repr__(self) -> str:
        what = f"{len(self._code)} bytes" if isinstance(self._code, bytes) else repr(self._code)
        return f"<Module {what}>"

    def __reduce__(self) -> Any:
        raise TypeError("a module belongs to its process and cannot be pickled; pickle its bytes")


class Instance:
    """A module's memory and state, which last from call to call. Limits apply to each call anew,
    except ``memory``, which is what the instance holds.

    A call that is stopped or traps ends the instance: every later call has the same outcome. One
    call runs at a time; other threads wait.
    """

    def __init__(self, native: _native.Instance, name: str) -> None:
        self._native = native
        self._name = name

    def call(self, name: str, /, *arguments: Union[int, float]) -> Any:
        """Calls an exported function of numbers; integers come back with their sign.

        Raises:
            SandboxTimeout: the call was ended by ``wall_time``.
            SandboxProcessError: it was stopped otherwise, trapped, or exited.
            NotFound: there is no such function.
            TypeError, OverflowError: an argument is of another type.
        """
        returned, result = self._native.call(name, list(arguments))
        if not returned:
            raise self._failed(name)
        return result

    def call_bytes(self, name: str, data: bytes) -> bytes:
        """Gives bytes to an exported function, and returns those it gives back, by the convention in
        the manual: ``stockade_alloc(length) -> address`` makes room, the function takes address and
        length, and returns both in one ``i64``.

        Raises:
            As :meth:`call`.
        """
        output = self._native.call_bytes(name, data)
        if output is None:
            raise self._failed(name)
        return output

    @property
    def report(self) -> Report:
        """What the last call used, and how its limits were enforced."""
        return Report(self._native.report())

    def output(self) -> Tuple[bytes, bytes]:
        """What the last call printed, standard output and error; it can be taken once."""
        report = self._native.report()
        return report.stdout, report.stderr

    def kill(self) -> None:
        """Ends the instance from any thread, whatever it is doing."""
        self._native.kill()

    def _failed(self, name: str) -> SandboxError:
        native = self._native.report()
        report = Report(native)
        verdict = report.verdict
        late = verdict.kind == "limit" and verdict.control == "wall_time"
        error = SandboxTimeout if late else SandboxProcessError
        return error(f"{name} of {self._name}", native.stdout, native.stderr, report)

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.kill()

    def __repr__(self) -> str:
        return f"<Instance of {self._name}>"

    def __reduce__(self) -> Any:
        raise TypeError("an instance belongs to its process and cannot be pickled")


def _functions(imports: Imports) -> List[Tuple[str, str, Callable[..., Any], bool]]:
    functions = []
    for module, members in imports.items():
        for name, function in members.items():
            if not callable(function):
                raise TypeError(f"the import {module}.{name} is no function: {function!r}")
            memory = getattr(function, "_stockade_uses_memory", False)
            functions.append((module, name, function, bool(memory)))
    return functions


def _result(kinds: List[str]) -> str:
    return kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"
