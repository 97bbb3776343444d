from typing import Any

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.parts import Gelu, Linear, TokenMixing
from minimixer.exercises.task import Exercise, Function, Mistake, Task


def _inputs(b: int, s: int, c: int, d: int) -> Inputs:
    return Inputs(normal(b + s, (b, s, c), (s, d), (d,), (d, s), (s,)), sizes={"B": b, "S": s, "C": c, "D": d})


# With S = C, a forgotten swap has the right shape; with S = C = D, everything fits.
INPUTS = [_inputs(2, 3, 4, 5), _inputs(3, 4, 4, 2), _inputs(2, 3, 3, 3), _inputs(1, 2, 1, 3), _inputs(3, 3, 5, 4)]
SAVED = (("saved1 x", "saved1 weight"), ("saved2 x", "saved2 phi"), ("saved3 x", "saved3 weight"))


def _swap(x: Array) -> Array:
    return x.swapaxes(1, 2)


def _reshape(x: Array) -> Array:
    return x.reshape(x.shape[0], x.shape[2], x.shape[1])


def _keep(x: Array) -> Array:
    return x




def forward(enter: Function = _swap, leave: Function = _swap, gelu: str = "between", residual: bool = False,
            turned: str = "") -> Function:
    """Token mixing with one part changed."""
    def changed(x: Array, weight1: Array, bias1: Array, weight2: Array, bias2: Array) -> Any:
        if turned == "layers":
            weight1, bias1, weight2, bias2 = weight2, bias2, weight1, bias1
        if turned == "biases":
            bias1, bias2 = bias2, bias1
        if turned == "weights":
            weight1, weight2 = weight1.T, weight2.T
        given = enter(x)
        if gelu == "first":
            given, saved2 = Gelu.forward(given)
        hidden, saved1 = Linear.forward(given, weight1, bias1)
        if gelu in ("between", "twice"):
            hidden, saved2 = Gelu.forward(hidden)
        if gelu == "relu":
            _, saved2 = Gelu.forward(hidden)
            hidden = hidden * (hidden > 0)
        y, saved3 = Linear.forward(hidden, weight2, bias2)
        if gelu in ("last", "twice"):
            y, last = Gelu.forward(y)
            saved2 = last if gelu == "last" else saved2
        if gelu == "none":
            _, saved2 = Gelu.forward(hidden)
        return leave(y) + (x if residual else 0), (saved1, saved2, saved3)
    return changed


def backward(enter: Function = _swap, leave: Function = _swap, gelu: bool = True, order: str = "backward",
             residual: bool = False, swapped: bool = False) -> Function:
    """Its backward with one part changed."""
    def changed(gy: Array, saved1: Any, saved2: Any, saved3: Any) -> Any:
        first, second = (saved3, saved1) if order == "backward" else (saved1, saved3)
        g = enter(gy)
        if order == "gelu-first":
            g = Gelu.backward(g, *saved2)
            first, second = saved3, saved1
        g, gweight2, gbias2 = Linear.backward(g, *first)
        if gelu and order != "gelu-first":
            g = Gelu.backward(g, *saved2)
        g, gweight1, gbias1 = Linear.backward(g, *second)
        if order == "forward":
            gweight1, gbias1, gweight2, gbias2 = gweight2, gbias2, gweight1, gbias1
        gx = leave(g) + (gy if residual else 0)
        return (gx, gweight2, gbias2, gweight1, gbias1) if swapped else (gx, gweight1, gbias1, gweight2, gbias2)
    return changed


def phi_only(gy: Array, saved1: Any, saved2: Any, saved3: Any) -> Any:
    """Multiplies by phi in place of Gelu's backward."""
    g, gweight2, gbias2 = Linear.backward(_swap(gy), *saved3)
    g, gweight1, gbias1 = Linear.backward(g * saved2[1], *saved1)
    return _swap(g), gweight1, gbias1, gweight2, gbias2


