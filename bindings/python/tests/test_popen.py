"""``stockade.Popen``: live streams, waits, and ways to an end."""

from __future__ import annotations

import fcntl
import gc
import os
import pickle
import selectors
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import Any

import pytest
from host import Interpreter, Mark, until

import stockade

PIPE = stockade.PIPE
#: Python 3.9 has no name for it.
F_SETPIPE_SZ = 1031
F_GETPIPE_SZ = 1032
#: Answers each line.
ECHO = ["python3", "-uc", "import sys\nfor line in sys.stdin: print('got', line, end='')"]
#: Writes for ever.
YES = ["yes"]


def held_by(pipe: int) -> int:
    """How many bytes wait in a pipe."""
    held = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(held, sys.byteorder)


def test_streams_are_the_programs_own(popen: Any) -> None:
    with popen(["sh", "-c", "cat; echo err >&2; exit 5"], stdin=PIPE) as process:
        assert process.stdin.write(b"hello") == 5
        process.stdin.close()
        assert process.stdout.read() == b"hello"
        assert process.stderr.read() == b"err\n"
        assert process.wait() == 5
    assert process.report.verdict == process.verdict == stockade.Verdict("exited", code=5)
    assert process.report.usage.stdout_bytes == 5


def test_lines_come_as_they_are_written(popen: Any) -> None:
    with popen(ECHO, stdin=PIPE, text=True, bufsize=1) as process:
        lines = iter(process)
        for word in ("one\n", "two\n"):
            process.stdin.write(word)
            # Were lines kept back until the end, this would wait for ever.
            assert next(lines) == f"got {word}"
            assert process.poll() is None
        process.stdin.close()
        assert list(lines) == []
    assert process.returncode == 0


def test_iterating_needs_a_pipe(popen: Any) -> None:
    with popen(["true"], stdout=stockade.DEVNULL) as process:
        with pytest.raises(ValueError, match="PIPE"):
            iter(process)


def test_bytes_that_are_unbuffered_arrive_at_once(popen: Any) -> None:
    with popen(["cat"], stdin=PIPE, bufsize=0) as process:
        for data in (b"a", b"\0\xff"):
            process.stdin.write(data)
            assert process.stdout.read(2) == data
        process.stdin.close()


def test_bytes_by_the_line_are_as_by_the_block(popen: Any) -> None:
    with popen(["cat"], stdin=PIPE, bufsize=1) as process:
        assert process.communicate(b"a\nb") == (b"a\nb", b"")


@pytest.mark.parametrize("bufsize", ["1", 1.5, None])
def test_a_buffer_size_is_a_number(popen: Any, bufsize: Any) -> None:
    with pytest.raises(TypeError):
        popen(["true"], bufsize=bufsize)


def test_streams_can_be_selected(popen: Any) -> None:
    with popen(
        ["sh", "-c", "read x; echo $x >&2; exec sleep 60"], stdin=PIPE, bufsize=0
    ) as process:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(process.stderr, selectors.EVENT_READ, "stderr")
            selector.register(process, selectors.EVENT_READ, "end")
            assert selector.select(0) == []
            process.stdin.write(b"now\n")
            assert [key.data for key, _ in selector.select(20)] == ["stderr"]
            assert process.stderr.read(4) == b"now\n"
            process.kill()
            seen = set()
            assert until(
                lambda: seen.update(k.data for k, _ in selector.select(0)) or len(seen) == 3
            )


def test_text_has_the_encoding_and_the_line_ends_asked_for(popen: Any) -> None:
    with popen(["printf", "\\374\\r\\nx\\r"], encoding="latin-1") as process:
        assert process.stdout.read() == "ü\nx\n"
    with popen(["printf", "\\377"], text=True, errors="replace") as process:
        assert process.communicate() == ("\ufffd", "")
    with popen(["cat"], stdin=PIPE, encoding="utf-16-le") as process:
        assert process.communicate("ü")[0] == "ü"
    assert process.report.usage.stdout_bytes == 2


