"""Runs for ``asyncio``: nothing here blocks the event loop, and a task that is cancelled kills what
it waits for."""

from __future__ import annotations

import asyncio
import os
from asyncio import StreamReader, StreamWriter
from subprocess import PIPE
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Optional, Tuple, Union, overload

from . import _native
from .completed import Completed, Text, concluded, descriptor
from .policy import Policy, policy_of, with_keywords
from .popen import Popen
from .report import Report, Verdict
from .sandbox import Sandbox, sandbox_for, words

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import AnyRun, Args, BytesRun, TextRun

__all__ = ["Process", "arun", "create_sandboxed_exec"]


async def ended(run: _native.Running) -> _native.Report:
    """Waits for a run; cancelling that kills it, and still waits until nothing of it is alive."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    # A loop knows one reader of each descriptor, and others may wait for this run.
    number = os.dup(run.fileno())
    loop.add_reader(number, _ring, over)
    try:
        try:
            await asyncio.shield(over)
        except asyncio.CancelledError:
            run.kill()
            # Milliseconds; a second order to stop comes through.
            await over
            raise
    finally:
        loop.remove_reader(number)
        os.close(number)
    report = run.poll()
    assert report is not None
    return report


def _ring(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


async def awaited(
    args: Any,
    input: Any,
    start: Callable[[Any], _native.Running],
    *,
    text: Optional[bool] = None,
    encoding: Optional[str] = None,
    errors: Optional[str] = None,
    check: bool = False,
) -> Completed[Any]:
    """A captured run that is awaited, and its result as the caller wants it."""
    how = Text(text, encoding, errors)
    return concluded(args, await ended(start(how.encode(input))), how, check)


@overload
async def arun(args: Args, **how: Unpack[TextRun]) -> Completed[str]: ...
@overload
async def arun(args: Args, **how: Unpack[BytesRun]) -> Completed[bytes]: ...
@overload
async def arun(args: Args, **how: Unpack[AnyRun]) -> Completed[Any]: ...
@with_keywords
async def arun(
    args: Args,
    *,
    input: Any = None,
    stdin: Any = None,
    text: Optional[bool] = None,
    encoding: Optional[str] = None,
    errors: Optional[str] = None,
    check: bool = False,
    backend: Union[str, Sandbox] = "auto",
    policy: Union[Policy, Mapping[str, Any], None] = None,
    **keywords: Any,
) -> Completed[Any]:
    """Runs a program as :func:`stockade.run` does, without blocking the event loop.

    Cancelling the task, as ``asyncio.wait_for`` does, kills the program. A thread waits for each run.

    >>> import asyncio, stockade
    >>> asyncio.run(stockade.arun(["echo", "hello"], text=True)).stdout
    'hello\\n'

    Raises:
        As :func:`stockade.run`.
    """
    if input is not None and stdin is not None:
        raise ValueError("`stdin` and `input` are two ways to say one thing: give one of them")
    name, rest = words(args)
    chosen = policy_of(policy, keywords)._native
    native = sandbox_for(backend, name)._native
    how = Text(text, encoding, errors)
    given = how.encode(input) if stdin is None else descriptor(stdin)
    return concluded(args, await ended(native.start(chosen, name, rest, given)), how, check)


class Process:
    """A program that runs, as ``asyncio.subprocess.Process`` is one."""

    def __init__(
        self,
        process: Popen[bytes],
        stdin: Optional[StreamWriter],
        stdout: Optional[StreamReader],
        stderr: Optional[StreamReader],
        transports: Tuple[asyncio.BaseTransport, ...],
    ) -> None:
        self.args = process.args
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._process = process
        self._transports = transports

    @property
    def returncode(self) -> Optional[int]:
        """As of :class:`Completed`; ``None`` while the program runs."""
        return self._process.returncode

    @property
    def report(self) -> Optional[Report]:
        """The report, once the run is over."""
        return self._process.report

    @property
    def verdict(self) -> Optional[Verdict]:
        """Why the run ended, once it has."""
        return self._process.verdict

    async def wait(self) -> int:
        """Waits for the end. A cancelled wait kills the program."""
        if self._process.poll() is None:
            await ended(self._process._run)
        return self._process.wait()

    async def communicate(
        self, input: Optional[bytes] = None
    ) -> Tuple[Optional[bytes], Optional[bytes]]:
        """Writes ``input``, reads both outputs to their ends, and waits. Cancelling that kills the
        program."""
        try:
            _, stdout, stderr = await asyncio.gather(
                self._feed(input), _all_of(self.stdout), _all_of(self.stderr)
            )
            await self.wait()
        except asyncio.CancelledError:
            self.kill()
            raise
        return stdout, stderr

    async def _feed(self, input: Optional[bytes]) -> None:
        if self.stdin is None:
            return
        try:
            if input:
                self.stdin.write(input)
                await self.stdin.drain()
            self.stdin.close()
            await self.stdin.wait_closed()
        except (BrokenPipeError, ConnectionResetError):
            # The program has no use for the rest.
            pass

    def kill(self) -> None:
        """Kills every process of the run."""
        self._process.kill()

    terminate = kill

    async def __aenter__(self) -> Process:
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self.kill()
        # A program that still writes is told that nobody reads any more.
        for transport in self._transports:
            transport.close()
        await self._feed(None)
        await self.wait()

    def __repr__(self) -> str:
        return repr(self._process).replace("<Popen", "<Process", 1)


class _Input(asyncio.streams.FlowControlMixin):
    """The protocol of a stream that is only written."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._closed: asyncio.Future[None] = loop.create_future()

    def connection_lost(self, error: Optional[Exception]) -> None:
        super().connection_lost(error)
        if not self._closed.done():
            self._closed.set_result(None)

    def _get_close_waiter(self, stream: StreamWriter) -> asyncio.Future[None]:
        return self._closed