def other_saved(which: int) -> Function:
    """Gives Gelu's backward what another part saved."""
    def changed(gy: Array, *saved: Any) -> Any:
        g, gweight2, gbias2 = Linear.backward(_swap(gy), *saved[2])
        g, gweight1, gbias1 = Linear.backward(Gelu.backward(g, *saved[which]), *saved[0])
        return _swap(g), gweight1, gbias1, gweight2, gbias2
    return changed


def fed_gelu_again(gy: Array, saved1: Any, saved2: Any, saved3: Any) -> Any:
    """Calls Gelu's forward on the way back."""
    g, gweight2, gbias2 = Linear.backward(_swap(gy), *saved3)
    g, gweight1, gbias1 = Linear.backward(Gelu.forward(g)[0], *saved1)
    return _swap(g), gweight1, gbias1, gweight2, gbias2


NOT_SWAPPED = "The patches are not on the last axis when Linear is called."
RESHAPE = ("reshape-for-swap", "The axes are reshaped, not swapped.",
           "reshape(B, C, S) has the right shape, but it keeps the order of the numbers: patches and channels get "
           "mixed up. To move an axis, use swapaxes or transpose.")
GELU = "The two Linear layers are right, but there is a nonlinear part between them."
TUPLE_FORWARD = Mistake(
    "tuple-not-unpacked", "A part gets a tuple where it needs an array.",
    "forward of each part returns two things: y and what it saved. Give them two names: only y goes on.")
TUPLE_BACKWARD = Mistake(
    "saved-not-unpacked", "A part gets its saved tuple as one argument.",
    "backward takes what was saved item by item: a star in the call unpacks a tuple. And the backward of Linear "
    "returns "
    "three things: only the first goes on.")

