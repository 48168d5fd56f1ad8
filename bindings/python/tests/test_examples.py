"""The examples do what they say."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import List, Tuple

import pytest
from pages import lacks

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def whole(weak: List[str]) -> None:
    """The examples ask for every default limit."""
    if weak:
        pytest.skip(f"this host cannot enforce {', '.join(weak)}")


def printed(name: str, *words: str) -> str:
    """What an example prints; a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_every_example_has_a_test() -> None:
    tests = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")
    )
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in tests] == []


def test_code_of_a_model_gives_its_plot_back(tmp_path: Path) -> None:
    if lacks("numpy", "matplotlib"):
        pytest.skip(f"{lacks('numpy', 'matplotlib')} is not installed")
    plot = tmp_path / "plot.png"
    assert "it printed 'best month: 9\\n' and drew a PNG" in printed(
        "plot_from_model_code.py", str(plot)
    )
    width, height = size_of_png(plot.read_bytes())
    assert (width, height) == (600, 400)


def size_of_png(data: bytes) -> Tuple[int, int]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_submissions_get_a_verdict_for_each_test() -> None:
    assert printed("grade_submission.py").splitlines() == [
        "right    AC AC AC",
        "wrong    WA AC WA",
        "slow     TLE TLE TLE",
        "greedy   MLE MLE MLE",
        "chatty   OLE OLE OLE",
        "fragile  AC RE RE",
        "curious  RE RE RE",
    ]


def test_a_plugin_gives_functions_to_sql_and_a_loop_ends_one_query() -> None:
    given, first, loop, after = printed("wasm_plugin.py").splitlines()
    assert given == "the plugin gives rot13, spin"
    assert first.endswith("['Hello', 'World', None]")
    assert "wall_time limit 0.1 s reached" in loop
    assert after.endswith("['Hello World']")


def test_the_plugin_is_what_its_source_says() -> None:
    wasmtime = pytest.importorskip("wasmtime", reason="wasmtime is not installed")
    source = (EXAMPLES / "plugin.wat").read_text(encoding="utf-8")
    assert bytes(wasmtime.wat2wasm(source)) == (EXAMPLES / "plugin.wasm").read_bytes()


def test_a_web_server_answers_each_request_from_a_sandbox_of_its_own() -> None:
    lines = printed("async_web.py").splitlines()
    assert lines[1] == "  exited with status 0: '42\\n'"
    assert "wall_time limit 2 s reached" in lines[3]
    assert "exited with status 1" in lines[5] and "/etc/shadow" in lines[5]
    assert lines[7].startswith("  POST a program of at most 64 KiB")
