"""Images made by hand: layouts of the image specification, and a registry that has one."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import os
import platform
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

TYPE = "application/vnd.oci.image."
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "unknown")


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def needed(program: str) -> List[str]:
    """A program of this host and the libraries that it is linked with."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True).stdout
    words = [word for line in text.splitlines() for word in line.split()]
    return [program, *sorted({word for word in words if word.startswith("/")})]


def layer(files: Mapping[str, bytes], programs: Mapping[str, str]) -> bytes:
    """A tar of files, and of programs of this host with all that they need."""
    told = io.BytesIO()
    with tarfile.open(fileobj=told, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        made = {name: (data, 0o644) for name, data in files.items()}
        for name, program in programs.items():
            made[name] = (Path(program).resolve().read_bytes(), 0o755)
            for library in needed(program)[1:]:
                made[library.lstrip("/")] = (Path(library).resolve().read_bytes(), 0o755)
        for name, (data, mode) in made.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    return told.getvalue()


class Made:
    """An image: its blobs, by digest, and its manifest."""

    def __init__(self, *, architecture: str = ARCHITECTURE, **config: Any) -> None:
        self.blobs: Dict[str, bytes] = {}
        files = {"srv/greeting": b"hello\n"}
        self.layer = self._blob("layer.v1.tar", layer(files, {"bin/sh": "/bin/sh"}))
        settings = {
            "Entrypoint": ["/bin/sh", "-c"],
            "Cmd": ["read line < greeting; echo $line $COLOUR"],
            "Env": ["PATH=/bin", "COLOUR=blue"],
            "WorkingDir": "/srv",
            "User": "nobody",
            "Labels": {"maker": "a test"},
            **config,
        }
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [self.layer["digest"]]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{TYPE}manifest.v1+json",
            "config": self._blob("config.v1+json", json.dumps(document).encode()),
            "layers": [self.layer],
        }
        self.manifest = self._blob("manifest.v1+json", json.dumps(manifest).encode())

    def _blob(self, kind: str, data: bytes) -> Dict[str, Any]:
        self.blobs[digest(data)] = data
        return {"mediaType": TYPE + kind, "digest": digest(data), "size": len(data)}

    def write(self, folder: Path, reference: str = "example/tools:v1") -> Path:
        """Writes it as a layout."""
        named = {"org.opencontainers.image.ref.name": reference}
        index = {"schemaVersion": 2, "manifests": [{**self.manifest, "annotations": named}]}
        (folder / "blobs/sha256").mkdir(parents=True)
        for name, data in self.blobs.items():
            (folder / "blobs" / name.replace(":", "/")).write_bytes(data)
        (folder / "index.json").write_text(json.dumps(index))
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        return folder


class Registry(http.server.ThreadingHTTPServer):
    """A registry with one image, called `team/tools:v1`."""

    daemon_threads = False

    def __init__(self, made: Made) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.made = made
        self.asked: List[str] = []
        #: After so many bytes of the layer comes nothing until this is set.
        self.stall: Optional[Tuple[int, threading.Event]] = None

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_port}/team/tools:v1"


class _Asked(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        made, path = self.server.made, self.path
        self.server.asked.append(path)
        name = path.rsplit("/", 1)[-1]
        data = made.blobs.get(made.manifest["digest"] if name == "v1" else name)
        if data is None or not path.startswith("/v2/team/tools/"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", made.manifest["mediaType"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.server.stall is not None and name == made.layer["digest"]:
            after, goes_on = self.server.stall
            self.wfile.write(data[:after])
            self.wfile.flush()
            goes_on.wait(60)
            return
        self.wfile.write(data)

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def registry(made: Made) -> Iterator[Registry]:
    """Serves an image until the end of the block."""
    server = Registry(made)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        if server.stall is not None:
            server.stall[1].set()
        server.shutdown()
        thread.join()
        server.server_close()


def left(store: str) -> List[str]:
    """What is in a store, beside its index."""
    folders = ("blobs/sha256", "roots", "tmp")
    return [f"{folder}/{name}" for folder in folders for name in os.listdir(f"{store}/{folder}")]
