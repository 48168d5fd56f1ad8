"""``stockade.run``: input and output, return codes, and what is refused."""

from __future__ import annotations

import datetime
import io
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import pytest
from host import Interpreter

import stockade


def test_a_run_gives_what_subprocess_gives(run: Any) -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.args == ["sh", "-c", "echo out; echo err >&2; exit 3"]
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert done.verdict == stockade.Verdict("exited", code=3)
    assert done.usage.stdout_bytes == 4
    assert {entry.control for entry in done.enforcement} >= {"memory", "network"}
    assert "exited with status 3" in repr(done)


def test_a_result_can_be_pickled(run: Any) -> None:
    done = run(["echo", "hello"], text=True)
    copy = pickle.loads(pickle.dumps(done))
    assert (copy.args, copy.stdout, copy.report) == (done.args, done.stdout, done.report)


@pytest.mark.parametrize("code", [0, 1, 77, 127, 255])
def test_the_status_is_the_programs(run: Any, code: int) -> None:
    assert run(["sh", "-c", f"exit {code}"]).returncode == code


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 20, b"\0" * 3_000_000])
def test_bytes_go_in_and_come_out(run: Any, data: bytes) -> None:
    done = run(["cat"], input=data, output="4MiB", memory="256MiB")
    assert done.stdout == data
    assert done.usage.stdout_bytes == len(data)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_input_may_be_anything_like_bytes(run: Any, kind: Any) -> None:
    assert run(["cat"], input=kind(b"abc")).stdout == b"abc"


def test_text_goes_in_and_comes_out(run: Any) -> None:
    assert run(["cat"], input="grüße", text=True).stdout == "grüße"
    assert run(["cat"], input="grüße", encoding="latin-1").stdout == "grüße"
    assert run(["wc", "-c"], input="ü", encoding="latin-1").stdout.strip() == "1"
    assert run(["cat"], input=b"\xff").stdout == b"\xff"


def test_what_is_no_text_raises_or_is_replaced_as_asked(run: Any) -> None:
    with pytest.raises(UnicodeDecodeError):
        run(["printf", "\\377"], text=True)
    assert run(["printf", "\\377"], text=True, errors="replace").stdout == "\ufffd"
    assert run(["printf", "\\377"], errors="surrogateescape").stdout == "\udcff"


def test_line_ends_are_universal_in_text_alone(run: Any) -> None:
    argv = ["printf", "a\\r\\nb\\rc\\n"]
    assert run(argv, text=True).stdout == "a\nb\nc\n"
    assert run(argv).stdout == b"a\r\nb\rc\n"


def test_input_of_the_wrong_kind_is_refused(run: Any) -> None:
    with pytest.raises(TypeError, match="text=True"):
        run(["cat"], input="text")
    with pytest.raises(TypeError, match="text"):
        run(["cat"], input=b"bytes", text=True)
    for wrong in (1.5, object(), 7):
        with pytest.raises(TypeError):
            run(["cat"], input=wrong)


