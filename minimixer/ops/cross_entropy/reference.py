from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class CrossEntropy(Op):
    """y = -sum_b sum_k target_bk * log softmax(logits_b)_k: the sum over the batch, not its mean.

    logits: (B, K)  targets: (B,) class numbers or (B, K) probabilities  y: ().  Label smoothing s replaces the
    targets by (1 - s) * target + s / K (Szegedy et al. 2015, arXiv 1512.00567).  The targets get no gradient.
    """

    @staticmethod
    def forward(xp: Module, logits: Array, targets: Array, label_smoothing: float) -> tuple[Array, tuple[Array, Array]]:
        classes = logits.shape[1]
        if targets.ndim == 1:
            targets = targets[:, None] == xp.arange(classes)            # (B, K)  one-hot
        targets = targets.astype(logits.dtype)
        if label_smoothing:
            targets = targets * (1 - label_smoothing) + label_smoothing / classes
        shifted = logits - logits.max(-1, keepdims=True)                # (B, K)
        log_p = shifted - xp.log(xp.exp(shifted).sum(-1, keepdims=True))
        counted = xp.where(targets == 0, 0, log_p)                      # (B, K)  0 times -infinity is 0 here
        return -(targets * counted).sum(), (log_p, targets)

    @staticmethod
    def backward(xp: Module, gy: Array, log_p: Array, targets: Array) -> tuple[Array, Any]:
        return gy * (xp.exp(log_p) * targets.sum(-1, keepdims=True) - targets), None
