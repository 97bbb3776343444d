import math

import numpy as np

from minimixer.backend import Array, erf
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.parts import Gelu
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.ops.gelu import GELU as TanhGELU

INPUTS = [Inputs((3 * normal(1, (7,))[0],), sizes={"n": 7}), Inputs(normal(2, (3, 5)), sizes={"n": 15}),
          Inputs((2 * normal(3, (2, 3, 4))[0],), sizes={"n": 24}), Inputs(normal(4, ()), sizes={"n": 1}),
          Inputs((np.array([[-40.0, 40.0, 0.0]]),), sizes={"n": 3}, note="numbers up to 40", reveals=Mistake(
              "far-from-zero", "It fails far from zero.",
              "Phi is almost 0 far to the left and almost 1 far to the right, where exp of the square of x is tiny or "
              "huge. Look for an overflow, or for a sum that is cut off."))]


def _density(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _phi_of(scale: float) -> Function:
    return lambda x: 0.5 * (1 + erf(np, scale * x))


PHI = _phi_of(math.sqrt(0.5))


def forward(phi: Function = PHI, y: Function = lambda x, phi: x * phi) -> Function:
    """Y and what is saved, with one part changed."""
    return lambda x: (y(x, phi(x)), (x, phi(x)))


def backward(first: Function = lambda x, phi: phi, second: Function = lambda x, phi: x * _density(x),
             sign: float = 1, gy_on: str = "both") -> Function:
    """The two terms of the derivative, with one part changed."""
    def gx(gy: Array, x: Array, phi: Array) -> Array:
        one, other = first(x, phi), sign * second(x, phi)
        return gy * one + other if gy_on == "first" else one + gy * other if gy_on == "second" else gy * (one + other)
    return gx


def _tanh_phi(x: Array) -> Array:
    return 0.5 * (1 + TanhGELU.forward(np, x)[1][1])


def _terms(case: Case) -> dict[str, Array]:
    gy, x, phi = case.arguments
    return {"gy * phi": gy * phi, "gy * x * density": gy * x * _density(x)}


EXACT = "It is close, but the exercise asks for the exact form: Phi with the error function erf."
DENSITY = "The density of the standard normal distribution is exp(-x^2 / 2), divided by a constant. "

EXERCISE = Exercise(
    id="ex05", name="gelu", title="GELU", lesson="05, GELU",
    tasks=(
        Task("forward", "Gelu.forward", 4, ("y", ("saved x", "saved phi")), lambda: forward_cases(Gelu.forward, INPUTS),
             vary=forward, rows="x = 1", axes=lambda case: case.arguments[0].ndim, mistakes=(
                 Mistake("tanh-for-erf", "This is the tanh approximation.", EXACT, change={"phi": _tanh_phi}),
                 Mistake("sigmoid-for-erf", "This is the sigmoid approximation.", EXACT,
                         change={"phi": lambda x: 1 / (1 + np.exp(-1.702 * x))}),
                 Mistake("silu-for-gelu", "This is SiLU: x times its sigmoid.", "GELU multiplies x by Phi(x), which "
                         "uses erf.", change={"phi": lambda x: 1 / (1 + np.exp(-x))}),
                 Mistake("sqrt-2-forgotten", "The argument of erf is not scaled.",
                         "Phi is not erf itself: look at the argument of erf in the formula.",
                         change={"phi": _phi_of(1.0)}),
                 Mistake("sqrt-2-multiplied", "The argument of erf is multiplied by the root of 2.",
                         "It must be divided by it: look at the argument of erf in the formula.",
                         change={"phi": _phi_of(math.sqrt(2))}),
                 Mistake("half-for-root", "The argument of erf is divided by 2, not by its root.",
                         "Look at the argument of erf in the formula.", change={"phi": _phi_of(0.5)}),
                 Mistake("erf-for-phi", "This uses erf instead of Phi.",
                         "erf goes from -1 to 1, a probability from 0 to 1: look at what the formula does with erf.",
                         change={"phi": lambda x: 2 * PHI(x) - 1}),
                 Mistake("half-forgotten", "Phi lacks the factor one half.",
                         "1 + erf goes from 0 to 2, a probability from 0 to 1.", change={"phi": lambda x: 2 * PHI(x)}),
                 Mistake("one-forgotten", "Phi is half of erf: the 1 is missing.",
                         "A probability goes from 0 to 1, and is one half at 0.",
                         change={"phi": lambda x: PHI(x) - 0.5}),
                 Mistake("half-on-erf-only", "The one half belongs to the whole bracket.",
                         "A probability goes from 0 to 1, and is one half at 0.",
                         change={"phi": lambda x: PHI(x) + 0.5}),
                 Mistake("other-tail", "This is 1 - Phi: the probability of the other side.",
                         "Phi grows with x: it is almost 0 far to the left.", change={"phi": lambda x: PHI(-x)}),
                 Mistake("density-for-phi", "This uses the density instead of Phi.",
                         "Phi is the area below the density up to x.", change={"phi": _density}),
                 Mistake("relu-for-gelu", "This is max(x, 0).", "GELU is smooth: it multiplies x by Phi(x).",
                         change={"phi": lambda x: (x > 0).astype(float)}),
                 Mistake("x-forgotten", "y is Phi(x).", "GELU multiplies x by Phi(x).",
                         change={"y": lambda x, phi: phi}),
                 Mistake("x-added", "x and Phi(x) are added.", "GELU multiplies x by Phi(x).",
                         change={"y": lambda x, phi: x + phi}),
                 Mistake("phi-of-product", "Phi is applied once more.", "y is x times Phi(x), and no more.",
                         change={"y": lambda x, phi: x * PHI(x * phi)}),
             )),
        Task("backward", "Gelu.backward", 6, "gx", lambda: backward_cases(Gelu.forward, INPUTS), has_gradient=True,
             vary=backward, rows="x = 1, gy = 1", axes=lambda case: case.arguments[0].ndim,
             terms=(("gx", (), _terms),), mistakes=(
                 Mistake("tanh-for-erf", "This is the tanh approximation.", EXACT,
                         lambda gy, x, phi: TanhGELU.backward(np, gy, *TanhGELU.forward(np, x)[1])),
                 Mistake("first-term-only", "One of the two terms of the product rule is missing.",
                         "You have the term that differentiates x. Phi depends on x too.",
                         change={"second": lambda x, phi: 0 * x}),
                 Mistake("second-term-only", "One of the two terms of the product rule is missing.",
                         "You have the term that differentiates Phi. The other factor, x, depends on x too.",
                         change={"first": lambda x, phi: 0 * x}),
                 Mistake("x-forgotten", "The second term lacks the factor x.",
                         "In the product rule, each term has two factors: one is differentiated, the other stays.",
                         change={"second": lambda x, phi: _density(x)}),
                 Mistake("x-in-first-term", "The first term has the factor x, too.",
                         "In the product rule, each term has two factors: where x is differentiated, Phi stays alone.",
                         change={"first": lambda x, phi: x * phi}),
                 Mistake("second-term-sign", "The second term has the wrong sign.",
                         "Phi grows with x, so its derivative is positive.", change={"sign": -1}),
                 Mistake("density-not-normalized", "The density lacks its constant.",
                         "The derivative of Phi is exp(...) divided by a constant, so that the area under it is 1.",
                         change={"second": lambda x, phi: x * _density(x) * math.sqrt(2 * math.pi)}),
                 Mistake("erf-derivative", "The derivative of Phi has the constant of erf.",
                         "The derivative of erf starts with 2 / sqrt(pi). But erf gets a scaled argument, and Phi "
                         "halves the result: the chain rule changes the constant. The exercise gives the density.",
                         change={"second": lambda x, phi: x * _density(x) * 2 * math.sqrt(2)}),
                 *(Mistake("density-constant", "The constant of the density is wrong.",
                           DENSITY + "It makes the area 1: look at the text of the exercise for the place of its root.",
                           change={"second": lambda x, phi, c=c: x * _density(x) * c})
                   for c in (math.sqrt(2), math.sqrt(0.5), 1 / math.sqrt(2 * math.pi), 2 * math.pi, math.sqrt(math.pi),
                             math.sqrt(2 * math.pi) / 2, math.sqrt(math.pi) / math.sqrt(2), 2.0, 0.5)),
                 Mistake("density-at-phi", "The density is taken at phi, not at x.",
                         "The derivative of Phi(x) is the density at x. What is saved as phi is a probability.",
                         change={"second": lambda x, phi: x * _density(phi)}),
                 Mistake("density-at-y", "The density is taken at y, not at x.",
                         "The derivative of Phi(x) is the density at x.",
                         change={"second": lambda x, phi: x * _density(x * phi)}),
                 Mistake("exponent-sign", "The exponent of the density has the wrong sign.",
                         DENSITY + "It falls on both sides of 0; yours grows.",
                         change={"second": lambda x, phi: x * np.exp(0.5 * x * x) / math.sqrt(2 * math.pi)}),
                 Mistake("exponent-half", "The exponent of the density lacks its one half.",
                         DENSITY + "Look at the exponent.",
                         change={"second": lambda x, phi: x * np.exp(-x * x) / math.sqrt(2 * math.pi)}),
                 *(Mistake("exponent-half", "The exponent of the density is halved wrongly.",
                           DENSITY + "Only the square is divided by 2: x / 2 squared is a quarter.",
                           change={"second": lambda x, phi, c=c: x * np.exp(-c * x * x) / math.sqrt(2 * math.pi)})
                   for c in (0.25, 2.0)),
                 Mistake("exponent-not-squared", "x is not squared in the density.", DENSITY + "Look at the exponent.",
                         change={"second": lambda x, phi: x * np.exp(-0.5 * x) / math.sqrt(2 * math.pi)}),
                 Mistake("logistic-derivative", "The derivative of Phi is that of a sigmoid.",
                         "phi (1 - phi) differentiates the logistic function. Phi is the normal distribution: its "
                         "derivative is its density.", change={"second": lambda x, phi: x * phi * (1 - phi)}),
                 Mistake("phi-differentiated-as-1-minus-phi", "The second term uses 1 - Phi.",
                         "The derivative of Phi is its density, not the rest to 1.",
                         change={"second": lambda x, phi: x * (1 - phi)}),
                 Mistake("one-minus-phi", "The first term uses 1 - Phi.",
                         "The derivative of x is 1, so Phi stays alone.", change={"first": lambda x, phi: 1 - phi}),
                 Mistake("relu-derivative", "This is the derivative of max(x, 0).", "GELU is smooth: a product of x "
                                                                                    "and "
                         "Phi(x). Differentiate it by the product rule.", lambda gy, x, phi: gy * (x > 0)),
                 Mistake("gy-on-one-term", "gy multiplies only one of the two terms.",
                         "It multiplies the whole derivative: think of brackets.", change={"gy_on": "first"}),
                 Mistake("gy-on-one-term", "gy multiplies only one of the two terms.",
                         "It multiplies the whole derivative: think of brackets.", change={"gy_on": "second"}),
                 Mistake("product-of-derivatives", "The two terms are multiplied, but they must be added.",
                         "The product rule is a sum of two terms.", lambda gy, x, phi: gy * phi * x * _density(x)),
             )),
    ),
    hints=(
        "Draw Phi(x): 0 far to the left, one half at 0, 1 far to the right. So x * Phi(x) is almost 0 on the left and "
        "almost x on the right.",
        "GELU is a product of two functions of x, so its derivative has two terms.",
        "Remember that gy multiplies the whole derivative.",
    ))
