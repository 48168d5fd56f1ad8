"""A Python interpreter that is kept alive inside one sandbox.

>>> import stockade
>>> with stockade.Session() as s:
...     _ = s.run("x = 20")
...     s.run("print('hello'); x + 1")
<Result ok repr='21' stdout='hello\\n' ...>

What holds for each call and what for the session: ``timeout`` and ``output`` bound one call. Memory, CPU
time, processes and disk are the kernel's to hold, and they are the sandbox's, from its start to its end.

Code inside shares the process with what speaks to the host, so it can answer whatever it likes, and
the host takes it for data: JSON and text, bounded, never unpickled, never evaluated; no path from
inside is opened. What a result says is as true as the code that was run.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
import warnings
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Tuple, Union

from ._remote.call import CallLimits, Request
from ._remote.channel import ChannelClosed, ChannelError
from ._remote.files import FileRefused, Files
from ._remote.setting import Setting
from ._remote.stream import Stream
from ._remote.talk import Talk
from ._remote.toolbox import Toolbox, ToolLimits
from ._remote.faults import RemoteError
from .errors import HostLost, SandboxError
from .result import Failure, Result, SessionLost

__all__ = ["Failure", "FileRefused", "Result", "Session", "SessionLost", "Stream"]

_START = 60.0
"""Seconds that an interpreter may take to come up, its imports included."""


_UNSET: Any = object()
Listener = Optional[Callable[[str], Any]]


class Session:
    """A Python interpreter inside a sandbox, which keeps its variables and files between calls.

    ``preload`` names modules that are imported at the start, so that an import in a call is fast.
    ``files`` are put into the working folder, ``/work``: names and bytes.

    ``timeout`` bounds the time of a call, in seconds; None lifts the bound. When it is over, the code is
    interrupted by a ``KeyboardInterrupt``, and what it had is kept. Code that goes on for ``grace``
    seconds more is killed with the sandbox, and `SessionLost` raised. ``output`` bounds the bytes a call
    prints, of each stream; past it the code is interrupted in the same way, or, with
    ``output_overflow="truncate"``, goes on and the rest is dropped.

    ``tools`` are functions of the host's, by name, that code inside may call: they are in its namespace
    and in the module ``stockade_tools``. Arguments and results travel as JSON. A tool runs in the thread
    that called ``run``; its time counts for the call, and it is not interrupted. Its exceptions arrive
    inside as a ``stockade_tools.ToolError`` with their text. ``tool_calls`` bounds the calls in one run,
    ``tool_bytes`` the JSON of arguments and of a result, ``tool_rate`` the calls in a second; more is
    refused, with a ``ToolError``. Arguments come from code that is not trusted: check them.

    With ``spare`` a second interpreter waits in a sandbox of its own, for ``reset``.

    ``policy``, or its keywords, bound the sandbox for the whole session: ``memory``, ``cpu_time``,
    ``processes``, ``disk``, ``wall_time`` and the others of `Policy`. Without a policy, ``cpu_time`` is
    600 seconds and ``wall_time`` has no bound.

    One call runs at a time: another thread waits for its turn, and a call from within a call (by a tool
    or a listener) raises ``RuntimeError``. Threads that code leaves running go on between calls; what
    they print belongs to the next call. After ``os.fork`` the child's copy raises.

    >>> with Session(tools={"add": lambda a, b: a + b}) as s:
    ...     s.run("add(1, 2)").value
    3
    """

    def __init__(
        self,
        *,
        preload: Iterable[str] = (),
        files: Optional[Mapping[str, bytes]] = None,
        tools: Optional[Mapping[str, Callable[..., Any]]] = None,
        timeout: Optional[float] = 30.0,
        grace: float = 1.0,
        output: Optional[int] = 1 << 20,
        output_overflow: str = "stop",
        tool_calls: int = 100,
        tool_bytes: int = 1 << 20,
        tool_rate: float = 50.0,
        spare: bool = False,
        policy: Any = None,
        **policy_keywords: Any,
    ) -> None:
        self._state: Optional[Talk] = None
        self._closed = True
        if output_overflow not in ("stop", "truncate"):
            raise ValueError(f"output_overflow={output_overflow!r} is neither 'stop' nor 'truncate'")
        self._limits = CallLimits(_seconds(timeout), float(grace), output, output_overflow == "truncate")
        self._tools = Toolbox(tools or {}, ToolLimits(tool_calls, tool_bytes, tool_rate))
        self._files = {Files.name(name): bytes(data) for name, data in (files or {}).items()}
        self._setting: Optional[Setting] = Setting(policy, policy_keywords, list(preload), self._tools)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._holder: Optional[int] = None
        self._request: Optional[Request] = None
        self._lost: Optional[Tuple[str, Any]] = None
        self._spare: Optional[Talk] = None
        self._wants_spare = spare
        self._closed = False
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    # -- running code

    def run(
        self,
        code: str,
        *,
        timeout: Optional[float] = _UNSET,
        output: Optional[int] = _UNSET,
        check: bool = False,
        on_stdout: Listener = None,
        on_stderr: Listener = None,
    ) -> Result:
        """Run ``code`` and wait for its end.

        ``timeout`` in seconds and ``output`` in bytes replace the session's for this call. ``on_stdout``
        and ``on_stderr`` get text as it comes, in this thread. An exception of the code is in the
        result; with ``check`` it is raised as `RemoteError`.

        Raises `SessionLost` where the sandbox ended or had to be killed. Ctrl-C interrupts the code,
        and is raised when that has ended.

        >>> with Session() as s:
        ...     s.run("1 / 0").error.type
        'ZeroDivisionError'
        """
        return self._run(code, timeout, output, check, (on_stdout, on_stderr), Request())

    def _run(
        self,
        code: str,
        timeout: Optional[float],
        output: Optional[int],
        check: bool,
        listeners: Tuple[Listener, Listener],
        request: Request,
    ) -> Result:
        stream = Stream(self, code, self._call_limits(timeout, output), request)
        if listeners == (None, None):
            for _ in stream.events():
                pass
        else:
            with contextlib.closing(stream):
                for name, text in stream:
                    listener = listeners[0 if name == "stdout" else 1]
                    if listener is not None:
                        listener(text)
        result = stream.result
        if check and result.error is not None:
            raise RemoteError(result.error.type, result.error.message, result.error.traceback)
        return result

    def stream(self, code: str, *, timeout: Optional[float] = _UNSET, output: Optional[int] = _UNSET) -> Stream:
        """Run ``code`` and iterate over what it prints, as pairs of "stdout" or "stderr" and text.

        Leaving the iteration early interrupts the code. The code starts with the iteration.

        >>> with Session() as s:
        ...     stream = s.stream("for i in range(2): print(i)")
        ...     print([text for _, text in stream], stream.result.ok)
        ['0\\n', '1\\n'] True
        """
        return Stream(self, code, self._call_limits(timeout, output), Request())

    async def arun(
        self,
        code: str,
        *,
        timeout: Optional[float] = _UNSET,
        output: Optional[int] = _UNSET,
        check: bool = False,
        on_stdout: Listener = None,
        on_stderr: Listener = None,
    ) -> Result:
        """As ``run``, for a coroutine. It waits in a thread of the loop's default executor.

        Tools and listeners run in that thread. Cancelling interrupts the code; if that does not end it
        within the grace, the sandbox is killed.
        """
        request = Request()
        work = functools.partial(self._run, code, timeout, output, check, (on_stdout, on_stderr), request)
        future = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            request.cancel = True
            self._wake(request)
            if not future.cancel():
                await asyncio.wait([future])
                future.exception()
            raise

    def interrupt(self) -> bool:
        """Raise ``KeyboardInterrupt`` in the code that runs now; for other threads and signal handlers.

        False if none runs. Code may catch it and go on, as at a terminal.
        """
        self._own()
        request = self._request
        if request is None:
            return False
        request.interrupt = True
        self._wake(request)
        return True

    def _wake(self, request: Request) -> None:
        talk = self._state
        if talk is not None and self._request is request:
            with contextlib.suppress(OSError):
                talk.wake()

    # -- files

    def put(self, path: str, data: Union[bytes, bytearray, memoryview]) -> None:
        """Write ``data`` to a file of the working folder; folders on the way are made.

        ``path`` is relative to ``/work``, or absolute below it. Raises `FileRefused` for ``..``, for
        what is or leads through a link, and for what is no regular file or has no room.

        >>> with Session() as s:
        ...     s.put("in/numbers.txt", b"1 2 3")
        ...     s.run("open('in/numbers.txt').read()").value
        '1 2 3'
        """
        with self._turn() as talk, self._guarded():
            Files(talk, self._deadline()).put(path, data)

    def get(self, path: str, *, max_size: int = 16 << 20) -> bytes:
        """The contents of a file of the working folder, of at most ``max_size`` bytes.

        Raises `NotFound`, and `FileRefused` as `put` does and for a file that is larger.

        >>> with Session() as s:
        ...     _ = s.run("open('out', 'wb').write(bytes(3))")
        ...     s.get("out")
        b'\\x00\\x00\\x00'
        """
        with self._turn() as talk, self._guarded():
            return Files(talk, self._deadline()).get(path, max_size)

    def files(self, *, max_count: int = 1000) -> Dict[str, int]:
        """The regular files of the working folder: names relative to it, and sizes in bytes.

        Names with characters that cannot be printed are left out. Raises `FileRefused` if there are
        more than ``max_count``.

        >>> with Session(files={"a.txt": b"abc"}) as s:
        ...     s.files()
        {'a.txt': 3}
        """
        with self._turn() as talk, self._guarded():
            return Files(talk, self._deadline()).list(max_count)

    # -- life

    def reset(self) -> None:
        """A new interpreter in a new sandbox: variables and files are gone, ``files`` are put anew.

        Also when the session was lost.

        >>> with Session() as s:
        ...     _ = s.run("x = 1")
        ...     s.reset()
        ...     s.run("x").error.type
        'NameError'
        """
        with self._hold():
            self._dispose()
            self._begin()

    def close(self) -> None:
        """End the interpreter and its sandbox. A call that another thread waits for raises `SessionLost`."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        talk = self._state
        if self._holder == threading.get_ident():
            # From a tool or a listener: the call that it belongs to cleans up.
            if talk is not None:
                talk.kill()
            return
        if talk is not None and self._lock.locked():
            talk.kill()
        with self._lock:
            self._drop_all()

    @property
    def alive(self) -> bool:
        """Whether the interpreter is there, as far as is known."""
        return not self._closed and self._lost is None and os.getpid() == self._pid

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed and os.getpid() == self._pid:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._closed = True
            self._drop_all()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "lost" if self._lost else "running" if self._request else "idle"
        limits = self._limits
        return f"<Session {state} timeout={limits.timeout} output={limits.output}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Session cannot be pickled: it is a process in a sandbox")

    # -- within

    def _begin(self) -> None:
        setting = self._setting
        assert setting is not None
        talk, self._spare = self._spare or setting.launch(), None
        self._state, self._lost = talk, None
        deadline = time.monotonic() + _START
        with self._guarded():
            setting.wait(talk, deadline)
            for name, data in self._files.items():
                Files(talk, deadline).put(name, data)
        if self._wants_spare:
            self._spare = setting.launch()

    def _dispose(self) -> None:
        talk, self._state = self._state, None
        if talk is not None:
            talk.close()

    def _drop_all(self) -> None:
        self._dispose()
        talk, self._spare = self._spare, None
        if talk is not None:
            talk.close()
        self._setting = None

    def _own(self) -> None:
        if os.getpid() != self._pid:
            raise HostLost("the session belongs to the process that made it, and this is a child of that")

    @contextlib.contextmanager
    def _hold(self) -> Iterator[None]:
        self._own()
        me = threading.get_ident()
        if self._holder == me:
            raise RuntimeError("a call of this session is under way in this thread")
        with self._lock:
            if self._closed:
                raise SessionLost("the session is closed")
            self._holder = me
            try:
                yield
            finally:
                self._holder = None
                if self._closed:
                    self._drop_all()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[Talk]:
        with self._hold():
            if self._lost is not None or self._state is None:
                why, report = self._lost or ("the interpreter did not start", None)
                raise SessionLost(f"the session is lost: {why}", report)
            yield self._state

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """A request that is no call: what breaks it off leaves half an answer, and ends the sandbox."""
        talk = self._state
        assert talk is not None
        try:
            yield
        except ChannelError as error:
            report = talk.end(kill=not isinstance(error, ChannelClosed))
            verdict = getattr(report, "verdict", None)
            why = f"the interpreter ended: {verdict}" if isinstance(error, ChannelClosed) else f"it was killed: {error}"
            stderr = talk.printed().decode("utf-8", "replace")
            self._lose(why, report)
            raise SessionLost(f"{why}\n{stderr}".rstrip(), report, stderr=stderr) from None
        except (SandboxError, TypeError, ValueError):
            raise
        except BaseException:
            self._lose("a request was broken off", talk.end(kill=True))
            raise

    def _lose(self, why: str, report: Any) -> None:
        self._lost = ("the session was closed" if self._closed else why, report)
        self._dispose()

    def _deadline(self) -> Optional[float]:
        timeout = self._limits.timeout
        return None if timeout is None else time.monotonic() + timeout + self._limits.grace

    def _call_limits(self, timeout: Any, output: Any) -> CallLimits:
        if timeout is _UNSET and output is _UNSET:
            return self._limits
        usual = self._limits
        return CallLimits(
            usual.timeout if timeout is _UNSET else _seconds(timeout),
            usual.grace,
            usual.output if output is _UNSET else output,
            usual.truncate,
        )


def _seconds(timeout: Any) -> Optional[float]:
    if timeout is None:
        return None
    seconds = float(timeout)
    if not 0 < seconds < 1e9:
        raise ValueError(f"timeout={timeout!r} is no time in seconds")
    return seconds
