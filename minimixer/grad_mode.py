"""Whether the ops of a thread are recorded."""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any


class _GradMode(threading.local):
    enabled = True


_mode = _GradMode()


def grad_enabled() -> bool:
    """Whether ops of this thread are recorded."""
    return _mode.enabled


class no_grad:          # named like the function that it is used as
    """Within this block, and in this thread only, ops leave no Nodes.  Blocks nest.

    Works as a decorator too; of a generator function, whenever it runs, but not while its user does.
    """

    def __init__(self) -> None:
        self.previous: list[bool] = []

    def __enter__(self) -> None:
        self.previous.append(_mode.enabled)
        _mode.enabled = False

    def __exit__(self, *_: object) -> None:
        _mode.enabled = self.previous.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Run the function under no_grad()."""
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"no_grad cannot decorate {function.__name__}, which is async: use with no_grad(): inside")
        steps = _without_gradients(function) if inspect.isgeneratorfunction(function) else None

        @functools.wraps(function)
        def decorated(*arguments: Any, **options: Any) -> Any:
            if steps is not None:
                return steps(*arguments, **options)
            with no_grad():
                return function(*arguments, **options)
        return decorated


def _without_gradients(function: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    """A generator function each of whose steps runs under no_grad()."""
    def run(*arguments: Any, **options: Any) -> Iterator[Any]:
        generator = function(*arguments, **options)
        step: Callable[[], Any] = functools.partial(next, generator)
        try:
            while True:
                with no_grad():
                    try:
                        item = step()
                    except StopIteration as end:
                        return end.value
                try:
                    sent = yield item
                    step = functools.partial(generator.send, sent)
                except Exception as error:
                    step = functools.partial(generator.throw, error)
        finally:
            generator.close()
    return run
