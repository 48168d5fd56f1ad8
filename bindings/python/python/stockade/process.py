"""``subprocess``, but safe: run a program and wait for it, or talk with it while it runs."""

from __future__ import annotations

import codecs
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
    Callable,
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

from . import _native
from .errors import SandboxError, SandboxProcessError, SandboxTimeout
from .policy import Policy, policy_of, with_keywords
from .report import Enforcement, Report, Usage, Verdict
from .sandbox import Prepared, Sandbox, sandbox_for, words

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import AnyPopen, AnyRun, Args, BytesPopen, BytesRun, TextPopen, TextRun

    _Started = Union[Args, Prepared]

__all__ = ["DEVNULL", "PIPE", "STDOUT", "Completed", "Popen", "run"]


class Completed(subprocess.CompletedProcess[AnyStr]):
    """A run that is over: ``args``, ``returncode``, ``stdout`` and ``stderr`` as in
    ``subprocess.CompletedProcess``, and the report.

    ``returncode`` is the program's status; minus the number of a signal that killed it; -9 if Stockade
    stopped it; -6 if a module trapped. :attr:`verdict` tells these apart.
    """

    report: Report

    def __init__(self, args: Any, report: Report, stdout: Any = None, stderr: Any = None) -> None:
        super().__init__(args, report.returncode, stdout, stderr)
        self.report = report

    @property
    def verdict(self) -> Verdict:
        """Why the run ended."""
        return self.report.verdict

    @property
    def usage(self) -> Usage:
        """What it used."""
        return self.report.usage

    @property
    def enforcement(self) -> Tuple[Enforcement, ...]:
        """How each control that was asked for was enforced."""
        return self.report.enforcement

    def check_returncode(self) -> None:
        """Raises unless the program ended by itself with status 0.

        Raises:
            SandboxTimeout: its ``wall_time`` ended it.
            SandboxProcessError: it ended in any other way.
        """
        if self.returncode == 0:
            return
        verdict = self.verdict
        late = verdict.kind == "limit" and verdict.control == "wall_time"
        error = SandboxTimeout if late else SandboxProcessError
        raise error(self.args, self.stdout, self.stderr, self.report)

    def __repr__(self) -> str:
        shown = [f"args={self.args!r}", f"verdict={str(self.verdict)!r}"]
        shown += [
            f"{name}={value!r}"
            for name, value in (("stdout", self.stdout), ("stderr", self.stderr))
            if value
        ]
        return f"Completed({', '.join(shown)})"

    def _repr_html_(self) -> str:
        import html

        streams = [
            f"<p>{name}</p><pre>{html.escape(_decoded(value))}</pre>"
            for name, value in (("stdout", self.stdout), ("stderr", self.stderr))
            if value
        ]
        return "".join(streams) + self.report._repr_html_()


