"""What the package costs, beside what it is compared with, in turns.

    python benches/binding.py [--rounds 300] [--json FILE] [--only PART …]

Modes of one part take turns, in an order that changes, in two processes: a small one, and one that holds
2 GiB. What fills up again in the background is given time for that before the next. The wasmtime package,
bubblewrap and cloudpickle are compared with or used where they are installed. The README has a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

import stockade

# (module (import "wasi_snapshot_preview1" "fd_write" …) (memory 1) (data (i32.const 0) … "hello\n")
#  (func (export "_start") (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))
HELLO = bytes.fromhex(
    "0061736d01000000010c0260047f7f7f7f017f60000002230116776173695f736e617073686f745f707265766965"
    "77310866645f77726974650000030201010503010001071302066d656d6f72790200065f737461727400010a0f01"
    "0d00410141004101411010001a0b0b14010041000b0e080000000600000068656c6c6f0a"
)
TRUE = ["/bin/true"]
BWRAP = "bwrap --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin "
BWRAP += "--symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp /bin/true"


#: What the Rust library takes for the same module: `cargo run --release -p stockade-benches --features
#: floor --bin module`, on the machine of the README.
RUST_MODULE_US = 3.72


class Mode(NamedTuple):
    """One thing that is measured."""

    part: str
    #: What it is called in the table.
    name: str
    #: Gives what is run once, after it was set up; `None` where that is not possible here.
    make: Callable[[], Any]
    #: How often in a row.
    burst: int = 1
    #: Seconds that it is left alone afterwards.
    rest: float = 0.0
    #: Measured in the large process as well.
    large: bool = False
    #: Of how many rounds it is left out for one that it takes part in.
    every: int = 1


def spawn() -> Any:
    return lambda: subprocess.run(TRUE)


def spawn_captured() -> Any:
    return lambda: subprocess.run(TRUE, capture_output=True)


def bubblewrap() -> Any:
    words = BWRAP.split()
    try:
        subprocess.run(words, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return lambda: subprocess.run(words)


def cold() -> Any:
    return lambda: stockade.run(TRUE)


def prepared() -> Any:
    return stockade.prepare(TRUE).run


def prepared_native() -> Any:
    ready = stockade.prepare(TRUE)
    return ready._native.run


def warm() -> Any:
    ready = stockade.prepare(TRUE)
    ready.warm(8)
    return ready.run


def module() -> Any:
    return stockade.Module(HELLO).command().run


def module_native() -> Any:
    return stockade.Module(HELLO).command()._native.run


def wasmtime_with(configure: Callable[[Any, str], None], read: Callable[[str], Any]) -> Any:
    """A fresh store of the wasmtime package, WASI, and a run of the same module."""
    try:
        import wasmtime
    except ImportError:
        return None
    engine = wasmtime.Engine()
    code = wasmtime.Module(engine, HELLO)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    path = "output"

    def once() -> None:
        store = wasmtime.Store(engine)
        wasi = wasmtime.WasiConfig()
        configure(wasi, path)
        store.set_wasi(wasi)
        instance = linker.instantiate(store, code)
        start: Any = instance.exports(store)["_start"]
        start(store)
        store.close()
        read(path)

    return once


def wasmtime_file() -> Any:
    def read(path: str) -> None:
        with open(path, "rb") as file:
            assert file.read() == b"hello\n"

    return wasmtime_with(lambda wasi, path: setattr(wasi, "stdout_file", path), read)


def wasmtime_callback() -> Any:
    said: List[bytes] = []

    def read(path: str) -> None:
        assert b"".join(said) == b"hello\n"
        said.clear()

    def take(data: bytes) -> int:
        said.append(bytes(data))
        return len(data)

    return wasmtime_with(lambda wasi, path: setattr(wasi, "stdout_custom", take), read)


def wasmtime_nothing() -> Any:
    return wasmtime_with(lambda wasi, path: None, lambda path: None)


def session() -> Any:
    one = stockade.Session()
    return lambda: one.run("1+1")


def double(x: int) -> int:
    return 2 * x


def sandboxed_cold() -> Any:
    function = stockade.sandboxed(warm=0)(double)
    return lambda: function(21)


def sandboxed_warm() -> Any:
    function = stockade.sandboxed(warm=1)(double)
    function(21)
    time.sleep(0.5)
    return lambda: function(21)


MODES = (
    Mode("spawn", 'subprocess.run(["/bin/true"])', spawn, large=True),
    Mode("spawn", "the same with capture_output=True", spawn_captured, large=True),
    Mode("spawn", "the same with bubblewrap around it", bubblewrap),
    Mode("spawn", 'stockade.run(["/bin/true"]), cold', cold, large=True),
    Mode("spawn", "Prepared.run", prepared, large=True),
    Mode("spawn", "_native alone: Prepared.run", prepared_native),
    Mode("spawn", "Prepared.run, one of eight that wait", warm, rest=0.01, large=True),
    Mode("module", "module prints a line: Prepared.run", module, burst=20),
    Mode("module", "_native alone: module", module_native, burst=20),
    Mode("module", "wasmtime package, output to a file", wasmtime_file, burst=20),
    Mode("module", "wasmtime package, output to a callback", wasmtime_callback, burst=20),
    Mode("module", "wasmtime package, no output", wasmtime_nothing, burst=20),
    Mode("session", 'Session.run("1+1")', session, burst=10),
    Mode("sandboxed", "@sandboxed call, cold", sandboxed_cold, every=3),
    Mode("sandboxed", "@sandboxed call, warm", sandboxed_warm, rest=0.15),
)


REST = "not_in_report_p50_us"


def measure(which: Mode, work: Callable[[], Any]) -> Iterator[Dict[str, Any]]:
    """Some runs; of those with a report also what that does not account for."""
    for _ in range(which.burst):
        begin = time.perf_counter_ns()
        outcome = work()
        taken = time.perf_counter_ns() - begin
        sample = {"ns": taken}
        if which.part == "spawn" and isinstance(outcome, stockade.Completed):
            timings = outcome.report.timings
            phases = {phase["name"]: phase["ns"] for phase in timings["phases"]}
            told = timings["start_ns"] + phases["run"] + timings["teardown_ns"]
            if which.make is cold:
                told += timings["prepare_ns"]
            sample["rest"] = taken - told
        yield sample
    time.sleep(which.rest)


def serve(size: int) -> None:
    """The measured process: takes the number of a mode from each line, and answers with samples."""
    weight = bytearray(size)
    weight[::4096] = b"\1" * len(weight[::4096])
    works: Dict[int, Optional[Callable[[], Any]]] = {}
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    for line in sys.stdin:
        number = int(line)
        which = MODES[number]
        if number not in works:
            work = works[number] = which.make()
            for _ in range(3):
                if work is not None:
                    list(measure(which, work))
        work = works[number]
        print(json.dumps(None if work is None else list(measure(which, work))), flush=True)
    folder.cleanup()


class Host:
    """A process that measures on demand."""

    def __init__(self, size: int) -> None:
        words = [sys.executable, __file__, "--serve", str(size)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, number: int) -> Optional[List[Dict[str, int]]]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        answer: Optional[List[Dict[str, int]]] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def at(values: List[int], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] / 1000


def race(rounds: int, part: str) -> List[Dict[str, Any]]:
    """One part, by itself: what fills up after the modes of another is none of its business."""
    hosts = {"small": Host(0), "2 GiB": Host(2 << 30)}
    found: Dict[Any, List[Dict[str, int]]] = {}
    absent = set()
    takers = [
        (number, host)
        for number, mode in enumerate(MODES)
        for host in (hosts if mode.large else ["small"])
        if mode.part == part
    ]
    for turn in range(rounds):
        # What follows a rest, or a busy neighbour, is another one every time.
        for number, host in random.Random(turn).sample(takers, len(takers)):
            if turn % MODES[number].every or number in absent:
                continue
            samples = hosts[host].ask(number)
            if samples is None:
                absent.add(number)
            else:
                found.setdefault((number, host), []).extend(samples)
    for each in hosts.values():
        each.close()
    return [row(MODES[key[0]].name, key[1], found[key]) for key in takers if key in found]


def row(name: str, host: str, samples: List[Dict[str, int]]) -> Dict[str, Any]:
    times = [sample["ns"] for sample in samples]
    rest = [sample["rest"] for sample in samples if "rest" in sample]
    return {
        "mode": name,
        "host": host,
        "n": len(times),
        "p50_us": at(times, 0.5),
        "p90_us": at(times, 0.9),
        "p99_us": at(times, 0.99),
        REST: at(rest, 0.5) if rest else None,
        "ns": times,
    }


class Aim(NamedTuple):
    """What a number should be at most, in what is given for it."""

    text: str
    most: float
    found: float
    unit: str = ""


def aims(rows: List[Dict[str, Any]]) -> List[Aim]:
    """The targets of the project that this measures; a binding may add 100 µs."""
    times = {(row["mode"], row["host"]): row for row in rows}

    def us(make: Callable[[], Any], host: str = "small", which: str = "p50_us") -> float:
        name = next(mode.name for mode in MODES if mode.make is make)
        found = times.get((name, host))
        return float("nan") if found is None or found[which] is None else float(found[which])

    plain = us(spawn)
    found = [
        Aim("cold, less 100 µs, to a plain spawn", 2.0, (us(cold) - 100) / plain),
        Aim("cold, to bubblewrap", 0.25, us(cold) / us(bubblewrap)),
        Aim("cold, p99 to p50", 3.0, us(cold, which="p99_us") / us(cold)),
        Aim("one that waits, less 100 µs, to a plain spawn", 1.3, (us(warm) - 100) / plain),
        Aim("cold, in the large process to the small", 1.15, us(cold, "2 GiB") / us(cold)),
        Aim("what the binding adds to a run of a module", 100, us(module) - RUST_MODULE_US, " µs"),
        # The Rust library's pipes and sockets are among it.
        Aim(
            "Prepared.run, what its report does not account for",
            100,
            us(prepared, which=REST),
            " µs",
        ),
        Aim("a module, to the Rust library", 3.0, us(module) / RUST_MODULE_US),
        Aim(
            "a module, to the wasmtime package without output",
            0.2,
            us(module) / us(wasmtime_nothing),
        ),
        Aim("a call of a session", 500, us(session), " µs"),
    ]
    return [aim for aim in found if aim.found == aim.found]


def length(us: float) -> str:
    return f"{us / 1000:.2f} ms" if us >= 1000 else f"{us:.3g} µs"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--only", nargs="*", default=[], choices=sorted({m.part for m in MODES}))
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        return serve(options.serve)
    before = os.getloadavg()[0]
    parts = options.only or dict.fromkeys(mode.part for mode in MODES)
    rows = [found for part in parts for found in race(options.rounds, part)]
    where: Dict[str, Any] = {
        "kernel": platform.release(),
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "stockade": stockade.__version__,
        "load": [before, os.getloadavg()[0]],
    }
    print(
        f"Linux {where['kernel']}, {where['processors']} processors, Python {where['python']},",
        end=" ",
    )
    print(f"load {before:.1f} before and {where['load'][1]:.1f} after\n")
    print(
        "| | host | n | p50 | p90 | p99 | not in the report, p50 |\n|---|---|---|---|---|---|---|"
    )
    for found in rows:
        rest = found[REST]
        cells = [found["mode"], found["host"], str(found["n"])]
        cells += [length(found[f"p{p}_us"]) for p in (50, 90, 99)]
        print(f"| {' | '.join([*cells, length(rest) if rest else ''])} |")
    print("\n| | aim | here | |\n|---|---|---|---|")
    for aim in aims(rows):
        met = "met" if aim.found <= aim.most else "missed"
        print(f"| {aim.text} | {aim.most:g}{aim.unit} | {aim.found:.3g}{aim.unit} | {met} |")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"where": where, "rows": rows}, file)


if __name__ == "__main__":
    main()
