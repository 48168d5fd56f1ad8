"""Pages of the manual as programs: blocks of Python, each with the text that it prints.

    python pages.py PAGE

runs one page, in this process. What it does not print as it should ends it with status 1, a package that
is not installed with 77.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import re
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]

#: What a user installs for some of the modules.
EXTRAS = ("celery", "cloudpickle", "dask", "distributed", "numpy", "ray")
#: The status that says a page cannot be run here.
MISSING = 77

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


def unmeasured(text: str) -> str:
    """Text without what was measured: numbers with three decimals and more."""
    return re.sub(r"\d+\.\d{3,}", "#", text)


def lacks(*packages: str) -> str:
    """Which of these is not installed, if one is not; imports none, since some start threads."""
    return next((name for name in packages if importlib.util.find_spec(name) is None), "")


def missing(error: ImportError) -> str:
    """The package that a user has to install, if that is what an import failed for, or nothing."""
    name = (error.name or "").partition(".")[0]
    return name if name in EXTRAS else ""


def failures(path: Path) -> Iterator[str]:
    """Runs the blocks of a page one after the other, with one state; says which print something else."""
    same = doctest.OutputChecker().check_output
    state: Dict[str, Any] = {"__name__": "__main__"}
    found = blocks(path.read_text(encoding="utf-8"))
    if not found:
        yield "there is no example on it"
    for line, code, output in found:
        printed = io.StringIO()
        program = compile("\n" * (line - 1) + code, str(path), "exec")
        with contextlib.redirect_stdout(printed):
            exec(program, state)
        if not same(unmeasured(output), unmeasured(printed.getvalue()), doctest.ELLIPSIS):
            yield f"line {line} printed\n{printed.getvalue()}"


if __name__ == "__main__":
    try:
        failed = list(failures(Path(sys.argv[1])))
    except ImportError as error:
        if not missing(error):
            raise
        print(missing(error), end="")
        sys.exit(MISSING)
    sys.exit("\n".join(failed) or 0)
