"""What the modules for Dask, Celery and Ray share."""

from __future__ import annotations

import inspect
from typing import Any, Mapping

from ._remote.results import check_format
from .executor import SandboxExecutor
from .policy import KEYWORDS, policy_of

_OWN = frozenset(inspect.signature(SandboxExecutor).parameters) - {"limits"}

OPTIONS = _OWN | {*KEYWORDS, "timeout"}
"""Every keyword of `SandboxExecutor`."""


def check(options: Mapping[str, Any]) -> None:
    """Raise here what `SandboxExecutor` would raise for its keywords on a machine far away.

    Raises `TypeError`, `ValueError` and `InvalidPolicy`.
    """
    limits = {name: value for name, value in options.items() if name not in _OWN}
    policy_of(options.get("policy"), limits)
    check_format(options.get("returns", "json"))


def missing(extra: str, needed: str, error: ImportError) -> ImportError:
    """The error for an engine that is not there, or too old."""
    message = f"stockade.{extra} needs {needed}: pip install stockade[{extra}] ({error})"
    return ImportError(message, name=error.name)
