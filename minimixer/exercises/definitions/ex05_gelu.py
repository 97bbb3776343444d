import math
from typing import Any

import numpy as np

from minimixer.backend import Array, erf
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.parts import Gelu
from minimixer.exercises.task import Exercise, Function, Mistake, Task
from minimixer.ops.gelu import GELU as TanhGELU

INPUTS = [Inputs((3 * normal(1, (7,))[0],), sizes={"n": 7}), Inputs(normal(2, (3, 5)), sizes={"n": 15}),
          Inputs((2 * normal(3, (2, 3, 4))[0],), sizes={"n": 24})]


def _density(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _forward(phi: Function) -> Function:
    return lambda x: (x * phi(x), (x, phi(x)))


def _tanh_phi(x: Array) -> Array:
    return 0.5 * (1 + TanhGELU.forward(np, x)[1][1])


def _tanh_backward(gy: Array, x: Array, phi: Array) -> Any:
    return TanhGELU.backward(np, gy, *TanhGELU.forward(np, x)[1])


def _phi_of(scale: float) -> Function:
    return lambda x: 0.5 * (1 + erf(np, scale * x))


TANH = ("tanh-for-erf", "This is the tanh approximation.",
        "It is close, but the exercise asks for the exact form: Phi with the error function erf.")

EXERCISE = Exercise(
    id="ex05", name="gelu", title="GELU", lesson="05, GELU",
    tasks=(
        Task("forward", "Gelu.forward", 4, ("y", ("saved x", "saved phi")), lambda: forward_cases(Gelu.forward, INPUTS),
             mistakes=(
                 Mistake(*TANH, _forward(_tanh_phi)),
                 Mistake("sigmoid-for-erf", "This is the sigmoid approximation.",
                         "It is close, but the exercise asks for the exact form: Phi with the error function erf.",
                         _forward(lambda x: 1 / (1 + np.exp(-1.702 * x)))),
                 Mistake("sqrt-2-forgotten", "The argument of erf is not scaled.",
                         "Phi is not erf itself: look at the argument of erf in the formula.",
                         _forward(_phi_of(1.0))),
                 Mistake("erf-for-phi", "This uses erf instead of Phi.",
                         "erf goes from -1 to 1, a probability from 0 to 1: look at what the formula does with erf.",
                         _forward(lambda x: 2 * _phi_of(math.sqrt(0.5))(x) - 1)),
                 Mistake("relu-for-gelu", "This is max(x, 0).", "GELU is smooth: it multiplies x by Phi(x).",
                         _forward(lambda x: (x > 0).astype(float))),
             )),
        Task("backward", "Gelu.backward", 6, "gx", lambda: backward_cases(Gelu.forward, INPUTS), has_gradient=True,
             mistakes=(
                 Mistake(*TANH, _tanh_backward),
                 Mistake("first-term-only", "One of the two terms of the product rule is missing.",
                         "You have the term that differentiates x. Phi depends on x too.",
                         lambda gy, x, phi: gy * phi),
                 Mistake("second-term-only", "One of the two terms of the product rule is missing.",
                         "You have the term that differentiates Phi. The other factor, x, depends on x too.",
                         lambda gy, x, phi: gy * x * _density(x)),
                 Mistake("x-forgotten", "The second term lacks the factor x.",
                         "In the product rule, each term has two factors: one is differentiated, the other stays.",
                         lambda gy, x, phi: gy * (phi + _density(x))),
                 Mistake("density-not-normalized", "The density lacks its constant.",
                         "The derivative of Phi is exp(...) divided by a constant, so that the area under it is 1.",
                         lambda gy, x, phi: gy * (phi + x * _density(x) * math.sqrt(2 * math.pi))),
                 Mistake("erf-derivative", "The derivative of Phi has the constant of erf.",
                         "The derivative of erf starts with 2 / sqrt(pi). But erf gets a scaled argument, and Phi "
                         "halves the result: the chain rule changes the constant. The exercise gives the density.",
                         lambda gy, x, phi: gy * (phi + x * _density(x) * 2 * math.sqrt(2))),
             )),
    ),
    hints=(
        "Draw Phi(x): 0 far to the left, one half at 0, 1 far to the right. So x * Phi(x) is almost 0 on the left and "
        "almost x on the right.",
        "GELU is a product of two functions of x, so its derivative has two terms.",
        "Remember that gy multiplies the whole derivative.",
    ))
