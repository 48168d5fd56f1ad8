"""Errors: their classes, their texts, and that they can be sent to another process."""

from __future__ import annotations

import builtins
import pickle
import subprocess
from typing import Type

import pytest

import stockade
from stockade.errors import from_native

UNMET = '[{"control": "memory", "reason": "no cgroup", "fix": "run as root", "approximable": true}]'


@pytest.mark.parametrize(
    ("kind", "error", "also"),
    [
        ("invalid_policy", stockade.InvalidPolicy, ValueError),
        ("unsupported", stockade.Unsupported, NotImplementedError),
        ("not_found", stockade.NotFound, FileNotFoundError),
        ("permission_denied", stockade.PermissionDenied, PermissionError),
        ("setup", stockade.SetupError, OSError),
        ("host_lost", stockade.HostLost, OSError),
        ("io", stockade.IoError, OSError),
        ("internal", stockade.InternalError, RuntimeError),
        ("of a later version", stockade.InternalError, RuntimeError),
    ],
)
@pytest.mark.parametrize("errno", [None, 28])
def test_every_kind_has_its_class_and_keeps_it_through_pickle(
    kind: str, error: Type[stockade.SandboxError], also: Type[Exception], errno: int
) -> None:
    made = from_native(kind, "what is wrong", "what to do", UNMET, errno)
    assert type(made) is error
    for one in (made, pickle.loads(pickle.dumps(made))):
        assert isinstance(one, also)
        assert isinstance(one, stockade.SandboxError)
        assert str(one) == "what is wrong (what to do)"
        assert one.hint == "what to do"
        assert one.kind == error.kind
        if isinstance(one, OSError):
            usual = {"not_found": 2, "permission_denied": 13}.get(kind)
            assert one.errno == (errno or usual)
            assert bool(one.strerror) == bool(one.errno)
        if isinstance(one, stockade.Unsupported):
            assert one.unmet == [stockade.Unmet("memory", "no cgroup", "run as root", True)]


def test_an_error_without_a_hint_is_its_text() -> None:
    error = from_native("setup", "what is wrong", None, "[]", None)
    assert (str(error), error.hint) == ("what is wrong", None)
    assert stockade.Unsupported("x").unmet == []


def test_every_error_is_a_sandbox_error_and_is_exported() -> None:
    classes = [value for value in vars(stockade).values() if isinstance(value, type)]
    errors = [value for value in classes if issubclass(value, Exception)]
    assert len(errors) >= 11
    for error in errors:
        assert issubclass(error, stockade.SandboxError)
        assert error.__name__ in stockade.__all__
        assert not hasattr(builtins, error.__name__)


def test_verdicts_as_errors_are_those_of_subprocess() -> None:
    assert issubclass(stockade.SandboxTimeout, subprocess.TimeoutExpired)
    assert issubclass(stockade.SandboxProcessError, subprocess.CalledProcessError)
    assert not issubclass(stockade.SandboxTimeout, subprocess.CalledProcessError)
