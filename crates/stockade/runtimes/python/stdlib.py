"""The standard library, carried inside the component.

An instance has no files of the interpreter's. What is imported here while the component is built
is in its memory from the start; everything else is kept as compressed code and run when imported.
"""

import ast
import gc
import importlib
import importlib.machinery
import marshal
import os
import pkgutil
import sys
import zlib

ROOT = os.path.dirname(ast.__file__)

# Worth having at once: what short programs import.
AT_ONCE = """
    abc argparse array ast asyncio atexit base64 bisect calendar cmath collections.abc
    concurrent.futures configparser contextlib contextvars copy csv dataclasses datetime decimal
    difflib email.message enum errno fnmatch fractions functools gc getopt getpass glob graphlib gzip
    hashlib heapq hmac html html.parser inspect io ipaddress itertools json keyword linecache locale
    logging math numbers operator os pathlib pickle platform pprint queue random re reprlib runpy
    sched secrets selectors shlex shutil signal sqlite3 stat statistics string struct tempfile
    textwrap threading time timeit token tokenize tomllib traceback types typing unicodedata unittest
    urllib.parse uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo
    encodings.ascii encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_8_sig
""".split()

# What draws windows, installs packages or writes bytecode has nothing to work with here.
LEFT_OUT = {"config-3.14-wasm32-wasi", "ensurepip", "idlelib", "site-packages", "test", "tkinter",
            "turtle", "turtledemo", "venv"}

# Module names to whether they are packages, where their source was, and their code.
kept = {}


def keep():
    """Compiles and keeps every module that is not left out."""
    for directory, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in LEFT_OUT and name != "__pycache__"]
        for name in files:
            path = os.path.join(directory, name)
            stem = os.path.relpath(path, ROOT).removesuffix(".py")
            if not name.endswith(".py") or stem in LEFT_OUT:
                continue
            package = name == "__init__.py"
            if package:
                stem = os.path.dirname(stem)
            with open(path, "rb") as source:
                code = compile(source.read(), path, "exec", dont_inherit=True)
            kept[stem.replace("/", ".")] = package, path, zlib.compress(marshal.dumps(code))


class Kept:
    """Finds and loads what `keep` kept."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in kept:
            return None
        package, source, _ = kept[name]
        spec = importlib.machinery.ModuleSpec(name, cls, origin=source, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations.append(os.path.dirname(source))
        return spec

    @staticmethod
    def create_module(spec):
        return None

    @classmethod
    def exec_module(cls, module):
        exec(cls.get_code(module.__name__), module.__dict__)

    @staticmethod
    def get_code(name):
        return marshal.loads(zlib.decompress(kept[name][2]))

    @staticmethod
    def get_source(name):
        return None

    @staticmethod
    def is_package(name):
        return kept[name][0]


keep()
# Behind the others, so that a program's own module of the same name comes first.
sys.meta_path.append(Kept)
for name in AT_ONCE:
    importlib.import_module(name)
# The snapshot is nobody's garbage: a collection that looked at it would copy its pages.
gc.collect()
gc.freeze()
