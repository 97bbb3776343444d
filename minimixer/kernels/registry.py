"""Which pair runs for an op on an array module: the op itself, or a faster one with the same two signatures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from minimixer.backend import Module

T = TypeVar("T")
FAST: dict[tuple[Any, str], Any] = {}           # (reference, name of the array module) -> replacement
_enabled = True


def fast(reference: Any, module: str) -> Callable[[T], T]:
    """Decorator: this class or function replaces ``reference`` for arrays of ``module`` ("numpy" or "cupy")."""
    def enter(replacement: T) -> T:
        FAST[reference, module] = replacement
        return replacement
    return enter


def choose(reference: Any, xp: Module) -> Any:
    """The replacement for ``reference`` on arrays of ``xp``, or ``reference`` itself."""
    return FAST.get((reference, xp.__name__), reference) if _enabled else reference


def reference_of(pair: Any) -> Any:
    """The op that a pair replaces; of an op that stands for itself, itself."""
    return next((reference for (reference, _), replacement in FAST.items() if replacement is pair), pair)


@contextmanager
def reference_kernels() -> Iterator[None]:
    """Within this block every op of every thread runs as written in ``minimixer/ops``."""
    global _enabled
    previous, _enabled = _enabled, False
    try:
        yield
    finally:
        _enabled = previous
