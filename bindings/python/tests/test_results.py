"""Results that were forged, against the host's readers; and results that come back equal."""

from __future__ import annotations

import json
import math
import struct
import sys
import time
from typing import Any, Dict

import pytest

from stockade._remote.channel import Frame, Malformed
from stockade._remote.guest.results import Unfit, encode
from stockade._remote.results import check_format, decode

LIMIT = 1 << 24


def there_and_back(returns: str, value: Any) -> Any:
    fields, body = encode(returns, value, LIMIT)
    return decode(returns, Frame(json.loads(json.dumps(fields)), bytearray(body)))


def forged(returns: str, body: bytes, **fields: Any) -> Any:
    return decode(returns, Frame(fields, bytearray(body)))


PLAIN = [
    None,
    True,
    False,
    0,
    -1,
    2**200,
    1.5,
    1e308,
    -0.0,
    "",
    "ü\0\ud800",
    [],
    {},
    [1, [2, {"a": None}]],
    {"": ""},
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_come_back_equal_and_of_the_same_type_by_json(value: Any) -> None:
    back = there_and_back("json", value)
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize(
    "value", [None, True, 2**64 - 1, -(2**63), 0.1, "ü", b"\0\xff", [1, b"x"], {"a": {b"b": 1}}]
)
def test_plain_values_and_bytes_come_back_equal_by_msgpack(value: Any) -> None:
    pytest.importorskip("msgpack", reason="SKIP: msgpack: not installed")
    back = there_and_back("msgpack", value)
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("returns", ["json", "msgpack"])
def test_tuples_come_back_as_lists_and_nan_as_nan(returns: str) -> None:
    pytest.importorskip("msgpack", reason="SKIP: msgpack: not installed")
    assert there_and_back(returns, ((1, 2), {"a": (3,)})) == [[1, 2], {"a": [3]}]
    back = there_and_back(returns, [math.nan, math.inf, -math.inf])
    assert math.isnan(back[0]) and back[1:] == [math.inf, -math.inf]


def circle() -> Any:
    value: Any = []
    value.append(value)
    return value


def deep() -> Any:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("returns", "value", "name", "fix"),
    [
        ("json", {1, 2}, "set", "sorted"),
        ("json", b"x", "bytes", 'returns="bytes"'),
        ("json", [{"a": {3: 4}}], "int", "keys that are str"),
        ("json", {None: 4}, "NoneType", "keys that are str"),
        ("json", ({True: 4},), "bool", "keys that are str"),
        ("json", {(1, 2): 4}, "dict", "plain data"),
        ("json", 1j, "complex", "two parts"),
        ("json", object(), "object", "numbers, text"),
        ("json", range(3), "range", "list"),
        ("json", circle(), "list", "plain data"),
        ("json", deep(), "list", "plain data"),
        ("msgpack", 2**64, "int", "64 bits"),
        ("msgpack", {1: 2}, "int", "keys that are str"),
        ("msgpack", {1}, "set", "sorted"),
        ("msgpack", "\ud800", "str", "plain data"),
        ("bytes", "text", "str", "return bytes"),
        ("numpy", [1, 2], "list", "numpy.asarray"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_what_does_not_fit_is_named_with_what_to_do(
    returns: str, value: Any, name: str, fix: str
) -> None:
    for package in ("msgpack", "numpy"):
        pytest.importorskip(package, reason=f"SKIP: {package}: not installed")
    with pytest.raises(Unfit) as caught:
        encode(returns, value, LIMIT)
    assert caught.value.type_name == name and fix in caught.value.fix


def test_a_number_of_more_digits_than_python_prints_does_not_fit() -> None:
    if not hasattr(sys, "get_int_max_str_digits"):
        pytest.skip("SKIP: int digits: this Python prints numbers of any length")
    with pytest.raises(Unfit, match="digit"):
        encode("json", 10**5000, LIMIT)


def test_a_result_larger_than_the_limit_does_not_fit() -> None:
    with pytest.raises(Unfit, match="102 bytes, and 100 are allowed"):
        encode("json", "x" * 100, 100)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b"9" * 5_000_000,
        b"-" + b"9" * 4301,
        b"nul",
        b"[1,]",
    ],
    ids=lambda body: repr(body[:8]),
)
def test_forged_json_is_refused_at_once(body: bytes) -> None:
    before = time.monotonic()
    with pytest.raises(Malformed):
        forged("json", body)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",  # an array of 2^32 elements
        b"\xdf\xff\xff\xff\xff",  # a map
        b"\xc6\xff\xff\xff\xff",  # bytes
        b"\x91" * 1_000_000,
        b"\x81" * 1_000_000,
        b"\xa1\xff",
        b"\xd4\x05\x00",  # an extension
        b"\xc7\x01\x7f\x00",
        b"\x81\x01\x01",  # a key that is a number
        b"\x81\xc0\x01",
        b"\x81\x90\x01",  # a key that cannot be one
        b"\x01\x01",
    ],
    ids=lambda body: repr(body[:6]),
)
def test_forged_msgpack_is_refused(body: bytes) -> None:
    pytest.importorskip("msgpack", reason="SKIP: msgpack: not installed")
    with pytest.raises(Malformed):
        forged("msgpack", body)


