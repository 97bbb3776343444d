"""MatMul: read ``reference.py``; ``cuda.py`` computes the same by cuBLAS."""

from minimixer.ops.matmul.reference import MatMul
from minimixer.ops.registry import offer

offer(MatMul, "cuda")

__all__ = ["MatMul"]
