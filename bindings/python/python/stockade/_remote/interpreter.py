"""The calling environment's Python, as it can be run inside a sandbox."""

from __future__ import annotations

import functools
import marshal
import os
import site
import sys
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..errors import InvalidPolicy
from ..policy import Policy
from .units import seconds

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""What the base "system" of a policy shows of the host."""

_ENVIRONMENT = {"HOME": "/tmp", "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}

# -I: no variable of the environment and no directory of the caller's decides what is imported.
# -S: no `site`, which takes a third of the time to start; the paths are given. -B: they are read-only.
_FLAGS = ("-I", "-S", "-B")

_BOOT = """\
import os,sys,marshal
sys.path[:]={paths!r}
b=b''
while len(b)<{size}:
 p=os.read(0,{size}-len(b))
 if not p:os._exit(70)
 b+=p
P=type(sys)('stockade_guest');P.__path__=[];sys.modules[P.__name__]=P
for n,c in marshal.loads(b):
 M=type(sys)('stockade_guest.'+n);M.__package__=P.__name__;sys.modules[M.__name__]=M;setattr(P,n,M)
 exec(c,M.__dict__)
M.main()
"""


@dataclass(frozen=True)
class Interpreter:
    """What a policy needs so that this environment's Python runs inside.

    ``executable`` is the real file of the interpreter, ``paths`` the ``sys.path`` it gets, ``mounts``
    the read-only binds it needs beside the system's own directories, and ``environment`` all its
    variables. Every path is the same inside as outside.

    Bound are the interpreter's installation and the directories of installed packages. The current
    directory, the script's own, ``PYTHONPATH`` and directories that ``.pth`` files add are not: they
    may hold secrets. ``extra_paths`` of `current` names those that are wanted.
    """

    executable: str
    paths: Tuple[str, ...]
    mounts: Tuple[Mapping[str, str], ...]
    environment: Mapping[str, str]

    @classmethod
    def current(cls, extra_paths: Iterable[os.PathLike[str] | str] = ()) -> Interpreter:
        """The interpreter that runs this; ``extra_paths`` are bound and can be imported from.

        Raises `FileNotFoundError` for an extra path that does not exist.

        >>> Interpreter.current().sees(os.__file__)
        True
        """
        executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
        extra = [_existing(path) for path in extra_paths]
        library = _shared_library()
        roots = [*_installation(executable), *_site_directories(), *_virtual_environment(), *extra]
        if library is not None:
            roots.append(library)
        bound = _outermost(roots)
        visible = (*_SYSTEM, *bound)
        paths = [*extra, *(os.path.realpath(path) for path in sys.path if path)]
        return cls(
            executable=executable,
            paths=tuple(
                dict.fromkeys(
                    path for path in paths if _within(path, visible) and os.path.exists(path)
                )
            ),
            mounts=tuple({"bind": path, "target": path, "access": "ro"} for path in bound),
            environment=_environment(library),
        )

    def boot(self, *modules: str) -> Tuple[List[str], bytes]:
        """The command that starts ``modules`` of `guest`, and what it reads first from its input.

        They are run in the order given, and then ``main()`` of the last.
        """
        program = _program(modules)
        code = _BOOT.format(paths=list(self.paths), size=len(program))
        return [self.executable, *_FLAGS, "-c", code], program

    def furnish(
        self, policy: Policy, environment: Mapping[str, str] = MappingProxyType({})
    ) -> Tuple[Policy, Optional[float]]:
        """The policy with what the interpreter needs, and the seconds it gave as ``wall_time``.

        The policy that is returned bounds neither the time, since an interpreter waits for its work,
        nor the output, since the host bounds every message: both are the caller's to do. ``environment``
        are defaults beneath the policy's own variables. Raises `InvalidPolicy` for a base without the
        system's directories.
        """
        asked = policy.to_dict()
        if asked["filesystem"]["base"] != "system":
            raise InvalidPolicy('the Python of this environment needs the base "system"')
        room = policy.replace(
            mounts=[*asked["filesystem"]["mounts"], *self.mounts],
            env={**environment, **self.environment, **asked["process"]["env"]},
            wall_time="unlimited",
            output="unlimited",
        )
        return room, seconds(asked["limits"]["wall_time"])

    def sees(self, path: str) -> bool:
        """Whether a file of the host can be read inside, at the same path."""
        return _within(
            os.path.realpath(path), (*_SYSTEM, *(mount["target"] for mount in self.mounts))
        )

    def imports(self, module: ModuleType) -> bool:
        """Whether an import inside gives the module that is loaded here."""
        top = sys.modules.get(module.__name__.partition(".")[0], module)
        if top.__name__ == "__main__":
            return False
        origin = getattr(top, "__file__", None)
        if origin is not None:
            return self.sees(origin) and _within(os.path.realpath(origin), self.paths)
        places = list(getattr(top, "__path__", ()))
        if places:
            return all(self.sees(place) for place in places)
        return (
            top.__name__ in sys.builtin_module_names
            or getattr(top.__spec__, "origin", None) == "frozen"
        )


@functools.lru_cache(maxsize=None)
def _program(modules: Tuple[str, ...]) -> bytes:
    # Compiled here: the interpreter inside is this one, and it would compile anew for every sandbox.
    folder = os.path.join(os.path.dirname(__file__), "guest")
    compiled: List[Tuple[str, Any]] = []
    for name in modules:
        with open(os.path.join(folder, f"{name}.py"), encoding="utf-8") as file:
            compiled.append(
                (name, compile(file.read(), f"<stockade guest {name}>", "exec", dont_inherit=True))
            )
    return marshal.dumps(compiled)


def _existing(path: os.PathLike[str] | str) -> str:
    found = os.path.realpath(os.fspath(path))
    if not os.path.exists(found):
        raise FileNotFoundError(
            f"`{os.fspath(path)}`, which the sandbox is to import from, does not exist"
        )
    return found


def _installation(executable: str) -> List[str]:
    prefix = os.path.realpath(sys.base_prefix)
    home = os.path.realpath(os.path.expanduser("~"))
    if _within(home, [prefix]):
        # An installation spread into a home directory or the root: only its own folders.
        standard = os.path.dirname(os.path.realpath(os.__file__))
        return [executable, standard]
    return [prefix, executable]


def _site_directories() -> List[str]:
    known = set(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        known.add(site.getusersitepackages())
    named = [
        path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")
    ]
    return [
        os.path.realpath(path) for path in dict.fromkeys([*named, *known]) if os.path.isdir(path)
    ]


def _virtual_environment() -> List[str]:
    # Not the whole prefix: projects are known to make the environment in their own root.
    if sys.prefix == sys.base_prefix:
        return []
    parts = (os.path.join(os.path.realpath(sys.prefix), name) for name in ("bin", "pyvenv.cfg"))
    return [part for part in parts if os.path.exists(part)]


def _shared_library() -> Optional[str]:
    """The ``libpython`` of this process, if it has one outside the system's directories."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            path = line.rstrip("\n").partition("/")[2]
            if os.path.basename(path).startswith("libpython") and not _within("/" + path, _SYSTEM):
                return "/" + path
    return None


def _environment(library: Optional[str]) -> Dict[str, str]:
    environment = dict(_ENVIRONMENT)
    if library is not None:
        environment["LD_LIBRARY_PATH"] = os.path.dirname(library)
    return environment


def _outermost(paths: Iterable[str]) -> List[str]:
    """The paths that lie neither in one another nor in what every sandbox sees, in order."""
    kept: List[str] = []
    for path in sorted(set(paths)):
        if not _within(path, (*_SYSTEM, *kept)):
            kept.append(path)
    return kept


def _within(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
