"""The host's side of the channel against guests that keep no rule."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from typing import Iterator, Tuple

import pytest

from stockade._remote.channel import (
    Channel,
    ChannelClosed,
    DeadlinePassed,
    Malformed,
    Tail,
    decode_header,
)

Ends = Tuple[Channel, int, int]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A channel, and the guest's descriptors to read from and to write to."""
    reading, guest_writes = os.pipe()
    guest_reads, writing = os.pipe()
    fds = [reading, guest_writes, guest_reads, writing]
    yield Channel(reading, writing, body_limit=1 << 20), guest_reads, guest_writes
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass  # a test plays a guest that closed it


def frame(header: object, body: bytes = b"") -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">II", len(head), len(body)) + head + body


def soon() -> float:
    return time.monotonic() + 0.05


def test_a_frame_arrives_as_it_was_sent(ends: Ends) -> None:
    channel, guest_reads, guest_writes = ends
    channel.send({"op": "call", "name": "ü"}, b"\x00\xff")
    sent = os.read(guest_reads, 1000)
    os.write(guest_writes, sent)
    got = channel.receive(deadline=soon())
    assert got.header == {"op": "call", "name": "ü"} and got.body == b"\x00\xff"


def test_a_frame_larger_than_the_pipe_passes_both_ways(ends: Ends) -> None:
    channel, guest_reads, guest_writes = ends
    body = os.urandom(1 << 20)

    def echo() -> None:
        left = len(frame({"n": 1}, body))
        while left:
            part = os.read(guest_reads, left)
            left -= len(part)
            view = memoryview(part)
            while view:
                view = view[os.write(guest_writes, view) :]

    thread = threading.Thread(target=echo)
    answers = []
    reader = threading.Thread(
        target=lambda: answers.append(channel.receive(deadline=time.monotonic() + 30))
    )
    thread.start()
    reader.start()
    channel.send({"n": 1}, body, deadline=time.monotonic() + 30)
    thread.join()
    reader.join()
    assert answers[0].body == body


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"a": "\xc3"}',
        b"[" * 500_000,
        b'{"a":' * 200_000,
        b'{"a": ' + b"9" * 900_000 + b"}",
        b'{"a": ' + b"9" * 21 + b"}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"{}{}",
        b'{"a": 1e5, }',
    ],
    ids=lambda header: header[:12].decode("latin-1"),
)
def test_a_header_that_is_no_json_object_is_refused_at_once(ends: Ends, header: bytes) -> None:
    before = time.monotonic()
    with pytest.raises(Malformed):
        decode_header(header)
    assert time.monotonic() - before < 5


def test_a_header_of_a_huge_length_is_refused_before_it_is_read(ends: Ends) -> None:
    channel, _, guest_writes = ends
    os.write(guest_writes, struct.pack(">II", (1 << 20) + 1, 0))
    with pytest.raises(Malformed, match="header of 1048577 bytes"):
        channel.receive(deadline=soon())


def test_a_body_of_a_huge_length_is_refused_before_it_is_read(ends: Ends) -> None:
    channel, _, guest_writes = ends
    os.write(guest_writes, struct.pack(">II", 2, 0xFFFF_FFFF))
    with pytest.raises(Malformed, match="body of 4294967295 bytes"):
        channel.receive(deadline=soon())


def test_a_length_without_its_bytes_makes_the_host_allocate_nothing(ends: Ends) -> None:
    channel, _, guest_writes = ends
    channel.body_limit = 0xFFFF_FFFF
    os.write(guest_writes, struct.pack(">II", 2, 0xFFFF_FFFF) + b"{}")
    tracemalloc.start()
    try:
        with pytest.raises(DeadlinePassed):
            channel.receive(deadline=soon())
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 13])
def test_half_a_frame_holds_the_host_no_longer_than_the_deadline(ends: Ends, size: int) -> None:
    channel, _, guest_writes = ends
    os.write(guest_writes, frame({"a": 1}, b"body")[:size])
    before = time.monotonic()
    with pytest.raises(DeadlinePassed):
        channel.receive(deadline=soon())
    assert time.monotonic() - before < 5


def test_bytes_that_keep_coming_hold_the_host_no_longer_than_the_deadline(ends: Ends) -> None:
    channel, _, guest_writes = ends
    os.write(guest_writes, frame({"a": 1}, b"body"))
    with pytest.raises(DeadlinePassed):
        # Late, although there is always something to read.
        channel.receive(deadline=time.monotonic())


