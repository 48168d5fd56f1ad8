"""What users write, for type checkers: mypy and pyright read this file, nothing runs it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any, List, Optional

from typing_extensions import Unpack, assert_type

import stockade
from stockade.keywords import PolicyKeywords


def runs() -> None:
    assert_type(stockade.run(["true"]), stockade.Completed[bytes])
    assert_type(stockade.run("true", text=True), stockade.Completed[str])
    assert_type(stockade.run("true", text=True).stdout, str)
    assert_type(stockade.run("true", text=False).stderr, bytes)
    assert_type(stockade.run("true", encoding="utf-8"), stockade.Completed[Any])
    assert_type(stockade.run(["cat"], input="text", text=True).verdict.code, Optional[int])
    stockade.run(["cat"], input=b"bytes")
    stockade.run("true", memroy=1)  # type: ignore[call-overload]  # pyright: ignore
    stockade.run("true", network="all")  # type: ignore[call-overload]  # pyright: ignore
    stockade.run([Path("/bin/sh"), b"-c", "exit 3"], check=True, capture_output=False)

    def known_later(text: bool) -> None:
        assert_type(stockade.run("true", text=text), stockade.Completed[Any])

    known_later(True)


def images(store: stockade.Store, image: stockade.Image) -> None:
    assert_type(store.load(Path("layout"), reference="v1", name="app"), stockade.Image)
    assert_type(store.pull("app", credentials=("user", "word"), progress=print), stockade.Image)
    store.load("oci:layout", progress=lambda blob, done, size: done / size)
    store.pull("app", credentials="user")  # type: ignore[arg-type]  # pyright: ignore
    root = store.root(image)
    assert_type(root.command("true"), List[str])
    assert_type(root.policy({"limits": {}}, read_only=True, memory="1GiB"), stockade.Policy)
    assert_type(root.prepare(["sh", Path("x")], timeout=1).run(text=True).stdout, str)
    root.prepare(memroy=1)  # type: ignore[call-arg]  # pyright: ignore
    assert_type(store.list()[0].size, Optional[int])
    assert_type(store.collect_garbage().bytes, int)


def every_keyword(policy: stockade.Policy) -> None:
    done = stockade.run(
        ["true"],
        policy=policy,
        backend="namespace",
        memory="64MiB",
        cpu_time=1.5,
        wall_time=timedelta(seconds=2),
        cpus=0.5,
        processes="unlimited",
        open_files=64,
        file_size=1 << 20,
        disk="16MiB",
        output="unlimited",
        output_overflow="truncate",
        fuel=None,
        base="system",
        mounts=[{"bind": "/srv", "target": "/srv", "access": "ro"}],
        network="loopback",
        cwd=Path("/tmp"),
        hostname="box",
        env={"A": "B"},
        syscalls="strict",
        best_effort=["cpus"],
        warm=0,
    )
    assert_type(done.usage.wall_ns, int)
    assert_type(done.enforcement[0], stockade.Enforcement)
    completed: subprocess.CompletedProcess[bytes] = done
    completed.check_returncode()


def passed_on(code: str, **limits: Unpack[PolicyKeywords]) -> stockade.Verdict:
    assert_type(stockade.Policy(**limits).replace(**limits), stockade.Policy)
    return stockade.run(["python3", "-c", code], **limits).verdict


def streams() -> None:
    with stockade.Popen(["cat"], stdin=stockade.PIPE, text=True) as text:
        assert_type(text, stockade.Popen[str])
        for line in text:
            assert_type(line, str)
    with stockade.Popen(["cat"], stdout=stockade.DEVNULL, bufsize=0) as data:
        assert_type(data, stockade.Popen[bytes])
        assert_type(data.returncode, Optional[int])
        assert_type(data.report, Optional[stockade.Report])


def prepared() -> None:
    ready = stockade.prepare(["cat"], memory="64MiB", timeout=5)
    ready.warm(2)
    assert_type(ready.run("text", text=True), stockade.Completed[str])
    assert_type(ready.run(b"bytes"), stockade.Completed[bytes])
    assert_type(ready.popen(stdin=stockade.PIPE), stockade.Popen[bytes])
    assert_type(ready.popen(text=True), stockade.Popen[str])
    assert_type(stockade.Sandbox("wasm").run("hello.wasm", text=True), stockade.Completed[str])


async def awaited() -> None:
    assert_type(await stockade.arun("true", text=True), stockade.Completed[str])
    assert_type(await stockade.arun("true", input=b""), stockade.Completed[bytes])
    assert_type(await stockade.prepare("true").arun(), stockade.Completed[bytes])
    async with await stockade.create_sandboxed_exec("cat", stdin=stockade.PIPE) as process:
        assert_type(process.stdout, Optional[asyncio.StreamReader])
        assert_type(await process.wait(), int)


def modules(code: bytes) -> None:
    @stockade.uses_memory
    def log(memory: Any, at: int, length: int) -> None:
        print(memory.read(at, length))

    module = stockade.Module(code, imports={"host": {"log": log}}, fuel=1_000_000, timeout=1)
    assert_type(module.functions, "dict[str, str]")
    assert_type(module.call_bytes("f", b""), bytes)
    assert_type(module.run(["--help"], text=True), stockade.Completed[str])
    with module.instantiate() as instance:
        assert_type(instance.output(), "tuple[bytes, bytes]")


def errors() -> None:
    try:
        stockade.run("true", check=True)
    except stockade.Unsupported as error:
        assert_type(error.unmet[0].fix, Optional[str])
    except stockade.SandboxTimeout as error:
        assert_type(error.report, stockade.Report)
        late: subprocess.TimeoutExpired = error
        print(late.timeout)
    except stockade.SandboxError as error:
        assert_type(error.hint, Optional[str])


@stockade.sandboxed
def plain(text: str) -> int:
    return len(text)


@stockade.sandboxed(memory="256MiB", timeout=5, returns="json")
def limited(numbers: List[float]) -> float:
    return sum(numbers)


def functions() -> None:
    assert_type(plain("text"), int)
    assert_type(limited([1.0]), float)
    assert_type(limited.local([1.0]), float)
    assert_type(plain.submit("text").result(), int)
    plain(1)  # type: ignore[arg-type]  # pyright: ignore
    with stockade.SandboxExecutor(2, warm=2, memory="512MiB", timeout=5) as executor:
        assert_type(executor.submit(len, "text").result(), int)
        assert_type(list(executor.map(len, ["text"])), List[int])
        assert_type(executor.call(len, "text"), int)
        standard: concurrent.futures.Executor = executor
        standard.submit(len, "text")


def sessions() -> None:
    def tool(item: str) -> int:
        return len(item)

    with stockade.Session(tools={"tool": tool}, memory="512MiB", timeout=5) as session:
        result = session.run("1 + 1", timeout=1, check=True)
        assert_type(result, stockade.Result)
        assert_type(result.stdout, str)
        assert_type(result.error, Optional[stockade.Failure])
        session.put("name", b"data")
        assert_type(session.get("name"), bytes)
        assert_type(session.files(), "dict[str, int]")
        for stream, text in session.stream("print(1)"):
            assert_type((stream, text), "tuple[str, str]")


def diagnosis() -> None:
    assert_type(stockade.doctor().advice, List[str])
    assert_type(stockade.bench(quick=True).p50, "dict[str, Optional[int]]")
