"""Layers that most networks consist of.  Those of images are in ``convnet.py`` and ``pooling.py``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minimixer import functional as F
from minimixer.backend import Array, to_device
from minimixer.nn.module import Module
from minimixer.nn.random import Initializer, default_rng, draw, lecun_normal
from minimixer.tensor import Tensor


class Linear(Module):
    """``y = x @ weight + bias``.  x: (..., in_features), y: (..., out_features).

    Parameters
    ----------
    in_features, out_features : int
    init : Initializer, optional
        Draws ``weight``, (in_features, out_features); by default truncated lecun-normal, from the stream that
        ``nn.seed`` restarts.
    bias : bool
        Whether there is a ``bias``, (out_features,), which starts at zero; otherwise it is None.
    """

    def __init__(self, in_features: int, out_features: int, init: Initializer | None = None, bias: bool = True):
        init = init or lecun_normal(default_rng())
        self.weight = Tensor(init((in_features, out_features)), requires_grad=True)
        self.bias: Any = Tensor(np.zeros(out_features, np.float32), requires_grad=True) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in_features) -> (..., out_features)."""
        return F.linear(x, self.weight, self.bias)

    def __repr__(self) -> str:
        return "Linear {} -> {}".format(*self.weight.shape) + ("" if self.bias is not None else ", no bias")


class Embedding(Module):
    """A row of ``weight`` for every number: ``ids`` (...) of integers -> (..., dim).

    Parameters
    ----------
    num_embeddings : int
        N, how many rows there are; ids are in 0..N - 1.
    dim : int
        Elements of a row.
    init : Initializer, optional
        Draws ``weight``, (N, dim); standard normal by default, from the stream that ``nn.seed`` restarts.
    """

    def __init__(self, num_embeddings: int, dim: int, init: Initializer | None = None):
        shape = num_embeddings, dim
        self.weight = Tensor(init(shape) if init else default_rng().standard_normal(shape, np.float32),
                             requires_grad=True)

    def forward(self, ids: Tensor | Array) -> Tensor:
        """ids: (...) of integers -> (..., dim).  Raises ValueError for a number that has no row."""
        return F.embedding(ids, self.weight)

    def __repr__(self) -> str:
        return "Embedding {} x {}".format(*self.weight.shape)


class LayerNorm(Module):
    """Normalize the last axis, of ``dim`` elements, then scale by ``weight`` and shift by ``bias``, both (dim,)."""

    def __init__(self, dim: int, eps: float = 1e-6):
        self.weight = Tensor(np.ones(dim, np.float32), requires_grad=True)
        self.bias = Tensor(np.zeros(dim, np.float32), requires_grad=True)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) -> the same shape."""
        return F.layer_norm(x, self.weight, self.bias, self.eps)

    def __repr__(self) -> str:
        return f"LayerNorm {self.weight.size}"


class GELU(Module):
    """GELU in its ``"tanh"`` form (as in the official Mixer) or its exact ``"erf"`` form (as in timm).

    (Hendrycks & Gimpel 2016, arXiv 1606.08415.)  Raises ValueError if form is not ``"tanh"`` or ``"erf"``.
    """

    def __init__(self, form: F.GeluForm = "tanh"):
        if form not in F.GELU_FORMS:
            raise ValueError(f"gelu: form is {form!r}, expected {' or '.join(map(repr, F.GELU_FORMS))}")
        self.form: F.GeluForm = form

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape -> the same shape."""
        return F.gelu(x, self.form)

    def __repr__(self) -> str:
        return f"GELU {self.form}"


class ReLU(Module):
    """``max(x, 0)``, element by element."""

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape -> the same shape."""
        return F.relu(x)

    def __repr__(self) -> str:
        return "ReLU"


class Tanh(Module):
    """Hyperbolic tangent, between -1 and 1, element by element."""

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape -> the same shape."""
        return F.tanh(x)

    def __repr__(self) -> str:
        return "Tanh"


class Sigmoid(Module):
    """``1 / (1 + e^-x)``, between 0 and 1, element by element."""

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape -> the same shape."""
        return F.sigmoid(x)

    def __repr__(self) -> str:
        return "Sigmoid"


class Flatten(Module):
    """All axes but the first in one, in reading order."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, ...) -> (B, N), N the product of the other axes."""
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    def __repr__(self) -> str:
        return "Flatten"


class Sequential(Module):
    """Modules one after the other: ``Sequential(Linear(2, 8), ReLU(), Linear(8, 1))``.

    Their names are their numbers, so a weight inside ``self.net`` is called ``net.0.weight``.  ``net[0]`` is the first
    one; ``len`` and loops work too.  Raises TypeError if one is no Module.
    """

    def __init__(self, *layers: Any):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                hint = ": write Sequential(*layers)" if isinstance(layer, (list, tuple)) else ", such as nn.ReLU()"
                raise TypeError(f"Sequential: layer {i} is a {type(layer).__name__}, expected a Module{hint}")
        self.layers: tuple[Module, ...] = layers

    def _members(self) -> Iterator[tuple[str, Any]]:
        return ((name.removeprefix("layers."), member) for name, member in super()._members())

    def forward(self, x: Any) -> Any:
        """The result of the last one."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, i: int) -> Module:
        return self.layers[i]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)


def _check_rate(layer: str, rate: float) -> float:
    if not 0 <= rate < 1:
        raise ValueError(f"{layer}: rate is {rate}, expected the fraction to drop, a number in [0, 1)")
    return float(rate)


class Dropout(Module):
    """In training, set a random fraction ``rate`` of the elements to zero and scale the others by 1 / (1 - rate).

    (Srivastava et al. 2014.)  The mask comes from the generator of the enclosing ``nn.draw_from``, or else from the
    default stream of this thread, which ``nn.seed`` restarts.
    """

    def __init__(self, rate: float):
        self.rate = _check_rate("Dropout", rate)

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape -> the same shape."""
        if not self.training or self.rate == 0:
            return x
        keep = draw(x.shape) >= self.rate
        return x * Tensor(to_device(keep.astype(x.dtype) / (1 - self.rate), x.device))

    def __repr__(self) -> str:
        return f"Dropout {self.rate}"


class StochasticDepth(Module):
    """In training, set a whole branch to zero for a random fraction ``rate`` of the images (Huang et al. 2016).

    As in the official pre-training code, branches that are kept are not scaled up.  Random numbers as in ``Dropout``.
    """

    def __init__(self, rate: float):
        self.rate = _check_rate("StochasticDepth", rate)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, ...) -> the same shape."""
        if not self.training or self.rate == 0:
            return x
        keep = draw((x.shape[0],) + (1,) * (x.ndim - 1)) >= self.rate           # (B, 1, ...)
        return x * Tensor(to_device(keep.astype(x.dtype), x.device))

    def __repr__(self) -> str:
        return f"StochasticDepth {self.rate:.3g}"
