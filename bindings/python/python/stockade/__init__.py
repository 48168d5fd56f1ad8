"""Run code you do not trust: ``subprocess.run``, but safe.

>>> import stockade
>>> done = stockade.run(["python3", "-c", "print(6 * 7)"], memory="64MiB", timeout=5, text=True)
>>> done.stdout, str(done.verdict)
('42\\n', 'exited with status 0')

One policy says what a program may use and see, one report says why it ended, what it used, and which
mechanism enforced each limit. Native programs run behind Linux namespaces, modules in a WebAssembly
engine; there is no daemon and no image to build, and it works as root and as an ordinary user.
"""

from ._native import VERSION as __version__
from .aio import Process, arun, create_sandboxed_exec
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
from .process import DEVNULL, PIPE, STDOUT, Completed, Popen, run
from .report import Enforcement, Report, Usage, Verdict
from .sandbox import Plan, Prepared, Sandbox, prepare

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Benchmark",
    "Completed",
    "Doctor",
    "Enforcement",
    "HostLost",
    "Instance",
    "InternalError",
    "InvalidPolicy",
    "IoError",
    "Module",
    "NotFound",
    "PermissionDenied",
    "Plan",
    "Policy",
    "Popen",
    "Prepared",
    "Process",
    "Report",
    "Sandbox",
    "SandboxError",
    "SandboxProcessError",
    "SandboxTimeout",
    "SetupError",
    "Unmet",
    "Unsupported",
    "Usage",
    "Verdict",
    "__version__",
    "arun",
    "bench",
    "create_sandboxed_exec",
    "doctor",
    "prepare",
    "run",
    "uses_memory",
]
