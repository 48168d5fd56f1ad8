"""Modules: commands, functions of numbers and of bytes, limits of calls, and ends of instances."""

from __future__ import annotations

import gc
import math
import os
import pickle
import struct
import threading
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest
from host import until
from modules import binary

import stockade
from stockade import Module

NUMBERS = """
(module
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "none"))
  (func (export "all") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (local.get 3) (local.get 2) (local.get 1) (local.get 0)))
"""
#: Holds a number, grows, loops, overflows and traps.
STATE = """
(module
  (memory (export "memory") 1)
  (global $n (mut i32) (i32.const 0))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "spin") (loop $l (br $l)))
  (func (export "unreachable") unreachable)
  (func (export "outside") (result i32) (i32.load (i32.const 70000)))
  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func $deep (export "deep") (result i32) (i32.add (i32.const 1) (call $deep)))
  (func (export "truncate") (param f64) (result i32) (i32.trunc_f64_s (local.get 0))))
"""
#: Gives back its input, by the convention of bytes. `short` breaks the convention.
BYTES = """
(module
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 64))
  (func (export "stockade_alloc") (param $length i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get $length)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.div_u (local.get $length) (i32.const 65536)) (i32.const 1)))))
    (local.get $at))
  (func (export "echo") (param $at i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $AT)) (i64.const 32))
            (i64.extend_i32_u (local.get $length))))
  (func (export "far") (param i32 i32) (result i64) (i64.const 0xffffffff0000000a)))
""".replace("$AT", "$at")
#: A command that prints its arguments and its input.
COMMAND = """
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $print (param $fd i32) (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (drop (call $sizes (i32.const 16) (i32.const 20)))
    (drop (call $args (i32.const 1024) (i32.const 2048)))
    (call $print (i32.const 2) (i32.const 2048) (i32.load (i32.const 20)))
    (i32.store (i32.const 0) (i32.const 8192))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $print (i32.const 1) (i32.const 8192) (i32.load (i32.const 8)))
    (call $exit (i32.load (i32.const 16)))))
"""


@pytest.fixture
def numbers() -> Module:
    return Module(binary(NUMBERS))


@pytest.fixture
def state() -> Module:
    return Module(binary(STATE))


def test_a_module_is_bytes_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "numbers.wasm"
    path.write_bytes(binary(NUMBERS))
    for code in (binary(NUMBERS), path, str(path)):
        assert Module(code).call("add", 2, 3) == 5
    with pytest.raises(stockade.NotFound):
        Module(tmp_path / "none.wasm").call("add", 2, 3)
    with pytest.raises(TypeError):
        Module(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code", [b"", b"\0asm", b"no module", binary(NUMBERS)[:-3], b"\0asm\1\0\0\0\xff"]
)
def test_what_is_no_module_is_refused(code: bytes) -> None:
    module = Module(code)
    for use in (lambda: module.functions, module.instantiate, lambda: module.run()):
        with pytest.raises(stockade.InvalidPolicy):
            use()


def test_its_functions_are_listed(numbers: Module) -> None:
    assert numbers.functions == {
        "i32": "(i32) -> i32",
        "i64": "(i64) -> i64",
        "f32": "(f32) -> f32",
        "f64": "(f64) -> f64",
        "add": "(i32, i32) -> i32",
        "none": "() -> ()",
        "all": "(i32, i64, f32, f64) -> (f64, f32, i64, i32)",
    }
    assert "bytes" in repr(numbers)


