"""Muon: momentum whose matrices are made orthogonal, for the matrices of all layers but the last; AdamW for the rest.

A gradient step follows the few directions in which a matrix's gradient is largest.  Muon (Jordan et al. 2024) keeps the
directions and makes all of them equally long: of the momentum M = U S V^T it takes U V^T.  Scaled by
0.2 sqrt(max(in, out)), the step has the root mean square of AdamW's, so its learning rate and weight decay carry over
(Liu et al. 2025, arXiv 2502.16982).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minimixer.backend import Array, Module, array_module
from minimixer.ops.registry import choose, common_dtype
from minimixer.optim.adamw.reference import adamw
from minimixer.optim.optimizer import Optimizer, Parameters
from minimixer.tensor import Tensor

STEPS = 5
A, B, C = 3.4445, -4.7750, 2.0315       # Jordan's: singular values above 0.01 end between 0.6 and 1.2
EPS = 1e-7
Map = Callable[..., Iterable[Any]]


def orthogonalize(matrix: Array) -> Array:
    """Nearly U V^T of a matrix U S V^T, by five Newton-Schulz steps.  matrix: (in, out) -> the same shape.

    A step maps every singular value s to A s + B s^3 + C s^5, without computing one.
    """
    xp = array_module(matrix)
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (xp.sqrt((x * x).sum()) + EPS)              # now no singular value is above 1
    for _ in range(STEPS):
        gram = x @ x.T                                  # (n, n), n the shorter side
        x = A * x + (B * gram + C * (gram @ gram)) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def muon(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array], factor: Array | None, *,
         weight_decays: Sequence[float], lr: float, momentum: float, nesterov: bool, map: Map) -> None:
    """One step of every matrix, of gradients times ``factor``, a 0-d array, if there is one; p and m change in place.

    ``map`` may work on several matrices at once.
    """
    def update(matrix: tuple[Array, Array, Array, float]) -> None:
        p, g, m, weight_decay = matrix
        g = g if factor is None else g * factor
        m += (1 - momentum) * (g - m)
        direction = g + momentum * (m - g) if nesterov else m
        p *= 1 - lr * weight_decay
        p -= (lr * 0.2 * max(p.shape) ** 0.5) * orthogonalize(direction)

    for _ in map(update, zip(params, gradients, ms, weight_decays, strict=True)):
        pass


class Muon(Optimizer):
    """Muon for the matrices of a model's stem and blocks, AdamW for its head, biases and norms.

    Parameters
    ----------
    params : Module or sequence of Tensor
        Its matrices are the parameters of two axes called ``weight`` or, if there are none, or no names, all of two
        axes; but for the last one, the head's.
    lr, weight_decay, eps : float
        The learning rate is for both.  A step multiplies a decaying parameter by ``1 - lr * weight_decay``.
    momentum : float
    nesterov : bool
    betas : pair of float
        AdamW's.
    decay_vectors : bool
        Whether biases and the parameters of norms decay too.
    matrices : iterable of Tensor, optional
        Which parameters Muon takes, if not those.
    map : callable, optional
        Works on several matrices at once, as ``Workers.map`` does; changes no bit.

    Raises
    ------
    ValueError
        If there is no such matrix, one has not two axes, or is not among the parameters.
    """

    def __init__(self, params: Parameters, lr: float = 0.01, momentum: float = 0.95, nesterov: bool = True,
                 weight_decay: float = 0.0, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 decay_vectors: bool = False, matrices: Iterable[Tensor] | None = None, map: Map = map):
        super().__init__(params, lr, weight_decay, decay_vectors, ["m", "v"])
        chosen = hidden_matrices(self.names, self.params) if matrices is None else list(matrices)
        if matrices is None and not chosen:
            raise ValueError("Muon is for the matrices before the last, and here is none: use AdamW, or say which it "
                             "takes, matrices=[...]")
        if wrong := [t.shape for t in chosen if t.ndim != 2 or not any(t is p for p in self.params)]:
            raise ValueError(f"Muon is for matrices among the parameters, got one of shape {wrong[0]}: leave it out of "
                             "matrices=[...], and AdamW takes it")
        self.momentum, self.nesterov, self.betas, self.eps, self.map = momentum, nesterov, betas, eps, map
        self.is_matrix = [any(p is t for t in chosen) for p in self.params]
        self.state["v"] = [v[:0] if is_matrix else v            # AdamW's alone
                           for v, is_matrix in zip(self.state["v"], self.is_matrix, strict=True)]

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        def of(is_matrix: bool, *lists: Sequence[Any]) -> list[list[Any]]:
            return [[x for x, own in zip(items, self.is_matrix, strict=True) if own == is_matrix] for items in lists]

        params = [p.data for p in self.params]
        run = common_dtype(params)
        p, g, m, decays = of(True, params, gradients, self.state["m"], self.decays)
        choose(muon, xp, run)(xp, p, g, m, factor, weight_decays=decays, lr=self.lr, momentum=self.momentum,
                              nesterov=self.nesterov, map=self.map)
        p, g, m, v, decays = of(False, params, gradients, self.state["m"], self.state["v"], self.decays)
        choose(adamw, xp, run)(xp, p, g, m, v, factor, weight_decays=decays, lr=self.lr, beta1=self.betas[0],
                               beta2=self.betas[1], eps=self.eps, step=self.step_count)


def hidden_matrices(names: Sequence[str], params: Sequence[Tensor]) -> list[Tensor]:
    """The matrices that Muon takes of parameters."""
    matrices = [(name, p) for name, p in zip(names, params, strict=True) if p.ndim == 2]
    of_layers = [p for name, p in matrices if name.endswith("weight")]          # a ViT's positions are no layer's
    return (of_layers or [p for _, p in matrices])[:-1]