def test_an_unknown_encoding_is_refused_before_anything_runs(run: Any, tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        run(
            ["touch", "/out/ran"],
            encoding="no-such-encoding",
            mounts=[{"bind": str(tmp_path), "target": "/out", "access": "rw"}],
        )
    assert os.listdir(tmp_path) == []


def test_input_may_be_a_file_a_descriptor_or_nothing(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"from a file")
    with open(path, "rb") as file:
        assert run(["cat"], stdin=file).stdout == b"from a file"
    with open(path, "rb", buffering=0) as file:
        assert run(["cat"], stdin=file.fileno()).stdout == b"from a file"
        assert not file.closed
    assert run(["cat"], stdin=stockade.DEVNULL).stdout == b""
    assert run(["cat"]).stdout == b""


def test_input_may_be_a_pipe(run: Any) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe")
    os.close(writer)
    try:
        assert run(["cat"], stdin=reader).stdout == b"through a pipe"
    finally:
        os.close(reader)


def test_a_file_is_read_from_where_it_stands(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"0123456789")
    with open(path, "rb", buffering=0) as file:
        file.seek(4)
        assert run(["cat"], stdin=file).stdout == b"456789"


def test_input_is_said_in_one_way(run: Any) -> None:
    with pytest.raises(ValueError, match="stdin"):
        run(["cat"], input=b"", stdin=stockade.DEVNULL)
    with pytest.raises(ValueError):
        run(["cat"], stdin=stockade.PIPE)
    with pytest.raises(io.UnsupportedOperation):
        run(["cat"], stdin=io.BytesIO(b"x"))
    with pytest.raises(OSError):
        run(["cat"], stdin=1_000_000)


def test_a_program_that_does_not_read_is_no_error(run: Any) -> None:
    done = run(["true"], input=b"x" * 1_000_000)
    assert (done.returncode, done.stdout) == (0, b"")


def test_output_that_is_not_captured_goes_where_ours_goes(interpreter: Interpreter) -> None:
    done = interpreter.run(
        "import stockade\n"
        "done = stockade.run(['sh', '-c', 'cat; echo err >&2; exit 4'], input='in\\n', text=True,\n"
        "    capture_output=False, best_effort=WEAK)\n"
        "assert (done.stdout, done.stderr) == (None, None)\n"
        "sys.exit(done.returncode)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (4, "in\n", "err\n")


def test_a_checked_run_that_is_not_captured_raises(interpreter: Interpreter) -> None:
    printed = interpreter.prints(
        "import stockade\n"
        "try:\n"
        "    stockade.run(['false'], capture_output=False, check=True, best_effort=WEAK)\n"
        "except stockade.SandboxProcessError as error:\n"
        "    print(error.returncode, error.stdout, error.verdict.code)"
    )
    assert printed == "1 None 1\n"


def test_check_raises_what_subprocess_would(run: Any) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(["sh", "-c", "echo why >&2; exit 9"], check=True, text=True)
    error = caught.value
    assert isinstance(error, stockade.SandboxProcessError)
    assert isinstance(error, stockade.SandboxError)
    assert (error.returncode, error.stderr, error.stdout) == (9, "why\n", "")
    assert error.verdict.code == 9
    assert "exited with status 9" in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.cmd, copy.stderr, copy.report) == (error.cmd, "why\n", error.report)


def test_check_has_nothing_against_a_good_end(run: Any) -> None:
    assert run(["true"], check=True).returncode == 0


def test_a_checked_timeout_is_subprocess_timeout(run: Any) -> None:
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        run(["sh", "-c", "echo begun; sleep 60"], timeout=0.3, check=True)
    error = caught.value
    assert isinstance(error, stockade.SandboxTimeout)
    assert (error.timeout, error.output) == (0.3, b"begun\n")
    assert error.verdict.control == "wall_time"
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.timeout, copy.output, copy.report) == (0.3, b"begun\n", error.report)


def test_a_timeout_is_a_verdict_unless_it_is_checked(run: Any) -> None:
    for timeout in (0.2, "200ms", datetime.timedelta(milliseconds=200)):
        done = run(["sleep", "60"], timeout=timeout)
        assert (done.verdict.kind, done.verdict.control) == ("limit", "wall_time")
        assert (done.verdict.limit, done.returncode) == (200_000_000, -9)
        assert done.verdict.observed >= 200_000_000


def test_a_timeout_and_a_wall_time_are_one_thing(run: Any) -> None:
    with pytest.raises(TypeError, match="wall_time"):
        run(["true"], timeout=1, wall_time=1)


def test_environment_folder_and_name_are_as_asked(run: Any) -> None:
    done = run(
        ["sh", "-c", "echo $A; pwd; hostname"], env={"A": "1"}, cwd="/usr", hostname="elsewhere"
    )
    assert done.stdout == b"1\n/usr\nelsewhere\n"


