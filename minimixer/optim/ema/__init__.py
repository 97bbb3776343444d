"""EMA: read ``reference.py``; ``cuda.py`` computes the same in one kernel."""

from minimixer.ops.registry import offer
from minimixer.optim.ema.reference import EMA, average

offer(average, "cuda")

__all__ = ["EMA", "average"]
