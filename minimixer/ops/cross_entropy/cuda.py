"""Softmax cross-entropy for CuPy: kernel.cu."""

from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.cuda import THREADS, by_rows, column_sums, elementwise_blocks, launch, plain
from minimixer.ops.op import Op

SOURCE = Path(__file__).with_name("kernel.cu")


class CrossEntropy(Op):
    """Softmax and cross-entropy in one kernel, and a second one that sums; backward is one."""

    @staticmethod
    def forward(xp: Module, logits: Array, targets: Array, label_smoothing: float) -> tuple[Array, tuple[Any, ...]]:
        logits, = plain(xp, logits)
        rows, classes = logits.shape
        soft = targets.ndim == 2
        targets = xp.ascontiguousarray(targets.astype(logits.dtype if soft else xp.int64, copy=False))
        # Labels, probabilities, which of the two: the kernels do not read the other one.
        options = ((xp.empty(1, xp.int64), targets, 1) if soft else (targets, logits, 0)) + (float(label_smoothing),)
        losses, saved = xp.empty((rows, 1), logits.dtype), xp.empty((rows, 3), logits.dtype)
        threads = by_rows(classes)
        launch(SOURCE, "cross_entropy_forward", logits.dtype, -(-rows // threads[1]), threads, logits, *options,
               losses, saved, np.int64(rows), classes)
        return column_sums(xp, losses).reshape(()), (logits, options, saved)

    @staticmethod
    def backward(xp: Module, gy: Array, logits: Array, options: Any, saved: Array) -> tuple[Array, Any]:
        gx = xp.empty_like(logits)
        launch(SOURCE, "cross_entropy_backward", logits.dtype, elementwise_blocks(logits.size), (THREADS, 1), gy,
               logits, *options, saved, gx, np.int64(len(logits)), logits.shape[1])
        return gx, None
