"""Muon: read ``reference.py``; ``inplace.py`` takes the same steps in fewer passes (README.md)."""

from minimixer.ops.registry import offer
from minimixer.optim.muon.reference import Muon, muon, orthogonalize

offer(muon, "inplace")

__all__ = ["Muon", "muon", "orthogonalize"]
