"""An event loop without sockets: it sleeps until the next timer is due."""

import asyncio
import selectors
import time


class Sleeper(selectors._BaseSelectorImpl):
    """A selector that has nothing to watch."""

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("the program waits for an event that nothing can bring about")
        if timeout > 0:
            time.sleep(timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    """The usual loop, but for the pipe by which other threads would wake it: there are none."""

    def __init__(self):
        super().__init__(Sleeper())

    def _make_self_pipe(self):
        self._ssock = self._csock = None

    def _close_self_pipe(self):
        pass

    def _write_to_self(self):
        pass


def install():
    """Makes it the loop of `asyncio.run`."""
    asyncio.new_event_loop = asyncio.events.new_event_loop = Loop
    asyncio.runners.events.new_event_loop = Loop
