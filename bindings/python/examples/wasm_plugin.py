"""Let a plugin in WebAssembly give functions to SQL, as a data tool would.

    python wasm_plugin.py

A plugin's functions take bytes and give bytes. They run inside this process, in a memory of their own,
and each call is bounded: one that loops costs its query 100 ms, and nothing else.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import List, Optional

import stockade

PLUGIN = Path(__file__).with_name("plugin.wasm")
#: How a function of bytes looks from outside.
BYTES = "(i32, i32) -> i64"


class Plugin:
    """The functions of one module, and the instance in which they run."""

    def __init__(self, path: Path) -> None:
        self.module = stockade.Module(path, memory="16MiB", wall_time=0.1, cpu_time="unlimited")
        self.functions = [name for name, kind in self.module.functions.items() if kind == BYTES]
        self.instance = self.module.instantiate()
        #: Why the last call that failed did; SQLite keeps that to itself.
        self.failure: Optional[stockade.SandboxError] = None

    def call(self, name: str, text: Optional[str]) -> Optional[str]:
        if text is None:
            return None
        try:
            return self.instance.call_bytes(name, text.encode()).decode(errors="replace")
        except stockade.SandboxError as error:
            self.failure = error
            # A call that was stopped ended the instance; the next query gets a new one.
            self.instance = self.module.instantiate()
            raise

    def register(self, database: sqlite3.Connection) -> List[str]:
        for name in self.functions:
            database.create_function(name, 1, lambda text, name=name: self.call(name, text))
        return self.functions


def main() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "create table notes(text); insert into notes values ('Uryyb'), ('Jbeyq'), (null);"
    )
    plugin = Plugin(PLUGIN)
    print("the plugin gives", ", ".join(plugin.register(database)))

    queries = (
        "select rot13(text) from notes",
        "select spin(text) from notes",
        "select group_concat(rot13(text), ' ') from notes",
    )
    for query in queries:
        try:
            print(f"{query}: {[value for (value,) in database.execute(query)]}")
        except sqlite3.OperationalError as error:
            print(f"{query}: {error}: {plugin.failure}")
    database.close()


if __name__ == "__main__":
    main()
