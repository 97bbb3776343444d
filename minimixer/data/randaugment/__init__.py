"""RandAugment: read ``reference.py``; ``cuda.py`` computes the same bits in one kernel."""

from minimixer.data.randaugment.reference import change, randaugment
from minimixer.ops.registry import offer

offer(change, "cuda")

__all__ = ["change", "randaugment"]