@pytest.mark.parametrize(
    ("kind", "given", "got"),
    [
        ("i32", 0, 0),
        ("i32", -1, -1),
        ("i32", 2**31 - 1, 2**31 - 1),
        ("i32", -(2**31), -(2**31)),
        ("i32", 2**31, -(2**31)),
        ("i32", 2**32 - 1, -1),
        ("i32", True, 1),
        ("i64", 2**63 - 1, 2**63 - 1),
        ("i64", -(2**63), -(2**63)),
        ("i64", 2**64 - 1, -1),
        ("f32", 1.5, 1.5),
        ("f32", 0.1, struct.unpack("f", struct.pack("f", 0.1))[0]),
        ("f32", -0.0, -0.0),
        ("f32", math.inf, math.inf),
        ("f32", 1e300, math.inf),
        ("f32", 3, 3.0),
        ("f64", 0.1, 0.1),
        ("f64", 5e-324, 5e-324),
        ("f64", -math.inf, -math.inf),
        ("f64", 2**53, 2.0**53),
    ],
)
def test_a_number_goes_in_and_comes_out(numbers: Module, kind: str, given: Any, got: Any) -> None:
    result = numbers.call(kind, given)
    assert result == got
    assert type(result) is (int if kind.startswith("i") else float)
    assert math.copysign(1, result) == math.copysign(1, got)


def test_what_is_no_number_goes_in_and_comes_out(numbers: Module) -> None:
    assert math.isnan(numbers.call("f32", math.nan))
    assert math.isnan(numbers.call("f64", math.nan))


@pytest.mark.parametrize(
    ("kind", "wrong", "error"),
    [
        ("i32", 2**32, OverflowError),
        ("i32", -(2**31) - 1, OverflowError),
        ("i64", 2**64, OverflowError),
        ("i64", -(2**63) - 1, OverflowError),
        ("i64", 1 << 200, OverflowError),
        ("i32", 1.0, TypeError),
        ("i32", "1", TypeError),
        ("i64", None, TypeError),
        ("f32", "1", TypeError),
        ("f64", None, TypeError),
        ("f64", b"1", TypeError),
        ("f64", 1 << 5000, OverflowError),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_value_of_another_type_is_refused(
    numbers: Module, kind: str, wrong: Any, error: Any
) -> None:
    with numbers.instantiate() as instance:
        with pytest.raises(error):
            instance.call(kind, wrong)
        # And nothing has happened to the instance.
        assert instance.call("add", 1, 2) == 3


def test_objects_that_stand_for_numbers_are_taken(numbers: Module) -> None:
    class Index:
        def __index__(self) -> int:
            return 7

    class Float:
        def __float__(self) -> float:
            return 0.5

    class Broken:
        def __index__(self) -> int:
            raise ZeroDivisionError

    assert numbers.call("i32", Index()) == 7  # type: ignore[arg-type]
    assert numbers.call("f64", Float()) == 0.5  # type: ignore[arg-type]
    with pytest.raises((ZeroDivisionError, TypeError)):
        numbers.call("i32", Broken())  # type: ignore[arg-type]


def test_many_values_go_in_and_come_out(numbers: Module) -> None:
    assert numbers.call("all", 1, 2, 3.0, 4.0) == (4.0, 3.0, 2, 1)
    assert numbers.call("none") is None


def test_the_number_of_arguments_is_checked(numbers: Module) -> None:
    for arguments in ((), (1,), (1, 2, 3)):
        with pytest.raises(TypeError, match="takes 2 arguments"):
            numbers.call("add", *arguments)


def test_a_function_that_is_not_there_is_not_found(numbers: Module) -> None:
    for name in ("nothing", "", "a\0b", "ü"):
        with pytest.raises(stockade.NotFound):
            numbers.call(name)


def test_an_instance_keeps_its_state_and_others_have_their_own(state: Module) -> None:
    with state.instantiate() as one, state.instantiate() as other:
        assert [one.call("next") for _ in range(3)] == [1, 2, 3]
        assert other.call("next") == 1
        assert "Instance" in repr(one)
    assert state.call("next") == 1


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 16, b"\0" * 3_000_000])
def test_bytes_go_in_and_come_out(data: bytes) -> None:
    module = Module(binary(BYTES), output="4MiB")
    assert module.call_bytes("echo", data) == data
    with module.instantiate() as instance:
        assert [instance.call_bytes("echo", data) for _ in range(3)] == [data] * 3


