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
import warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Mapping, Optional, Tuple, Union

from ._remote.call import UNSET, CallLimits, Request, duration
from ._remote.faults import RemoteError
from ._remote.files import FileRefused, Files
from ._remote.keeper import Keeper
from ._remote.setting import Setting
from ._remote.stream import Stream
from ._remote.toolbox import Toolbox, ToolLimits
from ._remote.units import size
from .result import Failure, Result, SessionLost

if TYPE_CHECKING:
    from .keywords import Duration, Size

__all__ = ["Failure", "FileRefused", "Result", "Session", "SessionLost", "Stream"]

Listener = Optional[Callable[[str], Any]]


class Session:
    """A Python interpreter inside a sandbox, which keeps its variables and files between calls.

    ``preload`` names modules that are imported at the start, so that an import in a call is fast.
    ``files`` are put into the working folder, ``/work``: names and bytes.

    Sizes and times are written as in a policy: bytes or ``"64MiB"``, seconds, ``"500ms"`` or a
    ``timedelta``. ``timeout`` bounds the time of a call; None lifts the bound. When it is over, the code is
    interrupted by a ``KeyboardInterrupt``, and what it had is kept. Code that goes on for ``grace``
    seconds more is killed with the sandbox, and `SessionLost` raised. ``output`` bounds the bytes a call
    prints, of each stream, or is None; past it the code is interrupted in the same way, or, with
    ``output_overflow="truncate"``, goes on and the rest is dropped. A request about files that gets no
    answer in time, or is broken off by Ctrl-C, ends the sandbox.

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

    Inside, standard input is empty, ``print`` and its like keep their order, and what C code and other
    programs print is put between as it comes. C code that prints more than a pipe holds (64 KiB to 1 MiB)
    without letting other threads of Python run blocks until the timeout.

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
        timeout: Optional[Duration] = 30.0,
        grace: Duration = 1.0,
        output: Optional[Size] = 1 << 20,
        output_overflow: str = "stop",
        tool_calls: int = 100,
        tool_bytes: Size = 1 << 20,
        tool_rate: float = 50.0,
        spare: bool = False,
        policy: Any = None,
        **policy_keywords: Any,
    ) -> None:
        if output_overflow not in ("stop", "truncate"):
            raise ValueError(
                f"output_overflow={output_overflow!r} is neither 'stop' nor 'truncate'"
            )
        usual = CallLimits(None, duration(grace) or 0.0, None, output_overflow == "truncate")
        self._limits = usual.changed(timeout, output)
        self._tools = Toolbox(
            tools or {}, ToolLimits(tool_calls, size(tool_bytes, "tool_bytes"), tool_rate)
        )
        put = {Files.name(name): bytes(data) for name, data in (files or {}).items()}
        setting = Setting(policy, policy_keywords, list(preload), self._tools)
        self._keeper = Keeper(setting, put, spare)
        try:
            self.reset()
        except BaseException:
            self.close()
            raise

    # -- running code

    def run(
        self,
        code: str,
        *,
        timeout: Optional[Duration] = UNSET,
        output: Optional[Size] = UNSET,
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
        timeout: Optional[Duration],
        output: Optional[Size],
        check: bool,
        listeners: Tuple[Listener, Listener],
        request: Request,
    ) -> Result:
        stream = Stream(
            self._keeper, self._tools, code, self._limits.changed(timeout, output), request
        )
        if listeners == (None, None):
            with contextlib.closing(stream.events()) as events:
                for _ in events:
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

    def stream(
        self, code: str, *, timeout: Optional[Duration] = UNSET, output: Optional[Size] = UNSET
    ) -> Stream:
        """Run ``code`` and iterate over what it prints, as pairs of "stdout" or "stderr" and text.

        Leaving the iteration early interrupts the code. The code starts with the iteration.

        >>> with Session() as s:
        ...     stream = s.stream("for i in range(2): print(i)")
        ...     print([text for _, text in stream], stream.result.ok)
        ['0\\n', '1\\n'] True
        """
        return Stream(
            self._keeper, self._tools, code, self._limits.changed(timeout, output), Request()
        )

    async def arun(
        self,
        code: str,
        *,
        timeout: Optional[Duration] = UNSET,
        output: Optional[Size] = UNSET,
        check: bool = False,
        on_stdout: Listener = None,
        on_stderr: Listener = None,
    ) -> Result:
        """As ``run``, for a coroutine. It waits in a thread of the loop's default executor.

        Tools and listeners run in that thread. Cancelling interrupts the code; if that does not end it
        within the grace, the sandbox is killed.
        """
        request = Request()
        work = functools.partial(
            self._run, code, timeout, output, check, (on_stdout, on_stderr), request
        )
        future = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            request.cancel = True
            if self._keeper.wake(request):
                await asyncio.wait([future])
                future.exception()
            else:  # it has not begun, and will not
                future.cancel()
            raise

    def interrupt(self) -> bool:
        """Raise ``KeyboardInterrupt`` in the code that runs now; for other threads and signal handlers.

        False if none runs. Code may catch it and go on, as at a terminal.
        """
        self._keeper.own()
        request = self._keeper.request
        if request is None:
            return False
        request.interrupt = True
        return self._keeper.wake(request)

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
        with self._keeper.files(self._limits.patience) as files:
            files.put(path, data)

    def get(self, path: str, *, max_size: Size = 16 << 20) -> bytes:
        """The contents of a file of the working folder, of at most ``max_size`` bytes.

        Raises `NotFound`, and `FileRefused` as `put` does and for a file that is larger.

        >>> with Session() as s:
        ...     _ = s.run("open('out', 'wb').write(bytes(3))")
        ...     s.get("out")
        b'\\x00\\x00\\x00'
        """
        with self._keeper.files(self._limits.patience) as files:
            return files.get(path, size(max_size, "max_size"))

    def files(self, *, max_count: int = 1000) -> Dict[str, int]:
        """The regular files of the working folder: names relative to it, and sizes in bytes.

        Names with characters that cannot be printed are left out. Raises `FileRefused` if there are
        more than ``max_count``.

        >>> with Session(files={"a.txt": b"abc"}) as s:
        ...     s.files()
        {'a.txt': 3}
        """
        with self._keeper.files(self._limits.patience) as files:
            return files.list(max_count)

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
        with self._keeper.hold():
            self._keeper.renew()

    def close(self) -> None:
        """End the interpreter and its sandbox. A call that another thread waits for raises `SessionLost`."""
        self._keeper.close()

    @property
    def alive(self) -> bool:
        """Whether the interpreter is there, as far as is known."""
        return self._keeper.alive

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        keeper = getattr(self, "_keeper", None)
        if keeper is not None and keeper.mine and not keeper.closed:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            keeper.close()

    def __repr__(self) -> str:
        keeper, limits = self._keeper, self._limits
        state = (
            "closed"
            if keeper.closed
            else "lost"
            if not keeper.alive
            else "running"
            if keeper.request
            else "idle"
        )
        return f"<Session {state} timeout={limits.timeout} output={limits.output}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Session cannot be pickled: it is a process in a sandbox")
