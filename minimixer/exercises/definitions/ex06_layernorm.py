import math
from typing import Any

import numpy as np

from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.definitions.layernorm_variants import backward, fixed, forward, mean, sums, variance, y_terms
from minimixer.exercises.parts import LayerNorm
from minimixer.exercises.task import Exercise, Mistake, Task

EPS = 0.1       # large, so that its place in the formula shows

CANCELS = Mistake(
    "cancellation", "It is wrong where the mean is much larger than the spread.",
    "The mean of the squares minus the square of the mean is the variance on paper. In floating point, two huge, "
    "almost "
    "equal numbers are subtracted, and the digits that matter are lost. Subtract the mean first, then square.")


def _inputs(leading: tuple[int, ...], channels: int, mean: float = 1, **more: Any) -> Inputs:
    x, weight, bias = normal(channels, (*leading, channels), (channels,), (channels,))
    return Inputs((2 * x + mean, 1 + 0.5 * weight, bias), (EPS,), {"rows": math.prod(leading), "C": channels}, **more)


INPUTS = [_inputs((4,), 5), _inputs((2, 3), 4), _inputs((2, 2, 3), 7), _inputs((), 6), _inputs((1,), 3),
          _inputs((3,), 3)]
LARGE = _inputs((3,), 4, 1e6, note="a mean of 1,000,000", reveals=CANCELS)


WEIGHT = Mistake("weight-forgotten", "gx does not use weight.",
                 "The first step back is through the scale: what is the gradient of the normalized x?",
                 change={"weight": "none"})
LAST = Mistake("weight-last", "In gx, weight is multiplied after the means, not before.",
               "The step back through the scale comes first. Then the means are taken of what that step gave; each "
               "channel has its own weight, so the order matters.", change={"weight": "last"})
NO_RSTD = Mistake("rstd-forgotten", "gx is not divided by the standard deviation.",
                  "forward divided x by it, so backward divides the gradient too. rstd is one of the saved arrays.",
                  change={"rstd": 0})
STD = Mistake("divides-by-rstd", "gx is divided by rstd.",
              "rstd is one divided by the standard deviation: it is multiplied.", change={"rstd": -1})
SQUARED = Mistake("rstd-squared", "gx is multiplied by rstd twice.", "forward divides x by the standard deviation "
                                                                     "once.",
                  change={"rstd": 2})
CUBED = Mistake("rstd-cubed", "All terms of gx have rstd three times.",
                "The third power belongs to the derivative with respect to the variance alone. There, two of its three "
                "factors make the normalized x.", change={"rstd": 3})
SUM = "All rows of the batch used the same weight and bias: their gradients are added, over all axes but the last."

