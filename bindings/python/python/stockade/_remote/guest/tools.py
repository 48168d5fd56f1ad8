"""Functions of the host's, as code inside calls them."""

from __future__ import annotations

import json
import signal
import sys
import threading
import types

from .wire import header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from .wire import Wire


class ToolError(Exception):
    """A tool of the host's failed or was refused; the text is all there is."""


class Tools:
    """Functions of the host's. One call is under way at a time, whatever thread it comes from."""

    def __init__(self, wire: Wire, described: List[List[str]], limit: int) -> None:
        self.wire, self.cuts = wire, wire.cuts
        self.limit = limit
        self.alive = True
        self.turn = threading.Lock()
        self.number = 0
        self.module = types.ModuleType("stockade_tools", "Functions of the host's.")
        setattr(self.module, "ToolError", ToolError)
        ToolError.__module__ = "stockade_tools"
        sys.modules["stockade_tools"] = self.module
        for name, text in described:
            setattr(self.module, name, self.make(name, text))
        self.names = [name for name, _ in described]

    def make(self, name: str, text: str) -> Callable[..., Any]:
        def tool(*args: Any, **kwargs: Any) -> Any:
            return self.ask(name, args, kwargs)

        tool.__name__ = tool.__qualname__ = name
        tool.__module__ = "stockade_tools"
        tool.__doc__ = text
        return tool

    def ask(self, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        body = json.dumps({"args": args, "kwargs": kwargs}, ensure_ascii=False).encode(
            "utf-8", "replace"
        )
        if len(body) > self.limit:
            raise ToolError(
                "%s: arguments of %d bytes, at most %d are allowed" % (name, len(body), self.limit)
            )
        with self.turn:
            if self.cuts.running is None or not self.alive:
                raise ToolError("%s: tools can be called while code of the session runs" % name)
            self.number += 1
            self.cuts.asking = True
            try:
                answer = self.answer(name, body)
            finally:
                self.cuts.asking = False
        if threading.get_ident() != self.cuts.main:
            self.cuts.forced = self.cuts.forced or answer is None
            signal.pthread_kill(self.cuts.main, signal.SIGIO)
        elif answer is None:
            raise KeyboardInterrupt
        else:
            self.cuts.look()  # for what came between the answer and now
        if answer is None:
            raise ToolError("%s: interrupted" % name)
        if not answer[0]:
            raise ToolError(answer[1].decode("utf-8", "replace"))
        return json.loads(answer[1])

    def answer(self, name: str, body: bytes) -> Optional[Tuple[bool, bytes]]:
        self.wire.send(header({"op": "tool", "id": self.number, "name": name}), body)
        while True:
            fields, body = self.wire.receive()
            if fields["op"] == "tool" and fields["id"] == self.number:
                return fields["ok"], body
            if fields["op"] == "interrupt" and fields["id"] == self.cuts.running:
                return None
