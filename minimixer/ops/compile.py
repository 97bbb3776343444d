"""Compile loops over elements by Numba: every array is read and written once, where NumPy makes a pass per operation.

Only ``compiled.py`` files import this, and only where Numba is installed.  Rounding may differ from NumPy's; NaN and
infinity stay what they are, because the trainer watches the loss for them.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

from minimixer.ops.loop_cache import LoopCache, say_once

ROUNDING = {"contract", "reassoc", "arcp", "nsz"}       # fast math, except what ignores NaN and infinity


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; the machine code is kept on disk if possible.  Other threads run while a loop runs."""
    loop = njit(function, nogil=True, fastmath=ROUNDING, error_model="numpy")
    try:
        loop._cache = LoopCache(function)               # as its enable_caching does
    except Exception as error:                          # no folder to write to, or a Numba that differs inside
        say_once("unkept", f"compiled loops cannot be kept on disk ({error}), so every run compiles them again")
    return loop
