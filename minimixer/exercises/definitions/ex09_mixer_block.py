from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises import parts
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.definitions import wires
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Names, Task

EPS = 1e-6


def nest(arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Group the arrays: x, and four tuples of parameters."""
    a = tuple(arrays)
    return a[0], a[1:3], a[3:7], a[7:9], a[9:13]


def _inputs(b: int, s: int, c: int, d_s: int, d_c: int) -> Inputs:
    arrays = list(normal(b + s, (b, s, c), (c,), (c,), (s, d_s), (d_s,), (d_s, s), (s,),
                         (c,), (c,), (c, d_c), (d_c,), (d_c, c), (c,)))
    arrays[1], arrays[7] = 1 + 0.3 * arrays[1], 1 + 0.3 * arrays[7]
    return Inputs(tuple(arrays), sizes={"B": b, "S": s, "C": c, "D_S": d_s, "D_C": d_c}, nest=nest)


INPUTS = [_inputs(2, 3, 4, 2, 3), _inputs(1, 2, 3, 3, 2)]


def digested(result: Any) -> Any:
    """The result of forward, with each part's saved tuple, which only that part understands, reduced to two numbers."""
    if isinstance(result, (tuple, list)) and len(result) == 2 and isinstance(result[1], (tuple, list)):
        return result[0], tuple(map(_digest, result[1]))
    return result


def _digest(saved: Any) -> Any:
    if not isinstance(saved, (tuple, list)):
        return saved
    flat = _flat(saved)
    return np.array([flat.size, flat @ np.cos(np.arange(flat.size))])


def _flat(saved: Any) -> Array:
    if isinstance(saved, (tuple, list)):
        return np.concatenate([np.zeros(0), *map(_flat, saved)])
    return np.ravel(saved) if np.asarray(saved).dtype.kind in "fiub" else np.zeros(0)


def _norm(x: Array, parameters: Any) -> Any:
    weight, bias = parameters
    return parts.LayerNorm.forward(x, weight, bias, EPS)


def reference(x: Array, token_norm: Any, token_mixing: Any, channel_norm: Any, channel_mixing: Any) -> Any:
    normalized, saved1 = _norm(x, token_norm)
    mixed, saved2 = parts.TokenMixing.forward(normalized, *token_mixing)
    u = x + mixed
    normalized, saved3 = _norm(u, channel_norm)
    mixed, saved4 = parts.ChannelMixing.forward(normalized, *channel_mixing)
    return u + mixed, (saved1, saved2, saved3, saved4)


def _wired(wire: Function) -> Function:
    """A forward with T (token mixing), C (channel mixing) and the two norms, wired differently."""
    def forward(x: Array, token_norm: Any, token_mixing: Any, channel_norm: Any, channel_mixing: Any) -> Any:
        y = wire(x, lambda a: parts.TokenMixing.forward(a, *token_mixing)[0],
                 lambda a: parts.ChannelMixing.forward(a, *channel_mixing)[0],
                 lambda a: _norm(a, token_norm)[0], lambda a: _norm(a, channel_norm)[0])
        return y, (None,) * 4
    return forward


def _with_eps(eps: float) -> Function:
    """A forward with another eps in both norms."""
    def forward(x: Array, token_norm: Any, token_mixing: Any, channel_norm: Any, channel_mixing: Any) -> Any:
        normalized, saved1 = parts.LayerNorm.forward(x, token_norm[0], token_norm[1], eps)
        mixed, saved2 = parts.TokenMixing.forward(normalized, *token_mixing)
        u = x + mixed
        normalized, saved3 = parts.LayerNorm.forward(u, channel_norm[0], channel_norm[1], eps)
        mixed, saved4 = parts.ChannelMixing.forward(normalized, *channel_mixing)
        return u + mixed, (saved1, saved2, saved3, saved4)
    return forward


def backward(first: bool = True, second: bool = True, inner: bool = True, order: str = "backward",
             twice: bool = False) -> Function:
    """A backward without some of the paths around the branches, or with the parts in another order."""
    def changed(gy: Array, saved1: Any, saved2: Any, saved3: Any, saved4: Any) -> Any:
        if order == "norms-exchanged":
            saved1, saved3 = saved3, saved1
        if order == "mixings-exchanged":
            saved2, saved4 = saved4, saved2
        if order == "mixing-first":
            g, *norm2 = parts.LayerNorm.backward(gy, *saved3)
            g, *mlp2 = parts.ChannelMixing.backward(g, *saved4)
        else:
            g, *mlp2 = parts.ChannelMixing.backward(gy, *saved4)
            g, *norm2 = parts.LayerNorm.backward(g, *saved3)
        gu = gy + g if second else g
        branch = gu if inner else g
        if order == "tokens-get-gy":
            branch = gy
        g, *mlp1 = parts.TokenMixing.backward(branch, *saved2)
        g, *norm1 = parts.LayerNorm.backward(g, *saved1)
        gx = gu + g if first else g
        return (gx + gy if twice else gx), tuple(norm1), tuple(mlp1), tuple(norm2), tuple(mlp2)
    return changed


def _y_terms(case: Case) -> dict[str, Array]:
    x, *given = case.arguments
    y, _ = reference(x, *given)
    u = x + parts.TokenMixing.forward(_norm(x, given[0])[0], *given[1])[0]
    return {"x": x, "token branch": u - x, "channel branch": y - u}


def _gx_terms(case: Case) -> dict[str, Array]:
    gy, saved1, saved2, saved3, saved4 = case.arguments
    through = parts.LayerNorm.backward(parts.ChannelMixing.backward(gy, *saved4)[0], *saved3)[0]
    gx = backward()(gy, saved1, saved2, saved3, saved4)[0]
    return {"gy": gy, "through the channel half": through, "through the token half": gx - gy - through}


RESIDUAL = "residual-forgotten"
UNPACK = Mistake(
    "saved-not-unpacked", "A part gets a tuple where it needs arrays.",
    "Each part's backward takes what it saved item by item: a star in the call unpacks a tuple. And backward returns "
    "several gradients: only the first goes on.")
MLP = ("weight1", "bias1", "weight2", "bias2")
OUTPUTS: Names = ("gx", *(tuple(f"g{group} {name}" for name in members) for group, members in (
    ("token_norm", ("weight", "bias")), ("token_mixing", MLP), ("channel_norm", ("weight", "bias")),
    ("channel_mixing", MLP))))

EXERCISE = Exercise(
    id="ex09", name="mixer_block", title="The Mixer block", lesson="09, channel mixing and the whole Mixer",
    uses=("ex06", "ex08"), parts=("LayerNorm", "TokenMixing", "ChannelMixing"),
    tasks=(
        Task("forward", "MixerBlock.forward", 4, ("y", tuple(f"saved saved{part}" for part in (1, 2, 3, 4))),
             lambda: [replace(case, expected=digested(case.expected)) for case in forward_cases(reference, INPUTS)],
             call=lambda function, case: digested(function(*case.arguments)),
             terms=(("y", (), _y_terms),), rows="one image with two patches and two channels",
             errors={"TupleGivenError": Mistake(
                 "tuple-not-unpacked", "A part gets a tuple where it needs an array.",
                 "forward of each part returns two things: y and what it saved. Only y goes on. Parameters go in item "
                 "by "
                 "item: a star in the call unpacks a tuple.")}, mistakes=(
            Mistake("post-norm", "The norms come after the additions.",
                    "This is post-norm, as in the first Transformers. A Mixer normalizes the input of each MLP.",
                    _wired(wires.post_norm)),
            Mistake("norm-after-mixing", "Each norm comes after its MLP.",
                    "The order in each branch is: normalize, then mix.", _wired(wires.norm_of_branch)),
            Mistake("norm-forgotten", "Nothing is normalized.", "Both branches start with a LayerNorm.",
                    _wired(wires.no_norm)),
            Mistake(RESIDUAL, "The residual connections are missing.",
                    "Each half adds its branch to its input.", _wired(wires.no_residual)),
            Mistake(RESIDUAL, "The second residual connection is missing.",
                    "The token half is right. The channel half must add its branch to its input, too.",
                    _wired(wires.first_only)),
            Mistake(RESIDUAL, "The first residual connection is missing.",
                    "The channel half is right. The token half must add its branch to x, "
                    "too.", _wired(wires.second_only)),
            Mistake("residual-from-x", "The second half adds its branch to x.",
                    "It must add it to u, the result of the first half.", _wired(wires.old_x)),
            Mistake("residual-of-normalized", "The branch is added to the normalized x.",
                    "The path around the branch has no norm: the norm is inside the branch.",
                    _wired(wires.residual_of_normalized)),
            Mistake("parallel", "Both halves get x.",
                    "The channel half must get the result of the token half.", _wired(wires.parallel)),
            Mistake("mixers-swapped", "The channels are mixed before the patches.",
                    "The order in the block is: patches first, channels second.", _wired(wires.other_order)),
            Mistake("norms-swapped", "The two LayerNorms are swapped.",
                    "token_norm belongs to the token half, channel_norm to the channel "
                    "half.", _wired(wires.norms_swapped)),
            Mistake("norm-forgotten", "The channel half is not normalized.",
                    "Both branches start with a LayerNorm.", _wired(wires.first_norm_only)),
            Mistake("norm-forgotten", "The token half is not normalized.",
                    "Both branches start with a LayerNorm.", _wired(wires.second_norm_only)),
            Mistake("half-forgotten", "The channel half is missing.", "The block has two halves of the same form.",
                    _wired(wires.tokens_only)),
            Mistake("channels-of-branch", "The channel half gets the branch, not the sum.",
                    "It must get u, the result of the first half: x plus its branch.", _wired(wires.channels_of_mixed)),
            Mistake("x-added-twice", "x is added twice.",
                    "The second half adds its branch to u, and u contains x already.", _wired(wires.mixed_twice)),
            Mistake("norm-at-the-end", "The result is normalized once more.",
                    "Only the inputs of the two MLPs are normalized.", _wired(wires.norm_at_the_end)),
            Mistake("residual-of-normalized", "The second half adds its branch to the normalized u.",
                    "The path around the branch has no norm: the norm is inside the "
                    "branch.", _wired(wires.norm_of_sum)),
            *(Mistake("own-eps", "LayerNorm gets another eps.", f"The exercise gives EPS; you use {eps:g}.",
                      _with_eps(eps)) for eps in (1e-5, 1e-12, 1e-8, 1e-3, 0.0, 1e-7, 1e-4)),
            Mistake("norm-shared", "Both halves use the first LayerNorm.",
                    "Each half has its own weight and bias.", _wired(wires.one_norm)),
        )),
        Task("backward", "MixerBlock.backward", 6, OUTPUTS, lambda: backward_cases(reference, INPUTS),
             has_gradient=True, vary=backward, rows="one image with two patches and two channels",
             terms=(("gx", (), _gx_terms),), mistakes=(
                 Mistake(RESIDUAL, "backward has no residual connections.",
                         "u takes two paths: through the branch and around it. Each path brings back a gradient, and "
                         "the two are added. The same holds for x.", change={"first": False, "second": False}),
                 Mistake(RESIDUAL, "The gradient around the token half is missing.",
                         "x takes two paths: through the branch and around it. Each path brings back a gradient.",
                         change={"first": False}),
                 Mistake(RESIDUAL, "The gradient around the channel half is missing.",
                         "u takes two paths: through the branch and around it. Each path brings back a gradient.",
                         change={"second": False}),
                 Mistake("branch-gets-half", "The token half gets only the gradient that came through the channel "
                                             "half.",
                         "u was used twice: in the branch and around it. The gradient of u is the sum of both, and all "
                         "of it goes back into the token half.", change={"inner": False}),
                 Mistake("branch-gets-half", "The token half gets only the gradient that came around the channel half.",
                         "u was used twice: in the branch and around it. The gradient of u is the sum of both, and all "
                         "of it goes back into the token half.", change={"order": "tokens-get-gy"}),
                 Mistake("gy-added-twice", "gy is added to gx once more.",
                         "It is part of the gradient of u already.", change={"twice": True}),
                 Mistake("order-in-branch", "In the branch, the norm comes before the MLP.",
                         "forward normalizes, then mixes. backward goes back: the MLP comes first.",
                         change={"order": "mixing-first"}),
                 Mistake("mixings-swapped", "The saved tuples of the two MLPs are swapped.",
                         "saved1 and saved2 belong to the token half, saved3 and saved4 to the channel half.",
                         change={"order": "mixings-exchanged"}),
                 Mistake("norms-swapped", "The saved tuples of the two LayerNorms are swapped.",
                         "saved1 and saved2 belong to the token half, saved3 and saved4 to the channel half.",
                         change={"order": "norms-exchanged"}),
             ), errors={
                 "TupleGivenError": UNPACK,
                 "TypeError:missing": UNPACK}),
    ),
    hints=(
        "Forward: name the five results: normalized, mixed, u, normalized, mixed. Keep what each part saved.",
        "Backward: the last part of forward comes first in backward, with its own saved tuple.",
        "An addition passes its gradient unchanged to both operands. Where an array was used twice, two gradients "
        "arrive and are added: this happens at u and at x.",
    ))
