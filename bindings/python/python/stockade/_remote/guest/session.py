"""The interpreter of a session: what runs inside the sandbox.

Requests come on what was descriptor 0, one at a time; answers go to what was descriptor 1. Code that is
run shares the process with it, so the host believes nothing that comes from here.
"""

from __future__ import annotations

import _ast
import _sitebuiltins
import builtins
import errno
import faulthandler
import fcntl
import io
import json
import linecache
import os
import select
import signal
import sys
import threading
import types
import warnings

from . import files
from .tools import Tools
from .wire import Wire, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

host: Host
wire: Wire

TEXT = 32 * 1024  # characters of a repr, a message, a traceback
PIECE = 64 * 1024  # bytes of output in one frame
DEPTH = 64  # of a value that is handed over
KEPT = 256  # calls whose source is at hand for tracebacks
F_SETPIPE_SZ = 1031  # which `fcntl` knows since 3.10
STREAM = {number: b'{"op":"out","fd":%d}' % number for number in (1, 2)}


class Stream(io.RawIOBase):
    """The bytes below sys.stdout and sys.stderr."""

    def __init__(self, number: int) -> None:
        self.number = number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.number

    def write(self, data: Any) -> int:
        data = bytes(data)
        if host.forked:
            return os.write(self.number, data)
        host.forward()
        for start in range(0, len(data), PIECE):
            wire.send(STREAM[self.number], data[start : start + PIECE])
        return len(data)


def stream(number: int, name: str) -> io.TextIOWrapper:
    raw: Any = Stream(number)
    text = io.TextIOWrapper(raw, "utf-8", "replace", line_buffering=True)
    setattr(sys, name, text)
    setattr(sys, "__%s__" % name, text)
    return text


def plain(value: Any, most: int) -> bool:
    """Whether a value is JSON and nothing else, so that it is the same on the other side."""
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        kind = type(value)
        most -= 1
        if value is None or kind is str or kind is bool:
            continue
        if kind is int:
            if value.bit_length() > 8192:
                return False
        elif kind is float:
            if value - value != 0.0:
                return False
        elif kind not in (list, dict) or depth == DEPTH or len(value) > most:
            return False
        else:
            if kind is dict:
                if not all(type(key) is str for key in value):
                    return False
                value = value.values()
            waiting.extend((item, depth + 1) for item in value)
    return most > 0


def cut(text: str) -> str:
    return text if len(text) <= TEXT else text[: TEXT - 1] + "\u2026"


