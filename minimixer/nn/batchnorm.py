"""Batch normalization (Ioffe & Szegedy 2015, arXiv 1502.03167)."""

import math

import numpy as np

from minimixer import functional as F
from minimixer.backend import Array
from minimixer.errors import UsageError
from minimixer.nn.members import Buffer
from minimixer.nn.module import Module
from minimixer.nn.random import in_shard
from minimixer.tensor import Tensor


class BatchNorm(Module):
    """Normalize each channel over all other axes of the batch, then scale by ``weight`` and shift by ``bias``.

    In training, with the mean and variance of this batch; they move the running averages, which take their place in
    ``eval()``.  So an image's result depends on the others of its batch, and the gradient of a batch is not the sum of
    those of its shards: ``minimixer.train``, which works on shards, refuses it.  Use it in a loop of your own.

    Parameters
    ----------
    channels : int
        C, of ``weight``, ``bias`` and the buffers ``running_mean`` and ``running_var``.
    eps : float
        Added to the variance.
    momentum : float
        How far a batch moves the running averages, from 0 to 1.  That of the variance is of the unbiased one, as in
        PyTorch.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1):
        self.weight = Tensor(np.ones(channels, np.float32), requires_grad=True)
        self.bias = Tensor(np.zeros(channels, np.float32), requires_grad=True)
        self.running_mean = Buffer(np.zeros(channels, np.float32))
        self.running_var = Buffer(np.ones(channels, np.float32))
        self.eps, self.momentum = eps, momentum

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, ..., C) -> the same shape.

        Raises
        ------
        ValueError
            If x does not end in C channels, or in training holds one number per channel, or a shard of a batch.
        """
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
        if in_shard():
            raise UsageError("BatchNorm needs the whole batch, and this training computes it in shards: use GroupNorm "
                             "or LayerNorm, which normalize every image by itself, or write a loop of your own")
        count = math.prod(x.shape[:-1])
        if count < 2:
            raise ValueError(f"BatchNorm: x has shape {x.shape}, which is {count} numbers per channel, too few for a "
                             "variance: use a larger batch, or eval()")
        leading = tuple(range(x.ndim - 1))
        mean, var = x.mean(leading), x.var(leading)                             # (C,)
        y = F.batch_norm(x, mean, var, self.weight, self.bias, self.eps)
        self._follow(self.running_mean, mean.data)
        self._follow(self.running_var, var.data * (count / (count - 1)))
        return y

    def _follow(self, average: Tensor, of_batch: Array) -> None:
        # A new array: a graph may hold the old one.
        average.data = (1 - self.momentum) * average.data + self.momentum * of_batch

    def __repr__(self) -> str:
        return f"BatchNorm {self.weight.size}"
