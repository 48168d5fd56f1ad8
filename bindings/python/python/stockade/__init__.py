"""Run code you do not trust: ``subprocess.run``, but safe.

>>> import stockade
>>> done = stockade.run(["python3", "-c", "print(6 * 7)"], memory="64MiB", timeout=5, text=True)
>>> done.stdout, str(done.verdict)
('42\\n', 'exited with status 0')

One policy says what a program may use and see, one report says why it ended, what it used, and which
mechanism enforced each limit. Native programs run behind Linux namespaces, modules in a WebAssembly
engine; there is no daemon and no image to build, and it works as root and as an ordinary user.
"""

from typing import TYPE_CHECKING, Any

from ._native import VERSION as __version__
from .aio import Process, arun, create_sandboxed_exec
from .completed import Completed
from .diagnosis import Benchmark, Doctor, bench, doctor
from .errors import (
    HostLost,
    InternalError,
    InvalidPolicy,
    IoError,
    NotFound,
    PermissionDenied,
    SandboxError,
    SandboxProcessError,
    SandboxTimeout,
    SetupError,
    Unmet,
    Unsupported,
)
from .module import Instance, Module, uses_memory
from .policy import Policy
from .popen import DEVNULL, PIPE, STDOUT, Popen
from .process import run
from .report import Enforcement, Report, Usage, Verdict
from .sandbox import Plan, Prepared, Sandbox, prepare

if TYPE_CHECKING:
    from .decorator import SandboxedFunction, sandboxed
    from .executor import (
        BrokenSandboxExecutor,
        CallTimeout,
        LimitReached,
        RemoteError,
        ResultError,
        SandboxExecutor,
        SandboxFuture,
        WorkerLost,
    )
    from .images import Image, Root, Store
    from .session import Failure, FileRefused, Result, Session, SessionLost

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Benchmark",
    "BrokenSandboxExecutor",
    "CallTimeout",
    "Completed",
    "Doctor",
    "Enforcement",
    "Failure",
    "FileRefused",
    "HostLost",
    "Image",
    "Instance",
    "InternalError",
    "InvalidPolicy",
    "IoError",
    "LimitReached",
    "Module",
    "NotFound",
    "PermissionDenied",
    "Plan",
    "Policy",
    "Popen",
    "Prepared",
    "Process",
    "RemoteError",
    "Report",
    "Result",
    "ResultError",
    "Root",
    "Sandbox",
    "SandboxError",
    "SandboxExecutor",
    "SandboxFuture",
    "SandboxProcessError",
    "SandboxTimeout",
    "SandboxedFunction",
    "Session",
    "SessionLost",
    "SetupError",
    "Store",
    "Unmet",
    "Unsupported",
    "Usage",
    "Verdict",
    "WorkerLost",
    "__version__",
    "arun",
    "bench",
    "create_sandboxed_exec",
    "doctor",
    "prepare",
    "run",
    "sandboxed",
    "uses_memory",
]

#: What is imported when it is first asked for, and from where.
_LAZY = {
    "BrokenSandboxExecutor": "executor",
    "CallTimeout": "executor",
    "LimitReached": "executor",
    "RemoteError": "executor",
    "ResultError": "executor",
    "SandboxExecutor": "executor",
    "SandboxFuture": "executor",
    "SandboxedFunction": "decorator",
    "WorkerLost": "executor",
    "sandboxed": "decorator",
}
_LAZY.update({name: "images" for name in ("Image", "Root", "Store")})
_LAZY.update(
    {name: "session" for name in ("Failure", "FileRefused", "Result", "Session", "SessionLost")}
)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    return value
