"""A web server that runs what it is sent, in a sandbox for each request.

    python async_web.py [port]

POST a Python program, and get its output, verdict and use as JSON. The event loop is never blocked: a
request that sleeps does not keep others waiting, and a client that leaves has its program killed.
Without a port, the server is asked some things by itself and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from typing import Any, Dict, List

import stockade

PYTHON = stockade.prepare(["python3", "-"], memory="64MiB", timeout=2, processes=8, output="16KiB")
MOST = 64 * 1024
#: Programs at once; others wait for their turn.
TURNS = 4


async def answer(source: bytes) -> Dict[str, Any]:
    """Runs one program."""
    done = await PYTHON.arun(source)
    return {
        "verdict": str(done.verdict),
        "stdout": done.stdout.decode(errors="replace"),
        "stderr": done.stderr.decode(errors="replace"),
        "cpu_ms": round(done.usage.cpu_ns / 1e6),
    }


async def body_of(reader: StreamReader) -> bytes:
    """The body of a request; its length has to be said."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
    length = int(fields.get("content-length", "-1"))
    if not head[0].startswith("POST ") or not 0 <= length <= MOST:
        raise ValueError("POST a program of at most 64 KiB")
    return await reader.readexactly(length)


async def serve(port: int = 0) -> asyncio.Server:
    turns = asyncio.Semaphore(TURNS)

    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            source = await asyncio.wait_for(body_of(reader), 5)
            async with turns:
                work = asyncio.ensure_future(answer(source))
                left = asyncio.ensure_future(reader.read(1))
                await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    # Cancelling what waits for a program kills it.
                    work.cancel()
                left.cancel()
                status, told = "200 OK", await work
        except (ValueError, EOFError, asyncio.LimitOverrunError, asyncio.TimeoutError) as error:
            status, told = "400 Bad Request", {"error": str(error)}
        except asyncio.CancelledError:
            return writer.close()
        data = json.dumps(told).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + data)
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", port)


async def ask(port: int, source: str) -> Dict[str, Any]:
    """What a client does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = source.encode()
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    _, _, told = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    found: Dict[str, Any] = json.loads(told)
    return found


async def show() -> None:
    server = await serve()
    port = server.sockets[0].getsockname()[1]
    programs = ["print(6 * 7)", "while True: pass", "open('/etc/shadow')", "x" * (MOST + 1)]
    answers: List[Dict[str, Any]] = await asyncio.gather(*(ask(port, each) for each in programs))
    for program, told in zip(programs, answers):
        said = told.get("stdout") or told.get("stderr", "").strip().rpartition("\n")[2]
        print(f"{program[:40]}\n  {told.get('verdict') or told['error']}: {said!r}")
    server.close()
    await server.wait_closed()


async def forever(port: int) -> None:
    server = await serve(port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(forever(int(sys.argv[1])) if len(sys.argv) > 1 else show())
