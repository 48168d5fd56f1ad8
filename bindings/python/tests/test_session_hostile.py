"""Sessions whose code speaks to the host itself, and says what no guest of ours says."""

from __future__ import annotations

import resource
import time
import tracemalloc
from typing import Any, List

import pytest
from sessions import HOSTILE, nothing_is_left_behind, open_session  # noqa: F401, F811

from stockade import Session, SessionLost

BREAKING = {
    "an unknown message": 'forge({"op": "what"})',
    "no operation": "forge({})",
    "a header that is a list": "forge([1])",
    "a header that is no JSON": 'forge(b"{")',
    "a header that is no text": 'forge(b"\\xff" * 9)',
    "a header deeper than any": 'forge(b\'{"a":\' + b"[" * 500000)',
    "a header with a number of a million digits": 'forge(b\'{"op":\' + b"9" * 1000000 + b"}")',
    "a header longer than allowed": 'os.write(wire.sink, struct.pack(">II", 1 << 31, 0))',
    "a body longer than allowed": 'os.write(wire.sink, struct.pack(">II", 2, 1 << 31) + b"{}")',
    "output of a third stream": 'forge({"op": "out", "fd": 3}, b"x")',
    "output of a stream with a name": 'forge({"op": "out", "fd": "1"}, b"x")',
    "output of a stream that is true": 'forge({"op": "out", "fd": True}, b"x")',
    "the end of another call": 'forge({"op": "end", "id": 99})',
    "the end of a former call": 'forge({"op": "end", "id": 0})',
    "an end without a call": 'forge({"op": "end"})',
    "an error of the wrong kind": 'forge({"op": "end", "id": 1, "error": "x"})',
    "an error of numbers": 'forge({"op": "end", "id": 1, "error": [1, 2, 3]})',
    "an error without end": 'forge({"op": "end", "id": 1, "error": ["x", "x" * 100000, "x"]})',
    "a repr of the wrong kind": 'forge({"op": "end", "id": 1, "repr": 1})',
    "a value that is no JSON": 'forge({"op": "end", "id": 1, "value": True}, b"{")',
    "a value that is not a number": 'forge({"op": "end", "id": 1, "value": True}, b"NaN")',
    "a value deeper than any": 'forge({"op": "end", "id": 1, "value": True}, b"[" * 1000000)',
    "a value of a million digits": 'forge({"op": "end", "id": 1, "value": True}, b"9" * 1000000)',
    "a value of more digits than ours": 'forge({"op": "end", "id": 1, "value": True}, b"9" * 3000)',
    "a value with half a pair": 'forge({"op": "end", "id": 1, "value": True}, b\'"\\\\ud800"\')',
    "a value that is a pickle": 'forge({"op": "end", "id": 1, "value": True}, b"\\x80\\x04N.")',
    "a tool without a name": 'forge({"op": "tool", "id": 1}, b"{}")',
    "a tool with a number of text": 'forge({"op": "tool", "id": "1", "name": "add"}, b"{}")',
    "a tool with arguments that are none": 'forge({"op": "tool", "id": 1, "name": "add"}, b"[]")',
    "a tool with arguments of other names": 'forge({"op": "tool", "id": 1, "name": "add"}, b\'{"args": [], "kw": {}}\')',
    "a tool with arguments deeper than any": 'forge({"op": "tool", "id": 1, "name": "add"}, b"[" * 1000000)',
}


@pytest.mark.parametrize("what", BREAKING)
def test_a_guest_that_breaks_the_protocol_is_killed_and_the_session_lost(what: str) -> None:
    called: List[Any] = []
    with open_session(tools={"add": lambda *args: called.append(args)}) as session:
        with pytest.raises(SessionLost, match="broke the protocol"):
            session.run(
                HOSTILE + BREAKING[what] + "\nimport time\nwhile True: time.sleep(9)", timeout=20
            )
        assert called == []
        session.reset()
        assert session.run("1 + 1").value == 2


def test_a_forged_end_is_data_and_the_true_one_ends_the_session() -> None:
    with open_session() as session:
        result = session.run(
            HOSTILE + 'forge({"op": "end", "id": 1, "value": True, "repr": "\\x1b[2J"}, b"[1]")'
        )
        assert result.value == [1] and "\x1b" not in (result.repr or "")
        with pytest.raises(SessionLost):
            session.run("1")


