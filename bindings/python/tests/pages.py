"""Pages of the manual as programs: blocks of Python, each with the text that it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, NamedTuple

import pytest
import stockade

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of Python on a page."""

    line: int
    code: str
    #: The block of text that follows at once, or nothing.
    output: str


def blocks(page: str) -> List[Block]:
    """The blocks of a page, in order."""
    return [
        Block(page.count("\n", 0, found.start(1)) + 1, found[1], found[2] or "")
        for found in _BLOCK.finditer(page)
    ]


def need_a_whole_host() -> None:
    """Skips a test of examples that ask for every default limit, where those cannot be enforced."""
    try:
        stockade.prepare(["true"])
    except stockade.Unsupported as error:
        pytest.skip(f"this host cannot enforce the default policy: {error}")
