"""Which pair runs for an op on an array module: the op itself, or a faster one with the same two signatures."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

from minimixer.backend import Array, Module

T = TypeVar("T")
FAST: dict[tuple[Any, str], Any] = {}           # (reference, name of the array module) -> replacement
# Blocks may overlap in several threads: what they wish is kept until each has ended, and the latest of them decides.
_lock = Lock()
_references = 0                                 # open blocks of reference_kernels
_wishes: dict[object, bool] = {}                # one an open block of compiled_loops
_compiled = False


def fast(reference: Any, module: str) -> Callable[[T], T]:
    """Decorator: this class or function replaces ``reference`` for arrays of ``module``, "numpy" or "cupy".

    A loop over the elements of NumPy arrays is replaced for "numba".
    """
    def enter(replacement: T) -> T:
        FAST[reference, module] = replacement
        return replacement
    return enter


def choose(reference: Any, xp: Module) -> Any:
    """The replacement for ``reference`` on arrays of ``xp``, or ``reference`` itself."""
    return FAST.get((reference, xp.__name__), reference) if not _references else reference


def choose_loop(function: Any, x: Array) -> Any:
    """What runs over the elements of x, float32: the compiled loop within ``compiled_loops``; else the function."""
    return FAST.get((function, "numba"), function) if _compiled and x.dtype == "float32" else function


def reference_of(pair: Any) -> Any:
    """The op that a pair replaces; of an op that stands for itself, itself."""
    return next((reference for (reference, _), replacement in FAST.items() if replacement is pair), pair)


def references_wanted() -> bool:
    """Whether a block of ``reference_kernels`` is open."""
    return _references > 0


@contextmanager
def reference_kernels() -> Iterator[None]:
    """Within this block every op of every thread runs as written in ``minimixer/ops``."""
    global _references
    with _lock:
        _references += 1
    try:
        yield
    finally:
        with _lock:
            _references -= 1


@contextmanager
def compiled_loops(wanted: bool = True) -> Iterator[bool]:
    """Within this block loops over elements, of every thread, run as Numba compiles them, if it can be used.

    Yields whether they do.  The first call of a loop compiles it, about a second; the machine code is kept on disk.
    """
    global _compiled
    if wanted:
        try:
            importlib.import_module("minimixer.kernels.compiled")
        except ImportError:             # Numba is not installed, or not made for this NumPy
            wanted = False
    block = object()
    with _lock:
        _wishes[block] = _compiled = wanted
    try:
        yield wanted
    finally:
        with _lock:
            del _wishes[block]
            _compiled = next(reversed(_wishes.values()), False)
