"""Files of a session's working folder: names are checked on both sides, contents are bytes."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, List, Optional, Union

from ..errors import NotFound, SandboxError
from .channel import Malformed
from .talk import Talk
from .toolbox import read_json

WORK = "/work"
_NAME = 4096
_PART = 255
_DEPTH = 100
_PUT = 1 << 30
_LIST = 1 << 24


class FileRefused(SandboxError, ValueError):
    """A file of a session that is not touched; ``reason`` says why.

    "path": the name leads out of the working folder or is none. "link", "folder", "special": it is no
    regular file, or leads through a link. "size", "count": it is larger, or there are more, than was
    asked for. "space": it does not fit. "access": the code inside took the permission away. "io": the
    system refused.
    """

    kind = "file_refused"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


_MEANINGS = {
    "path": "its name is too long",
    "link": "it is or leads through a symbolic link",
    "folder": "a folder stands where a file should, or a file where a folder should",
    "special": "it is no regular file",
    "size": "it is larger than asked for",
    "count": "there are more files than asked for",
    "space": "there is no room for it: see the limits `disk` and `file_size`",
    "access": "permission was denied inside",
    "io": "the system refused",
}


class Files:
    """Requests about files, each of which gets one answer before ``deadline``."""

    def __init__(self, talk: Talk, deadline: Optional[float]) -> None:
        self._talk, self._deadline = talk, deadline

    def put(self, path: str, data: Union[bytes, bytearray, memoryview]) -> None:
        """Write a file."""
        name = self.name(path)
        view = memoryview(data).cast("B")
        if view.nbytes > _PUT:
            raise FileRefused(f"{path!r}: {view.nbytes} bytes; at most {_PUT} can be put", "size")
        self._ask({"op": "put", "name": name}, view, 0)

    def get(self, path: str, most: int) -> bytes:
        """Read a file of at most ``most`` bytes."""
        if not 0 <= most <= _PUT:
            raise ValueError(f"max_size={most} is not between 0 and {_PUT}")
        return bytes(self._ask({"op": "get", "name": self.name(path), "most": most}, b"", most))

    def list(self, most: int) -> Dict[str, int]:
        """Names and sizes of at most ``most`` files."""
        if not 0 <= most <= 100_000:
            raise ValueError(f"max_count={most} is not between 0 and 100000")
        found = read_json(self._ask({"op": "files", "most": most}, b"", _LIST))
        if type(found) is not list or len(found) > most:
            raise Malformed("a list of files that is none")
        return dict(self._entry(item) for item in found)

    @classmethod
    def _entry(cls, item: Any) -> Any:
        if type(item) is not list or len(item) != 2:
            raise Malformed("an entry of a list of files that is none")
        name, size = item
        if (
            type(size) is not int
            or not 0 <= size < 1 << 63
            or type(name) is not str
            or not name.isprintable()
        ):
            raise Malformed("an entry of a list of files that is none")
        with contextlib.suppress(FileRefused):
            if cls.name(name) == name:
                return name, size
        raise Malformed("a name in a list of files that leads elsewhere")

    def _ask(self, request: Dict[str, Any], body: Union[bytes, memoryview], most: int) -> bytearray:
        frame = self._talk.ask(request, body, most=most, deadline=self._deadline)
        answer = frame.header.get("op")
        if answer == "done" and len(frame.body) <= most:
            return frame.body
        if answer != "fail":
            raise Malformed("an answer that is none")
        reason, named = frame.text("why", 20), request.get("name", "the working folder")
        if reason == "missing":
            raise NotFound(f"{named!r} is not in the working folder")
        if reason not in _MEANINGS:
            raise Malformed("a reason that is none")
        raise FileRefused(f"{named!r}: {_MEANINGS[reason]}", reason)

    @staticmethod
    def name(path: str) -> str:
        """The name below the working folder, or `FileRefused`."""
        if not isinstance(path, str):
            raise TypeError(f"the name of a file is a str, and not {type(path).__name__}")
        name = path[len(WORK) + 1 :] if path.startswith(WORK + "/") else path
        parts: List[str] = name.split("/")
        try:
            fits = (
                len(name.encode()) <= _NAME
                and len(parts) <= _DEPTH
                and all(len(part.encode()) <= _PART for part in parts)
            )
        except UnicodeEncodeError:
            fits = False
        if not fits or "\0" in name or any(part in ("", ".", "..") for part in parts):
            raise FileRefused(f"{path!r} names no file below {WORK}", "path")
        return name
