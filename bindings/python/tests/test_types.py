"""The types that the package declares: true at run time, and what type checkers make of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import lacks

HERE = Path(__file__).parent
PROJECT = HERE.parent


def checked(tmp_path: Path, *words: object) -> None:
    """Runs a checker, in a working folder that holds nothing: it looks at what is installed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "MYPY_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stdout[-10_000:]


def test_stubs_and_annotations_say_what_is_there_at_run_time(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    # Without the project's settings: what is there at run time depends on the Python that runs.
    config = tmp_path / "mypy.ini"
    config.write_text(
        "[mypy]\nignore_missing_imports = True\n[mypy-dask.*,distributed.*]\nfollow_imports = skip\n"
    )
    engines = tmp_path / "engines.txt"
    engines.write_text("\n".join(map(not_to_compare, ("celery", "dask", "ray"))))
    words = ["--allowlist", HERE / "stubtest_allowlist.txt", "--allowlist", engines]
    checked(
        tmp_path, "mypy.stubtest", "stockade", "--concise", "--mypy-config-file", config, *words
    )


def not_to_compare(engine: str) -> str:
    """What stubtest reports of an engine's module: that it needs the engine, or the name of the error
    that it would have caught, which is gone at run time."""
    missing = lacks({"dask": "distributed"}.get(engine, engine))
    return f"stockade\\.{engine}" if missing else f"stockade\\.{engine}\\.error"


def test_the_package_and_its_users_are_typed_as_mypy_reads_them(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    config = PROJECT / "pyproject.toml"
    checked(tmp_path, "mypy", "--config-file", config, "--package", "stockade")
    checked(tmp_path, "mypy", "--config-file", config, HERE / "typing_usage.py")


def test_its_users_are_typed_as_pyright_reads_them() -> None:
    pytest.importorskip("pyright", reason="pyright is not installed")
    try:
        # The first use fetches what the wheel does not hold.
        found = subprocess.run(
            [sys.executable, "-m", "pyright", "--version"], capture_output=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        pytest.skip("pyright has to be fetched, and did not come in two minutes")
    if found.returncode != 0:
        pytest.skip(f"pyright does not start: {found.stderr.decode().strip()[-200:]}")
    checked(HERE, "pyright", "--project", PROJECT, "--pythonpath", sys.executable)