def test_arrays_of_every_plain_kind_and_shape_come_back_equal() -> None:
    numpy = pytest.importorskip("numpy", reason="SKIP: numpy: not installed")
    kinds = [
        "?",
        "i1",
        "u2",
        "<i4",
        ">i4",
        "u8",
        "f2",
        "f4",
        ">f8",
        "c8",
        "c16",
        "M8[ns]",
        "m8[25us]",
        "M8[D]",
    ]
    for kind in kinds:
        flat = numpy.arange(24).astype("i1").astype(kind)
        for array in (
            flat,
            flat.reshape(2, 3, 4),
            numpy.asfortranarray(flat.reshape(4, 6)),
            flat[::-2],
            flat.reshape(4, 6)[1:3, ::2],
            flat[:0],
            flat.reshape(24, 1)[:, :0],
            numpy.array(flat[3]),
        ):
            back = there_and_back("numpy", array)
            assert back.dtype == array.dtype and back.shape == array.shape
            assert numpy.array_equal(back, array) and back.flags.writeable
        scalar = there_and_back("numpy", flat[5])
        assert scalar == flat[5] and type(scalar) is type(flat[5])
    assert there_and_back("numpy", numpy.asfortranarray(numpy.ones((3, 4)))).flags.f_contiguous


def test_arrays_that_are_more_than_their_bytes_do_not_fit() -> None:
    numpy = pytest.importorskip("numpy", reason="SKIP: numpy: not installed")
    for value in (
        numpy.array([object()]),
        numpy.array(["text"]),
        numpy.zeros(2, dtype=[("a", "i4")]),
        numpy.zeros(2, dtype="V8"),
        numpy.ma.masked_array([1, 2], mask=[0, 1]),
        numpy.zeros(2, dtype="g"),
    ):
        with pytest.raises(Unfit):
            encode("numpy", value, LIMIT)


GOOD: Dict[str, Any] = {"dtype": "<f8", "shape": [2], "order": "C", "scalar": False}


@pytest.mark.parametrize(
    "wrong",
    [
        {"dtype": "O"},
        {"dtype": "|O8"},
        {"dtype": "<f8,O"},
        {"dtype": "<f8\n"},
        {"dtype": "(2,)f4"},
        {"dtype": "<U4"},
        {"dtype": "|V16"},
        {"dtype": "<M8[ns/0]"},
        {"dtype": "<M8[99999999999s]"},
        {"dtype": ["<f8", "O"]},
        {"dtype": {"names": ["a"], "formats": ["O"]}},
        {"dtype": None},
        {"shape": [3]},
        {"shape": [-2]},
        {"shape": [-1, -2]},
        {"shape": [2.0]},
        {"shape": [True, 2]},
        {"shape": "2"},
        {"shape": 2},
        {"shape": [2] + [1] * 32},
        {"shape": [0, 2**63]},
        {"shape": [2**62, 4]},
        {"order": "A"},
        {"order": None},
        {"scalar": 1},
        {"scalar": True},
    ],
    ids=repr,
)
def test_forged_arrays_are_refused(wrong: Dict[str, Any]) -> None:
    pytest.importorskip("numpy", reason="SKIP: numpy: not installed")
    assert len(forged("numpy", bytes(16), **GOOD)) == 2
    with pytest.raises(Malformed):
        forged("numpy", bytes(16), **{**GOOD, **wrong})


