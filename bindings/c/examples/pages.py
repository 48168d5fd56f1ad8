"""Compiles every block of C in the manual's page, and compares the program in it and in the READMEs with hello.c."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parents[2]
MANUAL = ROOT / "crates/stockade/src/manual/c.md"
PAGES = [MANUAL, EXAMPLES.parent / "README.md", ROOT / "README.md"]
# What a piece of a program has before it.
BEFORE = """#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <stockade.h>
"""


def blocks(page):
    return re.findall(r"^```c\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def compiles(source, flags):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "block.c")
        file.write_text(source)
        # Functions that nobody calls are what a page is made of.
        strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
        return subprocess.run(["cc", *strict, *flags, "-fsyntax-only", file]).returncode == 0


def main():
    flags = subprocess.run(["pkg-config", "--cflags", "stockade"], stdout=subprocess.PIPE, text=True, check=True)
    hello = (EXAMPLES / "hello/hello.c").read_text()
    wrong = []
    for page in PAGES:
        programs = [block for block in blocks(page) if "int main" in block]
        # The page may leave out the first line, which says what the file is.
        if not programs or any(program.strip() not in hello for program in programs):
            wrong.append(f"{page.relative_to(ROOT)}: its program is not examples/hello/hello.c")
    pieces = [block for block in blocks(MANUAL) if "int main" not in block]
    if not pieces:
        wrong.append(f"{MANUAL.relative_to(ROOT)}: no block of C was found")
    for number, piece in enumerate(pieces, 1):
        if not compiles(BEFORE + piece, flags.stdout.split()):
            wrong.append(f"{MANUAL.relative_to(ROOT)}: piece {number} does not compile")
    sys.exit("\n".join(wrong) or 0)


main()