def test_a_frame_that_never_ends_does_not_hold_the_host() -> None:
    with open_session(grace=0.2) as session:
        started = time.monotonic()
        with pytest.raises(SessionLost):
            session.run(
                HOSTILE
                + 'os.write(wire.sink, struct.pack(">II", 100, 100) + b"{")\nimport time\nwhile True:\n  try: time.sleep(9)\n  except BaseException: pass',
                timeout=0.2,
            )
        assert time.monotonic() - started < 10


def test_a_flood_of_frames_does_not_hold_the_host_nor_fill_it() -> None:
    floods = [
        'forge({"op": "out", "fd": 1}, b"x" * 60000)',
        'forge({"op": "out", "fd": 1}, b"x")',
        'forge({"op": "out", "fd": 2}, b"")',
        'forge({"op": "tool", "id": 7, "name": "none"}, b"")',
        'os.write(2, b"y" * 60000)',
        'os.write(5, b"y" * 60000)',  # what was standard error before the guest took it away
    ]
    for flood in floods:
        with open_session(grace=0.3, output=10_000) as session:
            tracemalloc.start()
            started = time.monotonic()
            code = HOSTILE + f"while True:\n  try:\n    {flood}\n  except BaseException: pass"
            with pytest.raises(SessionLost):
                session.run(code, timeout=0.3)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert time.monotonic() - started < 10 and peak < 16 << 20


@pytest.mark.parametrize(
    "flood",
    [
        "os.write(2, b'y' * 60000)",
        "os.write(5, b'y' * 60000)",
        "forge({'op': 'out', 'fd': 1}, b'x' * 60000)",
    ],
)
def test_a_flood_instead_of_an_answer_about_files_does_not_fill_the_host(flood: str) -> None:
    with open_session(timeout=0.5, grace=0.1) as session:
        code = f"files = sys.modules['stockade_guest.files']\ndef serve(*a):\n  while True: {flood}\nfiles.serve = serve"
        session.run(HOSTILE + code, check=True)
        tracemalloc.start()
        with pytest.raises(SessionLost):
            session.files()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16 << 20


def test_replies_that_nobody_reads_do_not_hold_the_host() -> None:
    with open_session(
        grace=0.3, tools={"large": lambda: "x" * 500_000}, tool_rate=1e9, tool_calls=10**9
    ) as session:
        code = (
            HOSTILE
            + 'b = b\'{"args": [], "kwargs": {}}\'\nwhile True:\n  try: forge({"op": "tool", "id": 1, "name": "large"}, b)\n  except BaseException: pass'
        )
        started = time.monotonic()
        with pytest.raises(SessionLost):
            session.run(code, timeout=0.3)
        assert time.monotonic() - started < 10


def test_tools_that_nobody_wrote_are_refused() -> None:
    with open_session(tools={"add": lambda: 1}) as session:
        code = (
            HOSTILE
            + 'wire.cuts.asking = True\nforge({"op": "tool", "id": 5, "name": "__import__"}, b\'{"args": ["os"], "kwargs": {}}\')\nwire.receive()[1].decode()'
        )
        assert session.run(code).value == "__import__: there is no such tool"
        assert session.run("1").ok


def test_a_tool_cannot_be_called_past_its_bounds_by_frames() -> None:
    called: List[int] = []
    with open_session(tools={"add": called.append}, tool_calls=2) as session:
        code = (
            HOSTILE
            + 'wire.cuts.asking = True\nfor i in range(9): forge({"op": "tool", "id": i, "name": "add"}, b\'{"args": [1], "kwargs": {}}\'); wire.receive()'
        )
        assert session.run(code).ok and called == [1, 1]
    with open_session(tools={"add": called.append}, tool_bytes=1000) as session:
        code = (
            HOSTILE
            + "wire.cuts.asking = True\nforge({'op': 'tool', 'id': 1, 'name': 'add'}, b' ' * 1001)\nwire.receive()[1].decode()"
        )
        assert session.run(code).value == "add: arguments of 1001 bytes; at most 1000 are allowed"


