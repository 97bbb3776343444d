"""AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

from collections.abc import Sequence

from minimixer.backend import Array, Module
from minimixer.ops.registry import choose, common_dtype
from minimixer.optim.optimizer import Optimizer, Parameters


def adamw_update(xp: Module, p: Array, g: Array, m: Array, v: Array, *, lr: float, beta1: float, beta2: float,
                 eps: float, weight_decay: float, step: int) -> None:
    """One AdamW step (Loshchilov & Hutter 2019, algorithm 2); p, m and v are changed in place.  step counts from 1."""
    m += (1 - beta1) * (g - m)                              # mean of the gradient,
    v += (1 - beta2) * (g * g - v)                          # mean of its square; both start at 0,
    m_bias, v_bias = 1 - beta1**step, 1 - beta2**step       # which these undo
    p *= 1 - lr * weight_decay                              # the decay is no part of the gradient
    p -= (lr / m_bias) * m / (xp.sqrt(v / v_bias) + eps)


def adamw(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array], vs: Sequence[Array],
          factor: Array | None, *, weight_decays: Sequence[float], lr: float, beta1: float, beta2: float, eps: float,
          step: int) -> None:
    """One AdamW step of every parameter, of gradients times ``factor``, a 0-d array, if there is one."""
    for p, g, m, v, weight_decay in zip(params, gradients, ms, vs, weight_decays, strict=True):
        adamw_update(xp, p, g if factor is None else g * factor, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
                     weight_decay=weight_decay, step=step)


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101).

    Parameters
    ----------
    params : Module or sequence of Tensor
        What it changes: a Module's parameters, or these.
    lr, weight_decay, eps : float
        A step multiplies a decaying parameter by ``1 - lr * weight_decay``.
    betas : pair of float
        How slowly the means of the gradient and of its square move.
    decay_vectors : bool
        Whether biases and the parameters of norms decay too.
    """

    def __init__(self, params: Parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.01, decay_vectors: bool = True):
        super().__init__(params, lr, weight_decay, decay_vectors, ["m", "v"])
        self.betas = betas
        self.eps = eps

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        params = [p.data for p in self.params]
        run = choose(adamw, xp, common_dtype(params))
        run(xp, params, gradients, self.state["m"], self.state["v"], factor, weight_decays=self.decays, lr=self.lr,
            beta1=self.betas[0], beta2=self.betas[1], eps=self.eps, step=self.step_count)
