"""Stochastic gradient descent with momentum."""

from collections.abc import Sequence

from minimixer.backend import Array, Module
from minimixer.optim.optimizer import Optimizer, Parameters


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


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, plain or Nesterov's; weight decay is added to the gradient.

    Parameters
    ----------
    params : Module or sequence of Tensor
        What it changes: a Module's parameters, or these.
    lr, momentum, weight_decay : float
    nesterov : bool
    decay_vectors : bool
        Whether biases and the parameters of norms decay too.
    """

    def __init__(self, params: Parameters, lr: float, momentum: float = 0.9, nesterov: bool = False,
                 weight_decay: float = 0.0, decay_vectors: bool = True):
        super().__init__(params, lr, weight_decay, decay_vectors, ["velocity"])
        self.momentum = momentum
        self.nesterov = nesterov

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        for p, g, velocity, decay in zip(self.params, gradients, self.state["velocity"], self.decays, strict=True):
            sgd_update(xp, p.data, g if factor is None else g * factor, velocity, lr=self.lr, momentum=self.momentum,
                   nesterov=self.nesterov, weight_decay=decay)