def test_an_end_is_polled_or_waited_for(popen: Any) -> None:
    with popen(["sh", "-c", "read x; exit 3"], stdin=PIPE) as process:
        assert process.poll() is None
        assert process.returncode is None
        assert process.report is None
        assert process.verdict is None
        assert "running" in repr(process)
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            process.wait(0.05)
        assert caught.value.timeout == 0.05
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0)
        process.stdin.close()
        assert process.wait(20) == 3
        assert (process.poll(), process.returncode, process.wait()) == (3, 3, 3)
        assert "exited with status 3" in repr(process)


@pytest.mark.parametrize("timeout", ["1", float("nan"), [1]])
def test_a_wait_takes_seconds(popen: Any, timeout: Any) -> None:
    with popen(["sleep", "60"]) as process:
        with pytest.raises((TypeError, ValueError)):
            process.wait(timeout)
        process.kill()


def test_a_wait_may_be_longer_than_any_clock(popen: Any) -> None:
    with popen(["true"]) as process:
        assert process.wait(1e300) == 0
    with popen(["true"]) as process:
        assert process.wait(float("inf")) == 0


def test_communicate_moves_much_both_ways(popen: Any) -> None:
    data = os.urandom(1 << 20) * 4
    with popen(["tee", "/dev/stderr"], stdin=PIPE, output="8MiB") as process:
        assert process.communicate(data) == (data, data)
    assert process.returncode == 0


def test_communicate_without_streams_waits(popen: Any) -> None:
    with popen(["true"], stdout=stockade.DEVNULL, stderr=stockade.DEVNULL) as process:
        assert process.communicate() == (None, None)
        assert process.returncode == 0


def test_communicate_says_in_time_that_it_takes_longer(popen: Any) -> None:
    with popen(["sh", "-c", "echo first; cat; exec sleep 60"], stdin=PIPE, wall_time=60) as process:
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            process.communicate(b"x" * 100_000, timeout=1)
        assert caught.value.timeout == 1
        assert caught.value.cmd == process.args
        assert caught.value.output == b"first\n" + b"x" * 100_000
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=0.1)
        process.kill()
        stdout, stderr = process.communicate()
        assert (stdout, stderr) == (b"first\n" + b"x" * 100_000, b"")
    assert process.verdict.kind == "cancelled"


def test_communicate_gives_input_that_did_not_fit_before(popen: Any) -> None:
    script = "import sys, time\ntime.sleep(1.5)\nprint(len(sys.stdin.read()))"
    with popen(["python3", "-c", script], stdin=PIPE, text=True) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate("x" * 3_000_000, timeout=0.2)
        assert process.communicate() == ("3000000\n", "")


def test_communicate_begins_where_reading_ended(popen: Any) -> None:
    for bufsize in (-1, 0, 1 << 20):
        with popen(["seq", "1", "50000"], bufsize=bufsize) as process:
            first = process.stdout.readline()
            rest, _ = process.communicate()
            assert first + rest == b"".join(b"%d\n" % n for n in range(1, 50001))


def test_communicate_does_not_mind_a_program_that_left(popen: Any) -> None:
    for text in (False, True):
        with popen(["true"], stdin=PIPE, text=text) as process:
            process.stdin.write("early" if text else b"early")
            process.wait()
            assert process.communicate()[0] in ("", b"")
        with popen(["true"], stdin=PIPE) as process:
            assert process.communicate(b"x" * 1_000_000) == (b"", b"")


def test_communicate_refuses_input_of_the_wrong_kind(popen: Any) -> None:
    with popen(["cat"], stdin=PIPE) as process:
        with pytest.raises(TypeError):
            process.communicate("text")
        assert process.communicate(b"bytes") == (b"bytes", b"")


def test_a_kill_ends_every_process_of_the_run(popen: Any, mark: Mark) -> None:
    script = f"sleep {mark.seconds} & sleep {mark.seconds} & wait"
    with popen(["sh", "-c", script]) as process:
        assert until(lambda: len(mark.alive()) == 2)
        process.kill()
        assert process.wait() == -9
        assert process.verdict == stockade.Verdict("cancelled")
        assert mark.alive() == []
        process.kill()
        process.terminate()