class Host:
    """What the host asks for, one request after the other."""

    def __init__(self, wire: Wire, raw: Dict[int, int]) -> None:
        self.wire, self.raw, self.cuts = wire, raw, wire.cuts
        self.forked = False
        self.draining = threading.Lock()
        self.ident: Any = None  # of the call that has not been answered

    def forward(self) -> None:
        """Sends on what subprocesses and C code wrote to descriptors 1 and 2."""
        with self.cuts, self.draining:
            for number, raw in self.raw.items():
                while True:
                    try:
                        data = os.read(raw, PIECE)
                    except BlockingIOError:
                        break
                    self.wire.send(STREAM[number], data)

    def keep_forwarding(self) -> None:
        waiting = select.poll()
        for raw in self.raw.values():
            waiting.register(raw, select.POLLIN)
        while True:
            waiting.poll()
            self.forward()

    def start(self, request: Dict[str, Any]) -> None:
        sys.path[:] = request["path"]
        os.chdir(request["work"])
        self.work, self.most = request["work"], request["value"]
        self.out = [stream(1, "stdout"), stream(2, "stderr")]
        self.tools = Tools(wire, request["tools"], request["tool_bytes"])
        self.main = types.ModuleType("__main__")
        setattr(self.main, "__builtins__", builtins)
        sys.modules["__main__"] = self.main
        self.scope = self.main.__dict__
        for name in self.tools.names:
            self.scope[name] = getattr(self.tools.module, name)
        answer: Dict[str, Any] = {"op": "ready"}
        try:
            for name in request["preload"]:
                __import__(name)
        except BaseException as error:
            self.describe(error, answer)
        self.wire.send(header(answer))

    def serve(self) -> None:
        while True:
            request, size = self.wire.head()
            op = request["op"]
            if op == "run":
                self.run(request["id"], self.wire.exactly(size))
            elif op in files.REQUESTS:
                answer, body = files.serve(self.work, self.wire, request, size)
                self.wire.send(header(answer), body)
            else:
                self.wire.exactly(size)

    def run(self, ident: int, code: bytes) -> None:
        self.ident = ident
        answer: Dict[str, Any] = {"op": "end", "id": ident}
        body = b""
        self.cuts.running = ident
        try:
            try:
                found, value = self.execute(code.decode(), "<session %d>" % ident)
                if found:
                    body = self.render(value, answer)
            except BaseException as error:
                self.describe(error, answer)
            if self.forked:
                self.leave("error" in answer)
            self.flush()
        except BaseException as error:
            self.cuts.running = None
            answer["error"] = [type(error).__name__, "", ""]
        self.end(answer, body)

    def end(self, answer: Dict[str, Any], body: bytes) -> None:
        with self.tools.turn:
            self.cuts.running = None
        self.ident = None
        self.wire.send(header(answer), body)

    def execute(self, code: str, name: str) -> Tuple[bool, Any]:
        tree: Any = compile(code, name, "exec", _ast.PyCF_ONLY_AST, True)
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        linecache.cache.pop("<session %d>" % (self.ident - KEPT), None)
        last = tree.body.pop() if tree.body and type(tree.body[-1]) is _ast.Expr else None
        first = compile(tree, name, "exec", 0, True)
        if last is None:
            exec(first, self.scope)
            return False, None
        value = compile(_ast.Expression(last.value), name, "eval", 0, True)
        if tree.body:
            exec(first, self.scope)
        return True, eval(value, self.scope)

    def render(self, value: Any, answer: Dict[str, Any]) -> bytes:
        answer["repr"] = cut(repr(value))
        try:
            if plain(value, self.most):
                body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
                if len(body) <= self.most:
                    answer["value"] = True
                    return body
        except Exception:
            pass
        return b""

    def describe(self, error: BaseException, answer: Dict[str, Any]) -> None:
        """Puts the exception into the answer, without the frames of what runs it."""
        import traceback

        kind, trace = type(error), error.__traceback__
        while trace is not None and ours(trace):
            trace = trace.tb_next
        last = trace
        while last is not None and last.tb_next is not None:
            if ours(last.tb_next):
                last.tb_next = None
            last = last.tb_next
        name = kind.__qualname__
        if kind.__module__ not in ("builtins", "__main__"):
            name = "%s.%s" % (kind.__module__, name)
        try:
            message = str(error)
        except Exception:
            message = ""
        text = "".join(traceback.format_exception(kind, error, trace))
        if len(text) > TEXT:
            text = text[: TEXT // 2] + "\n\u2026\n" + text[-TEXT // 2 + 3 :]
        answer["error"] = [cut(name), cut(message), text]

    def flush(self) -> None:
        for index, (number, name) in enumerate(((1, "stdout"), (2, "stderr"))):
            try:
                self.out[index].flush()
            except ValueError:  # closed by who was given it
                self.out[index] = stream(number, name)
        self.forward()

    def leave(self, failed: bool) -> None:
        """Ends a process that the code forked and that came back from it."""
        for text in self.out:
            text.flush()
        os._exit(1 if failed else 0)


def ours(trace: types.TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith("<stockade guest ")


def before_fork() -> None:
    for text in host.out:
        try:
            text.flush()
        except ValueError:
            pass


def after_fork() -> None:
    """A child has no part in the channel: what it prints goes by its descriptors."""
    host.forked, host.tools.alive, wire.cuts.running = True, False, None
    os.close(wire.source)
    os.close(wire.sink)


def settle() -> Tuple[int, int, int]:
    """Takes the channel off the descriptors that code can see."""
    source, sink, crash = os.dup(0), os.dup(1), os.dup(2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return source, sink, crash


def piped(number: int) -> int:
    """Puts a pipe in the place of a descriptor, and gives its end to read from."""
    raw, write = os.pipe()
    try:
        fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20)  # so that C code seldom waits
    except OSError:
        pass
    os.dup2(write, number)
    os.close(write)
    os.set_blocking(raw, False)
    return raw


def furnish(crash: int) -> None:
    """What `site` would have given, and what a process with a second thread needs."""
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _sitebuiltins._Helper()
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    setattr(sys, "__stdin__", sys.stdin)
    faulthandler.enable(crash)  # what nobody is left to forward
    # No lock of the thread that forwards is one that a child waits for.
    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    os.register_at_fork(before=before_fork, after_in_child=after_fork)


def main() -> None:
    global host, wire
    source, sink, crash = settle()
    wire = Wire(source, sink)
    host = Host(wire, {number: piped(number) for number in (1, 2)})
    furnish(crash)
    host.start(wire.receive()[0])
    signal.signal(signal.SIGIO, wire.cuts.signalled)
    fcntl.fcntl(source, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(source, fcntl.F_SETFL, fcntl.fcntl(source, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=host.keep_forwarding, daemon=True).start()
    while True:
        try:
            host.serve()
        except BaseException as error:
            if getattr(error, "errno", None) == errno.EBADF:
                os._exit(1)  # the code closed the channel
            # An interrupt that came between two lines of this file: its call still wants its end.
            wire.cuts.running = None
            if host.ident is not None:
                host.end(
                    {"op": "end", "id": host.ident, "error": [type(error).__name__, "", ""]}, b""
                )
