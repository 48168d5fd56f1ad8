"""Images: loaded, pulled, listed, removed, and run."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import Any, Iterator, List, Type

import pytest
from host import Interpreter
from layouts import Made, left, registry

import stockade
from stockade.images import Entry, Freed


@pytest.fixture(scope="module")
def made() -> Made:
    return Made()


@pytest.fixture
def source(made: Made, tmp_path: Path) -> str:
    return f"oci:{made.write(tmp_path / 'layout')}"


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    """Where a store is, which tests open, since pytest would keep it open beyond their end."""
    yield tmp_path / "store"
    # Directories of images may forbid their owner to write, and pytest removes them.
    subprocess.run(["chmod", "-R", "u+rwX", str(tmp_path)], check=True)


def unpacked(where: Path, source: str) -> stockade.Root:
    store = stockade.Store(where)
    return store.root(store.load(source))


def test_an_image_says_what_it_runs_and_how(where: Path, made: Made, source: str) -> None:
    store = stockade.Store(where)
    image = store.load(source)
    assert image.digest == made.manifest["digest"]
    assert image.size == sum(map(len, made.blobs.values()))
    assert (image.entrypoint, len(image.cmd)) == (["/bin/sh", "-c"], 1)
    assert image.env == {"PATH": "/bin", "COLOUR": "blue"}
    assert (image.working_dir, image.user, image.os) == ("/srv", "nobody", "linux")
    assert image.labels == {"maker": "a test"}
    assert image.digest in repr(image)


def test_its_program_runs_in_its_files(where: Path, source: str, weak: List[str]) -> None:
    root = unpacked(where, source)
    assert root.prepare(best_effort=weak).run(text=True).stdout == "hello blue\n"
    done = root.prepare(["echo $0 $1", "a", "b"], best_effort=weak).run(text=True)
    assert done.stdout == "a b\n"
    assert done.report.backend == "namespace"
    prepared = root.prepare("echo one; echo two", best_effort=weak)
    assert prepared.args == ["/bin/sh", "-c", "echo one; echo two"]
    with prepared.popen(stdout=stockade.PIPE, text=True) as process:
        assert process.communicate()[0] == "one\ntwo\n"
    assert asyncio.run(prepared.arun()).stdout == b"one\ntwo\n"


def test_keywords_count_more_than_the_image(where: Path, source: str, weak: List[str]) -> None:
    root = unpacked(where, source)
    how = {"best_effort": weak, "env": {"COLOUR": "red"}, "timeout": 7}
    assert root.prepare(**how).run(text=True).stdout == "hello red\n"  # type: ignore[arg-type]
    policy = root.policy({"limits": {"memory": "65MiB"}}, cwd="/", processes=9)
    data = policy.to_dict()
    assert (data["process"]["cwd"], data["limits"]["processes"]) == ("/", 9)
    assert data["limits"]["memory"] == stockade.Policy(memory="65MiB").to_dict()["limits"]["memory"]
    assert data["process"]["env"]["PATH"] == "/bin"
    # A policy and words are data, for whatever takes them.
    done = stockade.run(root.command(["pwd"]), policy=policy, best_effort=weak, text=True)
    assert done.stdout == "/\n"
    for name in ("base", "rootfs", "writable"):
        with pytest.raises(TypeError, match=name):
            root.policy(**{name: True})  # type: ignore[arg-type]


def test_what_it_writes_is_gone_with_it(where: Path, source: str, weak: List[str]) -> None:
    root = unpacked(where, source)
    base = root.policy().to_dict()["filesystem"]["base"]
    assert base == {"rootfs": root.path, "writable": True}
    base = root.policy(read_only=True).to_dict()["filesystem"]["base"]
    assert base == {"rootfs": root.path}
    write = "echo x > /srv/new && read x < /srv/new && echo $x"
    # Where the kernel has no overlays the whole root is copied.
    how: Any = {"best_effort": weak, "disk": "256MiB"}
    for _ in range(2):
        assert root.prepare(write, **how).run(text=True).stdout == "x\n"
    assert not Path(root.path, "srv/new").exists()
    done = root.prepare(write, read_only=True, **how).run(text=True)
    assert done.returncode != 0 and "ead-only" in done.stderr


def test_a_name_is_known_until_it_is_removed(where: Path, source: str) -> None:
    store = stockade.Store(where)
    assert store.list() == []
    image = store.load(source)
    [entry] = store.list()
    assert entry == Entry("example/tools:v1", image.digest, image.size)
    assert store.find("example/tools:v1").digest == image.digest
    assert store.load("example/tools:v1", name="other").digest == image.digest
    assert [entry.name for entry in store.list()] == ["example/tools:v1", "other:latest"]
    store.remove("example/tools:v1")
    assert store.collect_garbage() == Freed(0, 0, 0, 0)
    store.remove("other")
    freed = store.collect_garbage()
    assert (freed.blobs, freed.bytes) == (3, image.size)
    assert left(store.path) == []
    with pytest.raises(stockade.NotFound) as caught:
        store.find("other")
    assert caught.value.kind == "not_found" and "stockade image pull" in str(caught.value.hint)


def test_files_stay_as_long_as_something_can_run_in_them(
    where: Path, source: str, weak: List[str]
) -> None:
    store = stockade.Store(where)
    root = store.root(store.load(source))
    prepared = root.prepare("read x; echo $x", best_effort=weak)
    path = root.path
    del root
    process = prepared.popen(stdin=stockade.PIPE, stdout=stockade.PIPE, text=True)
    del prepared
    store.remove("example/tools:v1")
    assert store.collect_garbage().roots == 0
    assert process.communicate("still here\n")[0] == "still here\n"
    process.wait()
    del process
    assert store.collect_garbage().roots == 1
    assert not os.path.exists(path)


def test_an_archive_and_paths_with_colons_are_loaded(
    where: Path, made: Made, tmp_path: Path
) -> None:
    store = stockade.Store(where)
    odd = tmp_path / "a:b"
    image = store.load(made.write(odd / "layout"), reference="example/tools:v1", name="odd")
    assert image.digest == made.manifest["digest"]
    archive = tmp_path / "saved.tar"
    config = next(name for name, data in made.blobs.items() if b"architecture" in data[:40])
    parts = {"config.json": made.blobs[config], "layer.tar": made.blobs[made.layer["digest"]]}
    listed = b'[{"Config":"config.json","RepoTags":["saved:v2"],"Layers":["layer.tar"]}]'
    with tarfile.open(archive, "w") as tar:
        for name, data in {**parts, "manifest.json": listed}.items():
            file = tmp_path / name
            file.write_bytes(data)
            tar.add(file, name)
    heard: List[Any] = []
    for given in (archive, f"docker-archive:{archive}"):
        image = store.load(given, progress=lambda *part: heard.append(part))
        assert image.env["COLOUR"] == "blue"
    assert "saved:v2" in [entry.name for entry in store.list()]
    size = len(parts["layer.tar"])
    assert ("layer.tar", size, size) in heard
    with pytest.raises(TypeError, match="reference"):
        store.load(f"oci:{odd}", reference="v1")


def test_the_default_store_is_the_command_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STOCKADE_IMAGES", str(tmp_path / "elsewhere"))
    store = stockade.Store()
    assert store.path == str(tmp_path / "elsewhere")
    assert os.stat(store.path).st_mode & 0o777 == 0o700
    assert pickle.loads(pickle.dumps(store)).path == store.path


def broken(made: Made, folder: Path) -> str:
    """A layout in which a byte of the layer is another."""
    made.write(folder)
    blob = folder / "blobs" / made.layer["digest"].replace(":", "/")
    data = bytearray(blob.read_bytes())
    data[600] ^= 1
    blob.write_bytes(data)
    return f"oci:{folder}"


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        ("missing", stockade.NotFound, "nowhere"),
        ("archive", stockade.NotFound, "nowhere.tar"),
        ("unknown", stockade.NotFound, "there is no image"),
        ("no name", stockade.InvalidPolicy, "Not A Name"),
        ("digest", stockade.InvalidPolicy, "sha256:"),
        ("platform", stockade.Unsupported, "riscv64"),
        ("json", stockade.InvalidPolicy, "index"),
    ],
)
def test_what_cannot_be_loaded_is_told_and_leaves_nothing(
    where: Path,
    made: Made,
    tmp_path: Path,
    what: str,
    error: Type[stockade.SandboxError],
    says: str,
) -> None:
    store = stockade.Store(where)
    layout = tmp_path / "bad"
    source = {
        "missing": lambda: f"oci:{tmp_path}/nowhere",
        "archive": lambda: f"docker-archive:{tmp_path}/nowhere.tar",
        "unknown": lambda: "example/tools:v1",
        "no name": lambda: "Not A Name",
        "digest": lambda: broken(made, layout),
        "platform": lambda: f"oci:{Made(architecture='riscv64').write(layout)}",
        "json": lambda: (made.write(layout), (layout / "index.json").write_text("{"))[0]
        and f"oci:{layout}",
    }[what]()
    with pytest.raises(error, match=says) as caught:
        store.load(source)
    assert caught.value.kind == error.kind and caught.value.hint
    assert store.list() == [] and left(store.path) == []


def test_a_store_that_is_not_safe_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("open").mkdir(mode=0o700)
    tmp_path.joinpath("open").chmod(0o755)
    with pytest.raises(stockade.PermissionDenied, match="0755"):
        stockade.Store(tmp_path / "open")
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(stockade.InvalidPolicy):
        stockade.Store(tmp_path / "file")
    tmp_path.joinpath("link").symlink_to(tmp_path)
    with pytest.raises(stockade.InvalidPolicy):
        stockade.Store(tmp_path / "link")
    if os.geteuid() != 0:
        tmp_path.joinpath("closed").mkdir(mode=0o500)
        with pytest.raises(stockade.PermissionDenied):
            stockade.Store(tmp_path / "closed/store")


def test_nobody_says_what_to_run(where: Path, tmp_path: Path, weak: List[str]) -> None:
    store = stockade.Store(where)
    silent = Made(Entrypoint=None, Cmd=None)
    root = store.root(store.load(silent.write(tmp_path / "silent")))
    for asked in (root.command, root.prepare):
        with pytest.raises(stockade.InvalidPolicy, match="neither entrypoint nor command"):
            asked()
    assert root.prepare(["sh", "-c", "echo x"], best_effort=weak).run(text=True).stdout == "x\n"
    with pytest.raises(stockade.NotFound):
        root.prepare(["/bin/gone"], best_effort=weak)
    with pytest.raises(ValueError, match="wasm"):
        root.prepare(["sh"], best_effort=weak, backend="wasm")
    native = stockade.Sandbox("namespace")
    assert root.prepare(["sh"], best_effort=weak, backend=native).run().returncode == 0
    # What the host has under a name is not asked.
    with pytest.raises(stockade.NotFound):
        root.prepare(["/usr/bin/env"], best_effort=weak)


def test_an_exception_of_a_progress_function_comes_out(where: Path, source: str) -> None:
    store = stockade.Store(where)
    heard: List[Any] = []

    def tell(*part: Any) -> None:
        heard.append(part)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        store.load(source, progress=tell)
    assert len(heard) == 1, "it was not called again"
    assert store.list() == [] and left(store.path) == []
    with pytest.raises(TypeError):
        store.load(source, progress=lambda: None)  # type: ignore[arg-type, misc]
    assert store.list() == []
    store.load(source)


def test_an_image_is_pulled_once(where: Path, made: Made, weak: List[str]) -> None:
    store = stockade.Store(where)
    heard: List[Any] = []
    with registry(made) as server:
        with pytest.raises(stockade.NotFound):
            store.find(server.name)
        image = store.pull(server.name, progress=lambda *part: heard.append(part))
        size = made.layer["size"]
        assert heard[-1] == (made.layer["digest"], size, size)
        asked = len(server.asked)
        assert store.pull(server.name, plain_http=True, retries=0, stall=9.5).digest == image.digest
        assert len(server.asked) == asked + 1, "the manifest alone was asked for again"
        with pytest.raises(stockade.NotFound):
            store.pull(server.name.replace("v1", "v9"))
    assert store.root(image).prepare(best_effort=weak).run(text=True).stdout == "hello blue\n"


def test_a_registry_that_lies_or_is_not_there_is_told_of(where: Path, made: Made) -> None:
    store = stockade.Store(where)
    lying = Made()
    digest = lying.layer["digest"]
    lying.blobs[digest] = b"x" * len(lying.blobs[digest])
    with registry(lying) as server:
        with pytest.raises(stockade.InvalidPolicy, match="sha256:"):
            store.pull(server.name, retries=0)
        gone = server.name
    with pytest.raises(stockade.IoError) as caught:
        store.pull(gone, retries=0)
    assert caught.value.hint
    assert store.list() == []
    for wrong in ({"stall": 0}, {"stall": float("nan")}, {"retries": -1}):
        with pytest.raises(ValueError):
            store.pull("app", **wrong)  # type: ignore[arg-type]


def test_a_pull_that_stalls_ends_when_its_progress_function_raises(where: Path, made: Made) -> None:
    store = stockade.Store(where)

    def tell(blob: str, done: int, size: int) -> None:
        if 0 < done < size:
            raise LookupError(f"{done} are enough")

    with registry(made) as server:
        server.stall = (600_000, threading.Event())
        begin = time.monotonic()
        with pytest.raises(LookupError, match="are enough"):
            store.pull(server.name, progress=tell)
        assert time.monotonic() - begin < 15
    assert store.list() == []


CTRL_C = """
import signal, stockade, threading, time
store = stockade.Store(STORE)
threading.Timer(1, lambda: signal.raise_signal(signal.SIGINT)).start()
begin = time.monotonic()
try:
    store.pull(NAME)
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - begin < 15, store.list())
"""


def test_ctrl_c_ends_a_pull_that_stalls(interpreter: Interpreter, where: Path, made: Made) -> None:
    store = stockade.Store(where)
    with registry(made) as server:
        server.stall = (100_000, threading.Event())
        code = f"STORE, NAME = {store.path!r}, {server.name!r}\n{CTRL_C}"
        assert interpreter.prints(code) == "interrupted True []\n"


FORKED = """
import os, stockade, threading
store = stockade.Store(STORE)
root = store.root(store.load(SOURCE))
if (child := os.fork()) == 0:
    # Files are anybody's: a child goes on with them, and lets its parent's be.
    ok = store.list()[0].name == "example/tools:v1" and bool(root.policy())
    ok = ok and root.prepare(best_effort=WEAK).run(text=True).stdout == "hello blue\\n"
    del root
    store.remove("example/tools:v1")
    os._exit(0 if ok and store.collect_garbage().roots == 0 else 1)
print(os.waitpid(child, 0)[1], os.path.isdir(root.path))
path = root.path
del root
print(store.list(), store.collect_garbage().roots, os.path.isdir(path))
"""


def test_a_forked_child_uses_its_parents_images(
    interpreter: Interpreter, where: Path, source: str
) -> None:
    store = stockade.Store(where)
    code = f"STORE, SOURCE = {store.path!r}, {source!r}\n{FORKED}"
    assert interpreter.prints(code) == "0 True\n[] 1 False\n"


def test_threads_load_and_unpack_one_image_at_once(where: Path, source: str) -> None:
    store = stockade.Store(where)
    found: List[str] = []

    def work() -> None:
        found.append(store.root(store.load(source)).path)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_live_things_refuse_to_be_pickled(where: Path, source: str) -> None:
    root = unpacked(where, source)
    for what in (root, root.image):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(what)
    assert root.path in repr(root)