def test_errors_go_where_the_output_goes_if_they_are_joined(popen: Any) -> None:
    with popen(["sh", "-c", "echo out; echo err >&2"], stderr=stockade.STDOUT) as process:
        assert process.stderr is None
        stdout, stderr = process.communicate()
        assert sorted(stdout.split()) == [b"err", b"out"]
        assert stderr is None


def test_outputs_may_go_to_files(popen: Any, tmp_path: Path) -> None:
    for turn in range(20):
        with (
            open(tmp_path / "out", "w+b") as out,
            open(tmp_path / "err", "w+b", buffering=0) as err,
        ):
            args = ["sh", "-c", "head -c 300000 /dev/zero; echo err >&2"]
            with popen(args, stdout=out, stderr=err.fileno()) as process:
                assert (process.stdout, process.stderr) == (None, None)
                assert process.wait() == 0
                # All of it is there when the run is over.
                assert os.fstat(out.fileno()).st_size == 300_000, turn
                err.seek(0)
                assert err.read() == b"err\n"


def test_outputs_may_go_nowhere(popen: Any) -> None:
    null = stockade.DEVNULL
    with popen(["sh", "-c", "echo out; echo err >&2"], stdout=null, stderr=null) as process:
        assert process.wait() == 0
    with popen(
        ["sh", "-c", "echo out; echo err >&2"], stdout=null, stderr=stockade.STDOUT
    ) as process:
        assert process.communicate() == (None, None)


def test_what_is_no_output_is_refused(popen: Any) -> None:
    for wrong in (None, -7, "name", object(), stockade.STDOUT):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            popen(["true"], stdout=wrong)
    with pytest.raises(OSError):
        popen(["true"], stdout=1_000_000)


def test_a_run_is_not_over_before_its_output_is_where_it_goes(popen: Any) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    with popen(["head", "-c", "60000", "/dev/zero"], stdout=writer) as process:
        os.close(writer)
        # As a program's of the host, that would have to wait until it has written.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        with open(reader, "rb") as file:
            assert len(file.read()) == 60_000
        assert process.wait() == 0


def test_output_waits_for_a_descriptor_that_does_not_block(popen: Any) -> None:
    reader, writer = os.pipe()
    # As a terminal is that an event loop has: what is full now has room later.
    os.set_blocking(writer, False)
    try:
        with popen(["head", "-c", "1000000", "/dev/zero"], stdout=writer) as process:
            os.close(writer)
            writer = -1
            # It is full before anybody reads.
            assert until(lambda: held_by(reader) == fcntl.fcntl(reader, F_GETPIPE_SZ))
            with open(reader, "rb", closefd=False) as stream:
                assert len(stream.read()) == 1_000_000
        assert process.returncode == 0
    finally:
        for number in (reader, writer):
            if number >= 0:
                os.close(number)


def test_a_kill_does_not_wait_for_output_that_nobody_takes(popen: Any) -> None:
    reader, writer = os.pipe()
    with popen(["yes"], stdout=writer, output="unlimited") as process:
        os.close(writer)
        assert os.read(reader, 2) == b"y\n"
        process.kill()
        assert process.wait(20) == -9
        os.close(reader)


def test_outputs_that_are_not_captured_are_all_there_when_the_run_is_over(
    interpreter: Interpreter,
) -> None:
    code = (
        "import stockade\n"
        "for turn in range(50):\n"
        "    stockade.run(['head', '-c', '70000', '/dev/zero'], capture_output=False,\n"
        "        best_effort=WEAK)\n"
        "    os.write(1, b'|')\n"
    )
    assert interpreter.prints(code).split("|") == ["\0" * 70000] * 50 + [""]


def test_leaving_a_block_by_an_exception_kills(popen: Any, mark: Mark) -> None:
    class Own(Exception):
        pass

    with pytest.raises(Own):
        with popen(mark.sleep(), stdin=PIPE) as process:
            assert until(mark.alive)
            raise Own
    assert process.verdict.kind == "cancelled"
    assert mark.alive() == []
    assert process.stdout.closed and process.stdin.closed


