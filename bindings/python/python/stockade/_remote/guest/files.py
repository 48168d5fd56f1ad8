"""Files of the working folder, put and got by the host.

No link is followed, and nothing but regular files is touched: a FIFO or a device would hold whoever
opens it. It is order and not a wall; the wall is that the host opens nothing that is named here.
"""

from __future__ import annotations

import errno
import json
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself takes a tenth of the time to start
    from typing import Any, Callable, Dict, List, Tuple

    from .wire import Wire

PIECE = 64 * 1024
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
WORDS: Dict[int, str] = {
    errno.ENOENT: "missing",
    errno.EACCES: "access",
    errno.EPERM: "access",
    errno.EISDIR: "folder",
    errno.ENOTDIR: "folder",
    errno.ENOSPC: "space",
    errno.EFBIG: "space",
    errno.ENAMETOOLONG: "path",
}


class Refused(Exception):
    """The first argument is the word for the reason."""


def serve(work: str, wire: Wire, header: Dict[str, Any], size: int) -> Tuple[Dict[str, str], bytes]:
    """Does what is asked, takes the rest of the request's body, and gives the answer."""
    answer, body, left = {"op": "done"}, b"", [size]
    try:
        body = REQUESTS[header["op"]](work, wire, header, left)
    except OSError as error:
        answer = {
            "op": "fail",
            "why": WORDS.get(error.errno or 0, "io"),
            "text": os.strerror(error.errno or 0),
        }
    except Refused as error:
        answer = {"op": "fail", "why": error.args[0], "text": ""}
    while left[0]:
        piece(wire, left)
    return answer, body


def piece(wire: Wire, left: List[int]) -> bytes:
    data = wire.exactly(min(left[0], PIECE))
    left[0] -= len(data)
    return data


def enter(work: str, parts: List[str], make: bool) -> int:
    """The folder that `parts` lead to, as a descriptor."""
    at = os.open(work, FOLDER)
    for part in parts:
        try:
            if make:
                try:
                    os.mkdir(part, dir_fd=at)
                except FileExistsError:
                    pass
            below = os.open(part, FOLDER, dir_fd=at)
        except OSError:
            if is_link(part, at):
                raise Refused("link") from None
            raise
        finally:
            os.close(at)
        at = below
    return at


def regular(work: str, name: str, flags: int) -> int:
    """A regular file, as a descriptor."""
    *parents, last = name.split("/")
    at = enter(work, parents, bool(flags & os.O_CREAT))
    try:
        fd = os.open(last, flags | PLAIN, 0o666, dir_fd=at)
    except OSError as error:
        if is_link(last, at):
            raise Refused("link") from None
        if error.errno == errno.ENXIO:  # a FIFO that nobody reads, or a socket
            raise Refused("special") from None
        raise
    finally:
        os.close(at)
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        raise Refused("folder" if stat.S_ISDIR(mode) else "special")
    return fd


def put(work: str, wire: Wire, header: Dict[str, Any], left: List[int]) -> bytes:
    fd = regular(work, header["name"], os.O_WRONLY | os.O_CREAT)
    try:
        os.ftruncate(fd, 0)
        while left[0]:
            data = memoryview(piece(wire, left))
            while data:
                data = data[os.write(fd, data) :]
    finally:
        os.close(fd)
    return b""


def get(work: str, wire: Wire, header: Dict[str, Any], left: List[int]) -> bytes:
    most = header["most"] + 1
    with open(regular(work, header["name"], os.O_RDONLY), "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size >= most:
            raise Refused("size")
        parts = []
        while most:
            parts.append(file.read(min(most, 1 << 20)))
            most -= len(parts[-1])
            if not parts[-1]:
                return b"".join(parts)
    raise Refused("size")


def listed(work: str, wire: Wire, header: Dict[str, Any], left: List[int]) -> bytes:
    found = []
    for folder, _, names in os.walk(work):
        for name in names:
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, work)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and shown.isprintable():
                found.append([shown, status.st_size])
            if len(found) > header["most"]:
                raise Refused("count")
    return json.dumps(sorted(found), ensure_ascii=False).encode()


def is_link(name: str, at: int) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=at).st_mode)
    except OSError:
        return False


REQUESTS: Dict[str, Callable[[str, Wire, Dict[str, Any], List[int]], bytes]] = {
    "put": put,
    "get": get,
    "files": listed,
}
