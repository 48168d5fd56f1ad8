"""Files of a session: put, got, listed, and refused."""

from __future__ import annotations

import os
from typing import Any

import pytest
from sessions import nothing_is_left_behind, open_session, session  # noqa: F401, F811

from stockade import FileRefused, NotFound, Session

EVERYTHING = bytes(range(256)) * 5000


def refused(reason: str) -> Any:
    return pytest.raises(FileRefused, check=lambda error: error.reason == reason)


def test_a_file_comes_back_as_it_was_put(session: Session) -> None:
    for path, data in (("a", b""), ("deep/er/b.bin", EVERYTHING), ("/work/ü ber", b"x")):
        session.put(path, data)
        assert session.get(path) == data
    assert session.files() == {"a": 0, "deep/er/b.bin": len(EVERYTHING), "ü ber": 1}
    session.put("deep/er/b.bin", memoryview(b"short"))
    assert session.run("open('deep/er/b.bin', 'rb').read().decode()").value == "short"


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "/", "/work", "/work/", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "/etc/passwd", "/tmp/x",
     "/work/../etc/passwd", "a\0b", "x" * 256, "a/" * 100 + "a", "a/" * 2100 + "a", "\ud800", "//work/a"],
)  # fmt: skip
def test_a_path_out_of_the_working_folder_is_refused_before_anything_is_sent(
    session: Session, path: str
) -> None:
    calls = [lambda: session.put(path, b"x"), lambda: session.get(path)]
    for call in calls:
        with refused("path"):
            call()
    with refused("path"):
        open_session(files={path: b"x"})
    assert session.files() == {} and session.run("1").ok


def test_paths_are_text_and_contents_bytes(session: Session) -> None:
    with pytest.raises(TypeError):
        session.put(b"a", b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        session.put("a", "x")  # type: ignore[arg-type]
    assert session.run("1").ok


@pytest.mark.parametrize("target", ["/etc/hostname", "real", "nowhere", "link"])
def test_links_are_refused_at_the_end_and_on_the_way(session: Session, target: str) -> None:
    session.run(
        f"import os; open('real', 'w').write('secret'); os.symlink({target!r}, 'link'); os.symlink('/tmp', 'out')"
    )
    for call in (
        lambda: session.get("link"),
        lambda: session.put("link", b"x"),
        lambda: session.put("out/x", b"x"),
    ):
        with refused("link"):
            call()
    with refused("link"):
        session.get("out/x")
    assert session.run("os.path.exists('/tmp/x'), open('real').read()").repr == "(False, 'secret')"
    assert session.files() == {"real": 6}


@pytest.mark.parametrize(
    "make",
    ["os.mkfifo('f')", "import socket; s = socket.socket(socket.AF_UNIX); s.bind('f')",
     "os.mkfifo('f'); r = os.open('f', os.O_RDONLY | os.O_NONBLOCK)"],
)  # fmt: skip
def test_what_would_hold_its_reader_is_refused(session: Session, make: str) -> None:
    session.run("import os\n" + make, check=True)
    for call in (lambda: session.get("f"), lambda: session.put("f", b"x")):
        with refused("special"):
            call()
    assert session.files() == {} and session.run("1").ok


def test_a_folder_is_no_file_and_a_file_no_folder(session: Session) -> None:
    session.put("d/f", b"x")
    for call in (
        lambda: session.get("d"),
        lambda: session.put("d", b""),
        lambda: session.get("d/f/g"),
        lambda: session.put("d/f/g", b""),
    ):
        with refused("folder"):
            call()


def test_a_missing_file_is_not_found(session: Session) -> None:
    for path in ("a", "a/b"):
        with pytest.raises(NotFound):
            session.get(path)
    with pytest.raises(FileNotFoundError):
        session.get("a")


def test_a_file_larger_than_asked_for_is_refused(session: Session) -> None:
    session.put("a", b"x" * 1000)
    assert len(session.get("a", max_size=1000)) == 1000
    with refused("size"):
        session.get("a", max_size=999)
    session.run("f = open('sparse', 'wb'); f.truncate(1 << 25)")
    with refused("size"):
        session.get("sparse")


def test_more_than_there_is_room_for_is_refused_and_the_session_goes_on() -> None:
    with open_session(disk="1MiB") as session:
        with refused("space"):
            session.put("a", bytes(4 << 20))
        session.put("a", b"x")
        assert session.get("a") == b"x"


def test_more_files_than_asked_for_are_refused(session: Session) -> None:
    session.run("for i in range(10): open(str(i), 'w')")
    assert len(session.files(max_count=10)) == 10
    with refused("count"):
        session.files(max_count=9)


def test_names_that_cannot_be_printed_are_left_out(session: Session) -> None:
    session.run(
        "import os\nfor n in (b'\\xff', b'a\\nb', b'\\x1b[2J', b'\\xe2\\x80\\xae', b'fine'): open(n, 'w')"
    )
    assert session.files() == {"fine": 0}


def test_a_file_without_permission_is_refused(session: Session) -> None:
    session.run("import os\nopen('a', 'w'); os.chmod('a', 0)")
    with refused("access"):
        session.get("a")


def test_files_of_the_code_stay_where_it_goes(session: Session) -> None:
    session.run("import os; os.mkdir('sub'); os.chdir('sub'); open('here', 'w')")
    session.put("there", b"")
    assert sorted(session.files()) == ["sub/here", "there"]
    session.run("import shutil; os.chdir('/'); shutil.rmtree('/work/sub')")
    assert sorted(session.files()) == ["there"] and os.getcwd() != "/"
