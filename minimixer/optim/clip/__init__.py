"""Gradient clipping: read ``reference.py``; ``cuda.py`` computes the same in two kernels."""

from minimixer.ops.registry import offer
from minimixer.optim.clip.reference import clip_by_global_norm, clip_factor, norm_and_factor

offer(norm_and_factor, "cuda")

__all__ = ["clip_by_global_norm", "clip_factor", "norm_and_factor"]
