"""Every op with inputs to try it on: what the tests of the ops and of their forms share."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minimixer.backend import to_device
from minimixer.ops.arithmetic import Add, Divide, Exp, Log, Multiply, Negative, Power, PowerOf, Sqrt, Subtract, Tanh
from minimixer.ops.choice import Maximum, Minimum, Where
from minimixer.ops.cross_entropy import CrossEntropy
from minimixer.ops.einsum import Einsum
from minimixer.ops.elementwise import Abs, Cos, Cosh, Expm1, Log1p, Sigmoid, Sign, Sin, Sinh
from minimixer.ops.gelu import GELU, GELUErf
from minimixer.ops.groupnorm import GroupNorm
from minimixer.ops.index import Take
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear
from minimixer.ops.matmul import MatMul
from minimixer.ops.patches import Patches
from minimixer.ops.pool import AvgPool, MaxPool
from minimixer.ops.reduce import CumSum, Max, Mean, Sum
from minimixer.ops.relu import ReLU
from minimixer.ops.shape import BroadcastTo, Concatenate, Pad, Reshape, Slice, SwapAxes, Transpose
from minimixer.ops.softmax import Softmax
from minimixer.ops.unfold import Unfold


@dataclass(frozen=True)
class Case:
    op: Any
    shapes: tuple[tuple[int, ...], ...]
    options: dict[str, Any] = field(default_factory=dict)
    positive: bool = False                              # inputs where the op is defined
    constants: tuple[Any, ...] = ()                     # arguments without a gradient, behind the others

    def __str__(self) -> str:
        shapes = " ".join("x".join(map(str, shape)) or "()" for shape in self.shapes)
        options = "".join(f" {name}={value}" for name, value in self.options.items())
        return f"{self.op.__name__} {shapes}{options}".replace(" ", "_")

    def inputs(self, rng: np.random.Generator, layout: str, dtype: Any = np.float64) -> list[np.ndarray]:
        """Random inputs: "contiguous", or "transposed": the same shape over swapped memory."""
        arrays = [rng.uniform(0.5, 2, s) if self.positive else rng.standard_normal(s) for s in self.shapes]
        arrays = [a.astype(dtype) for a in arrays]
        if layout == "transposed":
            arrays = [np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2) if a.ndim > 1 else a for a in arrays]
        return arrays

    def options_on(self, device: str) -> dict[str, Any]:
        """The options, their arrays on a device."""
        return {name: tuple(to_device(part, device) if isinstance(part, np.ndarray) else part for part in value)
                if isinstance(value, tuple) else value for name, value in self.options.items()}


LABELS = np.array([2, 0, 4])
SOFT_LABELS = np.array([[0.1, 0.2, 0.3, 0.4, 0], [0, 0, 1, 0, 0], [0.5, 0, 0, 0, 0.5]])

TWICE, MASK = np.array([[0, 2], [2, 0]]), np.array([True, False, True])
ROWS = np.array([2, 0, 2])

CASES = [
    *(Case(op, shapes, positive=True) for op in (Add, Subtract, Multiply, Divide)
      for shapes in (((2, 3), (2, 3)), ((2, 3, 4), (3, 1)), ((1, 4), (2, 3, 1)), ((), (2, 2)))),
    *(Case(op, ((2, 3, 4),), positive=True) for op in (Negative, Exp, Log, Sqrt, Tanh, GELU, GELUErf)),
    *(Case(op, ((3, 50),)) for op in (Tanh, GELU, GELUErf, ReLU)),
    *(Case(Power, ((3, 4),), {"n": n}, positive=True) for n in (0, 1, 2, 3.5, -1)),
    Case(Reshape, ((2, 3, 4),), {"shape": (4, -1)}),
    Case(SwapAxes, ((2, 3, 4),), {"axis1": 1, "axis2": 2}),
    Case(Transpose, ((2, 3, 4),), {"axes": (2, 0, 1)}),
    Case(Transpose, ((2, 3, 4),), {"axes": (-1, 0, -2)}),
    *(Case(Slice, ((3, 4, 5),), {"key": key})
      for key in (1, slice(0, 2), (slice(None), -1), (..., None, slice(None, None, 2)), (slice(2, 0, -1), 1))),
    *(Case(op, ((2, 3, 4),), {"axis": axis, "keepdims": keep})
      for op in (Sum, Mean, Max) for axis in (None, 1, -1, (0, 2)) for keep in (False, True)),
    *(Case(MatMul, shapes) for shapes in (
        ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((3,), (3,)),
        ((3,), (2, 3, 4)), ((2, 4, 3), (3,)))),
    *(Case(Linear, ((*leading, 4), (4, 5), (5,))) for leading in ((), (3,), (2, 3), (2, 2, 3), (20, 7))),
    *(Case(LayerNorm, ((*leading, 6), (6,), (6,)), {"eps": 1e-6})
      for leading in ((), (3,), (2, 3), (2, 2, 3), (20, 7))),
    *(Case(GroupNorm, ((2, 3, 4, 6), (6,), (6,)), {"groups": g, "eps": 1e-6}) for g in (1, 2, 6)),
    *(Case(Softmax, shapes) for shapes in (((5,),), ((3, 5),), ((2, 3, 5),))),
    *(Case(CrossEntropy, ((3, 5),), {"label_smoothing": s}, constants=(labels,))
      for s in (0.0, 0.1) for labels in (LABELS, SOFT_LABELS)),
    *(Case(op, shapes, positive=op is PowerOf) for op in (PowerOf, Maximum, Minimum)
      for shapes in (((2, 3), (2, 3)), ((2, 3, 4), (3, 1)), ((1, 4), (2, 3, 1)), ((), (2, 2)))),
    *(Case(Where, shapes, constants=(MASK,)) for shapes in (((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3)))),
    *(Case(op, ((3, 50),)) for op in (Abs, Sign, Sin, Cos, Sinh, Cosh, Expm1, Sigmoid)),
    Case(Log1p, ((3, 50),), positive=True),
    *(Case(CumSum, ((2, 3, 4),), {"axis": axis}) for axis in (0, 1, -1)),
    *(Case(Take, ((3, 4, 3),), {"key": key})
      for key in ((TWICE,), (MASK,), (slice(None), ROWS), (..., TWICE), (ROWS, slice(None), ROWS), (ROWS, 1),
                  (MASK, None, slice(1, None)))),
    *(Case(BroadcastTo, (shape,), {"shape": (2, 3, 4)}) for shape in ((2, 3, 4), (3, 1), (), (2, 1, 4))),
    *(Case(Pad, ((2, 3),), {"margins": margins, "value": 1.5}) for margins in (((0, 0), (1, 2)), ((3, 0), (0, 0)))),
    *(Case(Concatenate, shapes, {"axis": axis}) for shapes, axis in (
        (((2, 3), (2, 1), (2, 4)), 1), (((2, 3), (1, 3)), -2), (((3,),), 0))),
    *(Case(Einsum, shapes, {"terms": terms, "result": result}) for shapes, terms, result in (
        (((2, 3, 4), (2, 5, 4)), ("bqd", "bkd"), "bqk"), (((2, 3), (3, 4), (4,)), ("ij", "jk", "k"), "i"),
        (((2, 3),), ("ij",), "ji"), (((2, 3), (4,)), ("ij", "k"), "i"), (((3,), (3,)), ("i", "i"), ""))),
    *(Case(Patches, ((2, 4, 6, 3),), {"patch_size": p}) for p in (1, 2)),
    *(Case(op, ((2, 5, 6, 3),), {"kernel_size": k, "stride": s, "padding": p})
      for op in (Unfold, MaxPool, AvgPool)
      for k, s, p in (((1, 1), (1, 1), (0, 0)), ((1, 1), (2, 2), (0, 0)), ((3, 3), (1, 1), (1, 1)),
                      ((3, 3), (2, 2), (1, 1)), ((2, 2), (3, 3), (0, 0)), ((5, 5), (1, 1), (0, 0)),
                      ((2, 3), (1, 2), (1, 0)))),
]


# For the faster forms: several blocks, the last one not full; on a GPU, warps that share a row.
_CLASSES, _SOFT = np.arange(37) % 70, np.random.default_rng(0).dirichlet(np.ones(70), 37)
LARGE = [
    Case(GELU, ((3, 300, 100),)), Case(GELU, ((3, 300, 7),)), Case(GELUErf, ((3, 300, 7),)),
    Case(Linear, ((8, 40, 30), (30, 20), (20,))),
    Case(MatMul, ((2, 3, 4, 5), (2, 3, 5, 6))), Case(MatMul, ((0, 3, 4, 5), (0, 3, 5, 6))),
    *(Case(LayerNorm, ((*rows, columns), (columns,), (columns,)), {"eps": 1e-6})
      for rows, columns in (((5, 400), 70), ((5, 13), 64), ((3, 2, 3), 133), ((7,), 768), ((2,), 5120), ((), 1),
                            ((0,), 6))),
    *(Case(CrossEntropy, ((37, 70),), {"label_smoothing": 0.1}, constants=(labels,)) for labels in (_CLASSES, _SOFT)),
    Case(CrossEntropy, ((3, 1000),), {"label_smoothing": 0.0}, constants=(np.array([0, 999, 500]),))]
MANY_ROWS = Case(Linear, ((2100, 3), (3, 20), (20,)))       # more than one block sums on a GPU


def both_directions(form: Any, xp: Any, case: Case, arrays: list[Any], gy: Any) -> list[Any]:
    """The result of a form and its gradients."""
    y, saved = form.forward(xp, *arrays, **case.options)
    gradients = form.backward(xp, gy, *saved)
    return [y, *(g for g in (gradients if isinstance(gradients, tuple) else (gradients,)) if g is not None)]


def inputs_and_results(case: Case, layout: str, gy_layout: str, dtype: Any,
                       rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Inputs, a gradient to go back with, and what the reference makes of them in float64."""
    constants = [c.astype(dtype) if c.dtype.kind == "f" else c for c in case.constants]
    arrays = [*case.inputs(rng, layout, dtype), *constants]
    shape = case.op.forward(np, *arrays, **case.options)[0].shape
    gy = rng.standard_normal(shape).astype(dtype)
    if gy_layout == "transposed" and gy.ndim > 1:
        gy = np.ascontiguousarray(gy.swapaxes(-1, -2)).swapaxes(-1, -2)
    elif gy_layout == "broadcast" and gy.ndim > 1:
        gy = np.broadcast_to(gy[..., :1, :], shape)
    exact = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in (*arrays, gy)]
    return arrays, gy, both_directions(case.op, np, case, exact[:-1], exact[-1])


def assert_close(found: list[np.ndarray], exact: list[np.ndarray], dtype: Any, tolerance: float) -> None:
    """Shapes and dtypes are equal, numbers as far as the dtype allows."""
    for ours, reference in zip(found, exact, strict=True):
        assert ours.shape == reference.shape
        assert ours.dtype == dtype
        assert np.abs(ours - reference).max(initial=0) <= tolerance * max(1, np.abs(reference).max(initial=0))
