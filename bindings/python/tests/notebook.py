"""Runs a notebook and prints it with what its cells show now: python notebook.py NOTEBOOK FOLDER."""

from __future__ import annotations

import sys

import nbformat
from nbclient import NotebookClient

if __name__ == "__main__":
    path, folder = sys.argv[1:]
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    # An error in a cell is raised. The kernel listens on loopback, and is ended here.
    client.execute()
    assert client.km is None or not client.km.has_kernel
    print(nbformat.writes(book))