ANSWERS = {
    "more bytes than asked for": ("get", 'forge({"op": "done"}, b"x" * 101)'),
    "far more bytes than asked for": (
        "get",
        'os.write(wire.sink, struct.pack(">II", 13, 1 << 30) + b\'{"op":"done"} \')',
    ),
    "no answer of ours": ("get", 'forge({"op": "end", "id": 1}, b"")'),
    "a reason that is none": ("get", 'forge({"op": "fail", "why": "x"}, b"")'),
    "a reason of the wrong kind": ("get", 'forge({"op": "fail", "why": 1}, b"")'),
    "bytes for a put": ("put", 'forge({"op": "done"}, b"x")'),
    "a list that is none": ("files", 'forge({"op": "done"}, b"{}")'),
    "a list of more": (
        "files",
        'forge({"op": "done"}, json.dumps([[str(i), 0] for i in range(101)]).encode())',
    ),
    "an entry that is none": ("files", 'forge({"op": "done"}, b\'[["a"]]\')'),
    "a size that is negative": ("files", 'forge({"op": "done"}, b\'[["a", -1]]\')'),
    "a size that is true": ("files", 'forge({"op": "done"}, b\'[["a", true]]\')'),
    "a size of text": ("files", 'forge({"op": "done"}, b\'[["a", "1"]]\')'),
    "a list deeper than any": ("files", 'forge({"op": "done"}, b"[" * 1000000)'),
    **{
        f"the name {name!r}": (
            "files",
            f'forge({{"op": "done"}}, json.dumps([[{name!r}, 0]]).encode())',
        )
        for name in (
            "",
            "..",
            "../x",
            "/etc/passwd",
            "/work/a",
            "a/../b",
            "a\0",
            "a\n",
            "\x1b[2J",
            "\ud800",
            "\u202e",
            "x" * 300,
        )
    },
}


def ask(session: Session, what: str) -> Any:
    requests = {
        "get": lambda: session.get("a", max_size=100),
        "put": lambda: session.put("a", b"x"),
    }
    return requests.get(what, lambda: session.files(max_count=100))()


@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_about_files_that_breaks_the_protocol_ends_the_session(what: str) -> None:
    request, answer = ANSWERS[what]
    with open_session() as session:
        session.run(
            HOSTILE
            + f"files = sys.modules['stockade_guest.files']\ndef serve(*a):\n  {answer}\n  import time; time.sleep(99)\nfiles.serve = serve",
            check=True,
        )
        with pytest.raises(SessionLost):
            ask(session, request)
        with pytest.raises(SessionLost):
            session.run("1")


@pytest.mark.parametrize("request_", ["get", "put", "files"])
def test_a_guest_that_never_answers_about_files_is_killed(request_: str) -> None:
    with open_session(timeout=0.3, grace=0.1) as session:
        session.run(
            "import sys\nfiles = sys.modules['stockade_guest.files']\ndef serve(*a):\n  import time; time.sleep(99)\nfiles.serve = serve",
            check=True,
        )
        started = time.monotonic()
        with pytest.raises(SessionLost):
            ask(session, request_)
        assert time.monotonic() - started < 10


def test_a_guest_that_closes_its_channel_and_lives_is_killed() -> None:
    with open_session() as session:
        with pytest.raises(SessionLost):
            session.run(HOSTILE + "os.close(wire.sink)\nimport time\ntime.sleep(99)")


def test_a_guest_that_no_longer_reads_is_killed() -> None:
    with open_session(timeout=0.3, grace=0.1) as session:
        session.run(HOSTILE + "import time\nwire.head = lambda: time.sleep(99)", check=True)
        with pytest.raises(SessionLost):
            session.run("x = '" + "x" * 1_000_000 + "'")


def test_a_guest_that_takes_its_signals_away_is_killed_at_the_end_of_the_grace() -> None:
    with open_session(grace=0.2) as session:
        with pytest.raises(SessionLost):
            session.run(
                "import signal\nsignal.signal(signal.SIGIO, signal.SIG_IGN)\nwhile True: pass",
                timeout=0.1,
            )


def test_what_a_session_printed_is_bounded_in_the_host_also_in_tiny_pieces() -> None:
    with open_session(output=1 << 20, output_overflow="truncate") as session:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = session.run(
            "import sys\nfor _ in range(200000): sys.stdout.buffer.write(b'x')", timeout=60
        )
        assert len(result.stdout) == 200_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
