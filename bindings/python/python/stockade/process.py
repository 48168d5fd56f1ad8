"""``subprocess.run``, but safe: run a program and wait for it."""

from __future__ import annotations

from subprocess import PIPE
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union, overload

from .completed import Completed, Text, concluded, descriptor
from .policy import Policy, policy_of, with_keywords
from .popen import Popen
from .sandbox import sandbox_for, words

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import AnyRun, Args, BytesRun, TextRun

__all__ = ["run"]


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
