"""LayerNorm for CuPy: one kernel forward and two backward, in kernel.cu."""

import math
from pathlib import Path

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.cuda import PARTS, SHARED_BYTES, by_rows, column_sums, launch, plain
from minimixer.ops.layernorm import reference
from minimixer.ops.op import Op

SOURCE = Path(__file__).with_name("kernel.cu")


class LayerNorm(Op):
    """One kernel forward and two backward.  Saves x, and mean and 1 / deviation of every row."""

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        x, weight, bias = plain(xp, x, weight, bias)
        columns = x.shape[-1]
        rows = math.prod(x.shape[:-1])
        y, mean, rstd = xp.empty_like(x), xp.empty((rows, 1), x.dtype), xp.empty((rows, 1), x.dtype)
        threads = by_rows(columns)
        launch(SOURCE, "layernorm_forward", x.dtype, -(-rows // threads[1]), threads, x, weight, bias, y, mean, rstd,
               np.int64(rows), columns, float(eps))
        return y, (x, mean, rstd, weight)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, mean: Array, rstd: Array,
                 weight: Array) -> tuple[Array, Array, Array]:
        gy, = plain(xp, gy)
        rows, columns = len(mean), x.shape[-1]
        threads = by_rows(columns)
        shared = threads[1] * 2 * columns * x.itemsize
        if shared > SHARED_BYTES:               # float64, or rows beyond those of any Mixer
            normalized = (x.reshape(rows, columns) - mean) * rstd
            gx, gweight, gbias = reference.LayerNorm.backward(xp, gy.reshape(rows, columns), normalized, rstd, weight)
            return gx.reshape(x.shape), gweight, gbias
        blocks = min(PARTS, max(1, -(-rows // threads[1])))
        gx, partial = xp.empty_like(x), xp.empty((blocks, 2 * columns), x.dtype)
        launch(SOURCE, "layernorm_backward", x.dtype, blocks, threads, gy, x, mean, rstd, weight, gx, partial,
               np.int64(rows), columns, shared=shared)
        sums = column_sums(xp, partial)         # (2 * C)
        return gx, sums[:columns], sums[columns:]
