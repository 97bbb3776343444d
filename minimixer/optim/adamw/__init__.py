"""AdamW: read ``reference.py``; the other files take the same steps, faster (README.md)."""

from minimixer.ops.registry import offer
from minimixer.optim.adamw.reference import AdamW, adamw, adamw_update

offer(adamw, "inplace", "compiled", "cuda")

__all__ = ["AdamW", "adamw", "adamw_update"]
