"""What of this environment a sandbox is shown, and that its Python starts there."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from stockade._remote import interpreter as rooms
from stockade._remote.interpreter import Interpreter

SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib")


def test_the_standard_library_and_installed_packages_are_seen() -> None:
    found = Interpreter.current()
    assert found.sees(os.__file__) and found.sees(pytest.__file__) and found.sees(found.executable)
    assert (
        found.imports(json) and found.imports(sys) and found.imports(math) and found.imports(pytest)
    )


def test_a_module_of_the_users_own_is_not_imported_inside() -> None:
    found = Interpreter.current()
    assert not found.sees(__file__)
    assert not found.imports(sys.modules[__name__])
    assert not found.imports(sys.modules["__main__"])
    assert not found.imports(types.ModuleType("made_up"))


def test_nothing_of_the_current_directory_or_pythonpath_is_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    found = Interpreter.current()
    assert str(tmp_path) not in found.paths and "" not in found.paths
    for mount in found.mounts:
        assert not str(tmp_path).startswith(mount["target"].rstrip("/") + "/")


def test_an_extra_path_is_bound_and_comes_first(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1")
    found = Interpreter.current([tmp_path])
    assert found.paths[0] == str(tmp_path) and found.sees(str(tmp_path / "mine.py"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Interpreter.current([tmp_path / "nowhere"])


def test_binds_are_read_only_and_none_lies_in_another() -> None:
    mounts = Interpreter.current().mounts
    assert all(mount["access"] == "ro" and mount["bind"] == mount["target"] for mount in mounts)
    targets = [mount["target"] for mount in mounts]
    for one in targets:
        assert not one.startswith(SYSTEM)
        assert not any(one != other and one.startswith(other + "/") for other in targets)


def test_what_every_sandbox_sees_is_imported_from_without_a_bind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms, "_SYSTEM", (*rooms._SYSTEM, os.path.realpath(sys.base_prefix)))
    found = Interpreter.current()
    assert os.path.realpath(sys.base_prefix) not in [mount["target"] for mount in found.mounts]
    assert os.path.dirname(os.path.realpath(os.__file__)) in found.paths and found.imports(json)


def test_an_installation_spread_into_a_home_directory_is_not_bound_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    targets = [mount["target"] for mount in Interpreter.current().mounts]
    assert str(tmp_path) not in targets
    assert Interpreter.current().sees(os.__file__)


def test_of_a_virtual_environment_in_a_project_only_its_own_parts_are_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bin", "lib/python3/site-packages"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text("")
    (tmp_path / "secret").write_text("")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "lib/python3/site-packages")])
    found = Interpreter.current()
    assert found.sees(str(tmp_path / "pyvenv.cfg")) and found.sees(str(tmp_path / "bin"))
    assert str(tmp_path / "lib/python3/site-packages") in found.paths
    assert not found.sees(str(tmp_path / "secret"))


def test_the_environment_of_the_host_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    assert set(Interpreter.current().environment) <= {"HOME", "LANG", "PATH", "LD_LIBRARY_PATH"}


def test_a_guest_starts_with_the_given_paths_and_without_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "guest").mkdir()
    (tmp_path / "guest" / "first.py").write_text("word = 'hello'")
    (tmp_path / "guest" / "second.py").write_text(
        "import json, sys\nfrom .first import word\n"
        "def main():\n"
        "    print(json.dumps([word, sys.path, 'site' in sys.modules, sys.flags.isolated, sys.stdin.read()]))\n"
    )
    monkeypatch.setattr(rooms, "__file__", str(tmp_path / "interpreter.py"))
    rooms._program.cache_clear()
    found = Interpreter.current()
    command, program = found.boot("first", "second")
    rooms._program.cache_clear()
    done = subprocess.run(
        command,
        input=program + b"rest",
        capture_output=True,
        check=True,
        env=dict(found.environment),
    )
    assert json.loads(done.stdout) == ["hello", list(found.paths), False, 1, "rest"]