def test_bytes_that_lie_outside_are_the_modules_fault() -> None:
    module = Module(binary(BYTES))
    with pytest.raises(stockade.SandboxProcessError) as caught:
        module.call_bytes("far", b"x")
    assert caught.value.verdict.kind == "trapped"
    with pytest.raises(TypeError):
        module.call_bytes("echo", "text")  # type: ignore[arg-type]
    for name in ("nothing", "memory"):
        with pytest.raises(stockade.NotFound):
            module.call_bytes(name, b"x")


def test_a_function_of_other_types_takes_no_bytes(numbers: Module) -> None:
    with pytest.raises(stockade.SandboxError):
        numbers.call_bytes("add", b"x")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("unreachable", ()),
        ("outside", ()),
        ("divide", (0,)),
        ("deep", ()),
        ("truncate", (1e300,)),
    ],
)
def test_a_trap_is_a_verdict_and_ends_the_instance(
    state: Module, function: str, arguments: Any
) -> None:
    with state.instantiate() as instance:
        for _ in range(2):
            with pytest.raises(stockade.SandboxProcessError) as caught:
                instance.call(function, *arguments)
            assert caught.value.verdict.kind == "trapped"
            assert caught.value.verdict.trap
            assert caught.value.returncode == -6
        with pytest.raises(stockade.SandboxProcessError):
            instance.call("next")
        assert instance.report.verdict.kind == "trapped"
    assert state.call("next") == 1


@pytest.mark.parametrize(
    ("keywords", "control"),
    [
        ({"wall_time": 0.2}, "wall_time"),
        ({"cpu_time": 0.2}, "cpu_time"),
        ({"fuel": 10_000}, "fuel"),
    ],
    ids=str,
)
def test_a_limit_ends_a_call(keywords: Any, control: str) -> None:
    module = Module(binary(STATE), **keywords)
    with module.instantiate() as instance:
        assert instance.call("next") == 1
        with pytest.raises(stockade.SandboxError) as caught:
            instance.call("spin")
        error = caught.value
        assert isinstance(error, stockade.SandboxTimeout) == (control == "wall_time")
        assert error.verdict.control == control  # type: ignore[attr-defined]
        assert error.report == instance.report  # type: ignore[attr-defined]


def test_limits_of_time_and_fuel_are_of_each_call() -> None:
    module = Module(binary(STATE), fuel=1000)
    with module.instantiate() as instance:
        for _ in range(500):
            instance.call("next")
        assert instance.call("next") == 501
        assert 0 < instance.report.usage.fuel < 1000


def test_memory_is_the_instances() -> None:
    module = Module(binary(STATE), memory="2MiB")
    with module.instantiate() as instance:
        assert instance.call("grow", 10) == 1
        with pytest.raises(stockade.SandboxProcessError) as caught:
            instance.call("grow", 100)
        assert caught.value.verdict.control == "memory"


def test_a_call_is_killed_from_another_thread(state: Module) -> None:
    instance = state.instantiate()
    begun = threading.Event()

    def kill() -> None:
        begun.wait()
        time.sleep(0.1)
        instance.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    begun.set()
    with pytest.raises(stockade.SandboxProcessError) as caught:
        instance.call("spin")
    thread.join()
    assert caught.value.verdict == stockade.Verdict("cancelled")
    with pytest.raises(stockade.SandboxProcessError):
        instance.call("next")


def test_leaving_a_block_ends_the_instance(state: Module) -> None:
    with state.instantiate() as instance:
        instance.call("next")
    with pytest.raises(stockade.SandboxProcessError):
        instance.call("next")


def test_threads_that_call_one_instance_take_turns(state: Module) -> None:
    results: List[int] = []
    with state.instantiate() as instance:

        def work() -> None:
            for _ in range(200):
                results.append(instance.call("next"))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == list(range(1, 1601))


