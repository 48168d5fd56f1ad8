"""`SandboxExecutor` with functions that attack the host's side."""

from __future__ import annotations

import os
import pickle
import time
from typing import Any, Callable, Dict, Optional

import pytest

pytest.importorskip("cloudpickle", reason="SKIP: cloudpickle: not installed")

from executors import make, no_worker_is_left

from stockade import CallTimeout, RemoteError, WorkerLost

__all__ = ["no_worker_is_left"]


# Functions that attack the host's side.


def channel() -> int:
    """Inside: the descriptor that answers are written to."""
    mine = os.fstat(2)
    for number in range(3, 64):
        try:
            found = os.fstat(number)
            os.write(number, b"")
        except OSError:
            continue
        if found.st_ino != mine.st_ino:
            return number
    raise LookupError


def forge(
    header: bytes,
    body: bytes = b"",
    head_size: Optional[int] = None,
    body_size: Optional[int] = None,
) -> None:
    """Inside: write a frame, and stay."""
    sizes = [
        len(header) if head_size is None else head_size,
        len(body) if body_size is None else body_size,
    ]
    data = b"".join(size.to_bytes(4, "big") for size in sizes) + header + body
    number = channel()
    while data:
        data = data[os.write(number, data) :]
    time.sleep(1000)


def garbage_everywhere() -> None:
    for number in range(64):
        try:
            os.write(number, os.urandom(4096))
        except OSError:
            continue


def flood() -> None:
    while True:
        garbage_everywhere()


def close_everything() -> None:
    os.closerange(0, 64)
    time.sleep(1000)


def children() -> None:
    for _ in range(5):
        if not os.fork():
            os.setsid()
            time.sleep(1000)
    os._exit(0)


HOSTILE: Dict[str, Callable[[], Any]] = {
    "garbage": garbage_everywhere,
    "flood": flood,
    "close": close_everything,
    "children": children,
    "huge header": lambda: forge(b"", head_size=0xFFFF_FFFF),
    "huge body": lambda: forge(b"{}", body_size=0xFFFF_FFFF),
    "short header": lambda: forge(b"{}", head_size=100),
    "short body": lambda: forge(b'{"op":"returned","id":1}', b"1", body_size=100),
    "no JSON": lambda: forge(b"\xff\xfe"),
    "a list": lambda: forge(b"[]"),
    "deep header": lambda: forge(b"[" * 100_000),
    "huge number": lambda: forge(b'{"id":' + b"9" * 500_000 + b"}"),
    "NaN": lambda: forge(b'{"id":NaN}'),
    "no id": lambda: forge(b'{"op":"returned"}'),
    "wrong id": lambda: forge(b'{"op":"returned","id":2}', b"1"),
    "no op": lambda: forge(b'{"id":1}'),
    "strange op": lambda: forge(b'{"id":1,"op":"pickle"}'),
    "op is a list": lambda: forge(b'{"id":1,"op":[]}'),
    "deep body": lambda: forge(b'{"id":1,"op":"returned"}', b"[" * 500_000),
    "body of text": lambda: forge(b'{"id":1,"op":"returned"}', b"\xc3\x28"),
    "pickle": lambda: forge(b'{"id":1,"op":"returned"}', pickle.dumps(print)),
    "digits": lambda: forge(b'{"id":1,"op":"returned"}', b"9" * 900_000),
    "error without text": lambda: forge(b'{"id":1,"op":"raised"}'),
    "error of numbers": lambda: forge(b'{"id":1,"op":"raised","type":1,"message":2,"traceback":3}'),
    "long error": lambda: forge(
        b'{"id":1,"op":"raised","type":"' + b"x" * 1000 + b'","message":"","traceback":""}'
    ),
    "misfit without fix": lambda: forge(b'{"id":1,"op":"unfit","type":"a","message":"b"}'),
}

ENDS: Dict[str, Any] = {
    "close": (WorkerLost, "protocol in the call: the guest has closed"),
    "children": (WorkerLost, "ended in the call: exited with status 0"),
    "short header": (CallTimeout, "longer"),
    "short body": (CallTimeout, "longer"),
}


@pytest.mark.parametrize("attack", HOSTILE, ids=str)
def test_a_hostile_function_gets_a_typed_error_and_the_host_goes_on(attack: str) -> None:
    with make(timeout=2, result_limit="1MiB") as executor:
        # Not merely some error: none of these may fail before it has attacked.
        expected = ENDS.get(attack, (WorkerLost, "broke the protocol in the call"))
        with pytest.raises(expected[0], match=expected[1]):
            executor.call(HOSTILE[attack])
        assert executor.call(pow, 2, 2) == 4


@pytest.mark.parametrize(
    "wrong", [{"dtype": "|O"}, {"shape": [10**9]}, {"dtype": "<U1"}, {"shape": [-1]}], ids=str
)
def test_a_forged_array_is_refused(wrong: Dict[str, Any]) -> None:
    pytest.importorskip("numpy", reason="SKIP: numpy: not installed")
    import json

    good = {"id": 1, "op": "returned", "dtype": "<f8", "shape": [1], "order": "C", "scalar": False}
    with make(returns="numpy") as executor:
        forged: Any = executor.call(forge, json.dumps(good).encode(), bytes(8))
        assert forged.shape == (1,)
        with pytest.raises(WorkerLost, match="protocol"):
            executor.call(forge, json.dumps({**good, **wrong}).encode(), bytes(8))


def test_a_forged_answer_is_only_a_result_and_a_second_one_reaches_nobody() -> None:
    def twice() -> int:
        import threading as inside

        forge_now = b'{"op":"returned","id":1}'
        frame = len(forge_now).to_bytes(4, "big") + (1).to_bytes(4, "big") + forge_now + b"7"
        os.write(channel(), frame * 3)
        inside.Event().wait(0.2)
        return 1

    for tasks in (1, None):
        with make(max_tasks_per_child=tasks) as executor:
            assert executor.call(twice) == 7
            # A kept worker that spoke out of turn is not asked again.
            time.sleep(0.5)
            assert executor.call(pow, 2, 5) == 32


def test_output_without_end_is_bounded() -> None:
    def talk() -> None:
        for _ in range(300):
            os.write(2, b"x" * 65536)
        raise ValueError

    with make() as executor, pytest.raises(RemoteError) as caught:
        executor.call(talk)
    assert len(caught.value.output) <= 1 << 16 and caught.value.output.endswith("xxx")
