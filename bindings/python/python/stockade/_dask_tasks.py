"""Dask's tasks, taken apart as far as is safe outside a sandbox."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Tuple

from dask import _task_spec as spec  # type: ignore[import-not-found, unused-ignore]


class _Computed(Exception):
    """An argument has to be computed, perhaps by a function that is not trusted."""


def call_of(
    task: Any, data: Mapping[Any, Any]
) -> Tuple[Callable[..., Any], Tuple[Any, ...], Dict[str, Any]]:
    """The function of a task with its arguments, where these are data; so the sandbox need not import
    Dask, which takes longer than to start Python. Any other task goes in as it is."""
    if type(task) is spec.Task:
        try:
            args = tuple(_value(argument, data) for argument in task.args)
            return (
                task.func,
                args,
                {name: _value(argument, data) for name, argument in task.kwargs.items()},
            )
        except _Computed:
            pass
    return task, (data,), {}


def _value(argument: Any, data: Mapping[Any, Any]) -> Any:
    if type(argument) in (spec.List, spec.Tuple, spec.Set, spec.Dict):
        return argument.constructor([_value(part, data) for part in argument.args])
    if isinstance(argument, spec.TaskRef):
        return data[argument.key]
    if not isinstance(argument, spec.GraphNode):
        return argument
    if type(argument) in (spec.Alias, spec.DataNode):
        return argument(data)
    raise _Computed


def blocking(task: Any) -> Any:
    """A task that does what one of an asynchronous function does, and is none."""
    return spec.Task(task.key, _run_coroutine, task.func, *task.args, **task.kwargs)


def _run_coroutine(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    import asyncio

    return asyncio.run(function(*args, **kwargs))


# Goes into sandboxes by value: to import it there would be to import Dask.
_run_coroutine.__module__ = "__main__"