EXERCISE = Exercise(
    id="ex06", name="layernorm", title="LayerNorm", lesson="06, LayerNorm",
    tasks=(
        Task("forward", "LayerNorm.forward", 4, ("y", ("saved normalized", "saved rstd", "saved weight")),
             lambda: forward_cases(LayerNorm.forward, [*INPUTS, LARGE]), vary=forward, terms=(("y", (), y_terms),),
             axes=lambda case: case.arguments[0].ndim,
             mistakes=(
                 Mistake("ddof-1", "The variance is divided by C - 1.",
                         "That is the unbiased estimate, with ddof=1. LayerNorm uses the plain mean of the squares, "
                         "divided by C.", change={"var": lambda x: x.var(-1, ddof=1, keepdims=True)}),
                 Mistake("mean-not-subtracted-in-variance", "The variance is the mean of the squares of x.",
                         "The squares are those of x minus its mean.", change={"var": lambda x: mean(x * x)}),
                 Mistake("absolute-deviation", "The spread is a mean of absolute values, not of squares.",
                         "The variance is the mean of the squares of x minus its mean.",
                         change={"var": lambda x: mean(abs(x - mean(x)))}),
                 Mistake("deviations-not-squared", "The deviations are averaged without a square.",
                         "Their plain mean is always 0. The variance is the mean of their squares.",
                         change={"var": lambda x: mean(x - mean(x))}),
                 Mistake("sum-of-squares", "The squares are added, not averaged.",
                         "The variance is their mean, divided by C.",
                         change={"var": lambda x: x.shape[-1] * variance(x)}),
                 Mistake("std-for-variance", "The root is taken twice: of the standard deviation.",
                         "np.std has taken the root already. eps is added to the variance, and then the root is taken.",
                         change={"var": lambda x: np.sqrt(variance(x))}),
                 Mistake("eps-outside-root", "eps is added outside the square root.",
                         "eps belongs to the variance, not to the standard deviation: look at what is under the root "
                         "in the formula.", change={"root": lambda v, eps: np.sqrt(v) + eps}),
                 Mistake("eps-forgotten", "The argument eps is not used.", "Without it, a row of equal numbers "
                                                                           "divides by zero.",
                         change={"root": lambda v, eps: np.sqrt(v)}),
                 Mistake("eps-squared", "eps is squared.", "It is added to the variance as it is.",
                         change={"root": lambda v, eps: np.sqrt(v + eps**2)}),
                 Mistake("eps-rooted", "The root of eps is added to the variance.", "It is added as it is.",
                         change={"root": lambda v, eps: np.sqrt(v + eps**0.5)}),
                 Mistake("eps-subtracted", "eps is subtracted.", "It is added, so that the root is never zero.",
                         change={"root": lambda v, eps: np.sqrt(v - eps)}),
                 Mistake("eps-as-minimum", "eps is a lower limit of the variance.", "It is added to every variance.",
                         change={"root": lambda v, eps: np.sqrt(np.maximum(v, eps))}),
                 *(Mistake("own-eps", "The argument eps is not used: yours is fixed.",
                           f"You use {eps:g}. The caller chooses eps.", change={"root": fixed(eps)})
                   for eps in (1e-5, 1e-6, 1e-8, 1e-12, 1e-3, 1e-4, 1e-7, 1e-10)),
                 Mistake("no-root", "x is divided by the variance, not by the standard deviation.",
                         "The standard deviation is the square root of the variance.",
                         change={"root": lambda v, eps: v + eps}),
                 Mistake("multiplied-by-std", "x is multiplied by the standard deviation.",
                         "It is divided by it, so that every row has the same spread.",
                         change={"root": lambda v, eps: 1 / np.sqrt(v + eps)}),
                 Mistake("wrong-axis", "The mean and the variance are taken over the first axis.",
                         "That normalizes over the batch. LayerNorm normalizes each row, along the last axis.",
                         change={"center": lambda x: x.mean(0, keepdims=True), "var": lambda x: x.var(0,
                                                                                                      keepdims=True)}),
                 Mistake("second-axis", "The mean and the variance are taken over the second axis.",
                         "x can have any number of axes, so count from the end: LayerNorm normalizes along the last.",
                         change={"center": lambda x: x.mean(1, keepdims=True), "var": lambda x: x.var(1,
                                                                                                      keepdims=True)}),
                 Mistake("all-axes", "One mean and one variance are used for the whole array.",
                         "Each row has its own: give mean an axis, and keep that axis.",
                         change={"center": lambda x: x.mean(), "var": lambda x: x.var(keepdims=True)}),
                 Mistake("all-axes-variance", "One variance is used for the whole array.",
                         "Each row has its own: give var an axis, and keep that axis.",
                         change={"var": lambda x: x.var(keepdims=True)}),
                 Mistake("all-axes-mean", "One mean is used for the whole array.",
                         "Each row has its own: give mean an axis, and keep that axis.",
                         change={"center": lambda x: x.mean()}),
                 Mistake("mean-not-subtracted", "The mean is not subtracted from x.",
                         "The result has the right spread, but its rows are not centered at zero before the shift.",
                         change={"center": lambda x: 0}),
                 Mistake("median-for-mean", "The median is subtracted, not the mean.", "A row is centered at its mean.",
                         change={"center": lambda x: np.median(x, -1, keepdims=True)}),
                 Mistake("mean-added", "The mean is added, not subtracted.", "Every row is centered at zero.",
                         change={"center": lambda x: -mean(x)}),
                 Mistake("bias-before-weight", "The bias is added before the scaling, so weight scales it too.",
                         "First scale, then shift.", change={"y": lambda n, w, b: (n + b) * w}),
                 Mistake("weight-and-bias-swapped", "weight and bias are swapped.", "weight scales, bias shifts.",
                         change={"y": lambda n, w, b: n * b + w}),
                 Mistake("bias-forgotten", "The bias is not added.", "First scale, then shift.",
                         change={"y": lambda n, w, b: n * w}),
                 Mistake("scale-forgotten", "The normalized x is not scaled by weight.", "First scale, then shift.",
                         change={"y": lambda n, w, b: n + b}),
                 Mistake("scale-and-shift-forgotten", "y is the normalized x: weight and bias are not used.",
                         "First scale, then shift.", change={"y": lambda n, w, b: n}),
                 Mistake("weight-plus-1", "The scale is 1 + weight.", "The scale is weight itself.",
                         change={"y": lambda n, w, b: n * (1 + w) + b}),
                 Mistake("saved-std", "The standard deviation is saved, not one divided by it.",
                         "rstd is its reciprocal: backward multiplies by it.",
                         change={"saved": lambda n, r, w, c, y: (n, 1 / r, w)}),
                 Mistake("saved-variance", "The variance is saved, not one divided by the standard deviation.",
                         "rstd is what x minus its mean is multiplied by.",
                         change={"saved": lambda n, r, w, c, y: (n, 1 / r**2, w)}),
                 Mistake("saved-centered", "x minus its mean is saved, not the normalized x.",
                         "The normalized x is also divided by the standard deviation.",
                         change={"saved": lambda n, r, w, c, y: (c, r, w)}),
                 Mistake("saved-y", "y is saved, not the normalized x.",
                         "The normalized x is what it is before scale and shift.",
                         change={"saved": lambda n, r, w, c, y: (y, r, w)}),
                 Mistake("saved-without-axis", "rstd is saved without its last axis.",
                         "Its shape is (..., 1), so that it fits beside x.",
                         change={"saved": lambda n, r, w, c, y: (n, r[..., 0], w)}),
             )),
        Task("backward", "LayerNorm.backward", 6, ("gx", "gweight", "gbias"),
             lambda: backward_cases(LayerNorm.forward, INPUTS), has_gradient=True, vary=backward,
             axes=lambda case: case.arguments[0].ndim,
             terms=(("gx", (), sums()), ("gx", (WEIGHT,), sums(weight="none")), ("gx", (LAST,), sums(weight="last")),
                    ("gx", (NO_RSTD,), sums(power=0)), ("gx", (STD,), sums(power=-1)), ("gx", (SQUARED,),
                                                                                          sums(power=2)),
                    ("gx", (CUBED,), sums(power=3)), ("gx", (WEIGHT, NO_RSTD), sums(weight="none", power=0))),
             mistakes=(
                 Mistake("first-term-only", "gx has only the first of its three terms.",
                         "You treat the mean and the standard deviation as constants. But both depend on x: change one "
                         "number of a row, and the whole row moves. Two terms are missing.",
                         change={"mean_factor": 0, "var": 0}),
                 Mistake("variance-term-forgotten", "gx lacks the term through the variance.",
                         "You have the direct term and the one through the mean. The standard deviation depends on x "
                         "too.", change={"var": 0}),
                 Mistake("mean-term-forgotten", "gx lacks the term through the mean.",
                         "You have the direct term and the one through the variance. Each x is also part of the mean.",
                         change={"mean_factor": 0}),
                 Mistake("mean-term-sign", "The term through the mean has the wrong sign in gx.",
                         "When one x grows, the mean grows too, and every centered x of its row shrinks. Does this "
                         "term add to the gradient or subtract from it?", change={"mean_factor": 1}),
                 Mistake("variance-term-sign", "The term through the variance has the wrong sign in gx.",
                         "When a large x grows, the standard deviation grows too, and every normalized x shrinks. Does "
                         "this term add to the gradient or subtract from it?", change={"var": 1}),
                 Mistake("variance-term-twice", "The term through the variance is twice as large as it must be.",
                         "The derivative of a square brings a 2, and the derivative of a root brings 1 / 2. Do you "
                         "have "
                         "both?", change={"var": -2}),
                 Mistake("variance-term-half", "The term through the variance is half as large as it must be.",
                         "The derivative of a square brings a 2, and the derivative of a root brings 1 / 2. Do you "
                         "have "
                         "both?", change={"var": -0.5}),
                 WEIGHT, LAST, NO_RSTD, STD, SQUARED, CUBED,
                 Mistake("sum-for-mean", "The two correction terms of gx are sums, but they must be means.",
                         "In a mean of C numbers, each has a share of 1 / C.", change={"mean_factor": "-C",
                                                                                       "var": "-C"}),
                 Mistake("sum-for-mean", "The term through the mean is a sum in gx, but it must be a mean.",
                         "In a mean of C numbers, each has a share of 1 / C.", change={"mean_factor": "-C"}),
                 Mistake("sum-for-mean", "The term through the variance is a sum in gx, but it must be a mean.",
                         "In a mean of C numbers, each has a share of 1 / C.", change={"var": "-C"}),
                 Mistake("rows-for-channels", "The means in gx are divided by the number of rows, not by C.",
                         "The sums run over the channels of one row, so their means are divided by C, the length of "
                         "the "
                         "last axis: gy.shape[-1].", change={"mean_factor": "-C/N", "var": "-C/N"}),
                 Mistake("unbiased-means", "The means in gx are divided by C - 1.",
                         "A mean of C numbers is divided by C.", change={"mean_factor": "-C/(C-1)", "var": "-C/(C-1)"}),
                 Mistake("means-over-rows", "The means in gx run over the first axis.",
                         "forward normalized every row by itself, so backward takes means along the last axis.",
                         change={"mean_of": lambda g, gy, n: g.mean(0, keepdims=True),
                                 "var_of": lambda g, gy, n: n * (g * n).mean(0, keepdims=True)}),
                 Mistake("means-over-all", "The means in gx run over the whole array.",
                         "forward normalized every row by itself, so backward takes means along the last axis.",
                         change={"mean_of": lambda g, gy, n: g.mean(), "var_of": lambda g, gy, n: n * (g * n).mean()}),
                 Mistake("mean-of-gy", "The term through the mean uses gy, not the gradient of the normalized x.",
                         "The step back through the scale comes first, and all three terms of gx start from what it "
                         "gives.",
                         change={"mean_of": lambda g, gy, n: mean(gy)}),
                 Mistake("variance-of-gy", "The term through the variance uses gy, not the gradient of the normalized "
                                           "x.",
                         "The step back through the scale comes first, and all three terms of gx start from what it "
                         "gives.",
                         change={"var_of": lambda g, gy, n: n * mean(gy * n)}),
                 Mistake("variance-term-without-x", "The term through the variance lacks the normalized x.",
                         "How much the variance changes depends on where in the row an x stands.",
                         change={"var_of": lambda g, gy, n: mean(g * n)}),
                 Mistake("variance-term-squared", "The term through the variance has the normalized x twice outside "
                                                  "the mean.",
                         "It is there once, and once inside the mean.",
                         change={"var_of": lambda g, gy, n: n * n * mean(g * n)}),
                 Mistake("variance-term-not-averaged", "The term through the variance is no mean over the row.",
                         "The variance gathers the whole row: what comes back through it is a mean over the row.",
                         change={"var_of": lambda g, gy, n: n * n * g}),
                 Mistake("gweight-times-weight", "gweight is multiplied by weight.",
                         "weight multiplied the normalized x; its own gradient does not contain it.",
                         change={"gweight": lambda gy, n, w: gy * n * w}),
                 Mistake("gbias-times-weight", "gbias is multiplied by weight.",
                         "bias is added after the scaling, so gy arrives as it is.",
                         change={"gbias": lambda gy, w: gy * w}),
                 Mistake("gweight-of-gy", "gweight lacks the normalized x.",
                         "weight multiplied the normalized x, so its gradient has this factor.",
                         change={"gweight": lambda gy, n, w: gy}),
                 Mistake("gradients-averaged", "gweight and gbias are means over the rows, but they must be sums.", SUM,
                         change={"total": lambda a: a.mean(tuple(range(a.ndim - 1)))}),
                 Mistake("summed-over-channels", "gweight and gbias are summed over the last axis.", SUM,
                         change={"total": lambda a: a.sum(-1)}),
                 Mistake("first-axis-only", "gweight and gbias are summed over the first axis only.", SUM,
                         change={"total": lambda a: a.sum(0)}),
                 Mistake("not-summed", "gweight and gbias are not summed.", SUM, change={"total": lambda a: a}),
             )),
    ),
    hints=(
        "Forward: three lines: mean, variance, scale. keepdims=True keeps the shape (..., 1), which broadcasts with x.",
        "Backward: give the gradient of the normalized x its own name, then think of one row with C numbers.",
        "Both corrections are means over the row. One is the mean of g. The other is the mean of a product, times the "
        "normalized x.",
        "The gradients of weight and bias: every row used them, so sum over all axes but the last.",
    ))
