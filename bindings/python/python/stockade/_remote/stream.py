"""A call of a session as an iteration over what it prints."""

from __future__ import annotations

import codecs
import contextlib
from concurrent.futures import CancelledError
from typing import Generator, Iterator, Optional, Tuple

from ..result import Result, SessionLost
from .call import Call, CallLimits, Lost, Request
from .keeper import Keeper
from .toolbox import Toolbox

_STREAMS = {1: "stdout", 2: "stderr"}


class Stream:
    """What a call prints, as it comes; ``result`` is there afterwards."""

    def __init__(
        self, keeper: Keeper, tools: Toolbox, code: str, limits: CallLimits, request: Request
    ) -> None:
        if not isinstance(code, str):
            raise TypeError(f"code is a str, and not {type(code).__name__}")
        self._keeper, self._tools, self._limits, self._request = keeper, tools, limits, request
        self._code = code.encode("utf-8", "surrogatepass")
        self._result: Optional[Result] = None
        self._texts = self._decoded()

    @property
    def result(self) -> Result:
        """The result of the call, which has to have ended."""
        if self._result is None:
            raise RuntimeError("the call has not ended")
        return self._result

    def __iter__(self) -> Iterator[Tuple[str, str]]:
        return self._texts

    def __next__(self) -> Tuple[str, str]:
        return next(self._texts)

    def close(self) -> None:
        """Interrupt the code, if it still runs."""
        self._texts.close()

    def _decoded(self) -> Generator[Tuple[str, str], None, None]:
        new = codecs.getincrementaldecoder("utf-8")
        decoders = {number: new("replace") for number in _STREAMS}
        with contextlib.closing(self.events()) as events:
            for number, data in events:
                text = decoders[number].decode(data)
                if text:
                    yield _STREAMS[number], text
        for number, decoder in decoders.items():
            rest = decoder.decode(b"", True)
            if rest:
                yield _STREAMS[number], rest

    def events(self) -> Generator[Tuple[int, bytes], None, None]:
        """The numbers of the streams, and bytes."""
        keeper = self._keeper
        with keeper.turn() as talk:
            call = Call(talk, self._tools, self._limits, self._request)
            keeper.request = self._request
            try:
                if self._request.cancel:
                    raise CancelledError("it was cancelled before it began")
                yield from call.events(self._code)
            except Lost as lost:
                why = keeper.lose(str(lost), lost.report)
                raise SessionLost(why, lost.report, call.text(1), call.text(2)) from None
            finally:
                keeper.settle(talk)
            if keeper.closed:
                raise SessionLost("the session was closed", None, call.text(1), call.text(2))
            self._result = call.result
