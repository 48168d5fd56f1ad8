"""What every interpreter of a session is started with."""

from __future__ import annotations

from typing import Any, List, Mapping

from ..policy import Policy, policy_of
from ..sandbox import prepare
from .call import VALUE_LIMIT, failure_texts
from .faults import RemoteError
from .files import WORK
from .interpreter import Interpreter
from .talk import Talk
from .toolbox import Toolbox

_DEFAULTS: Mapping[str, Any] = {"wall_time": "unlimited", "cpu_time": 600.0}
_OWN = ("cwd", "output")


class Setting:
    """The program, its policy and its first message; ``launch`` does not wait for the interpreter."""

    def __init__(
        self, policy: Any, keywords: Mapping[str, Any], preload: List[str], tools: Toolbox
    ) -> None:
        own = [name for name in _OWN if name in keywords]
        if own:
            raise TypeError(f"`{own[0]}` is the session's own, and cannot be set")
        python = Interpreter.current()
        args, self._program = python.boot("wire", "tools", "files", "session")
        self._prepared = prepare(args, policy=_room(policy, keywords, python))
        self._request = {
            "op": "start",
            "path": list(python.paths),
            "work": WORK,
            "tools": tools.described(),
            "preload": preload,
            "value": VALUE_LIMIT,
            "tool_bytes": tools.limits.size,
        }

    def launch(self) -> Talk:
        """Start an interpreter."""
        return Talk(self._prepared, self._program, self._request)

    def wait(self, talk: Talk, deadline: float) -> None:
        """Wait until it is ready; raises `RemoteError` for an import that failed."""
        frame = talk.ask({}, b"", most=0, deadline=deadline)
        error = frame.header.get("error")
        if frame.header.get("op") != "ready" or error is not None:
            raise RemoteError(
                *failure_texts(error or ["RuntimeError", "the interpreter did not get ready", ""])
            )


def _room(policy: Any, keywords: Mapping[str, Any], python: Interpreter) -> Policy:
    asked = policy_of(policy, {**(_DEFAULTS if policy is None else {}), **keywords})
    mounts = [*asked.to_dict()["filesystem"]["mounts"], {"tmpfs": WORK}]
    room, lifetime = python.furnish(asked.replace(cwd=WORK, mounts=mounts), {"MPLBACKEND": "Agg"})
    # Here it is the lifetime of the session, which the kernel's side may as well hold.
    return room if lifetime is None else room.replace(wall_time=lifetime)
