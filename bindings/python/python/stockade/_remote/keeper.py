"""The life of a session's interpreter: whose turn it is, what was lost, what waits, and the end."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Any, Iterator, Mapping, Optional, Tuple

from ..errors import HostLost, SandboxError
from ..result import SessionLost
from .call import Request
from .channel import ChannelClosed, ChannelError
from .files import Files
from .setting import Setting
from .talk import Talk

_START = 60.0
"""Seconds that an interpreter may take to come up, its imports included."""


class Keeper:
    """Owns one interpreter after the other, and with ``spare`` the one that waits."""

    def __init__(self, setting: Setting, files: Mapping[str, bytes], spare: bool) -> None:
        self.closed = False
        self.request: Optional[Request] = None
        """Of the call that runs, for those who want it to stop."""
        self._setting: Optional[Setting] = setting
        self._files = files
        self._wants_spare = spare
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._holder: Optional[int] = None
        self._talk: Optional[Talk] = None
        self._spare: Optional[Talk] = None
        self._lost: Optional[Tuple[str, Any]] = None

    @property
    def alive(self) -> bool:
        """Whether there is an interpreter, as far as is known."""
        return self.mine and not self.closed and self._lost is None

    @property
    def mine(self) -> bool:
        """Whether this is the process that made it, and no child of that."""
        return os.getpid() == self._pid

    def own(self) -> None:
        """Raise `HostLost` in a child of the process that made it."""
        if not self.mine:
            raise HostLost(
                "the session belongs to the process that made it, and this is a child of that"
            )

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for one's turn, and have it."""
        self.own()
        me = threading.get_ident()
        if self._holder == me:
            raise RuntimeError("a call of this session is under way in this thread")
        with self._lock:
            if self.closed:
                raise SessionLost("the session is closed")
            self._holder = me
            try:
                yield
            finally:
                self._holder = None
                if self.closed:
                    self._drop()

    @contextlib.contextmanager
    def turn(self) -> Iterator[Talk]:
        """As `hold`, with the interpreter, or `SessionLost`."""
        with self.hold():
            if self._lost is not None or self._talk is None:
                why, report = self._lost or ("the interpreter did not start", None)
                raise SessionLost(f"the session is lost: {why}", report)
            yield self._talk

    @contextlib.contextmanager
    def files(self, seconds: Optional[float]) -> Iterator[Files]:
        """A turn for a request about files."""
        with self.turn() as talk, self._guarded(talk):
            yield Files(talk, None if seconds is None else time.monotonic() + seconds)

    def renew(self) -> None:
        """Start a new interpreter, or take the one that waits; within `hold`."""
        self._dispose()
        setting = self._setting
        assert setting is not None
        self._talk, self._lost = self._waiting() or setting.launch(), None
        deadline = time.monotonic() + _START
        try:
            with self._guarded(self._talk):
                setting.wait(self._talk, deadline)
                for name, data in self._files.items():
                    Files(self._talk, deadline).put(name, data)
        except (SandboxError, ValueError) as error:
            if self._lost is None:
                self.lose(f"it did not start: {error}", None)
            raise
        if self._wants_spare:
            self._spare = setting.launch()

    def lose(self, why: str, report: Any) -> str:
        """The interpreter is of no more use; gives the reason as callers are to read it."""
        if self.closed:
            why = "the session was closed"
        self._lost = (why, report)
        self._dispose()
        return why

    def settle(self, talk: Talk) -> None:
        """After a call: one that was broken off may have had to kill the sandbox."""
        self.request = None
        if talk.ended and self._lost is None:
            self.lose("a call was broken off, and its code did not stop", talk.report)

    def wake(self, request: Request) -> bool:
        """Break off the waiting of a call, so that it looks at its request; False if it does not run."""
        talk = self._talk
        if talk is None or self.request is not request:
            return False
        talk.wake()
        return True

    def close(self) -> None:
        """End it all; a call of another thread, or one that this is called from, is lost."""
        if self.closed or not self.mine:
            return
        self.closed = True
        talk = self._talk
        held = self._holder == threading.get_ident()
        if talk is not None and (held or self._lock.locked()):
            talk.kill()
        if not held:  # else the call that this is called from cleans up
            with self._lock:
                self._drop()

    def _waiting(self) -> Optional[Talk]:
        spare, self._spare = self._spare, None
        if spare is not None and spare.over():
            spare.close()
            return None
        return spare

    @contextlib.contextmanager
    def _guarded(self, talk: Talk) -> Iterator[None]:
        """What breaks off a request leaves half an answer behind, and so ends the interpreter."""
        try:
            yield
        except ChannelError as error:
            died = isinstance(error, ChannelClosed)
            report = talk.end(kill=not died)
            stderr = talk.printed().decode("utf-8", "replace")
            reason = (
                f"the interpreter ended: {getattr(report, 'verdict', None)}"
                if died
                else f"it was killed: {error}"
            )
            why = self.lose(reason, report)
            raise SessionLost(f"{why}\n{stderr}".rstrip(), report, stderr=stderr) from None
        except (SandboxError, TypeError, ValueError):
            raise
        except BaseException:
            self.lose("a request was broken off", talk.end(kill=True))
            raise

    def _dispose(self) -> None:
        talk, self._talk = self._talk, None
        if talk is not None:
            talk.close()

    def _drop(self) -> None:
        self._dispose()
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()
        self._setting = None
