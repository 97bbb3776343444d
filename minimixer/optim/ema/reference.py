"""EMA: a moving average of the parameters."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from minimixer.autograd import mark_changed
from minimixer.backend import Array, Module, array_module
from minimixer.ops.registry import choose, common_dtype
from minimixer.tensor import Tensor


def average(xp: Module, means: Sequence[Array], params: Sequence[Array], share: float) -> None:
    """Move every mean towards its parameter, in place."""
    for mean, p in zip(means, params, strict=True):
        mean += share * (p - mean)


class EMA:
    """Exponential moving average of parameters (Polyak & Juditsky 1992); it often tests better than the last weights.

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
        choose(average, xp, common_dtype(self.means))(xp, self.means, [p.data for p in self.params], share)
        mark_changed(self.params)               # a graph may have been made while they held the means

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