def test_a_thread_that_waits_for_an_instance_lets_others_work(state: Module) -> None:
    """Also the report, which is asked for while a call runs."""
    with state.instantiate() as instance:
        outcomes: List[str] = []

        def work(use: Callable[[], Any]) -> None:
            try:
                use()
            except stockade.SandboxProcessError as error:
                outcomes.append(str(error.verdict))

        uses = [
            lambda: instance.call("spin"),
            lambda: instance.call("next"),
            lambda: instance.report,
        ]
        threads = [threading.Thread(target=work, args=[use]) for use in uses]
        for thread in threads:
            thread.start()
        count = 0
        for _ in range(1000):
            count += 1
            time.sleep(0)
        assert count == 1000
        instance.kill()
        for thread in threads:
            thread.join()
    assert set(outcomes) == {"cancelled"}


def test_a_command_has_arguments_input_and_output() -> None:
    module = Module(binary(COMMAND))
    done = module.run(("one", "two"), b"input")
    assert done.stdout == b"input"
    assert done.stderr.split(b"\0")[1:] == [b"one", b"two", b""]
    assert done.returncode == 3
    assert done.report.backend == "wasm"
    command = module.command("x")
    assert command is module.command("x")
    assert [command.run(f"{n}", text=True).stdout for n in range(5)] == list("01234")
    with pytest.raises(stockade.SandboxProcessError):
        command.run(check=True)
    with command.popen(stdin=stockade.PIPE) as process:
        assert process.communicate(b"streamed")[0] == b"streamed"


def test_the_path_of_a_module_runs_in_the_engine_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "command.wasm"
    path.write_bytes(binary(COMMAND))
    done = stockade.run([path, "x"], input=b"hello")
    assert (done.stdout, done.returncode) == (b"hello", 2)
    assert done.report.backend_reason == "auto: the program is a WebAssembly binary"
    done = stockade.run([path], backend="wasm")
    assert (done.report.backend, done.report.backend_reason) == ("wasm", None)
    sandbox = stockade.Sandbox("wasm")
    assert sandbox.run([path], check=False).returncode == 1


def test_a_module_that_cannot_be_run_says_why(numbers: Module) -> None:
    with pytest.raises(stockade.SandboxError):
        numbers.run()
    imports = {"env": {"f": lambda: None}}
    with pytest.raises(ValueError, match="imports"):
        Module(binary(COMMAND), imports=imports).run()
    lacking = Module(binary('(module (import "env" "f" (func)) (func (export "g") (call 0)))'))
    with pytest.raises(stockade.Unsupported, match="env"):
        lacking.call("g")


def test_compiled_code_can_be_kept(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for _ in range(2):
        sandbox = stockade.Sandbox("wasm", cache_dir=folder)
        assert Module(binary(NUMBERS), sandbox=sandbox).call("add", 1, 2) == 3
    assert any(path.is_file() for path in folder.rglob("*"))
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), 1e300])
def test_a_time_to_compile_has_to_make_sense(wrong: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        stockade.Sandbox("wasm", compile_time=wrong)


def test_what_is_for_modules_is_for_modules() -> None:
    with pytest.raises(ValueError):
        stockade.Sandbox("namespace", compile_time=1)
    with pytest.raises(ValueError):
        stockade.Sandbox("qemu")
    with pytest.raises(stockade.InvalidPolicy):
        Module(b"", memory="lots")


def test_sandboxes_say_what_they_can_enforce() -> None:
    for backend in ("namespace", "wasm"):
        sandbox = stockade.Sandbox(backend)
        assert sandbox.support()
        assert repr(sandbox) == f"Sandbox({backend!r})"


def test_nothing_that_lives_can_be_pickled(numbers: Module) -> None:
    with numbers.instantiate() as instance:
        for live in (numbers, instance, stockade.Sandbox("wasm")):
            with pytest.raises(TypeError, match="pickled"):
                pickle.dumps(live)


def test_what_is_kept_of_modules_is_bounded() -> None:
    text = '(module (memory 1) (data (i32.const 16) "%08d") (func (export "f")))'
    for n in range(300):
        Module(binary(text % n)).call("f")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) < 250


def test_instances_that_are_dropped_are_gone(state: Module) -> None:
    for _ in range(300):
        state.instantiate().call("next")
    gc.collect()
    assert until(lambda: threading.active_count() < 10)