def test_nothing_of_our_environment_goes_in(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    done = run(["env"], text=True)
    assert set(done.stdout.splitlines()) == {
        "HOME=/tmp",
        "LANG=C.UTF-8",
        "PATH=/usr/local/bin:/usr/bin:/bin",
    }


def test_mounts_put_files_in(run: Any, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("bound")
    done = run(
        ["sh", "-c", "cat /in/data /etc/note; touch /in/x || touch /room/x"],
        mounts=[
            {"bind": tmp_path, "target": "/in"},
            {"tmpfs": "/room", "size": "1MiB"},
            {"file": "/etc/note", "contents": "written"},
        ],
    )
    assert done.stdout == b"boundwritten"
    assert done.returncode == 0
    assert os.listdir(tmp_path) == ["data"]


def test_mounts_need_not_be_utf_8(run: Any, tmp_path: Path) -> None:
    strange = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(strange)
    with open(strange + b"/data", "wb") as file:
        file.write(b"bound")
    for source in (strange, os.fsdecode(strange)):
        mounts = [
            {"bind": source, "target": "/in"},
            {"file": "/etc/note", "contents": b"\xff\0"},
        ]
        done = run(["cat", "/in/data", "/etc/note"], mounts=mounts)
        assert done.stdout == b"bound\xff\0"


def test_a_writable_mount_is_written_through(run: Any, tmp_path: Path) -> None:
    mount = {"bind": str(tmp_path), "target": "/out", "access": "rw"}
    tmp_path.chmod(0o777)
    assert run(["sh", "-c", "echo hello > /out/made"], mounts=[mount]).returncode == 0
    assert (tmp_path / "made").read_text() == "hello\n"


def test_a_root_of_ones_own_takes_the_place_of_the_systems(run: Any, tmp_path: Path) -> None:
    (tmp_path / "only").write_text("this")
    for name in ("dev", "proc", "tmp", "usr", "lib", "lib64", "bin"):
        (tmp_path / name).mkdir()
    tmp_path.chmod(0o755)
    binds = [
        {"bind": p, "target": p} for p in ("/usr", "/lib", "/lib64", "/bin") if Path(p).exists()
    ]
    done = run(
        ["/bin/sh", "-c", "cat /only; ls /etc/passwd"], rootfs=tmp_path, mounts=binds, cwd="/"
    )
    assert done.stdout == b"this"
    assert done.returncode != 0
    script = "echo that > /only && rm -r /usr/x 2>/dev/null; cat /only"
    done = run(["/bin/sh", "-c", script], rootfs=tmp_path, writable=True, mounts=binds, cwd="/")
    assert done.stdout == b"that\n"
    assert (tmp_path / "only").read_text() == "this"


def test_the_network_is_closed_unless_it_is_asked_for(run: Any) -> None:
    script = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print('bound')"
    assert run(["python3", "-c", script]).returncode != 0
    assert run(["python3", "-c", script], network="loopback").stdout == b"bound\n"


def test_a_program_may_be_a_name_a_path_or_bytes(run: Any) -> None:
    for args in ("true", b"true", Path("/usr/bin/true"), ["true"], [b"true"], (Path("/bin/true"),)):
        assert run(args).returncode == 0
    assert run(iter(["echo", Path("/x"), b"y"])).stdout == b"/x y\n"


def test_arguments_need_not_be_utf_8_and_may_be_empty(run: Any) -> None:
    assert run(["printf", "%s", b"\xff\xfe"]).stdout == b"\xff\xfe"
    assert run(["printf", "%s", "\udcff"]).stdout == b"\xff"
    assert run(["printf", "%s|", "", "a b", ""]).stdout == b"|a b||"


def test_there_is_no_shell(run: Any) -> None:
    assert run(["echo", "$HOME; ls"]).stdout == b"$HOME; ls\n"
    with pytest.raises(stockade.NotFound):
        run("echo hello")


def test_a_program_that_is_not_there_is_not_found(run: Any) -> None:
    for name in ("no-such-program", "/no/such/program", "./none"):
        with pytest.raises(FileNotFoundError) as caught:
            run([name])
        assert isinstance(caught.value, stockade.NotFound)
        assert caught.value.kind == "not_found"
        assert caught.value.errno == 2
        assert name in str(caught.value)


def test_what_may_not_be_executed_is_denied(run: Any, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "plain").chmod(0o644)
    with pytest.raises(PermissionError) as caught:
        run(["/in/plain"], mounts=[{"bind": tmp_path, "target": "/in"}])
    assert isinstance(caught.value, stockade.PermissionDenied)
    assert caught.value.errno == 13


@pytest.mark.parametrize("args", [[], (), iter(())])
def test_no_program_at_all_is_refused(run: Any, args: Any) -> None:
    with pytest.raises(ValueError, match="no program"):
        run(args)


@pytest.mark.parametrize("args", [None, 7, ["echo", 7], ["echo", None], [["echo"]]])
def test_arguments_of_another_type_are_refused(run: Any, args: Any) -> None:
    with pytest.raises(TypeError):
        run(args)


@pytest.mark.parametrize("args", [["a\0b"], ["echo", "a\0b"], [""], ""])
def test_arguments_that_the_system_cannot_take_are_refused(run: Any, args: Any) -> None:
    with pytest.raises((stockade.InvalidPolicy, stockade.NotFound)) as caught:
        run(args)
    assert isinstance(caught.value, stockade.SandboxError)


def test_the_backend_is_chosen_or_told(run: Any) -> None:
    assert run(["true"]).report.backend_reason == "auto: the program is a native executable"
    assert run(["true"], backend="namespace").report.backend_reason is None
    sandbox = stockade.Sandbox()
    assert run(["true"], backend=sandbox).report.backend == "namespace"
    assert sandbox.run(["true"], best_effort=["memory", "cpu_time", "processes"]).returncode == 0
    with pytest.raises(ValueError, match="vm"):
        run(["true"], backend="vm")


def test_policies_and_keywords_go_together(run: Any, best_effort: stockade.Policy) -> None:
    policy = best_effort.replace(wall_time=60, env={"A": "1"})
    done = stockade.run(["env"], policy=policy, env={"B": "2"}, text=True)
    assert {"A=1", "B=2", "HOME=/tmp"} <= set(done.stdout.splitlines())
    assert done.report.policy_hash == policy.replace(env={"B": "2"}).policy_hash
    assert run(["true"], policy={"limits": {"wall_time": 5}}).returncode == 0
    with pytest.raises(TypeError, match="Policy or a mapping"):
        run(["true"], policy="limits.memory = 1")


def test_prepared_programs_run_many_times(best_effort: stockade.Policy) -> None:
    prepared = stockade.prepare(["cat"], policy=best_effort)
    assert [prepared.run(f"{n}", text=True).stdout for n in range(5)] == list("01234")
    assert prepared.plan.backend == "namespace"
    assert prepared.plan.policy_hash == best_effort.policy_hash
    assert "cat" in repr(prepared)
    assert stockade.prepare(iter(["echo", "x"]), policy=best_effort).run().stdout == b"x\n"
    with pytest.raises(subprocess.CalledProcessError):
        stockade.prepare(["false"], policy=best_effort).run(check=True)


def test_prepared_programs_wait_warm(best_effort: stockade.Policy) -> None:
    prepared = stockade.prepare(["echo", "x"], policy=best_effort)
    prepared.warm(2)
    assert [prepared.run().stdout for _ in range(5)] == [b"x\n"] * 5
    prepared.warm(0)
    with pytest.raises((ValueError, OverflowError, stockade.InvalidPolicy)):
        prepared.warm(-1)
    with pytest.raises(stockade.InvalidPolicy):
        prepared.warm(100_000)
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(prepared)
