"""Muon: read ``reference.py``; ``inplace.py`` and ``cuda.py`` take the same steps in fewer passes."""

from minimixer.ops.registry import offer
from minimixer.optim.muon.reference import Muon, muon, orthogonalize

offer(muon, "inplace", "cuda")

__all__ = ["Muon", "muon", "orthogonalize"]