EXERCISE = Exercise(
    id="ex08", name="token_mixing", title="Token mixing", lesson="08, token mixing",
    uses=("ex04", "ex05"), parts=("Linear", "Gelu"),
    tasks=(
        Task("forward", "TokenMixing.forward", 4, ("y", SAVED), lambda: forward_cases(TokenMixing.forward, INPUTS),
             vary=forward, rows="one image with two patches and one channel", mistakes=(
                 Mistake(*RESHAPE, change={"enter": _reshape, "leave": _reshape}),
                 Mistake(*RESHAPE, change={"enter": _reshape}),
                 Mistake(*RESHAPE, change={"leave": _reshape}),
                 Mistake("axes-not-swapped", NOT_SWAPPED,
                         "Linear mixes the last axis. x has the axes (B, S, C), but the weights expect S patches.",
                         change={"enter": _keep, "leave": _keep}),
                 Mistake("axes-not-swapped", NOT_SWAPPED,
                         "Linear mixes the last axis. x has the axes (B, S, C), but the weights expect S patches.",
                         change={"enter": _keep}),
                 Mistake("transpose-back-forgotten", "The axes are not swapped back.",
                         "The result has the axes (B, C, S). It must have the shape of x, because a Mixer block adds "
                         "it to x.", change={"leave": _keep}),
                 Mistake("gelu-forgotten", "The Gelu is missing.", GELU, change={"gelu": "none"}),
                 Mistake("gelu-last", "The Gelu comes after the second Linear.",
                         "It belongs between the two: without it there, two Linear layers are one.",
                         change={"gelu": "last"}),
                 Mistake("gelu-first", "The Gelu comes before the first Linear.",
                         "It belongs between the two: without it there, two Linear layers are one.",
                         change={"gelu": "first"}),
                 Mistake("gelu-twice", "There is a second Gelu at the end.", "Only one, between the two Linear layers.",
                         change={"gelu": "twice"}),
                 Mistake("weights-swapped", "The parameters of the two Linear layers are swapped.",
                         "weight1 and bias1 belong to the first.", change={"turned": "layers"}),
                 Mistake("biases-swapped", "The biases of the two Linear layers are swapped.",
                         "weight1 and bias1 belong to the first.", change={"turned": "biases"}),
                 Mistake("weights-transposed", "The weights are transposed.",
                         "They have the shape (in, out) that Linear takes: what must be swapped are the axes of x.",
                         change={"turned": "weights"}),
                 Mistake("relu-for-gelu", "A ReLU takes the place of the Gelu.", GELU, change={"gelu": "relu"}),
                 Mistake("residual-added", "x is added to the result.",
                         "The residual connection belongs to the Mixer block, exercise 09, not to the MLP.",
                         change={"residual": True}),
             ),
             errors={"TupleGivenError": TUPLE_FORWARD,
                     "ValueError:matmul": Mistake(
                         "axes-not-swapped", NOT_SWAPPED,
                         "Linear mixes the last axis. x has the axes (B, S, C), but the weights expect S patches."),
                     "AxisError": Mistake("axes-not-swapped", NOT_SWAPPED, "x has three axes, 0 to 2: (B, S, C).")}),
        Task("backward", "TokenMixing.backward", 6, ("gx", "gweight1", "gbias1", "gweight2", "gbias2"),
             lambda: backward_cases(TokenMixing.forward, INPUTS), has_gradient=True, vary=backward,
             rows="one image with two patches and one channel", mistakes=(
                 Mistake(*RESHAPE, change={"enter": _reshape, "leave": _reshape}),
                 Mistake(*RESHAPE, change={"enter": _reshape}),
                 Mistake(*RESHAPE, change={"leave": _reshape}),
                 Mistake("axes-not-swapped", "The axes of gy are not in the order of the second Linear's result.",
                         "Forward swapped the axes after the second Linear. So the first step back is to undo this "
                         "swap.", change={"enter": _keep}),
                 Mistake("axes-not-swapped", "No axes are swapped.",
                         "Forward swapped them twice, so backward does, too.", change={"enter": _keep, "leave": _keep}),
                 Mistake("transpose-back-forgotten", "The axes of gx are not swapped back.",
                         "The last step back has the axes (B, C, S). gx must have the shape of x.",
                         change={"leave": _keep}),
                 Mistake("gelu-forgotten", "backward skips the Gelu.", GELU, change={"gelu": False}),
                 Mistake("order-of-forward", "The parts come in the order of forward.",
                         "backward goes back: the last part of forward comes first, with what it saved.",
                         change={"order": "forward"}),
                 Mistake("order-of-forward", "The two Linear layers use each other's saved arrays.",
                         "backward goes back: the last part of forward comes first, with what it saved.",
                         change={"order": "exchanged"}),
                 Mistake("gelu-too-early", "The Gelu comes before the second Linear.",
                         "backward goes back: the second Linear was the last part of forward, so it comes first.",
                         change={"order": "gelu-first"}),
                 Mistake("gelu-forward-in-backward", "The Gelu's forward is called on the way back.",
                         "On the way back, each part's backward turns the gradient of its result into that of its "
                         "input.",
                         fed_gelu_again),
                 Mistake("gelu-by-phi-only", "The step back through the Gelu is a product with phi.",
                         "phi is only one of two terms of its derivative. Gelu.backward has both.", phi_only),
                 *(Mistake("saved-exchanged", "A part gets what another part saved.",
                           "saved1, saved2 and saved3 belong to the first Linear, the Gelu and the second Linear.",
                           other_saved(which)) for which in (0, 2)),
                 Mistake("residual-added", "gy is added to gx.",
                         "The residual connection belongs to the Mixer block, exercise 09, not to the MLP.",
                         change={"residual": True}),
                 Mistake("gradients-swapped", "The gradients of the two Linear layers are swapped.",
                         "Return those of the first before those of the second.", change={"swapped": True}),
             ),
             errors={"TupleGivenError": TUPLE_BACKWARD,
                     "TypeError:missing": TUPLE_BACKWARD,
                     "ValueError:matmul": Mistake(
                         "axes-not-swapped", "The axes of gy are not in the order of the second Linear's result.",
                         "Forward swapped the axes after the second Linear. So the first step back is to undo this "
                         "swap.")}),
    ),
    hints=(
        "x.swapaxes(1, 2) has the shape (B, C, S). Write the shape next to every line.",
        "Backward: the same parts in reverse order, each with what it saved. Swapping two axes twice undoes it.",
        "The result of the last step back has the axes (B, C, S); the gradient of x must have the shape of x.",
    ))