def _decoded(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode(errors="replace")


class Text:
    """How streams are text, if they are: ``text``, ``encoding`` and ``errors`` of ``subprocess``."""

    def __init__(
        self,
        text: Optional[bool] = None,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
    ) -> None:
        self.wanted = bool(text or encoding or errors)
        self.encoding = encoding or "utf-8"
        self.errors = errors or "strict"
        # Said before anything has run, not when there is output.
        codecs.lookup(self.encoding)
        codecs.lookup_error(self.errors)

    def encode(self, data: Any) -> Any:
        """Input as bytes; ``None`` stays."""
        if isinstance(data, str):
            if not self.wanted:
                raise TypeError("input is bytes unless text=True")
            return data.encode(self.encoding, self.errors)
        if self.wanted and data is not None:
            raise TypeError(f"input is text with text=True, not {type(data).__name__}")
        # Not of bytes(), which makes so many of a number.
        return data if data is None or isinstance(data, bytes) else memoryview(data).tobytes()

    def decode(self, data: bytes) -> Any:
        """Output as it is wanted; line ends become ``\\n`` in text, as in ``subprocess``."""
        if not self.wanted:
            return data
        return data.decode(self.encoding, self.errors).replace("\r\n", "\n").replace("\r", "\n")


def completed(
    args: Any,
    input: Any,
    start: Callable[[Any], _native.Report],
    *,
    text: Optional[bool] = None,
    encoding: Optional[str] = None,
    errors: Optional[str] = None,
    check: bool = False,
) -> Completed[Any]:
    """A captured run, and its result as the caller wants it."""
    how = Text(text, encoding, errors)
    return concluded(args, start(how.encode(input)), how, check)


def concluded(args: Any, native: _native.Report, how: Text, check: bool) -> Completed[Any]:
    """The result of a captured run."""
    stdout, stderr = how.decode(native.stdout), how.decode(native.stderr)
    result: Completed[Any] = Completed(args, Report(native), stdout, stderr)
    if check:
        result.check_returncode()
    return result


@overload
def run(args: Args, *, capture_output: bool = ..., **how: Unpack[TextRun]) -> Completed[str]: ...
@overload
def run(args: Args, *, capture_output: bool = ..., **how: Unpack[BytesRun]) -> Completed[bytes]: ...
@overload
def run(args: Args, *, capture_output: bool = ..., **how: Unpack[AnyRun]) -> Completed[Any]: ...
@with_keywords
def run(
    args: Args,
    *,
    input: Any = None,
    stdin: Any = None,
    capture_output: bool = True,
    text: Optional[bool] = None,
    encoding: Optional[str] = None,
    errors: Optional[str] = None,
    check: bool = False,
    backend: Any = "auto",
    policy: Union[Policy, Mapping[str, Any], None] = None,
    **keywords: Any,
) -> Completed[Any]:
    """Runs a program nobody vouches for, and waits for it.

    Like ``subprocess.run``, behind walls and under limits. ``args`` is a list, or a name alone; there
    is no shell. The name is looked up inside the sandbox, unless it is the path of a WebAssembly
    module, which ``backend="auto"`` runs in the engine for those.

    Standard input is empty unless ``input`` gives it, or ``stdin`` a file. Output is captured, up to
    the limit ``output``; with ``capture_output=False`` it goes where this process's goes.

    What the program may use and see is said by keywords (:class:`Policy` has all of them) on top of
    ``policy``; ``timeout`` is another word for ``wall_time``. A limit that is reached is a verdict,
    and raises only with ``check=True``.

    >>> import stockade
    >>> stockade.run(["python3", "-c", "print(6 * 7)"], text=True).stdout
    '42\\n'
    >>> done = stockade.run(["sleep", "60"], timeout=0.2)
    >>> done.verdict.control, done.returncode
    ('wall_time', -9)

    Raises:
        InvalidPolicy: a value makes no sense; nothing has started.
        Unsupported: this host cannot enforce what was asked; ``best_effort`` may list what can be
            weaker, which the report then says.
        NotFound, PermissionDenied: of the program, or of what is bound.
        SandboxTimeout, SandboxProcessError: with ``check=True``.
        KeyboardInterrupt: Ctrl-C came; the program was killed.
    """
    if input is not None and stdin is not None:
        raise ValueError("`stdin` and `input` are two ways to say one thing: give one of them")
    if not capture_output:
        process: Popen[Any]
        with Popen(
            args,
            stdin=PIPE if input is not None else stdin,
            stdout=1,
            stderr=2,
            text=text,
            encoding=encoding,
            errors=errors,
            backend=backend,
            policy=policy,
            **keywords,
        ) as process:
            process.communicate(input)
        result: Completed[Any] = Completed(args, process._ended())
        if check:
            result.check_returncode()
        return result
    name, rest = words(args)
    chosen = policy_of(policy, keywords)._native
    native = sandbox_for(backend, name)._native
    how = Text(text, encoding, errors)
    given = how.encode(input) if stdin is None else descriptor(stdin)
    return concluded(args, native.run(chosen, name, rest, given), how, check)


def descriptor(stream: Any) -> Optional[int]:
    """The number of a stream that the caller has, or ``None`` for no input."""
    if stream is None or stream == DEVNULL:
        return None
    return stream if isinstance(stream, int) else int(stream.fileno())


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