async def _all_of(stream: Optional[StreamReader]) -> Optional[bytes]:
    return None if stream is None else await stream.read()


async def create_sandboxed_exec(
    *args: Any,
    stdin: Any = None,
    stdout: Any = PIPE,
    stderr: Any = PIPE,
    limit: int = 2**16,
    **keywords: Any,
) -> Process:
    """Starts a program with streams of the event loop, as ``asyncio.create_subprocess_exec`` does.

    Takes the keywords of :class:`stockade.Popen`; ``limit`` is that of the stream readers.

    >>> import asyncio, stockade
    >>> async def shout():
    ...     async with await stockade.create_sandboxed_exec("cat", stdin=stockade.PIPE) as cat:
    ...         return await cat.communicate(b"hello")
    >>> asyncio.run(shout())
    (b'hello', b'')
    """
    loop = asyncio.get_running_loop()
    for name in ("text", "encoding", "errors"):
        if keywords.get(name):
            raise ValueError(f"`{name}`: the streams of an event loop are bytes")
    process: Popen[bytes] = Popen(
        list(args), stdin=stdin, stdout=stdout, stderr=stderr, bufsize=0, **keywords
    )
    transports: List[asyncio.BaseTransport] = []

    async def reader(file: Any) -> Optional[StreamReader]:
        if file is None:
            return None
        stream = StreamReader(limit, loop=loop)
        protocol = asyncio.StreamReaderProtocol(stream, loop=loop)
        transport, _ = await loop.connect_read_pipe(lambda: protocol, file)
        transports.append(transport)
        return stream

    async def writer(file: Any) -> Optional[StreamWriter]:
        if file is None:
            return None
        transport, protocol = await loop.connect_write_pipe(lambda: _Input(loop), file)
        transports.append(transport)
        return StreamWriter(transport, protocol, None, loop)

    try:
        ends = (
            await writer(process.stdin),
            await reader(process.stdout),
            await reader(process.stderr),
        )
    except BaseException:
        process.kill()
        raise
    return Process(process, *ends, tuple(transports))
