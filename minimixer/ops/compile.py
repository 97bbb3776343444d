"""Compile loops over elements by Numba: every array is read and written once, where NumPy makes a pass per operation.

Only ``compiled.py`` files import this, and only where Numba is installed.  Rounding may differ from NumPy's; NaN and
infinity stay what they are, because the trainer watches the loss for them.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

ROUNDING = {"contract", "reassoc", "arcp", "nsz"}       # fast math, except what ignores NaN and infinity


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; the machine code is kept on disk.  Other threads run while a loop runs."""
    options = {"nogil": True, "fastmath": ROUNDING, "error_model": "numpy"}
    try:
        return njit(function, cache=True, **options)
    except RuntimeError:                                # no folder to write to
        return njit(function, **options)
