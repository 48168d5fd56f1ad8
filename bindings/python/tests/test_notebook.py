"""The notebook in the manual runs, and shows what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import pytest
from pages import lacks

HERE = Path(__file__).parent
NOTEBOOK = HERE.parent / "docs" / "tour.ipynb"
#: Where Jupyter and what it starts keep things, which are to be this test's own.
PLACES = {
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "IPYTHONDIR": "ipython",
    "MPLCONFIGDIR": "matplotlib",
}


def shown(cell: Dict[str, Any]) -> Tuple[str, Set[str]]:
    """The text that a cell shows, with every number as #, and the kinds of what it shows besides."""
    texts: List[str] = []
    kinds: Set[str] = set()
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        kinds |= set(data)
        texts += output.get("text", data.get("text/plain", []))
    return re.sub(r"\d+(\.\d+)?", "#", "".join(texts)), kinds


def test_every_cell_of_the_tour_shows_what_is_stored_with_it(
    tmp_path: Path, weak: List[str]
) -> None:
    if lacks("nbclient", "ipykernel", "numpy", "matplotlib"):
        pytest.skip(f"{lacks('nbclient', 'ipykernel', 'numpy', 'matplotlib')} is not installed")
    if weak:
        pytest.skip(f"this host cannot enforce {', '.join(weak)}")
    places = {variable: str(tmp_path / name) for variable, name in PLACES.items()}
    done = subprocess.run(
        [sys.executable, HERE / "notebook.py", NOTEBOOK, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=240,
        env={**os.environ, **places},
    )
    assert done.returncode == 0, done.stderr
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    fresh = json.loads(done.stdout)["cells"]
    for before, after in zip(stored, fresh):
        assert shown(after) == shown(before), "".join(before["source"])
