"""Linear: read ``reference.py``; the other files compute the same, faster (README.md)."""

from minimixer.ops.linear.reference import Linear
from minimixer.ops.registry import offer

offer(Linear, "inplace", "cuda")

__all__ = ["Linear"]
