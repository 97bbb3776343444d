"""minimixer: MLP-Mixer from scratch in NumPy, all the way down.

>>> import numpy as np
>>> import minimixer as mm
>>> x = mm.Tensor(np.array([1.0, 2.0]), requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
array([2., 4.])
"""

__version__ = "0.1.0"

from minimixer import backend, functional, nn, optim
from minimixer.autograd import grad, no_grad
from minimixer.gradcheck import gradcheck
from minimixer.kernels import cpu as _cpu  # noqa: F401  enters the fast pairs into the registry
from minimixer.kernels.registry import reference_kernels
from minimixer.tensor import Tensor

__all__ = ["Tensor", "__version__", "backend", "functional", "grad", "gradcheck", "nn", "no_grad", "optim",
           "reference_kernels"]
