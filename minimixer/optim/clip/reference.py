"""Gradient clipping by the global norm (Pascanu et al. 2013, arXiv 1211.5063)."""

from collections.abc import Iterable, Sequence

from minimixer.backend import Array, Module, array_module
from minimixer.ops.registry import choose, common_dtype


def norm_and_factor(xp: Module, gradients: Sequence[Array], max_norm: float) -> tuple[Array, Array]:
    """Euclidean norm of all gradients together, and ``min(1, max_norm / norm)``; both 0-d arrays."""
    norm = xp.sqrt(sum((g * g).sum() for g in gradients))
    return norm, xp.minimum(1, max_norm / (norm + 1e-6))


def clip_factor(gradients: Iterable[Array], max_norm: float) -> tuple[Array, Array]:
    """The factor that brings the global norm of gradients down to ``max_norm``, at most 1, and the norm itself.

    Both are 0-d arrays on the gradients' device: the host does not wait for them.  Pass the factor to
    ``Optimizer.step``, which scales the gradients while it reads them.

    Raises
    ------
    ValueError
        If ``max_norm`` is not positive.
    """
    if max_norm <= 0:
        raise ValueError(f"max_norm is {max_norm}: expected a positive number")
    gradients = list(gradients)
    xp = array_module(*gradients)
    norm, factor = choose(norm_and_factor, xp, common_dtype(gradients))(xp, gradients, float(max_norm))
    return factor, norm


def clip_by_global_norm(gradients: Iterable[Array], max_norm: float) -> tuple[list[Array], Array]:
    """Scale gradients as ``clip_factor`` says.  Returns them, new arrays, and the norm they had, a 0-d array."""
    gradients = list(gradients)
    factor, norm = clip_factor(gradients, max_norm)
    xp = array_module(*gradients)
    return [xp.asarray(g * factor) for g in gradients], norm
