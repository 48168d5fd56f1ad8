"""The notebook in the manual runs, and shows what it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import pytest
from pages import PROJECT, need_a_whole_host

NOTEBOOK = PROJECT / "docs" / "tour.ipynb"
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
        texts.append(output.get("text", "") or data.get("text/plain", ""))
    return re.sub(r"\d+(\.\d+)?", "#", "".join(texts)), kinds


# What asks for a later version of one package is the other package's to change.
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
def test_every_cell_of_the_tour_shows_what_is_stored_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed in ("nbclient", "ipykernel", "numpy", "matplotlib"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    need_a_whole_host()
    import nbformat
    from nbclient import NotebookClient

    for variable, name in PLACES.items():
        monkeypatch.setenv(variable, str(tmp_path / name))
    stored = nbformat.read(NOTEBOOK, as_version=4)
    fresh = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        fresh, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    # An error in a cell is raised. The kernel listens on loopback, and is ended here.
    client.execute()
    assert client.km is None or not client.km.has_kernel
    for before, after in zip(stored.cells, fresh.cells):
        assert shown(after) == shown(before), before.source
