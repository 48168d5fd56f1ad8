"""What the documentation shows is what happens."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, Tuple

import pytest
import stockade
from pages import PAGES, blocks, need_a_whole_host

#: What a user installs for some of the modules.
EXTRAS = ("celery", "cloudpickle", "dask", "distributed", "numpy", "ray")
MODULES = [
    found.name
    for found in pkgutil.walk_packages(stockade.__path__, "stockade.")
    if not found.name.startswith("stockade._")
]


@contextlib.contextmanager
def extras_or_skip() -> Iterator[None]:
    """Skips where a package is missing that a user has to install."""
    try:
        yield
    except ImportError as error:
        missing = next((name for name in EXTRAS if name in str(error)), None)
        if missing is None:
            raise
        pytest.skip(f"{missing} is not installed")


@pytest.mark.parametrize("name", ["stockade", *MODULES])
def test_examples_of_a_module_give_what_they_say(name: str) -> None:
    need_a_whole_host()
    with extras_or_skip():
        module = importlib.import_module(name)
    said = io.StringIO()
    globs = {**vars(module), "stockade": stockade}
    with contextlib.redirect_stdout(said):
        failed, _ = doctest.testmod(module, globs=globs, optionflags=doctest.ELLIPSIS)
    assert not failed, said.getvalue()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_blocks_of_a_page_print_what_stands_below_them(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_a_whole_host()
    monkeypatch.chdir(tmp_path)
    compare = doctest.OutputChecker().check_output
    state: Dict[str, Any] = {"__name__": "__main__"}
    found = blocks(path.read_text(encoding="utf-8"))
    assert found, "a page without an example"
    for line, code, output in found:
        printed = io.StringIO()
        program = compile("\n" * (line - 1) + code, str(path), "exec")
        with extras_or_skip(), contextlib.redirect_stdout(printed):
            exec(program, state)
        got = printed.getvalue()
        same = compare(unmeasured(output), unmeasured(got), doctest.ELLIPSIS)
        assert same, f"line {line} printed:\n{got}"


def unmeasured(text: str) -> str:
    """Text without what was measured: numbers with three decimals and more."""
    return re.sub(r"\d+\.\d{3,}", "#", text)


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
    with extras_or_skip():
        module = importlib.import_module(name)
    assert getattr(module, "__all__", None), "what is public here?"
    silent = [where for where, what in public(module) if not inspect.getdoc(what)]
    assert not silent
