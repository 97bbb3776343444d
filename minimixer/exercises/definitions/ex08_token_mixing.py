from typing import Any

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.parts import Gelu, Linear
from minimixer.exercises.task import Exercise, Mistake, Task


def _inputs(b: int, s: int, c: int, d: int) -> Inputs:
    return Inputs(normal(b + s, (b, s, c), (s, d), (d,), (d, s), (s,)), sizes={"B": b, "S": s, "C": c, "D": d})


INPUTS = [_inputs(2, 3, 4, 5), _inputs(3, 4, 4, 2)]         # with S = C, a forgotten swap has the right shape
SAVED = (("saved1 x", "saved1 weight"), ("saved2 x", "saved2 phi"), ("saved3 x", "saved3 weight"))


def reference(x: Array, weight1: Array, bias1: Array, weight2: Array, bias2: Array) -> Any:
    y, saved = _mix(x.swapaxes(1, 2), weight1, bias1, weight2, bias2)
    return y.swapaxes(1, 2), saved


def _mix(x: Array, weight1: Array, bias1: Array, weight2: Array, bias2: Array,
         gelu: bool = True) -> Any:
    hidden, saved1 = Linear.forward(x, weight1, bias1)
    active, saved2 = Gelu.forward(hidden)
    y, saved3 = Linear.forward(active if gelu else hidden, weight2, bias2)
    return y, (saved1, saved2, saved3)


def no_gelu(x: Array, *parameters: Array) -> Any:
    weight1, bias1, weight2, bias2 = parameters
    y, saved = _mix(x.swapaxes(1, 2), weight1, bias1, weight2, bias2, gelu=False)
    return y.swapaxes(1, 2), saved


def no_way_back(x: Array, *parameters: Array) -> Any:
    return _mix(x.swapaxes(1, 2), *parameters)


def reshaped(x: Array, *parameters: Array) -> Any:
    b, s, c = x.shape
    y, saved = _mix(x.reshape(b, c, s), *parameters)
    return y.reshape(b, s, c), saved


def residual(x: Array, *parameters: Array) -> Any:
    y, saved = reference(x, *parameters)
    return x + y, saved


def backward_without_gelu(gy: Array, saved1: Any, saved2: Any, saved3: Any) -> Any:
    g, gweight2, gbias2 = Linear.backward(gy.swapaxes(1, 2), *saved3)
    gx, gweight1, gbias1 = Linear.backward(g, *saved1)
    return gx.swapaxes(1, 2), gweight1, gbias1, gweight2, gbias2


def backward_reshaped(gy: Array, saved1: Any, saved2: Any, saved3: Any) -> Any:
    b, s, c = gy.shape
    g, gweight2, gbias2 = Linear.backward(gy.reshape(b, c, s), *saved3)
    gx, gweight1, gbias1 = Linear.backward(Gelu.backward(g, *saved2), *saved1)
    return gx.reshape(b, s, c), gweight1, gbias1, gweight2, gbias2


NOT_SWAPPED = "The patches are not on the last axis when Linear is called."
RESHAPE = ("reshape-for-swap", "The axes are reshaped, not swapped.",
           "reshape(B, C, S) has the right shape, but it keeps the order of the numbers: patches and channels get "
           "mixed up. To move an axis, use swapaxes or transpose.")
GELU = "The two Linear layers are right, but there is a nonlinear part between them."

EXERCISE = Exercise(
    id="ex08", name="token_mixing", title="Token mixing", lesson="08, token mixing",
    uses=("ex04", "ex05"),
    tasks=(
        Task("forward", "TokenMixing.forward", 4, ("y", SAVED), lambda: forward_cases(reference, INPUTS),
             mistakes=(
                 Mistake(*RESHAPE, reshaped),
                 Mistake("transpose-back-forgotten", "The axes are not swapped back.",
                         "The result has the axes (B, C, S). It must have the shape of x, because a Mixer block adds "
                         "it to x.", no_way_back),
                 Mistake("gelu-forgotten", "The Gelu is missing.", GELU, no_gelu),
                 Mistake("residual-added", "x is added to the result.",
                         "The residual connection belongs to the Mixer block, exercise 09, not to the MLP.", residual),
             ),
             errors={"ValueError": Mistake(
                 "axes-not-swapped", NOT_SWAPPED,
                 "Linear mixes the last axis. x has the axes (B, S, C), but the weights expect S patches.")}),
        Task("backward", "TokenMixing.backward", 6, ("gx", "gweight1", "gbias1", "gweight2", "gbias2"),
             lambda: backward_cases(reference, INPUTS), has_gradient=True,
             mistakes=(
                 Mistake(*RESHAPE, backward_reshaped),
                 Mistake("gelu-forgotten", "backward skips the Gelu.", GELU, backward_without_gelu),
             ),
             errors={"ValueError": Mistake(
                 "axes-not-swapped", "The axes of gy are not in the order of the second Linear's result.",
                 "Forward swapped the axes after the second Linear. So the first step back is to undo this swap.")}),
    ),
    hints=(
        "x.swapaxes(1, 2) has the shape (B, C, S). Write the shape next to every line.",
        "Backward: the same parts in reverse order, each with what it saved. Swapping two axes twice undoes it.",
        "The result of the last step back has the axes (B, C, S); the gradient of x must have the shape of x.",
    ))
