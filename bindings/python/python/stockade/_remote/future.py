"""The future of a call in a sandbox."""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from typing import Any, Optional, TypeVar

from .worker import Worker

T = TypeVar("T")


class SandboxFuture(Future[T]):
    """The future of a call in a sandbox.

    Unlike others, it can be cancelled while it runs: the sandbox is then killed. ``output`` is what the
    function printed, once it is done; at most the last 64 KiB.
    """

    def __init__(self) -> None:
        super().__init__()
        self.output = ""
        self._begun = False
        self._worker: Optional[Worker] = None
        self._attaching = threading.Lock()

    def cancel(self) -> bool:
        """Cancel the call, running or not; False if it is done already."""
        # To the base class a running call is a pending one, which it lets be cancelled.
        cancelled = super().cancel()
        if cancelled:
            with self._attaching:
                if self._worker is not None:
                    self._worker.kill()
        return cancelled

    def running(self) -> bool:
        """Whether the call has begun and is not done."""
        return self._begun and not self.done()

    def attach(self, worker: Worker) -> None:
        """Say which worker to kill when this is cancelled; it may be already."""
        with self._attaching:
            self._worker = worker
            self._begun = True
            if self.cancelled():
                worker.kill()

    def detach(self, output: str) -> None:
        """Say that the worker may be another call's from now on."""
        with self._attaching:
            self._worker = None
            self.output = output

    def settle(self, value: Any, error: Optional[BaseException]) -> None:
        """End with a value or an error, or as cancelled."""
        try:
            if error is None:
                self.set_result(value)
            else:
                self.set_exception(error)
        except InvalidStateError:
            # Cancelled meanwhile: those who wait for it are told now, when the sandbox is gone.
            self.set_running_or_notify_cancel()
