"""What tests share: programs of this host, a watch for leaks, and how a skip is told."""

from __future__ import annotations

import functools
import gc
from typing import Any, Callable, Iterator, List

import pytest
from host import Held, Interpreter, Mark, until

import stockade

OUTCOME = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def weak() -> List[str]:
    """The controls that this host can only approximate, for ``best_effort``."""
    try:
        stockade.prepare(["true"])
    except stockade.Unsupported as error:
        return [unmet.control for unmet in error.unmet]
    return []


@pytest.fixture(scope="session", autouse=True)
def made(weak: List[str]) -> None:
    """What the package makes once and keeps is there before a test is watched."""
    assert stockade.run(["true"], best_effort=weak).returncode == 0
    empty = stockade.Module(bytes.fromhex("0061736d01000000"))
    assert empty.functions == {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any) -> Any:
    report = yield
    item.stash[OUTCOME] = report.outcome
    return report


@pytest.fixture(autouse=True)
def nothing_is_left(request: Any) -> Iterator[None]:
    """Fails a test that leaves descriptors, threads or processes."""
    before = Held.now()
    yield
    if request.node.stash[OUTCOME] == "failed":
        return  # Its traceback holds on to all it had.

    def nothing_more() -> bool:
        if not Held.now().more_than(before):
            return True
        # A cycle may hold it still; to look for those takes longer than most tests.
        gc.collect()
        return False

    if not until(nothing_more, 10):
        pytest.fail(f"this is left: {Held.now().more_than(before)}")


@pytest.fixture
def best_effort(weak: List[str]) -> stockade.Policy:
    """A policy that an ordinary user without control groups can run under."""
    return stockade.Policy(best_effort=weak)


@pytest.fixture
def run(weak: List[str]) -> Callable[..., Any]:
    """``stockade.run``, as far as this host can."""
    return functools.partial(stockade.run, best_effort=weak)


@pytest.fixture
def popen(weak: List[str]) -> Callable[..., Any]:
    """``stockade.Popen``, as far as this host can."""
    return functools.partial(stockade.Popen, best_effort=weak)


@pytest.fixture
def mark() -> Iterator[Mark]:
    """A word by which the host finds this test's guests; none of them outlives the test."""
    mark = Mark()
    yield mark
    assert until(lambda: not mark.alive(), 10), "a guest outlives its test"


@pytest.fixture(scope="session")
def interpreter(weak: List[str]) -> Interpreter:
    """Interpreters apart from this one."""
    return Interpreter(weak)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line for each skip, as the other tests of the project print it."""
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        reason = str(reason).replace("Skipped: ", "", 1).replace("\n", " ")
        line = reason if reason.startswith("SKIP: ") else f"SKIP: {report.nodeid}: {reason}"
        terminalreporter.write_line(line)
