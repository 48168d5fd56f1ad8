"""A worker: it waits for a function, runs it, and sends back what it returned or raised."""

from __future__ import annotations

import importlib
import pickle
from typing import Any, Dict, Tuple

from .frames import Ends
from .results import Unfit, encode, name_of

_MESSAGE_LIMIT = 8192
_TRACEBACK_LIMIT = 32768


def main() -> None:
    """Start as the first frame says, then serve calls until the host goes away."""
    ends = Ends()
    try:
        header, body = ends.receive()
        try:
            for name in header["preload"]:
                importlib.import_module(name)
            if body:
                initializer, arguments = pickle.loads(body)
                initializer(*arguments)
        except BaseException as error:
            ends.send({"op": "failed", **_describe(error)})
            return
        ends.send({"op": "ready"})
        while True:
            header, body = ends.receive()
            answer, result = _answer(header, body)
            ends.mark(header["mark"])
            ends.send({**answer, "id": header["id"]}, result)
    except EOFError:
        return


def _answer(header: Dict[str, Any], body: bytearray) -> Tuple[Dict[str, Any], Any]:
    phase = "load"
    try:
        function, arguments, keywords = pickle.loads(body)
        phase = "call"
        value = function(*arguments, **keywords)
    except BaseException as error:
        return {"op": "raised", "phase": phase, **_describe(error)}, b""
    try:
        fields, result = encode(header["returns"], value, header["limit"])
    except Unfit as unfit:
        return _unfit(unfit), b""
    except Exception as error:
        # Encoding walks objects of the user's, and those may raise anything.
        message = f"the result could not be encoded: {_text(error)}"
        return _unfit(Unfit(name_of(type(value)), message, "return plain data")), b""
    return {"op": "returned", **fields}, result


def _unfit(unfit: Unfit) -> Dict[str, Any]:
    return {
        "op": "unfit",
        "type": unfit.type_name[:200],
        "message": str(unfit)[:_MESSAGE_LIMIT],
        "fix": unfit.fix,
    }


def _describe(error: BaseException) -> Dict[str, Any]:
    import traceback

    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    try:
        lines = "".join(traceback.format_exception(type(error), error, trace))
    except Exception:
        lines = "(the traceback could not be formatted)\n"
    return {
        "type": name_of(type(error))[:200],
        "message": _text(error)[:_MESSAGE_LIMIT],
        "traceback": lines[-_TRACEBACK_LIMIT:],
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(the message could not be formatted)"
