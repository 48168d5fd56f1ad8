"""What the host sees: this process's descriptors and threads, and processes anywhere."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Set

import stockade

_numbers = itertools.count(1)


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    """Waits until something holds, and says whether it came to."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.005)
    return found


class Mark:
    """A word that one test's guests carry in their arguments, by which the host finds them."""

    def __init__(self) -> None:
        # `sleep` takes it as so many seconds.
        self.seconds = f"1{os.getpid():07}.{next(_numbers):05}1"

    def sleep(self) -> List[str]:
        """A program that sleeps for months and carries the mark."""
        return ["sleep", self.seconds]

    def alive(self) -> List[int]:
        """The processes that have it as an argument."""
        word = self.seconds.encode()
        return [pid for pid in pids() if word in (arguments(pid).split(b"\0") or [b""])[1:]]


def pids() -> List[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def descendants(root: int) -> Set[int]:
    """The processes below one, those included that are dead and not yet reaped."""
    found: Set[int] = set()
    reached = {root}
    while reached:
        reached = {child for pid in reached for child in children(pid)} - found
        found |= reached
    return found


def children(pid: int) -> Set[int]:
    """The processes that a process or one of its threads has started."""
    found: Set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.update(map(int, task.read_text().split()))
        except OSError:
            continue
    return found


class Held(NamedTuple):
    """What this process holds."""

    descriptors: Dict[int, str]
    threads: List[str]
    processes: Set[int]

    @classmethod
    def now(cls) -> Held:
        descriptors = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue  # The one by which the folder was listed.
            # The engine keeps those of the modules that were used last.
            if "wasm-memory-image" not in target:
                descriptors[int(name)] = target
        threads = []
        for task in os.listdir("/proc/self/task"):
            try:
                name = Path(f"/proc/self/task/{task}/comm").read_text().strip()
            except OSError:
                continue
            # Libraries such as Arrow's start threads that they keep, whatever they are called.
            if name.startswith("stockade"):
                threads.append(name)
        threads += [thread.name for thread in threading.enumerate()]
        return cls(descriptors, sorted(threads), descendants(os.getpid()))

    def more_than(self, before: Held) -> str:
        """What is held now that was not before, in words."""
        more = []
        if len(self.descriptors) > len(before.descriptors):
            new = set(self.descriptors.items()) - set(before.descriptors.items())
            more.append(f"descriptors {sorted(new)}")
        if len(self.threads) > len(before.threads):
            more.append(f"threads {self.threads}, before {before.threads}")
        if self.processes - before.processes:
            new_processes = sorted(self.processes - before.processes)
            more.append(f"processes {[(pid, arguments(pid)) for pid in new_processes]}")
        return "; ".join(more)


class Interpreter:
    """Starts interpreters that can import the package under test and do not share this one's state."""

    def __init__(self, weak: List[str]) -> None:
        self._before = f"import os, sys\nWEAK = {weak!r}\n"
        package = str(Path(stockade.__file__).parent.parent)
        paths = [package, str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        self._env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def start(self, code: str, *options: str, **env: str) -> subprocess.Popen[str]:
        """Starts one; its warnings are errors."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", *options, "-c", self._before + code],
            env={**self._env, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs one to its end, which has to come."""
        with self.start(code, *options, **env) as process:
            try:
                stdout, stderr = process.communicate(timeout=60)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(code, process.returncode, stdout, stderr)

    def prints(self, code: str, *options: str, **env: str) -> str:
        """What one prints that ends well and has nothing to complain of."""
        done = self.run(code, *options, **env)
        assert (done.returncode, done.stderr) == (0, ""), (
            done.returncode,
            done.stdout,
            done.stderr,
        )
        return done.stdout
