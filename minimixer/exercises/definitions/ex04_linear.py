import math

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.parts import Linear
from minimixer.exercises.task import Exercise, Function, Mistake, Task


def _inputs(leading: tuple[int, ...], n_in: int, n_out: int, seed: int = 0) -> Inputs:
    return Inputs(normal(n_in + seed, (*leading, n_in), (n_in, n_out), (n_out,)),
                  sizes={"rows": math.prod(leading), "n_in": n_in, "n_out": n_out})


INPUTS = [_inputs((5,), 3, 4), _inputs((3, 7), 4, 2), _inputs((2, 2, 3), 6, 5), _inputs((4,), 3, 3, 1),
          _inputs((), 3, 2, 2), _inputs((1,), 2, 4), _inputs((4,), 1, 3), _inputs((2, 3), 5, 1)]


def forward(product: Function = lambda x, w: x @ w, bias: float = 1) -> Function:
    """Y with one part changed."""
    return lambda x, weight, b: (product(x, weight) + bias * b, (x, weight))


def _flat(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1])


def backward(gx: Function = lambda gy, x, w: gy @ w.T,
             gweight: Function = lambda gy, x: _flat(x).T @ _flat(gy),
             gbias: Function = lambda gy: _flat(gy).sum(0)) -> Function:
    """The three gradients, some of them changed."""
    return lambda gy, x, weight: (gx(gy, x, weight), gweight(gy, x), gbias(gy))


SUMMED = ("The bias was added to every row, so every row sends it a gradient, and they are added: over all axes but "
          "the "
          "last.")

EXERCISE = Exercise(
    id="ex04", name="linear", title="The linear layer", lesson="04, linear",
    tasks=(
        Task("forward", "Linear.forward", 3, ("y", ("saved x", "saved weight")),
             lambda: forward_cases(Linear.forward, INPUTS), vary=forward,
             axes=lambda case: case.arguments[0].ndim, rows="one row of two numbers and one output",
             terms=(("y", (), lambda case: {"x @ weight": case.arguments[0] @ case.arguments[1],
                                            "bias": np.zeros((*case.arguments[0].shape[:-1], 1)) + case.arguments[2]}),
                    ),
             mistakes=(
                 Mistake("bias-forgotten", "The bias is not added.",
                         "The product is right. Read the formula to the end.", change={"bias": 0}),
                 Mistake("bias-twice", "The bias is added twice.",
                         "The product is right. In which two lines is the bias used?", change={"bias": 2}),
                 Mistake("bias-subtracted", "The bias is subtracted.", "The product is right. Look at the sign.",
                         change={"bias": -1}),
                 Mistake("weight-transposed", "x is multiplied by the transposed weight.",
                         "weight has the shape (n_in, n_out), so the last axis of x meets its first axis already. "
                         "PyTorch stores it the other way around.", change={"product": lambda x, w: x @ w.T}),
                 Mistake("elementwise-product", "`*` multiplies entry by entry.",
                         "The product of matrices is `@`.", change={"product": lambda x, w: x * w}),
             )),
        Task("backward", "Linear.backward", 7, ("gx", "gweight", "gbias"),
             lambda: backward_cases(Linear.forward, INPUTS), has_gradient=True, vary=backward,
             axes=lambda case: case.arguments[0].ndim, rows="one row of two numbers and one output",
             mistakes=(
                 Mistake("weight-not-transposed", "gx is the product of gy and weight, without a transpose.",
                         "It fits only where weight is square, and is wrong even then. The last axis of gy has n_out "
                         "numbers: which axis of weight has n_out?", change={"gx": lambda gy, x, w: gy @ w}),
                 Mistake("gx-ignores-weight", "gx is gy.", "The product is missing: x was multiplied by weight, so the "
                         "gradient is too.", change={"gx": lambda gy, x, w: gy}),
                 Mistake("gweight-transposed", "gweight is transposed.",
                         "The gradient of weight has the shape of weight: (n_in, n_out). Which of the two factors "
                         "comes first?", change={"gweight": lambda gy, x: _flat(gy).T @ _flat(x)}),
                 Mistake("gweight-averaged", "gweight is the mean over the rows, but it must be the sum.",
                         "Every row used the same weight, so the gradients of the rows are added. A mean belongs into "
                         "the loss, not here.", change={"gweight": lambda gy,
                                                        x: _flat(x).T @ _flat(gy) / len(_flat(x))}),
                 Mistake("gbias-averaged", "gbias is the mean over the rows, but it must be the sum.", SUMMED,
                         change={"gbias": lambda gy: _flat(gy).mean(0)}),
                 Mistake("gbias-over-outputs", "gbias is summed over the outputs, not over the rows.", SUMMED,
                         change={"gbias": lambda gy: gy.sum(-1)}),
                 Mistake("gbias-all", "gbias is one number: the sum of everything.", SUMMED,
                         change={"gbias": lambda gy: gy.sum()}),
                 Mistake("gbias-not-summed", "gbias is not summed over the rows.", SUMMED,
                         change={"gbias": lambda gy: gy}),
                 Mistake("gbias-first-axis", "gbias is summed over the first axis only.", SUMMED,
                         change={"gbias": lambda gy: gy.sum(0)}),
                 Mistake("gbias-keeps-axes", "gbias keeps the axes that it is summed over.",
                         "It must have the shape of bias: (n_out,).",
                         change={"gbias": lambda gy: gy.sum(tuple(range(gy.ndim - 1)), keepdims=True)}),
                 *(Mistake("two-axes-only", "gweight is right only for inputs with two axes.",
                           "A plain transpose and product do not add up the rows of all leading axes. All axes but the "
                           "last are rows: make a matrix of them first.", imitate)
                   for imitate in (backward(gweight=lambda gy, x: x.T @ gy),
                                   backward(gweight=lambda gy, x: x.T @ gy, gbias=lambda gy: gy.sum(0)),
                                   backward(gweight=lambda gy, x: x.swapaxes(-1, -2) @ gy),
                                   backward(gweight=lambda gy, x: x.swapaxes(-1, -2) @ gy,
                                            gbias=lambda gy: gy.sum(0)))),
             ),
             errors={"ValueError:matmul": Mistake(
                 "product-order", "Two arrays do not fit into a product.",
                 "In a @ b, the last axis of a meets the first of b. Write the shapes below each other: gy has n_out "
                 "numbers in a row, x has n_in, and weight is (n_in, n_out). Which one must be transposed, and do the "
                 "leading axes have to become rows first?")}),
    ),
    hints=(
        "Only one product of gy and weight has the shape of x: write the shapes next to each other.",
        "x can have more than two axes. All axes but the last are rows: reshape(-1, n_in) turns them into a matrix.",
        "The bias was added to every row, so it was repeated: remember exercise 01.",
    ))


