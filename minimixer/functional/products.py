"""Sums of products, and sums so far."""

from collections import Counter

from minimixer.ops.einsum import Einsum
from minimixer.ops.reduce import Axis
from minimixer.tensor import Tensor, apply


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Sums of products by letters, as in NumPy: ``"bqd,bkd->bqk"``.

    Parameters
    ----------
    subscripts : str
        One letter an axis, a comma between operands; behind ``->`` the axes of the result, otherwise all letters that
        occur once, in alphabetical order.
    *operands : Tensor

    Raises
    ------
    ValueError
        If the terms do not fit the operands, a letter is twice in a term, or its axes have several lengths.
    """
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    count = Counter(left.replace(",", ""))
    if not arrow:
        result = "".join(sorted(letter for letter in count if count[letter] == 1))
    letters = left.replace(",", "") + result
    if letters and not (letters.isascii() and letters.isalpha()):
        raise ValueError(f"einsum: {subscripts!r} must consist of letters, commas and ->; '...' is not known here: "
                         "name every axis")
    if len(terms) != len(operands):
        raise ValueError(f"einsum: {subscripts!r} has {len(terms)} terms, expected one for each of {len(operands)} "
                         "operands")
    lengths: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        if len(term) != x.ndim or len(set(term)) < len(term):
            raise ValueError(f"einsum: {term!r} names the axes of shape {x.shape}, expected as many letters, each once")
        for letter, n in zip(term, x.shape, strict=True):
            if lengths.setdefault(letter, n) != n:
                raise ValueError(f"einsum: axis {letter!r} has length {lengths[letter]} in one operand, {n} in another")
    if not set(result) <= lengths.keys() or len(set(result)) < len(result):
        raise ValueError(f"einsum: the result {result!r} needs letters of the operands, each once")
    return apply(Einsum, *operands, terms=tuple(terms), result=result)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b``: (..., n, k) times (..., k, m)."""
    return a @ b


def cumsum(x: Tensor, axis: int) -> Tensor:
    """Sums of the elements so far, along an axis."""
    return x.cumsum(axis)


def var(x: Tensor, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Variance over one axis, several, or all: the sum of squares over n - ddof, n elements each (as NumPy)."""
    return x.var(axis, keepdims, ddof)


def std(x: Tensor, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Square root of ``var``; its gradient is taken to be 0 where all elements are equal, a kink."""
    return x.std(axis, keepdims, ddof)
