"""What the tests of sessions share: sessions that this host can have, and a look at what is left behind."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Iterator, Tuple

import pytest

import stockade
from stockade import Session


def open_session(**keywords: Any) -> Session:
    """A session under limits that this host can enforce, or may approximate."""
    if os.getuid() != 0:
        keywords.setdefault("best_effort", ("memory", "cpu_time", "processes"))
    return Session(**keywords)


def footprint() -> Tuple[int, int]:
    """How many descriptors and threads this process has."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def more_than(before: Tuple[int, int]) -> bool:
    return any(now > then for now, then in zip(footprint(), before))


@pytest.fixture
def session() -> Iterator[Session]:
    with open_session() as session:
        yield session


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    # What the package has for the whole process, such as its helper, is there from the first session on.
    global _warmed
    if not _warmed:
        open_session().close()
        _warmed = True
    before = footprint()
    yield
    # Threads of the native half close the pipes of a run right after its end.
    end = time.monotonic() + 5
    while more_than(before) and time.monotonic() < end:
        time.sleep(0.001)
    assert not more_than(before)


_warmed = False

# Code that speaks to the host as the guest's own would.
HOSTILE = """
import sys, json, os, struct
wire = sys.modules["stockade_guest.session"].wire
def forge(header, body=b""):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    os.write(wire.sink, struct.pack(">II", len(header), len(body)) + header + body)
"""

__all__ = ["HOSTILE", "footprint", "nothing_is_left_behind", "open_session", "session", "stockade"]
