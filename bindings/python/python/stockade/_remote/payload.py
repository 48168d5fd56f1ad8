"""A function and its arguments as bytes for a sandbox."""

from __future__ import annotations

import functools
import io
import os
import sys
import threading
from types import FunctionType, ModuleType
from typing import Any, Callable, Mapping, Optional, Set, Tuple

from .interpreter import Interpreter

# cloudpickle's list of modules that go by value belongs to the process, so one thread pickles at a time.
_lock = threading.RLock()


def _renew() -> None:
    global _lock
    _lock = threading.RLock()


# The thread that holds it may not exist in a fork.
os.register_at_fork(after_in_child=_renew)


class Packer:
    """Packs calls by cloudpickle, so that the sandbox described by ``interpreter`` can unpack them.

    Functions and classes go by name where the sandbox can import them, and by value where it cannot:
    those of ``__main__``, of notebooks and of the user's own modules. For this the packages they are
    from are registered with ``cloudpickle.register_pickle_by_value`` while packing, and unregistered
    afterwards. ``limit`` is in bytes.
    """

    def __init__(self, interpreter: Interpreter, limit: int) -> None:
        try:
            import cloudpickle  # type: ignore[import-untyped, unused-ignore]
        except ImportError as error:
            message = (
                "functions are sent to sandboxes by `cloudpickle`: pip install stockade[executor]"
            )
            raise ImportError(message, name="cloudpickle") from error
        if not interpreter.imports(cloudpickle):
            raise ImportError(
                "the sandbox does not see `cloudpickle`; name its directory in `paths`"
            )
        self._interpreter = interpreter
        self._limit = limit
        self._by_value: Set[str] = set()
        self._by_name: Set[str] = set()

    def pack(
        self, function: Any, arguments: Tuple[Any, ...], keywords: Optional[Mapping[str, Any]]
    ) -> bytes:
        """The bytes of a call, or of an initializer without ``keywords``.

        Raises what pickling raises, and `ValueError` for more than the limit.
        """
        call = (function, arguments) if keywords is None else (function, arguments, dict(keywords))
        with _lock:
            while True:
                before = len(self._by_value)
                packed = self._dump(call)
                if len(self._by_value) == before:
                    break
        if len(packed) > self._limit:
            raise ValueError(
                f"function and arguments have {len(packed)} bytes, and {self._limit} are allowed:"
                " send less, or raise payload_limit"
            )
        return packed

    def _dump(self, call: Tuple[Any, ...]) -> bytes:
        import cloudpickle

        registered = [
            module
            for name in self._by_value
            for module in [sys.modules.get(name)]
            if module is not None and name not in cloudpickle.list_registry_pickle_by_value()
        ]
        for module in registered:
            cloudpickle.register_pickle_by_value(module)
        try:
            file = io.BytesIO()
            _pickler()(file, self._note).dump(call)
            return file.getvalue()
        finally:
            for module in registered:
                cloudpickle.unregister_pickle_by_value(module)

    def _note(self, name: str) -> None:
        """Remember how what belongs to module ``name`` has to go."""
        top = name.partition(".")[0]
        if top in self._by_name or top in self._by_value or top == "__main__":
            return
        module = sys.modules.get(top)
        if module is None:
            return
        (self._by_name if self._interpreter.imports(module) else self._by_value).add(top)


@functools.lru_cache(maxsize=None)
def _pickler() -> Any:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[name-defined, misc, unused-ignore]
        """Tells ``note`` the module of every function, class and module it meets."""

        def __init__(self, file: io.BytesIO, note: Callable[[str], None]) -> None:
            super().__init__(file, protocol=5)
            self.note = note

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, (FunctionType, type)):
                name = obj.__module__
                if isinstance(name, str):
                    self.note(name)
            elif isinstance(obj, ModuleType):
                self.note(obj.__name__)
            else:
                local = getattr(type(obj), "__stockade_local__", None)
                if local is not None:
                    # Inside a sandbox, a function for sandboxes is called as it is.
                    return functools.partial, (local(obj),)
            return super().reducer_override(obj)

    return Pickler
