"""Images of containers: kept in a store, and run.

>>> import stockade, tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     stockade.Store(folder).list()
[]
"""

from __future__ import annotations

import json
import os
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    Union,
)

from . import _native
from .policy import Policy, policy_of
from .sandbox import Prepared, Sandbox, sandbox_for

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import Args, LimitKeywords

__all__ = ["Entry", "Freed", "Image", "Root", "Store"]

#: Hears how far something is: of which part, how many bytes are done, and how many it has.
Progress = Callable[[str, int, int], object]


class Entry(NamedTuple):
    """An image in a store."""

    name: str
    #: The digest of its manifest.
    digest: str
    #: Bytes as they are kept, or ``None`` if its manifest cannot be read.
    size: Optional[int]


class Freed(NamedTuple):
    """What a collection of garbage removed."""

    blobs: int
    roots: int
    #: Unfinished things of processes that are dead, and blobs of which only a part came.
    unfinished: int
    #: Bytes that the blobs had.
    bytes: int


class Image:
    """What an image says of itself. :meth:`Store.load`, :meth:`Store.pull` and :meth:`Store.find` give
    one; :meth:`Store.root` has its files."""

    def __init__(self, native: _native.Image) -> None:
        data: Dict[str, Any] = json.loads(native.to_json())
        config = data["config"]
        self._native = native
        #: The digest of its manifest.
        self.digest: str = data["digest"]
        #: Bytes of manifest, configuration and layers, as they are kept.
        self.size: int = data["size"]
        #: The program, and arguments that it always gets.
        self.entrypoint: List[str] = config["entrypoint"]
        #: Arguments, or the program if there is no entrypoint, unless others are given.
        self.cmd: List[str] = config["cmd"]
        self.env: Dict[str, str] = dict(config["env"])
        self.working_dir: str = config["working_dir"]
        #: Noted and not followed: a sandbox gives ids of its own.
        self.user: str = config["user"]
        self.labels: Dict[str, str] = config["labels"]
        self.architecture: str = config["architecture"]
        self.os: str = config["os"]

    def __repr__(self) -> str:
        return f"<Image {self.digest}: {self.entrypoint + self.cmd!r}>"

    def __reduce__(self) -> Any:
        raise TypeError("an image belongs to its store and cannot be pickled; send its name")


class Root:
    """An image and its files, which stay as long as this or what was prepared with it."""

    def __init__(self, native: _native.Root, image: Image) -> None:
        self._native = native
        self.image = image

    @property
    def path(self) -> str:
        """The directory. Everyone who uses the image shares it: do not write to it."""
        return self._native.path()

    def command(self, args: Args = ()) -> List[str]:
        """What runs: the image's own command, or its entrypoint with these words.

        Raises:
            InvalidPolicy: neither says what to run.
        """
        name, rest = self._native.command(_words(args))
        return [name, *rest]

    def policy(
        self,
        policy: Union[Policy, Mapping[str, Any], None] = None,
        *,
        read_only: bool = False,
        **keywords: Unpack[LimitKeywords],
    ) -> Policy:
        """A policy with what the image says: its root, environment and working directory. Keywords
        count more.

        The program may write to the root; what it writes is in memory, counts as ``disk`` and is gone
        with the run. With ``read_only=True`` it may write to ``/tmp`` alone.
        """
        wrong = [name for name in ("base", "rootfs", "writable") if keywords.get(name) is not None]
        if wrong:
            raise TypeError(f"the root is the image's, and {wrong[0]!r} says another")
        native = self._native.policy(policy_of(policy, {})._native, read_only)
        return policy_of(Policy._of(native), keywords)

    def prepare(
        self,
        args: Args = (),
        *,
        read_only: bool = False,
        backend: Union[str, Sandbox] = "namespace",
        policy: Union[Policy, Mapping[str, Any], None] = None,
        **keywords: Unpack[LimitKeywords],
    ) -> Prepared:
        """The image's program, or its entrypoint with these words, ready to be started: by
        :meth:`Prepared.run`, :meth:`Prepared.popen` or :meth:`Prepared.arun`.

        It is a native program, whatever the host has under its name.

        Raises:
            InvalidPolicy: a value makes no sense, or nobody says what to run.
            Unsupported: this host cannot enforce what was asked.
            NotFound: the image has no such program.
        """
        words = _words(args)
        chosen = self.policy(policy, read_only=read_only, **keywords)
        if not isinstance(backend, Sandbox):
            if backend != "namespace":
                raise ValueError(f"what an image holds is run by 'namespace', not {backend!r}")
            backend = sandbox_for(backend, "")
        native = backend._native.prepare_root(chosen._native, self._native, words)
        return Prepared(native, self.command(words), chosen)

    def __repr__(self) -> str:
        return f"<Root {self.path!r} of {self.image!r}>"

    def __reduce__(self) -> Any:
        raise TypeError("the files of an image belong to its store and cannot be pickled")


