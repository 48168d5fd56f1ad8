"""WebAssembly modules of the tests, written as text."""

from __future__ import annotations

from functools import lru_cache

import wasmtime


@lru_cache(maxsize=None)
def binary(text: str) -> bytes:
    """A module's bytes. The engine of this package of the tests is used for nothing else."""
    return bytes(wasmtime.wat2wasm(text))
