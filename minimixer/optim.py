"""Optimisers, gradient clipping and learning-rate schedules.

The update rules are pure array functions, reference pairs like the ops: the registry may replace them.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from minimixer.backend import Array, Module, array_module, as_array
from minimixer.kernels.registry import choose
from minimixer.tensor import Tensor

ScheduleKind = Literal["cosine", "linear", "constant"]


def sgd_update(xp: Module, p: Array, g: Array, velocity: Array, *, lr: float, momentum: float, nesterov: bool,
               weight_decay: float) -> None:
    """One SGD step; p and velocity are changed in place.

    The momentum is PyTorch's form of Sutskever et al. 2013.
    """
    if weight_decay:
        g = g + weight_decay * p
    if momentum:
        velocity *= momentum
        velocity += g
        g = g + momentum * velocity if nesterov else velocity
    p -= lr * g


def adamw_update(xp: Module, p: Array, g: Array, m: Array, v: Array, *, lr: float, beta1: float, beta2: float,
                 eps: float, weight_decay: float, step: int) -> None:
    """One AdamW step (Loshchilov & Hutter 2019, algorithm 2); p, m and v are changed in place.  step counts from 1."""
    m += (1 - beta1) * (g - m)                              # mean of the gradient,
    v += (1 - beta2) * (g * g - v)                          # mean of its square; both start at 0,
    m_bias, v_bias = 1 - beta1**step, 1 - beta2**step       # which these undo
    p *= 1 - lr * weight_decay                              # the decay is no part of the gradient
    p -= (lr / m_bias) * m / (xp.sqrt(v / v_bias) + eps)


def adamw_step(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array],
               vs: Sequence[Array], factor: Array | None, *, weight_decays: Sequence[float], lr: float, beta1: float,
               beta2: float, eps: float, step: int) -> None:
    """One AdamW step of every parameter, of gradients times ``factor``, a 0-d array, if there is one."""
    update = choose(adamw_update, xp)
    for p, g, m, v, weight_decay in zip(params, gradients, ms, vs, weight_decays, strict=True):
        update(xp, p, g if factor is None else g * factor, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
               weight_decay=weight_decay, step=step)


class Optimizer:
    """What SGD and AdamW share: parameters, a learning rate to set before each step, and arrays they remember.

    ``state`` maps a name ("m") to one array a parameter, in the parameters' order; ``step_count`` is the number of
    steps made.  Both, with the learning rate, are all that a checkpoint must keep.
    """

    def __init__(self, params: Sequence[Tensor], lr: float, weight_decay: float, decay_vectors: bool,
                 remembered: Sequence[str]):
        if lr < 0 or weight_decay < 0:
            raise ValueError(f"lr is {lr} and weight_decay {weight_decay}: expected numbers >= 0")
        self.params = list(params)
        if not self.params:
            raise ValueError("there is nothing to optimise: the list of parameters is empty")
        self.lr = lr
        # Biases and the scales and shifts of norms are vectors; the others are matrices.
        self.decays = [weight_decay if decay_vectors or p.ndim > 1 else 0.0 for p in self.params]
        self.step_count = 0
        self.state: dict[str, list[Array]] = {
            name: [array_module(p.data).zeros_like(p.data) for p in self.params] for name in remembered}

    def step(self, gradients: Iterable[Array] | None = None, factor: Array | None = None) -> None:
        """Change every parameter once, in place; call ``backward`` first on graphs that still need the old numbers.

        Parameters
        ----------
        gradients : iterable of array, optional
            One a parameter, as ``grad`` returns them; without it the parameters' ``.grad`` is used.
        factor : array, shape (), optional
            Scales the gradients on the way, such as that of ``clip_factor``.

        Raises
        ------
        ValueError
            If there are not as many gradients as parameters, one has another shape, or a ``.grad`` is missing.
        DeviceError
            If parameters, gradients and what the optimiser remembers do not live on one device.
        """
        given = [p.grad for p in self.params] if gradients is None else list(gradients)
        if len(given) != len(self.params):
            raise ValueError(f"{len(given)} gradients for {len(self.params)} parameters: expected one each")
        for i, g in enumerate(given):
            if g is None:
                raise ValueError(f"parameter {i} of shape {self.params[i].shape} has no .grad: call loss.backward() "
                                 "first")
            g = given[i] = as_array(g)          # numbers of NumPy, such as half of a 0-d array, become arrays
            if g.shape != self.params[i].shape:
                raise ValueError(f"the gradient of parameter {i} has shape {g.shape}, expected that of the parameter, "
                                 f"{self.params[i].shape}")
        remembered = chain.from_iterable(self.state.values())
        xp = array_module(*(p.data for p in self.params), *given, *remembered)
        self.step_count += 1
        self._update(xp, given, factor)

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, plain or Nesterov's; weight decay is added to the gradient.

    Parameters
    ----------
    params : sequence of Tensor
    lr, momentum, weight_decay : float
    nesterov : bool
    decay_vectors : bool
        Whether biases and the parameters of norms decay too.
    """

    def __init__(self, params: Sequence[Tensor], lr: float, momentum: float = 0.9, nesterov: bool = False,
                 weight_decay: float = 0.0, decay_vectors: bool = True):
        super().__init__(params, lr, weight_decay, decay_vectors, ["velocity"])
        self.momentum = momentum
        self.nesterov = nesterov

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        update = choose(sgd_update, xp)
        for p, g, velocity, decay in zip(self.params, gradients, self.state["velocity"], self.decays, strict=True):
            update(xp, p.data, g if factor is None else g * factor, velocity, lr=self.lr, momentum=self.momentum,
                   nesterov=self.nesterov, weight_decay=decay)


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101).

    Parameters
    ----------
    params : sequence of Tensor
    lr, weight_decay, eps : float
        A step multiplies a decaying parameter by ``1 - lr * weight_decay``.
    betas : pair of float
        How slowly the means of the gradient and of its square move.
    decay_vectors : bool
        Whether biases and the parameters of norms decay too.
    """

    def __init__(self, params: Sequence[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.01, decay_vectors: bool = True):
        super().__init__(params, lr, weight_decay, decay_vectors, ["m", "v"])
        self.betas = betas
        self.eps = eps

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        choose(adamw_step, xp)(xp, [p.data for p in self.params], gradients, self.state["m"], self.state["v"], factor,
                               weight_decays=self.decays, lr=self.lr, beta1=self.betas[0], beta2=self.betas[1],
                               eps=self.eps, step=self.step_count)


def norm_and_factor(xp: Module, gradients: Sequence[Array], max_norm: float) -> tuple[Array, Array]:
    """Euclidean norm of all gradients together, and ``min(1, max_norm / norm)``; both 0-d arrays."""
    norm = xp.sqrt(sum((g * g).sum() for g in gradients))
    return norm, xp.minimum(1, max_norm / (norm + 1e-6))


def clip_factor(gradients: Iterable[Array], max_norm: float) -> tuple[Array, Array]:
    """What scales gradients, all alike, so that their common Euclidean norm is at most ``max_norm``; and that norm.

    (Pascanu et al. 2013.)  Both are 0-d arrays on the gradients' device: the host does not wait for them.  Hand the
    first to ``Optimizer.step``, which then scales the gradients while it reads them.

    Raises
    ------
    ValueError
        If ``max_norm`` is not positive.
    """
    if max_norm <= 0:
        raise ValueError(f"max_norm is {max_norm}: expected a positive number")
    gradients = list(gradients)
    xp = array_module(*gradients)
    norm, factor = choose(norm_and_factor, xp)(xp, gradients, float(max_norm))
    return factor, norm


def clip_by_global_norm(gradients: Iterable[Array], max_norm: float) -> tuple[list[Array], Array]:
    """Scale gradients as ``clip_factor`` says.  Returns them, new arrays, and the norm they had, a 0-d array."""
    gradients = list(gradients)
    factor, norm = clip_factor(gradients, max_norm)
    xp = array_module(*gradients)
    return [xp.asarray(g * factor) for g in gradients], norm


def average_step(xp: Module, means: Sequence[Array], params: Sequence[Array], share: float) -> None:
    """Move every mean towards its parameter, in place."""
    for mean, p in zip(means, params, strict=True):
        mean += share * (p - mean)


class WeightAverage:
    """Exponential moving mean of parameters (Polyak & Juditsky 1992), often better in tests than the last weights.

    Parameters
    ----------
    params : sequence of Tensor
    decay : float
        How slowly the mean moves, in [0, 1).  Early it moves faster, ``min(decay, (1 + step) / (10 + step))``, so that
        it forgets the initial weights.
    """

    def __init__(self, params: Sequence[Tensor], decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}: expected a number in [0, 1)")
        self.params = list(params)
        self.decay = decay
        self.means: list[Array] = [p.data.copy() for p in self.params]

    def update(self, step: int) -> None:
        """Move the means towards the parameters, after a step, counted from 1."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        xp = array_module(*self.means)
        choose(average_step, xp)(xp, self.means, [p.data for p in self.params], share)

    @contextmanager
    def in_place_of_parameters(self) -> Iterator[None]:
        """Within this block the parameters hold the means."""
        kept = [p.data for p in self.params]
        try:
            for p, mean in zip(self.params, self.means, strict=True):
                p.data = mean
            yield
        finally:
            for p, data in zip(self.params, kept, strict=True):
                p.data = data


@dataclass(frozen=True)
class Schedule:
    """The learning rate at every step: a linear warm-up to ``peak``, then down to ``final`` at the last step.

    The first of W warm-up steps has ``peak`` / W, the last ``peak``.

    ``cosine`` falls along half a cosine wave (Loshchilov & Hutter 2017), ``linear`` along a line, as in the paper;
    ``constant`` stays.

    Raises
    ------
    ValueError
        If the warm-up is longer than the run, or the kind is unknown.
    """

    kind: ScheduleKind
    peak: float
    total_steps: int
    warmup_steps: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("cosine", "linear", "constant"):
            raise ValueError(f"no schedule is called {self.kind!r}: expected 'cosine', 'linear' or 'constant'")
        if not 0 <= self.warmup_steps <= self.total_steps:
            raise ValueError(f"a warm-up of {self.warmup_steps} steps does not fit into {self.total_steps} steps")

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return self.peak
        progress = min(1.0, (step - self.warmup_steps) / max(1, self.total_steps - 1 - self.warmup_steps))
        share = 1 - progress if self.kind == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
        return self.final + (self.peak - self.final) * share