class Store:
    """Images that were loaded or pulled, each verified, in a directory of this user's alone.

    Without a ``path`` it is this user's: what ``STOCKADE_IMAGES`` names, else
    ``/var/lib/stockade/images`` for root and ``~/.local/share/stockade/images`` for others, as on the
    command line. The directory is made with mode 0700 if it is missing. Any number of processes and
    threads may use it at once, forked ones too.

    ``progress`` is called with a part, the bytes of it that are done, and those it has, on the calling
    thread. What it raises ends the call and comes out of it, and so does Ctrl-C; nothing is left half
    made.

    Raises:
        PermissionDenied: the directory is another user's, or open to others.
        InvalidPolicy: it is a link or no directory.
    """

    def __init__(self, path: Optional[Union[str, os.PathLike[str]]] = None) -> None:
        self._native = _native.Store(None if path is None else os.fspath(path))

    @property
    def path(self) -> str:
        """The directory."""
        return self._native.path()

    def load(
        self,
        source: Union[str, os.PathLike[str]],
        *,
        reference: Optional[str] = None,
        name: Optional[str] = None,
        progress: Optional[Progress] = None,
    ) -> Image:
        """Copies an image into the store, unless it is there.

        ``source`` is ``"oci:DIR[:REF]"``, ``"docker-archive:FILE[:REF]"`` or the name of one that is
        there; or a ``Path``: of a layout if it is a directory, of an archive if it is a file, in which
        ``reference`` says which of its images. ``name`` is what it is called here; without it the
        source says, as the manual's page describes.

        Raises:
            NotFound: there is no such image.
            InvalidPolicy: it is malformed, or not what its digests say.
            Unsupported: it is for another platform, or of a kind that is not read.
            SetupError: the disk is full.
        """
        if isinstance(source, str):
            if reference is not None:
                raise TypeError("`reference` is for a path; in text it follows the colon")
            return Image(self._native.load(source, None, None, name, progress))
        path = os.fsdecode(source)
        return Image(self._native.load(None, path, reference, name, progress))

    def pull(
        self,
        name: str,
        *,
        credentials: Optional[Tuple[str, str]] = None,
        plain_http: bool = False,
        stall: Optional[float] = None,
        retries: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> Image:
        """Gets an image from the registry that its name names. What the store has is not asked for.

        ``credentials`` are a user and a password; without them, what ``docker login`` noted.
        ``plain_http`` speaks without encryption. ``stall`` is for how many seconds nothing may come,
        30 by default; ``retries`` how many failures that may pass are passed over, 4 by default. A layer
        that breaks off is asked for from there on, also by the next pull.

        Raises:
            NotFound: the registry has no such image.
            PermissionDenied: it does not give it to who asks.
            InvalidPolicy: it is malformed, or not what its digests say.
            IoError: the registry cannot be reached, stalls or fails.
        """
        if stall is not None and not 0 < stall < 1e9:
            raise ValueError(f"`stall` is a number of seconds, not {stall!r}")
        if retries is not None and not 0 <= retries < 1 << 32:
            raise ValueError(f"`retries` is how many, not {retries!r}")
        return Image(self._native.pull(name, credentials, plain_http, stall, retries, progress))

    def find(self, name: str) -> Image:
        """An image of the store by its name. No registry is asked.

        Raises:
            NotFound: there is none.
        """
        return Image(self._native.find(name))

    def list(self) -> List[Entry]:
        """Every image, by its name."""
        return [Entry(**entry) for entry in json.loads(self._native.list())]

    def remove(self, name: str) -> None:
        """Takes a name away from an image. What no name needs stays until :meth:`collect_garbage`.

        Raises:
            NotFound: nothing has this name.
        """
        self._native.remove(name)

    def collect_garbage(self) -> Freed:
        """Removes what no image needs, and what processes left that are dead. What is being loaded,
        unpacked or run stays."""
        return Freed(**json.loads(self._native.collect_garbage()))

    def root(self, image: Image) -> Root:
        """The files of an image, unpacked on first use, each layer verified.

        Raises:
            NotFound: the store has lost the image.
            InvalidPolicy: a layer is malformed, hostile or not what its digest says.
            SetupError: the disk is full.
        """
        return Root(self._native.root(image._native), image)

    def __repr__(self) -> str:
        return f"<Store {self.path!r}>"

    def __reduce__(self) -> Any:
        return Store, (self.path,)


def _words(args: Args) -> List[str]:
    if isinstance(args, (str, bytes, os.PathLike)):
        return [os.fsdecode(args)]
    return [os.fsdecode(arg) for arg in args]
