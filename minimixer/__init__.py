"""minimixer: MLP-Mixer from scratch in NumPy, all the way down.

>>> import numpy as np
>>> import minimixer as mm
>>> x = mm.Tensor(np.array([1.0, 2.0]), requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
array([2., 4.])
"""

import importlib
from typing import TYPE_CHECKING, Any

from minimixer import backend, functional, nn, optim
from minimixer.autograd import grad, no_grad
from minimixer.gradcheck import gradcheck
from minimixer.ops.registry import reference_kernels
from minimixer.tensor import Tensor
from minimixer.version import __version__

backend.set_gpu(backend.GPU(backend.lazily("minimixer.gpu.enable", "problem"),
                            backend.lazily("minimixer.gpu.enable", "enable"),
                            backend.lazily("minimixer.gpu.check", "check")))

if TYPE_CHECKING:
    from minimixer import data, exercises, plots, train, weights


def __getattr__(name: str) -> Any:
    """Import the rooms that need more than NumPy when they are first used."""
    if name in ("data", "exercises", "plots", "train", "weights"):
        return importlib.import_module(f"minimixer.{name}")
    raise AttributeError(f"minimixer has no attribute {name!r}")


def __dir__() -> list[str]:
    """What ``dir(mm)`` and completion show: everything public, with the rooms that are imported when first used."""
    return sorted({*globals(), *__all__})


__all__ = ["Tensor", "__version__", "backend", "data", "exercises", "functional", "grad", "gradcheck", "nn", "no_grad",
           "optim", "plots", "reference_kernels", "train", "weights"]