@pytest.mark.parametrize("size", [0, 3, 10])
def test_a_guest_that_goes_away_is_a_closed_channel(ends: Ends, size: int) -> None:
    channel, _, guest_writes = ends
    os.write(guest_writes, frame({"a": 1}, b"body")[:size])
    os.close(guest_writes)
    with pytest.raises(ChannelClosed):
        channel.receive(deadline=soon())


def test_a_guest_that_does_not_read_holds_the_host_no_longer_than_the_deadline(ends: Ends) -> None:
    channel, _, _ = ends
    with pytest.raises(DeadlinePassed):
        channel.send({}, bytes(1 << 20), deadline=soon())


def test_a_guest_that_closes_its_input_is_a_closed_channel(ends: Ends) -> None:
    channel, guest_reads, _ = ends
    os.close(guest_reads)
    with pytest.raises(ChannelClosed):
        channel.send({}, b"x", deadline=soon())


def test_the_default_action_of_sigpipe_does_not_end_the_host(ends: Ends) -> None:
    channel, guest_reads, _ = ends
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.close(guest_reads)
        with pytest.raises(ChannelClosed):
            channel.send({}, b"x", deadline=soon())
        assert signal.SIGPIPE not in signal.sigpending()
        assert signal.SIGPIPE not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_other_streams_are_read_while_waiting(ends: Ends) -> None:
    channel, _, guest_writes = ends
    stderr, guest_prints = os.pipe()
    tail = Tail(stderr, 1000)
    flood = threading.Thread(
        target=lambda: [os.write(guest_prints, b"x" * 5000) for _ in range(100)]
    )
    flood.start()

    def speak() -> None:
        flood.join()
        os.write(guest_writes, frame({"done": True}))

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        # The flood is larger than a pipe: without reading it there is no frame.
        channel.receive(deadline=time.monotonic() + 30, watch={stderr: tail.drain})
    finally:
        speaker.join()
        os.close(guest_prints)
    while tail.drain():
        pass
    os.close(stderr)
    assert len(tail._kept) <= 2 * 1000
    assert tail.take() == "[499000 bytes before this were dropped]\n" + "x" * 1000
    assert tail.take() == ""


def test_a_stream_that_ends_is_watched_no_longer(ends: Ends) -> None:
    channel, _, _ = ends
    stderr, guest_prints = os.pipe()
    os.close(guest_prints)
    watch = {stderr: Tail(stderr, 10).drain}
    with pytest.raises(DeadlinePassed):
        channel.receive(deadline=soon(), watch=watch)
    os.close(stderr)
    assert watch == {}


def test_fields_are_checked_for_type_and_range(ends: Ends) -> None:
    channel, _, guest_writes = ends
    os.write(guest_writes, frame({"text": "abc", "number": 3, "flag": True, "float": 3.0}))
    got = channel.receive(deadline=soon())
    assert got.text("text", 3) == "abc" and got.integer("number", 0, 3) == 3
    for wrong in ("number", "flag", "missing"):
        with pytest.raises(Malformed):
            got.text(wrong)
    for wrong in ("text", "flag", "float", "missing"):
        with pytest.raises(Malformed):
            got.integer(wrong, 0, 3)
    with pytest.raises(Malformed):
        got.text("text", 2)
    with pytest.raises(Malformed):
        got.integer("number", 0, 2)


def test_a_guest_that_spoke_out_of_turn_is_noticed(ends: Ends) -> None:
    channel, _, guest_writes = ends
    assert channel.quiet()
    os.write(guest_writes, b"x")
    assert not channel.quiet()


def test_the_two_sides_speak_the_same_frames() -> None:
    guest = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import frames\n"
        "ends = frames.Ends()\n"
        "print('printed'); sys.stderr.write('too')\n"
        "assert sys.stdin.read() == ''\n"
        "while True:\n"
        "    try: header, body = ends.receive()\n"
        "    except EOFError: break\n"
        "    ends.send({'got': header}, body[::-1])\n"
    )
    folder = os.path.join(
        os.path.dirname(sys.modules["stockade._remote.channel"].__file__ or ""), "guest"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", guest, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert (
            process.stdin is not None and process.stdout is not None and process.stderr is not None
        )
        channel = Channel(process.stdout.fileno(), process.stdin.fileno(), body_limit=1 << 20)
        for body in (b"", b"abc", bytes(range(256)) * 4096):
            channel.send({"n": len(body)}, body, deadline=time.monotonic() + 30)
            got = channel.receive(deadline=time.monotonic() + 30)
            assert got.header == {"got": {"n": len(body)}} and got.body == body[::-1]
        process.stdin.close()
        assert process.wait() == 0
        assert process.stderr.read() == b"printed\ntoo"