def test_leaving_a_block_waits(popen: Any) -> None:
    with popen(["sh", "-c", "read x; exit 6"], stdin=PIPE) as process:
        pass
    assert process.returncode == 6


def test_leaving_a_block_does_not_wait_for_output_that_nobody_wants(popen: Any) -> None:
    with popen(YES, output="unlimited", cpu_time="unlimited") as process:
        assert process.stdout.read(2) == b"y\n"
    assert process.verdict == stockade.Verdict("signaled", signal="SIGPIPE", number=13)


def test_dropping_kills(popen: Any, mark: Mark) -> None:
    process = popen(mark.sleep(), stdout=stockade.DEVNULL, stderr=stockade.DEVNULL)
    assert until(mark.alive)
    del process
    gc.collect()
    assert until(lambda: not mark.alive())


def test_a_program_is_held_back_by_a_reader_that_is_slow(popen: Any) -> None:
    with popen(YES, output="unlimited", cpu_time="unlimited", bufsize=0) as process:
        assert process.stdout.read(2) == b"y\n"
        used = [-1]

        def rests() -> bool:
            # It has come to rest if the processor time of its tree does not change.
            used.append(tree_time())
            return used[-1] == used[-2]

        assert until(rests)
        # Less than what was written freely would be: a few pipes and buffers.
        process.kill()
        left = sum(len(block) for block in iter(lambda: process.stdout.read(1 << 16), b""))
        assert left < 8 << 20


def tree_time() -> int:
    """Clock ticks that the processes below this one have used."""
    import time

    from host import descendants

    time.sleep(0.1)
    total = 0
    for pid in descendants(os.getpid()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total


def test_streamed_output_counts_towards_its_limit(popen: Any) -> None:
    with popen(YES, output="100kB") as process:
        stdout, _ = process.communicate()
    assert process.verdict.control == "output"
    assert len(stdout) <= 100_000


def test_a_limit_ends_a_run_that_is_streamed(popen: Any) -> None:
    with popen(["sleep", "60"], timeout=0.3) as process:
        assert process.wait() == -9
    assert process.verdict.control == "wall_time"


def test_errors_before_the_start_leave_nothing(popen: Any) -> None:
    with pytest.raises(stockade.NotFound):
        popen(["no-such-program"], stdin=PIPE)
    with pytest.raises(stockade.InvalidPolicy):
        popen(["true"], memory="lots")
    with pytest.raises(TypeError):
        popen(["true"], memroy=1)
    with pytest.raises(LookupError):
        popen(["true"], encoding="none-such")


def test_prepared_programs_are_streamed(best_effort: stockade.Policy) -> None:
    prepared = stockade.prepare(["cat"], policy=best_effort)
    for word in (b"one", b"two"):
        with prepared.popen(stdin=PIPE) as process:
            assert process.args == ["cat"]
            assert process.communicate(word) == (word, b"")


def test_threads_may_wait_for_one_run_together(popen: Any) -> None:
    with popen(["sh", "-c", "read x; exit 2"], stdin=PIPE) as process:
        codes = []
        threads = [threading.Thread(target=lambda: codes.append(process.wait())) for _ in range(8)]
        for thread in threads:
            thread.start()
        process.stdin.close()
        for thread in threads:
            thread.join()
    assert codes == [2] * 8


def test_a_run_cannot_be_pickled(popen: Any) -> None:
    with popen(["true"]) as process:
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(process)
    assert pickle.loads(pickle.dumps(process.report)) == process.report


def test_no_stream_is_inherited_by_programs_of_the_host(popen: Any) -> None:
    with popen(["cat"], stdin=PIPE) as process:
        numbers = [process.stdin.fileno(), process.stdout.fileno(), process.fileno()]
        assert not any(os.get_inheritable(number) for number in numbers)
        # A child that has the writing end would keep the program from seeing the end.
        code = "import sys; sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, close_fds=False) as child:
            assert process.communicate(b"x") == (b"x", b"")
            child.communicate()
