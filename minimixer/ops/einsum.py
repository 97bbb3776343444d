from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class Einsum(Op):
    """Products of arrays, summed over the letters that the result lacks: "bqd,bkd->bqk" (Einstein 1916).

    A letter names an axis, and occurs once in an operand.  The gradient of an operand is a sum of the same kind: gy
    takes its place, and its letters become the result's.
    """

    expects = "one term an operand, one letter an axis, and axes of one letter of one length"

    @staticmethod
    def forward(xp: Module, *arrays: Array, terms: tuple[str, ...], result: str) -> tuple[Array, tuple[Any, ...]]:
        y = xp.einsum(f"{','.join(terms)}->{result}", *arrays, optimize=len(arrays) > 1)
        return y, (arrays, terms, result)

    @staticmethod
    def backward(xp: Module, gy: Array, arrays: tuple[Array, ...], terms: tuple[str, ...],
                 result: str) -> tuple[Array, ...]:
        gradients = []
        for i, (array, term) in enumerate(zip(arrays, terms, strict=True)):
            others = [*terms[:i], *terms[i + 1:]]
            found = [letter for letter in term if letter in result or any(letter in other for other in others)]
            g = xp.einsum(f"{','.join([result, *others])}->{''.join(found)}", gy, *arrays[:i], *arrays[i + 1:],
                          optimize=len(arrays) > 1)
            kept = tuple(n if letter in found else 1 for letter, n in zip(term, array.shape, strict=True))
            gradients.append(xp.broadcast_to(g.reshape(kept), array.shape).astype(array.dtype, copy=False))
        return tuple(gradients)
