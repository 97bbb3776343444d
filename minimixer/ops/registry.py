"""Which forms of an op exist, and which one runs: by device, by dtype, and by what this thread asked for.

Every op is written once to be read: the class or function in ``reference.py`` of its folder.  Other files of that
folder hold faster forms, with the same name and the same signatures:

- ``inplace``: NumPy, in blocks that stay in the cache;
- ``compiled``: loops that Numba compiles, for float32;
- ``cuda``: fused kernels and cuBLAS, for CuPy arrays

``offer`` in the folder's ``__init__`` says which of them exist.  A form is imported when it is first needed, so the
order of imports decides nothing.  ``tests/ops/test_forms.py`` proves every form equal to its reference.
"""

import functools
import importlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, get_args

from minimixer.backend import Array, Module

Wish = Literal["compiled", "inplace", "reference"]

FORMS = {"numpy": ("compiled", "inplace"), "cupy": ("cuda",)}       # by array module, the fastest first
_offers: dict[Any, tuple[str, ...]] = {}                            # reference -> its faster forms
_refused: dict[tuple[Any, str], str] = {}                           # forms that compute something else on this machine
_chosen: dict[Wish, dict[Any, Any]] = {wish: {} for wish in get_args(Wish)}     # what choose has found before


class _Thread(threading.local):
    wish: Wish = "inplace"


_thread = _Thread()


def offer(reference: Any, *forms: str) -> None:
    """Say that files of these names beside the reference's own hold faster forms of it, under its name."""
    _offers[reference] = forms


def offers() -> dict[Any, tuple[str, ...]]:
    """Every op and update rule that has faster forms, with their names."""
    return dict(_offers)


def load(reference: Any, form: str) -> Any:
    """One form of an op.  Raises ImportError if what it needs (Numba, CuPy) cannot be imported."""
    if form == "reference":
        return reference
    folder = reference.__module__.rpartition(".")[0]
    return getattr(importlib.import_module(f"{folder}.{form}"), reference.__name__)


def choose(reference: Any, xp: Module, dtype: Any) -> Any:
    """The form of an op that runs on arrays of a module and a dtype, in this thread."""
    known = _chosen[_thread.wish]
    key = reference, xp, dtype
    if key not in known:        # every op asks, and few combinations occur
        known[key] = _find(reference, xp.__name__, dtype, _thread.wish)
    return known[key]


def _find(reference: Any, module: str, dtype: Any, wish: Wish) -> Any:
    if wish == "reference":
        return reference
    for form in FORMS.get(module, ()):
        if (reference, form) in _refused:
            continue
        if form in _offers.get(reference, ()) and (form != "compiled" or (wish == form and dtype == "float32"
                                                                          and numba_problem() is None)):
            return load(reference, form)
    return reference


def refuse(reference: Any, form: str, why: str) -> None:
    """Never choose a form of an op in this process."""
    _refused[reference, form] = why
    forget()


def common_dtype(arrays: Sequence[Array]) -> Any:
    """The dtype of all of these arrays; None if they differ."""
    dtypes = {a.dtype for a in arrays}
    return dtypes.pop() if len(dtypes) == 1 else None


def forget() -> None:
    """Forget what ``choose`` has found, after FORMS or an offer has changed."""
    for known in _chosen.values():
        known.clear()


@functools.cache
def numba_problem() -> str | None:
    """None if loops can be compiled; otherwise one sentence that says why not."""
    try:
        numba = importlib.import_module("numba")
    except (ImportError, OSError) as error:     # missing, not made for this NumPy, or no memory for its library
        return f"Numba cannot be imported ({error})"
    if numba.config.DISABLE_JIT:                # it would run loops as Python does, a hundred times slower than NumPy
        return "Numba compiles nothing (NUMBA_DISABLE_JIT is set)"
    return None


def wish() -> Wish:
    """What this thread asked for."""
    return _thread.wish


@contextmanager
def use(wanted: Wish) -> Iterator[Wish]:
    """Within this block, and in this thread only, run the fastest forms up to ``wanted``; yields what really runs.

    "compiled" lets Numba compile loops over elements where it is installed, "inplace" computes with NumPy alone,
    "reference" runs every op as it is written to be read.  A block of "reference" wins over all blocks inside it.  On a
    GPU "compiled" and "inplace" are one.  Threads start with "inplace"; the threads of ``parallel.Workers`` take over
    what the thread that made them asked for.
    """
    if wanted not in _chosen:
        raise ValueError(f"no form is called {wanted!r}: expected {', '.join(map(repr, _chosen))}")
    previous = _thread.wish
    if wanted == "compiled" and numba_problem() is not None:
        wanted = "inplace"
    _thread.wish = previous if previous == "reference" else wanted
    try:
        yield _thread.wish
    finally:
        _thread.wish = previous


def inherit(wanted: Wish) -> None:
    """Ask for these forms in this thread from now on: for the threads of a pool, which end with it."""
    _thread.wish = wanted


def reference_kernels() -> AbstractContextManager[Wish]:
    """Within this block, in this thread and the workers it starts, every op runs as written in ``reference.py``."""
    return use("reference")
