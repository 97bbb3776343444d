import math

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.parts import Linear
from minimixer.exercises.task import Exercise, Mistake, Task


def _inputs(leading: tuple[int, ...], n_in: int, n_out: int) -> Inputs:
    return Inputs(normal(n_in, (*leading, n_in), (n_in, n_out), (n_out,)),
                  sizes={"rows": math.prod(leading), "n_in": n_in, "n_out": n_out})


INPUTS = [_inputs((5,), 3, 4), _inputs((3, 7), 4, 2), _inputs((2, 2, 3), 6, 5), _inputs((4,), 3, 3)]


def no_bias(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ weight, (x, weight)


EXERCISE = Exercise(
    id="ex04", name="linear", title="The linear layer", lesson="04, linear",
    tasks=(
        Task("forward", "Linear.forward", 3, ("y", ("saved x", "saved weight")),
             lambda: forward_cases(Linear.forward, INPUTS),
             mistakes=(Mistake("bias-forgotten", "The bias is not added.",
                               "The product is right. Read the formula to the end.", no_bias),)),
        Task("backward", "Linear.backward", 7, ("gx", "gweight", "gbias"),
             lambda: backward_cases(Linear.forward, INPUTS), has_gradient=True),
    ),
    hints=(
        "Only one product of gy and weight has the shape of x: write the shapes next to each other.",
        "x can have more than two axes. All axes but the last are rows: reshape(-1, n_in) turns them into a matrix.",
        "The bias was added to every row, so it was repeated: remember exercise 01.",
    ))
