"""A pool of Ray actors that run untrusted functions in sandboxes.

>>> with SandboxPool(4, memory="256MiB", timeout=10) as pool:             # doctest: +SKIP
...     list(pool.map(untrusted, range(100)))

Trusted remain the driver, whose calls the actors unpickle, and the classes of arguments. Code that others
wrote is best sent as text to a function of yours that runs it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
)

from ._engines import check, missing
from .executor import SandboxExecutor

if TYPE_CHECKING:
    from typing_extensions import Self

try:
    import ray  # type: ignore[import-not-found, unused-ignore]
except ImportError as error:
    raise missing("ray", "ray 2.40 or later", error) from error

__all__ = ["SandboxPool"]


class SandboxPool:
    """``size`` actors, each with an executor of sandboxes, wherever Ray puts them.

    ``actor`` are options of the actors, as ``{"num_cpus": 2}``; by default each takes one CPU and is
    restarted when it dies. ``options`` are those of `SandboxExecutor`; ``max_workers``, the calls that
    an actor runs at once, is 1 unless given.

    Errors are those of `SandboxExecutor`: what ``ray.get`` raises is an instance of `stockade.RemoteError`,
    `stockade.SandboxTimeout` and so on, and has the error itself as ``cause``. `ray.cancel` on a call that
    runs kills its sandbox.

    Ray has to be initialised. Raises `TypeError`, `ValueError` and `InvalidPolicy` for options that make
    no sense.

    >>> SandboxPool(2, memroy="1GiB")
    Traceback (most recent call last):
    TypeError: a policy has no keyword 'memroy'; did you mean 'memory'?
    """

    def __init__(
        self, size: int, *, actor: Optional[Mapping[str, Any]] = None, **options: Any
    ) -> None:
        if size < 1:
            raise ValueError("a pool has at least one actor")
        check(options)
        options = {"max_workers": 1, **options}
        chosen = {
            "num_cpus": 1,
            "max_restarts": -1,
            "max_concurrency": options["max_workers"],
            **(actor or {}),
        }
        made = ray.remote(_Runner).options(**chosen)
        self._size = size * options["max_workers"]
        self._calls: Dict[Any, List[Any]] = {made.remote(options): [] for _ in range(size)}

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run ``function(*args, **kwargs)`` in a sandbox of the actor with the fewest calls.

        Returns the ``ObjectRef`` of what it returns. Arguments may be references.
        """
        if not self._calls:
            raise RuntimeError("the pool is closed")
        for actor, calls in self._calls.items():
            if calls:
                self._calls[actor] = ray.wait(
                    calls, num_returns=len(calls), timeout=0, fetch_local=False
                )[1]
        actor = min(self._calls, key=lambda one: len(self._calls[one]))
        reference = actor.run.remote(function, *args, **kwargs)
        self._calls[actor].append(reference)
        return reference

    def map(self, function: Callable[..., Any], *iterables: Iterable[Any]) -> Iterator[Any]:
        """The results for each item, in order. Twice as many calls as can run are under way at most."""
        waiting: Deque[Any] = deque()
        under_way: List[Any] = []
        for args in zip(*iterables):
            if len(under_way) >= 2 * self._size:
                under_way = ray.wait(under_way, fetch_local=False)[1]
            reference = self.submit(function, *args)
            waiting.append(reference)
            under_way.append(reference)
            while waiting and waiting[0] not in under_way:
                yield ray.get(waiting.popleft())
        while waiting:
            yield ray.get(waiting.popleft())

    def close(self) -> None:
        """End the actors, and what runs in them."""
        for actor in self._calls:
            ray.kill(actor)
        self._calls = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Runner:
    """What an actor is; asynchronous, so that a call can be cancelled while it runs."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._executor = SandboxExecutor(**options)

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.wrap_future(self._executor.submit(function, *args, **kwargs))