def test_booleans_that_are_neither_are_refused() -> None:
    pytest.importorskip("numpy", reason="SKIP: numpy: not installed")
    with pytest.raises(Malformed, match="booleans"):
        forged("numpy", b"\0\2", **{**GOOD, "dtype": "|b1"})


def test_a_table_comes_back_equal() -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="SKIP: pyarrow: not installed")
    words = pyarrow.array(["a", "b", None]).dictionary_encode()
    table = pyarrow.table({"n": [1, 2, 3], "words": words, "lists": [[1.0], [], None]})
    assert there_and_back("arrow", table).equals(table)
    assert there_and_back("arrow", table.to_batches()[0]).equals(table)
    assert there_and_back("arrow", table.slice(0, 0)).num_rows == 0
    with pytest.raises(Unfit, match="no table"):
        encode("arrow", 3, LIMIT)


def stream(table: Any, **options: Any) -> bytes:
    import pyarrow  # type: ignore[import-untyped, unused-ignore]

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(
        sink, table.schema, options=pyarrow.ipc.IpcWriteOptions(**options)
    ) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_compressed_tables_are_refused_before_they_are_unpacked(
    codec: str, dictionary: bool
) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="SKIP: pyarrow: not installed")
    column = pyarrow.array(["x" * 100_000] * 20)
    bomb = stream(
        pyarrow.table({"a": column.dictionary_encode() if dictionary else column}),
        compression=codec,
    )
    before = pyarrow.total_allocated_bytes()
    with pytest.raises(Malformed, match="compressed"):
        forged("arrow", bomb)
    assert pyarrow.total_allocated_bytes() == before


def test_a_compressed_dictionary_is_refused_on_its_own() -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="SKIP: pyarrow: not installed")
    table = pyarrow.table({"a": pyarrow.array(["x" * 100_000]).dictionary_encode()})
    plain, packed = (
        [*pyarrow.ipc.MessageReader.open_stream(stream(table, compression=c))]
        for c in (None, "zstd")
    )
    for dictionary, good in ((plain[1], True), (packed[1], False)):
        body = b"".join(bytes(part.serialize()) for part in (plain[0], dictionary, plain[2]))
        if good:
            assert forged("arrow", body).equals(table)
        else:
            with pytest.raises(Malformed, match="compressed"):
                forged("arrow", body)


def test_tables_with_extension_types_are_refused_before_they_are_read() -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="SKIP: pyarrow: not installed")
    field = pyarrow.field(
        "a", pyarrow.int64(), metadata={"ARROW:extension:name": "arrow.py_extension_type"}
    )
    with pytest.raises(Malformed, match="extension"):
        forged("arrow", stream(pyarrow.table([pyarrow.array([1])], schema=pyarrow.schema([field]))))


def test_tables_that_are_cut_short_or_altered_are_errors_or_valid_tables() -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="SKIP: pyarrow: not installed")
    whole = stream(pyarrow.table({"n": [1, 2, 3], "words": ["a", "bc", None]}))
    read = 0
    for at in range(len(whole)):
        altered = bytearray(whole)
        altered[at] ^= 0xFF
        for body in (whole[:at], bytes(altered)):
            try:
                forged("arrow", body)
                read += 1
            except Malformed:
                continue
    assert read < 2 * len(whole)
    for length in (0x7FFF_FFF8, -8, 0xFFF8):
        with pytest.raises(Malformed):
            forged("arrow", struct.pack("<Ii", 0xFFFF_FFFF, length) + whole[8:])


def test_a_format_that_does_not_exist_is_an_error() -> None:
    check_format("json")
    with pytest.raises(ValueError, match="pickle"):
        check_format("pickle")
