"""Functions of Python that modules call: their values, their errors, and the guest's memory."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any, Callable, List

import pytest
from modules import binary

import stockade
from stockade import Module, uses_memory

CALLS = """
(module
  (import "env" "f" (func $f {type}))
  (memory (export "memory") 1)
  (data (i32.const 16) "hello")
  (func (export "call") {type} {gets} (call $f))
  (func (export "next") (result i32) (i32.const 1)))
"""


def calling(
    function: Callable[..., Any], params: str = "", results: str = "", **keywords: Any
) -> Module:
    """A module whose function `call` calls this one, with its arguments and for its results."""
    count = len(params.split())
    kinds = (f"(param {params})" if params else "") + (f"(result {results})" if results else "")
    gets = " ".join(f"(local.get {n})" for n in range(count))
    text = CALLS.replace("{type}", kinds).replace("{gets}", gets)
    return Module(binary(text), imports={"env": {"f": function}}, **keywords)


def test_numbers_go_to_the_function_and_back() -> None:
    seen: List[Any] = []

    def f(*values: Any) -> Any:
        seen.append(values)
        return values[::-1]

    module = calling(f, "i32 i64 f32 f64", "f64 f32 i64 i32")
    assert module.call("call", -1, 2**63, 1.5, 0.1) == (0.1, 1.5, -(2**63), -1)
    assert seen == [(-1, -(2**63), 1.5, 0.1)]
    assert [type(value) for value in seen[0]] == [int, int, float, float]


def test_one_result_and_none_are_given_plainly() -> None:
    assert calling(lambda: 2**32 - 1, "", "i32").call("call") == -1
    assert calling(lambda: None).call("call") is None
    assert calling(lambda: (1, 2), "", "i32 i32").call("call") == (1, 2)


@pytest.mark.parametrize(
    ("results", "answer", "error"),
    [
        ("i32", None, TypeError),
        ("i32", 1.5, TypeError),
        ("i32", "1", TypeError),
        ("i32", 2**32, OverflowError),
        ("i64", 2**64, OverflowError),
        ("i64", (1,), TypeError),
        ("f64", "x", TypeError),
        ("f32", None, TypeError),
        ("", 1, TypeError),
        ("i32 i32", 1, TypeError),
        ("i32 i32", (1,), TypeError),
        ("i32 i32", (1, 2, 3), TypeError),
        ("i32 i32", [1, 2], TypeError),
        ("i32 i32", (1, None), TypeError),
    ],
)
def test_a_result_of_another_type_ends_the_call(results: str, answer: Any, error: Any) -> None:
    with calling(lambda: answer, "", results).instantiate() as instance:
        with pytest.raises(error):
            instance.call("call")
        assert instance.report.verdict.kind == "trapped"


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_comes_out_of_the_call_itself(kind: Any) -> None:
    error = kind("of the function")

    def f() -> None:
        raise error

    with calling(f).instantiate() as instance:
        with pytest.raises(kind) as caught:
            instance.call("call")
        assert caught.value is error
        assert any(entry.name == "f" for entry in caught.traceback)
        # It has ended the instance, as a trap that names it.
        with pytest.raises(stockade.SandboxProcessError) as later:
            instance.call("next")
        assert later.value.verdict.kind == "trapped"


def test_an_exception_whose_text_fails_comes_out_as_well() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    def f() -> None:
        raise Odd

    with pytest.raises(Odd):
        calling(f).call("call")


def test_a_call_that_begins_in_a_function_has_its_own_exceptions() -> None:
    def inner() -> None:
        raise KeyError("inner")

    inside = calling(inner)

    def outer() -> int:
        with pytest.raises(KeyError):
            inside.call("call")
        return stockade.Module(
            binary('(module (func (export "g") (result i32) (i32.const 5)))')
        ).call("g")

    assert calling(outer, "", "i32").call("call") == 5


def test_an_instance_cannot_be_called_by_what_it_calls() -> None:
    errors: List[BaseException] = []

    def f() -> None:
        for use in (
            lambda: instance.call("next"),
            lambda: instance.call_bytes("next", b""),
            lambda: instance.report,
            lambda: instance.output(),
        ):
            try:
                use()
            except Exception as error:
                errors.append(error)

    with calling(f).instantiate() as instance:
        instance.call("call")
        assert [type(error) for error in errors].count(RuntimeError) >= 3
        assert "cannot call the instance" in str(errors[0])
        # It is as it was.
        assert instance.call("next") == 1


def test_a_function_may_kill_its_guest() -> None:
    with calling(lambda: instance.kill()).instantiate() as instance:
        with pytest.raises(stockade.SandboxProcessError) as caught:
            instance.call("call")
        assert caught.value.verdict.kind == "cancelled"


def test_functions_run_on_the_calling_thread_and_in_the_guests_time() -> None:
    seen = []
    module = calling(lambda: seen.append(threading.get_ident()))
    module.call("call")
    thread = threading.Thread(target=lambda: module.call("call"))
    thread.start()
    thread.join()
    assert seen[0] == threading.get_ident()
    assert seen[1] != seen[0]

    import time

    with pytest.raises(stockade.SandboxTimeout):
        calling(lambda: time.sleep(0.5), wall_time=0.2).call("call")


def test_memory_is_read_and_written_during_the_call() -> None:
    @uses_memory
    def f(memory: Any, at: int, length: int) -> int:
        data = memory.read(at, length)
        assert type(data) is bytes
        memory.write(at, data.upper())
        memory.write(0, bytearray(b"array"))
        assert memory.read(at, length) == data.upper()
        return len(memory.read(0, 65536))

    assert calling(f, "i32 i32", "i32").call("call", 16, 5) == 65536


@pytest.mark.parametrize(
    ("at", "length"), [(65536, 1), (65535, 2), (2**32 - 1, 2**32 - 1), (65537, 0)]
)
def test_memory_ends_where_it_ends(at: int, length: int) -> None:
    @uses_memory
    def f(memory: Any) -> None:
        with pytest.raises(IndexError):
            memory.read(at, length)
        with pytest.raises(IndexError):
            memory.write(at, b"x" * min(length, 10))

    calling(f).call("call")


@pytest.mark.parametrize("wrong", [(-1, 1), (0, -1), (2**32, 1), ("0", 1), (0.0, 1)])
def test_memory_is_addressed_by_numbers(wrong: Any) -> None:
    @uses_memory
    def f(memory: Any) -> None:
        with pytest.raises((TypeError, OverflowError)):
            memory.read(*wrong)

    calling(f).call("call")


def test_memory_is_gone_after_the_call() -> None:
    kept: List[Any] = []

    @uses_memory
    def f(memory: Any) -> None:
        kept.append(memory)
        if len(kept) == 2:
            raise KeyError

    module = calling(f)
    module.call("call")
    with pytest.raises(KeyError):
        module.call("call")
    for memory in kept:
        for use in (lambda: memory.read(0, 1), lambda: memory.write(0, b"x")):
            with pytest.raises(RuntimeError, match="while the guest calls"):
                use()


def test_memory_is_the_calling_threads() -> None:
    errors: List[BaseException] = []

    @uses_memory
    def f(memory: Any) -> None:
        def work() -> None:
            try:
                memory.read(0, 1)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    calling(f).call("call")
    # However it is refused: it is an error of that thread, and not a crash.
    assert len(errors) == 1
    assert "unsendable" in str(errors[0]) or isinstance(errors[0], RuntimeError)


def test_a_module_without_memory_lends_none() -> None:
    text = '(module (import "env" "f" (func)) (func (export "call") (call 0)))'
    seen: List[BaseException] = []

    @uses_memory
    def f(memory: Any) -> None:
        try:
            memory.read(0, 1)
        except IndexError as error:
            seen.append(error)

    Module(binary(text), imports={"env": {"f": f}}).call("call")
    assert len(seen) == 1


def test_an_import_is_a_function() -> None:
    for wrong in (7, None, "f"):
        with pytest.raises(TypeError, match="env.f"):
            calling(wrong)  # type: ignore[arg-type]


def test_an_import_of_another_name_is_not_offered() -> None:
    text = '(module (import "env" "g" (func)) (func (export "call") (call 0)))'
    with pytest.raises(stockade.Unsupported, match="g"):
        Module(binary(text), imports={"env": {"f": lambda: None}}).call("call")


def test_functions_are_let_go_with_their_module() -> None:
    class Function:
        def __call__(self) -> None:
            return None

    function = Function()
    seen = weakref.ref(function)
    module = calling(function)
    module.call("call")
    del function, module
    gc.collect()
    assert seen() is None
