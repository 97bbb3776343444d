"""GELU in both of its forms: read ``reference.py``; the other files compute the same, faster (README.md)."""

from minimixer.ops.gelu.reference import GELU, GELUErf
from minimixer.ops.registry import offer

offer(GELU, "inplace", "compiled", "cuda")
offer(GELUErf, "cuda")

__all__ = ["GELU", "GELUErf"]
