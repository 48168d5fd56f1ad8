"""Runs modules of CPython's own test suite and prints what came of each test.

suite.py WIDTH MODULE...: a process per module, WIDTH of them at once. Lines are
`TEST MODULE passed|failed|skipped NAME` and `MODULE NAME STATUS SECONDS`.
"""

import concurrent.futures
import os
import signal
import subprocess
import sys
import tempfile
import time

# A module that takes longer hangs.
SECONDS = 900


def one(name, file):
    """Runs one module as `python3 -m test` does and writes its outcomes into a file."""
    from test.libregrtest import main
    from test.support.testresult import RegressionTestResult as Result

    outcomes = {}

    def note(method, outcome):
        inner = getattr(Result, method)

        def outer(self, test, *arguments):
            # A subtest that succeeds says nothing, and one that fails condemns its test.
            if method != "addSubTest":
                outcomes.setdefault(test.id(), outcome)
                if outcome == "failed":
                    outcomes[test.id()] = outcome
            elif arguments[1] is not None:
                outcomes[test.id()] = "failed"
            return inner(self, test, *arguments)

        setattr(Result, method, outer)

    for method in ("addSuccess", "addExpectedFailure"):
        note(method, "passed")
    for method in ("addError", "addFailure", "addUnexpectedSuccess", "addSubTest"):
        note(method, "failed")
    note("addSkip", "skipped")
    try:
        sys.argv = [sys.argv[0], "--timeout", str(SECONDS), name]
        main()
    finally:
        with open(file, "w") as out:
            for test, outcome in outcomes.items():
                out.write(f"TEST {name} {outcome} {test}\n")


def run(name):
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = os.path.join(folder, "outcomes")
        said = os.path.join(folder, "said")
        words = [sys.executable, os.path.abspath(__file__), "--one", name, file]
        # What a module leaves behind must not be waited for: it has no pipe, and is killed.
        with open(said, "wb") as out:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, cwd=folder, start_new_session=True)
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            os.killpg(child.pid, signal.SIGKILL)
            status = child.wait()
        with open(said, errors="replace") as out:
            text = out.read()
        try:
            with open(file) as out:
                lines = out.read()
        except OSError:
            lines = ""
    return name, status, time.monotonic() - began, lines, text


def all_of(width, names):
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        for name, status, seconds, lines, text in pool.map(run, names):
            print(lines, end="")
            for line in text.splitlines()[-100:] if status else ():
                print(f"| {line}")
            print(f"MODULE {name} {status} {seconds:.1f}", flush=True)


# Children of multiprocessing import this file again.
if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(sys.argv[2], sys.argv[3])
    else:
        # Who was started in the background ignores it, and so would every child.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        all_of(int(sys.argv[1]), sys.argv[2:])
