"""``subprocess.Popen``, but safe: talk with a program while it runs."""

from __future__ import annotations

import io
import os
import selectors
import subprocess
import time
from contextlib import suppress
from subprocess import DEVNULL, PIPE, STDOUT
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    AnyStr,
    Dict,
    Generic,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
    overload,
)

from .completed import Text, descriptor
from .errors import SandboxError
from .policy import Policy, policy_of
from .report import Report, Verdict
from .sandbox import Prepared, sandbox_for, words

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import AnyPopen, Args, BytesPopen, TextPopen
    from .sandbox import Sandbox

    _Started = Union[Args, Prepared]

__all__ = ["DEVNULL", "PIPE", "STDOUT", "Popen"]


class Popen(Generic[AnyStr]):
    """A program that runs, and live streams to and from it.

    ``stdin``, ``stdout`` and ``stderr`` are ``PIPE`` (the default of the outputs), ``DEVNULL``, a file
    or a descriptor; ``stderr=STDOUT`` joins the outputs. What runs and how it is limited is said as in
    :func:`run`. The limit ``output`` counts what is streamed.

    Iterating gives the lines of standard output as they come. Leaving a ``with`` block waits for the
    program, and kills it if the block raised. Dropping the object kills it as well.

    A thread waits for the run, and one more moves each output.

    >>> import stockade
    >>> with stockade.Popen(["cat"], stdin=stockade.PIPE, text=True) as cat:
    ...     _ = cat.stdin.write("hello\\n")
    ...     cat.stdin.close()
    ...     for line in cat:
    ...         print(line, end="")
    hello
    >>> cat.returncode
    0
    """

    #: What was given as ``args``.
    args: Any
    stdin: Optional[IO[AnyStr]]
    stdout: Optional[IO[AnyStr]]
    stderr: Optional[IO[AnyStr]]

    @overload
    def __init__(self: Popen[str], args: _Started, **how: Unpack[TextPopen]) -> None: ...
    @overload
    def __init__(self: Popen[bytes], args: _Started, **how: Unpack[BytesPopen]) -> None: ...
    @overload
    def __init__(self: Popen[Any], args: _Started, **how: Unpack[AnyPopen]) -> None: ...
    def __init__(
        self,
        args: _Started,
        *,
        stdin: Any = None,
        stdout: Any = PIPE,
        stderr: Any = PIPE,
        text: Optional[bool] = None,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
        bufsize: int = -1,
        backend: Union[str, Sandbox] = "auto",
        policy: Union[Policy, Mapping[str, Any], None] = None,
        **keywords: Any,
    ) -> None:
        self.stdin = self.stdout = self.stderr = None
        self._report: Optional[Report] = None
        self._kept: Dict[str, List[bytes]] = {}
        self._rest: Optional[memoryview] = None
        self._text = Text(text, encoding, errors)
        if not isinstance(bufsize, int):
            raise TypeError(f"`bufsize` is a number of bytes, not {bufsize!r}")
        piped = stdin == PIPE
        streams = (piped, _sink(stdout), None if stderr == STDOUT else _sink(stderr))
        given = None if piped else descriptor(stdin)
        if isinstance(args, Prepared):
            if policy is not None or keywords or backend != "auto":
                raise TypeError("what was prepared has its policy and its backend already")
            self.args = args.args
            self._run = args._native.start(given, streams=streams)
        else:
            self.args = args
            name, rest = words(args)
            chosen = policy_of(policy, keywords)._native
            native = sandbox_for(backend, name)._native
            self._run = native.start(chosen, name, rest, given, streams=streams)
        numbers = self._run.pipes
        self.stdin, self.stdout, self.stderr = (
            None if number is None else self._file(number, mode, bufsize)
            for number, mode in zip(numbers, ("wb", "rb", "rb"))
        )

    def _file(self, number: int, mode: str, bufsize: int) -> Any:
        if self._text.wanted:
            buffered = open(number, mode, bufsize if bufsize > 1 else -1)
            how = self._text
            write = mode == "wb"
            return io.TextIOWrapper(
                buffered,
                encoding=how.encoding,
                errors=how.errors,
                line_buffering=write and bufsize == 1,
                write_through=write and bufsize == 0,
            )
        # Bytes have no lines.
        return open(number, mode, -1 if bufsize == 1 else bufsize)

    @property
    def report(self) -> Optional[Report]:
        """The report, once the run is over."""
        self.poll()
        return self._report

    @property
    def verdict(self) -> Optional[Verdict]:
        """Why the run ended, once it has."""
        report = self.report
        return None if report is None else report.verdict

    @property
    def returncode(self) -> Optional[int]:
        """As of :class:`Completed`; ``None`` while the program runs."""
        return self.poll()

    def poll(self) -> Optional[int]:
        """The return code if the run is over.

        Raises:
            SandboxError: the sandbox could not be built, or its helper died.
        """
        if self._report is None:
            native = self._run.poll()
            if native is None:
                return None
            self._report = Report(native)
        return self._report.returncode

    def _ended(self) -> Report:
        self.wait()
        assert self._report is not None
        return self._report

    def wait(self, timeout: Optional[float] = None) -> int:
        """Waits for the end. Outputs that nobody reads can keep it from coming, as with
        ``subprocess``; :meth:`communicate` reads them.

        Raises:
            subprocess.TimeoutExpired: the program still runs after ``timeout`` seconds.
        """
        code = self.poll()
        if code is None:
            if not self._run.wait(_seconds(timeout)):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            code = self.poll()
        assert code is not None
        return code

    def kill(self) -> None:
        """Kills every process of the run. Its verdict is then ``cancelled``."""
        self._run.kill()

    #: There is nothing gentler: a sandbox has one switch.
    terminate = kill

    def fileno(self) -> int:
        """A descriptor that can be read once the run is over; it is this object's."""
        return self._run.fileno()

    def communicate(
        self, input: Optional[AnyStr] = None, timeout: Optional[float] = None
    ) -> Tuple[Any, Any]:
        """Writes ``input``, reads both outputs to their ends, and waits. Bytes that were read ahead are
        given as well; text that was, behind a line that was read before, is not, as in ``subprocess``.

        Raises:
            subprocess.TimeoutExpired: it takes longer than ``timeout`` seconds. The program is not
                killed; calling again loses nothing.
        """
        # In a fork of its process nothing would ever come.
        self.poll()
        timeout = _seconds(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        if self._rest is None and self.stdin is not None and not self.stdin.closed:
            self._rest = memoryview(self._text.encode(input) or b"")
            with suppress(BrokenPipeError):
                self.stdin.flush()
        with selectors.DefaultSelector() as selector:
            late = not self._exchange(selector, end)
        if late or not self._run.wait(None if end is None else max(0.0, end - time.monotonic())):
            so_far = [self._so_far(name) for name in ("stdout", "stderr")]
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0, *so_far)
        self.poll()
        return self._taken("stdout"), self._taken("stderr")

    def _exchange(self, selector: selectors.BaseSelector, end: Optional[float]) -> bool:
        """Moves bytes until all streams have ended; says whether they did in time."""
        if self.stdin is not None and not self.stdin.closed:
            os.set_blocking(self.stdin.fileno(), False)
            selector.register(self.stdin, selectors.EVENT_WRITE, "stdin")
        for name in ("stdout", "stderr"):
            stream = getattr(self, name)
            if stream is not None and not stream.closed:
                selector.register(stream, selectors.EVENT_READ, name)
        while selector.get_map():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            for key, _ in selector.select(left):
                over = self._feed() if key.data == "stdin" else self._drain(key.data, key.fd)
                if over:
                    selector.unregister(key.fileobj)
                    with suppress(BrokenPipeError):
                        getattr(self, key.data).close()
        return True

    def _feed(self) -> bool:
        """Writes what the pipe takes; says whether that was all."""
        assert self.stdin is not None
        rest = self._rest or memoryview(b"")
        try:
            written = os.write(self.stdin.fileno(), rest[:65536]) if rest else 0
        except BlockingIOError:
            return False
        except BrokenPipeError:
            # The program has no use for the rest.
            return True
        self._rest = rest[written:]
        return not self._rest

    def _drain(self, name: str, number: int) -> bool:
        stream = getattr(self, name)
        # What was read ahead by whoever read before.
        data = os.read(number, 65536) if name in self._kept else self._ahead(stream)
        self._kept.setdefault(name, []).append(data)
        return not data

    def _ahead(self, stream: Any) -> bytes:
        raw = getattr(stream, "buffer", stream)
        if isinstance(raw, io.BufferedReader):
            # All that is buffered, or what the pipe has.
            return raw.read1()
        data: bytes = raw.read(65536)
        return data

    def _so_far(self, name: str) -> Optional[bytes]:
        return b"".join(self._kept[name]) if name in self._kept else None

    def _taken(self, name: str) -> Any:
        if getattr(self, name) is None:
            return None
        return self._text.decode(b"".join(self._kept.pop(name, [])))

    def __iter__(self) -> Iterator[AnyStr]:
        if self.stdout is None:
            raise ValueError("standard output is not a pipe: stdout=stockade.PIPE")
        return iter(self.stdout)

    def __enter__(self) -> Popen[AnyStr]:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self.kill()
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        try:
            # The program may leave before it has read everything.
            with suppress(BrokenPipeError):
                if self.stdin is not None:
                    self.stdin.close()
            self._run.wait(None)
        except BaseException:
            # Ctrl-C, which can come here as well as in the block.
            self.kill()
            self._run.wait(None)
            raise

    def __repr__(self) -> str:
        try:
            state = "running" if self.poll() is None else str(self.verdict)
        except SandboxError as error:
            state = error.kind
        return f"<Popen {self.args!r}: {state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a run belongs to its process and cannot be pickled; its report can")


def _seconds(timeout: Optional[float]) -> Optional[float]:
    """A timeout that a clock can count to; ``None`` if it never comes."""
    if timeout is None or timeout > 1e9:
        return None
    if timeout != timeout:
        raise ValueError("a timeout is a number of seconds, not nan")
    return timeout


def _sink(stream: Any) -> int:
    if stream in (PIPE, DEVNULL):
        return int(stream)
    if stream is None:
        raise ValueError("an output is PIPE, DEVNULL, a file or a descriptor")
    number = stream if isinstance(stream, int) else int(stream.fileno())
    if number < 0:
        raise ValueError(f"{number} is no descriptor")
    return number
