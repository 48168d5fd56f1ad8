"""What `python` does with its command line, as the command of a WASI component."""

import atexit
import os
import random
import runpy
import sys
import types

import stdlib
import loop
import linecache
import traceback

from wit_world import exports
from wit_world.imports import environment, exit as process

USAGE = "usage: python [-u] [-c CODE | -m MODULE | FILE | -] [ARGS...]"

sys.dont_write_bytecode = True
loop.install()
os.environ.clear()
linecache.clearcache()
# Where the build found modules; a run has none of these places.
sys.path_importer_cache.clear()


class Run(exports.Run):
    def run(self):
        code = main(environment.get_arguments()[1:])
        if code:
            process.exit_with_code(code)


def main(words):
    awake()
    code = guarded(lambda: start(words))
    # What the program registered may fail as the program may.
    code = guarded(atexit._run_exitfuncs) or code
    return flush() or code


def awake():
    """Takes up what is so now and was not when the snapshot was made."""
    # libc reads the environment for itself when it is asked; to set it there would cost more than
    # all the rest of this.
    variables = environment.get_environment()
    os.environ._data.update((os.fsencode(name), os.fsencode(value)) for name, value in variables)
    os._exit = lambda code: process.exit_with_code(code & 0xFF)
    random.seed()
    sys.path[:] = [path for path in os.environ.get("PYTHONPATH", "").split(":") if path]
    try:
        os.chdir(environment.initial_cwd() or os.environ.get("PWD") or "/")
    except OSError:
        pass


def start(words):
    while words[:1] == ["-u"]:
        sys.stdout.reconfigure(write_through=True)
        words = words[1:]
    first, rest = (words[0], words[1:]) if words else ("-", [])
    if first == "-c" and rest:
        perform(rest[0], "<string>", ["-c", *rest[1:]])
    elif first == "-m" and rest:
        sys.argv, sys.path[:0] = ["-m", *rest[1:]], [os.getcwd()]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-":
        perform(sys.stdin.buffer.read(), "<stdin>", words or [""])
    elif first.startswith("-"):
        print(USAGE, file=sys.stderr)
        raise SystemExit(2)
    else:
        script(first, words)


def script(path, words):
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        print(f"python: can't open file {path!r}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    perform(source, path, words, os.path.dirname(os.path.realpath(path)))


def perform(source, name, argv, folder=""):
    """Runs a program as the module `__main__`."""
    main = types.ModuleType("__main__")
    main.__builtins__ = __builtins__
    if folder:
        main.__file__ = name
    else:
        lines = source if isinstance(source, str) else source.decode(errors="replace")
        linecache.cache[name] = len(lines), None, lines.splitlines(True), name
    sys.modules["__main__"], sys.argv = main, argv
    sys.path.insert(0, folder)
    exec(compile(source, name, "exec", dont_inherit=True), main.__dict__)


def guarded(work):
    """Does something of the program's; answers its exit status."""
    try:
        work()
    except SystemExit as leaving:
        return status(leaving.code)
    except BaseException as error:
        report(error)
        return 1
    return 0


def status(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def report(error):
    """Shows an error as it would look without this file's frames."""
    ours = {__file__, runpy.__file__}
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    error.__traceback__ = trace
    flush()
    try:
        sys.excepthook(type(error), error, trace)
    except BaseException:
        traceback.print_exception(error)


def flush():
    """Writes out what is buffered; answers 120, as `python` does, if that cannot be done."""
    code = 0
    for stream in sys.stdout, sys.stderr:
        try:
            stream.flush()
        except (AttributeError, ValueError):
            # The program closed it, or put something else in its place.
            pass
        except OSError:
            code = 120
    return code
