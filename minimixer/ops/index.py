from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class Take(Op):
    """y = x[key], a part of the key being an array: of ints, which may name an element twice, or of booleans."""

    expects = "arrays of ints inside the shape, masks of the shape, ints, slices, None and ..."

    @staticmethod
    def forward(xp: Module, x: Array, key: tuple[Any, ...]) -> tuple[Array, tuple[Any, ...]]:
        kinds = {part.dtype.kind for part in key if hasattr(part, "dtype")}
        if not kinds <= set("iub"):
            raise IndexError("the numbers of an index are not ints")
        return x[key], (x.shape, key, not kinds <= {"b"})

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...], key: tuple[Any, ...], repeats: bool) -> Array:
        gx = xp.zeros(shape, gy.dtype)
        if repeats:
            xp.add.at(gx, key, gy)      # where an element was taken twice, its gradients add up
        else:
            gx[key] = gy
        return gx
