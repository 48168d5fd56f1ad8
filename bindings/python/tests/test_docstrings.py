"""What the documentation shows is what happens."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator, List, Tuple

import pages
import pytest

import stockade

MODULES = [
    found.name
    for found in pkgutil.walk_packages(stockade.__path__, "stockade.")
    if not found.name.startswith("stockade._")
]


def imported(name: str) -> ModuleType:
    """A module; the test is skipped if a package is missing that a user has to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if not pages.missing(error):
            raise
        pytest.skip(f"{pages.missing(error)} is not installed")


@pytest.fixture
def whole(weak: List[str]) -> None:
    """Skips a test whose examples ask for every default limit, where this host cannot enforce them."""
    if weak:
        pytest.skip(f"this host cannot enforce {', '.join(weak)}")


@pytest.mark.parametrize("name", ["stockade", *MODULES])
@pytest.mark.usefixtures("whole")
def test_examples_of_a_module_give_what_they_say(name: str) -> None:
    module = imported(name)
    said = io.StringIO()
    globs = {**vars(module), "stockade": stockade}
    with contextlib.redirect_stdout(said):
        failed, _ = doctest.testmod(module, globs=globs, optionflags=doctest.ELLIPSIS)
    assert not failed, said.getvalue()


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: str(path.name))
@pytest.mark.usefixtures("whole")
def test_blocks_of_a_page_print_what_stands_below_them(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", pages.__file__, path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode == pages.MISSING:
        pytest.skip(f"{done.stdout} is not installed")
    assert done.returncode == 0, done.stderr


def public(module: ModuleType) -> Iterator[Tuple[str, Any]]:
    """What a module offers, and what its classes have of their own."""
    yield module.__name__, module
    for name in getattr(module, "__all__", ()):
        found = getattr(module, name)
        if not callable(found) or getattr(found, "__module__", "")[:8] != "stockade":
            continue
        yield f"{module.__name__}.{name}", found
        if inspect.isclass(found):
            for member, value in vars(found).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                    yield f"{module.__name__}.{name}.{member}", value


@pytest.mark.parametrize("name", ["stockade", *MODULES])
def test_every_public_name_says_what_it_is(name: str) -> None:
    module = imported(name)
    assert getattr(module, "__all__", None), "what is public here?"
    silent = [where for where, what in public(module) if not inspect.getdoc(what)]
    assert not silent
