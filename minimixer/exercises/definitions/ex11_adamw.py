from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import normal
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.optim import adamw_update

OPTIONS = {"lr": 0.1, "beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weight_decay": 0.2}     # large, so that each shows


def reference(p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float, eps: float,
              weight_decay: float) -> Any:
    p, m, v = p.copy(), m.copy(), v.copy()
    adamw_update(np, p, g, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, step=step)
    return p, m, v


def cases() -> list[Case]:
    found = []
    for seed, (shape, step) in enumerate([((3,), 1), ((2, 3), 2), ((4,), 7), ((3, 2), 100), ((), 3), ((2, 1, 2), 1)]):
        p, g, m, v = normal(seed, shape, shape, shape, shape)
        m, v = (0 * m, 0 * v) if step == 1 else (0.5 * m, v * v)
        p, g, m, v = map(np.asarray, (p, g, m, v))
        if shape == (3,):
            g[0] = 0.0          # eps keeps the division safe
        arguments: Any = (p, g, m, v, step, *OPTIONS.values())
        found.append(Case(f"arrays of shape {shape}, step = {step}", arguments, reference(*arguments),
                          {"step": step, "axes": len(shape)}))
    return found


def rule(mean: Function = lambda old, new, beta: beta * old + (1 - beta) * new,
         mean_v: Function | None = None, square: Function = lambda g: g * g, beta_m: int = 1, beta_v: int = 2,
         into_v: Function | None = None, into_m: Function = lambda g, lr: g, numerator: Function | None = None,
         correct: Function = lambda mean, beta, step: mean / (1 - beta**step), correct_m: bool = True,
         correct_v: bool = True, divide: Function = lambda m, v, eps, beta2, step: m / (np.sqrt(v) + eps),
         decay: Function = lambda p, new, lr, wd: new - lr * wd * p, coupled: bool = False, in_numerator: bool = False,
         swapped: bool = False, returns: str = "pmv", sign: int = 1, fixed: tuple[float, ...] | None = None,
         lr_power: int = 1, updates_last: bool = False, decays_vectors: bool = True, decays: str = "p") -> Function:
    """AdamW with one part changed."""
    def changed(p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float, eps: float,
                weight_decay: float) -> Any:
        if fixed is not None:
            beta1, beta2, eps = fixed
        if not decays_vectors and p.ndim < 2:
            weight_decay = 0.0
        if coupled:
            g = g + weight_decay * p
        if swapped:
            beta1, beta2 = beta2, beta1
        old = m, v
        betas = {1: beta1, 2: beta2}
        m = mean(m, into_m(g, lr), betas[beta_m])
        v = (mean_v or mean)(v, square(g) if into_v is None else into_v(g, m), betas[beta_v])
        used = old if updates_last else (m, v)
        with np.errstate(all="ignore"):
            m_hat = correct(used[0], beta1, step) if correct_m else used[0]
            v_hat = correct(used[1], beta2, step) if correct_v else used[1]
            m_hat = m_hat if numerator is None else numerator(g, m_hat, beta1, step)
            move = divide(m_hat, v_hat, eps, beta2, step)
            if in_numerator:
                move = divide(m_hat + weight_decay * p, v_hat, eps, beta2, step)
            new = p - sign * lr**lr_power * move
        new = new if coupled or in_numerator else decay({"p": p, "m": m, "g": g}[decays], new, lr, weight_decay)
        return {"pmv": (new, m, v), "hats": (new, m_hat, v_hat), "step": (move, m, v)}[returns]
    return changed


def _mistakes() -> list[tuple[str, str, str, dict[str, Any]]]:
    return [
        ("coupled-decay", "The decay is coupled: it is part of the gradient.",
         "That is Adam with L2 regularization: the decay enters m and v and is divided by the root. In AdamW, the "
         "decay acts on p alone.", {"coupled": True}),
        ("decay-in-numerator", "The decay is divided by the root.",
         "It stands in the same fraction as m. In AdamW, the decay is a term of its own, with lr but without the root.",
         {"in_numerator": True}),
        ("bias-correction-forgotten", "The bias correction is missing.",
         "m and v start at zero, so they are too small in the first steps. Read the text above the formula.",
         {"correct": lambda mean, beta, step: mean}),
        ("m-not-corrected", "The bias correction of m is missing.", "Both means start at zero, so both are corrected.",
         {"correct_m": False}),
        ("v-not-corrected", "The bias correction of v is missing.", "Both means start at zero, so both are corrected.",
         {"correct_v": False}),
        ("step-from-0", "The bias correction counts the steps from 0.",
         "step is 1 in the first step. You use step - 1.",
         {"correct": lambda mean, beta, step: mean / (1 - beta ** (step - 1)) if step > 1 else mean / 0}),
        ("step-from-2", "The bias correction is one step ahead.",
         "step is 1 in the first step. You use step + 1.",
         {"correct": lambda mean, beta, step: mean / (1 - beta ** (step + 1))}),
        ("power-forgotten", "The bias correction is the same in every step.",
         "beta is raised to the power of step: the correction fades away.",
         {"correct": lambda mean, beta, step: mean / (1 - beta)}),
        ("times-step", "In the bias correction, beta is multiplied by step.",
         "It is raised to the power of step: `**`, not `*`.",
         {"correct": lambda mean, beta, step: mean / (1 - beta * step)}),
        ("times-step", "In the bias correction, beta is multiplied by step.",
         "It is raised to the power of step: `**`, not `*`.",
         {"correct": lambda mean, beta, step: mean / (1 - beta * step),
          "divide": lambda m, v, eps, beta2, step: m / (np.sqrt(np.abs(v)) + eps)}),
        ("correction-multiplied", "The bias correction multiplies; it must divide.",
         "The means are too small at first, so the correction makes them larger.",
         {"correct": lambda mean, beta, step: mean * (1 - beta**step)}),
        ("returns-corrected", "The corrected means are returned.",
         "The correction is for this step only. The next step needs m and v without it.", {"returns": "hats"}),
        ("returns-update", "The change of p is returned, not the new p.", "Subtract it from p.", {"returns": "step"}),
        *(("constants-fixed", "beta1, beta2 or eps are fixed in the code.",
           "The textbook values are only a default. The caller gives them as arguments.", {"fixed": values})
          for values in ((0.9, 0.999, 1e-8), (0.8, 0.95, 1e-8), (0.9, 0.999, 0.01), (0.9, 0.95, 1e-8), (0.8, 0.999,
                                                                                                        0.01),
                         (0.9, 0.95, 0.01), (0.8, 0.95, 1e-6), (0.9, 0.999, 1e-6), (0.9, 0.999, 1e-7))),
        ("eps-inside-root", "eps is inside the square root.", "In Adam, eps is added to the root of v, not to v.",
         {"divide": lambda m, v, eps, beta2, step: m / np.sqrt(v + eps)}),
        ("eps-of-uncorrected", "eps is added to the root of the uncorrected v.",
         "That is the short form of the paper (and of TensorFlow), with another eps: the root of the correction then "
         "scales it, too. Correct v first, then take its root, then add eps.",
         {"divide": lambda m, v, eps, beta2, step: m / (np.sqrt(v) + eps / np.sqrt(1 - beta2**step))}),
        ("eps-forgotten", "eps is not used.", "It keeps the division safe where v is zero.",
         {"divide": lambda m, v, eps, beta2, step: m / np.sqrt(v)}),
        ("eps-outside-fraction", "eps is added to the whole fraction.", "It belongs to the denominator.",
         {"divide": lambda m, v, eps, beta2, step: m / np.sqrt(v) + eps}),
        ("eps-outside-step", "eps is added to the new p.", "It belongs to the denominator: think of brackets.",
         {"divide": lambda m, v, eps, beta2, step: m / np.sqrt(v), "decay": lambda p, new, lr,
          wd: new - lr * wd * p + 0.01}),
        ("no-root", "The update is divided by v, not by its square root.",
         "v is a mean of squares. Only its root has the scale of a gradient.",
         {"divide": lambda m, v, eps, beta2, step: m / (v + eps)}),
        ("not-divided", "The update is not divided by the root of v.",
         "Adam scales every number by the typical size of its gradients. Without this, it is momentum.",
         {"divide": lambda m, v, eps, beta2, step: m}),
        ("multiplied-by-root", "The update is multiplied by the root of v.", "It is divided by it.",
         {"divide": lambda m, v, eps, beta2, step: m * (np.sqrt(v) + eps)}),
        ("decay-without-lr", "The decay is not multiplied by lr.",
         "The learning rate scales both parts of the step.", {"decay": lambda p, new, lr, wd: new - wd * p}),
        ("decay-forgotten", "There is no weight decay.",
         "The step has two parts. Look at the last term of the formula.", {"decay": lambda p, new, lr, wd: new}),
        ("decay-of-new-p", "The decay uses the parameter after the update.",
         "Both parts of the step use the same p, from before the step.",
         {"decay": lambda p, new, lr, wd: new - lr * wd * new}),
        ("decay-sign", "The decay makes p larger.", "Decay pulls the parameters toward zero: look at the sign.",
         {"decay": lambda p, new, lr, wd: new + lr * wd * p}),
        ("decay-squares-lr", "The decay is multiplied by lr twice.", "Once is enough.",
         {"decay": lambda p, new, lr, wd: new - lr * lr * wd * p}),
        ("decay-as-sign", "The decay does not depend on the size of p.",
         "It is proportional to p: large parameters shrink more.",
         {"decay": lambda p, new, lr, wd: new - lr * wd * np.sign(p)}),
        ("no-decay-of-vectors", "Arrays with one axis are not decayed.",
         "Libraries leave out biases so, but the caller decides: the formula holds for arrays of every shape.",
         {"decays_vectors": False}),
        ("square-forgotten", "v is a mean of the gradients, not of their squares.",
         "v measures the size of the gradients, regardless of their sign.", {"square": lambda g: g}),
        ("absolute-for-square", "v is a mean of absolute values, not of squares.",
         "v is a mean of squares: its root has the scale of a gradient.", {"square": np.abs}),
        ("square-of-sum", "All entries share one v.", "Each number has its own v: square entry by entry.",
         {"square": lambda g: (g * g).sum()}),
        ("betas-swapped", "beta1 and beta2 are swapped.", "beta1 belongs to m, beta2 to v.", {"swapped": True}),
        ("shares-swapped", "The shares of the old mean and the new value are swapped.",
         "A beta near 1 means a slow mean: it keeps almost all of the old value.",
         {"mean": lambda old, new, beta: (1 - beta) * old + beta * new}),
        ("not-a-mean", "The new value is added in full.",
         "In a running mean, the two shares add up to 1: the more you keep of the old value, the less you take of the "
         "new one.", {"mean": lambda old, new, beta: beta * old + new}),
        ("old-in-full", "The old mean is kept in full.",
         "In a running mean, the two shares add up to 1.", {"mean": lambda old, new, beta: old + (1 - beta) * new}),
        ("old-forgotten", "The old mean is not used.", "m and v run on from step to step.",
         {"mean": lambda old, new, beta: (1 - beta) * new}),
        ("old-means", "The step uses m and v from before this step.",
         "First update both means with the new gradient, then compute the step.", {"updates_last": True}),
        ("beta2-for-m", "m uses beta2.", "beta1 belongs to m, beta2 to v.", {"beta_m": 2}),
        ("beta1-for-v", "v uses beta1.", "beta1 belongs to m, beta2 to v.", {"beta_v": 1}),
        ("v-of-m", "v is a mean of the squares of m, not of g.", "Both means get the gradient of this step.",
         {"into_v": lambda g, m: m * m}),
        ("v-of-product", "v is a mean of m times g, not of the squares of g.",
         "Both means get the gradient of this step.", {"into_v": lambda g, m: m * g}),
        ("largest-v", "v only grows: this is AMSGrad.", "v is a running mean: it can fall.",
         {"mean_v": lambda old, new, beta: np.maximum(old, beta * old + (1 - beta) * new)}),
        ("lr-in-m", "The gradient is multiplied by lr before it enters m.", "lr scales the step, not the means.",
         {"into_m": lambda g, lr: lr * g}),
        ("decay-of-m", "The decay uses m, not p.", "Decay pulls the parameters toward zero.", {"decays": "m"}),
        ("decay-of-g", "The decay uses g, not p.", "Decay pulls the parameters toward zero.", {"decays": "g"}),
        ("g-for-m", "The step uses the gradient, not its running mean.", "The numerator is the corrected m.",
         {"numerator": lambda g, m, beta1, step: g}),
        ("sign-of-m", "The step uses only the sign of m.", "Each number is divided by the root of its v.",
         {"divide": lambda m, v, eps, beta2, step: np.sign(m)}),
        ("nesterov", "The step looks ahead: this is NAdam.", "The numerator is the corrected m, and no more.",
         {"numerator": lambda g, m, beta1, step: beta1 * m + (1 - beta1) * g}),
        ("times-step-number", "The step grows with its number.", "lr alone scales it; step enters the correction only.",
         {"numerator": lambda g, m, beta1, step: step * m}),
        ("eps-twice", "eps is added inside the root and outside.", "Once is enough: to the root of v.",
         {"divide": lambda m, v, eps, beta2, step: m / (np.sqrt(v + eps) + eps)}),
        ("decays-twice", "The decay is applied twice.", "Once is enough: the last term of the formula.",
         {"decay": lambda p, new, lr, wd: new - 2 * lr * wd * p}),
        ("decays-twice", "The decay is applied twice.", "Once is enough: the last term of the formula.",
         {"decay": lambda p, new, lr, wd: new - lr * wd * p - lr * wd * (p - lr * wd * p)}),
        ("plain-gradient", "This is a plain step along the gradient.", "The step divides the corrected m by a root.",
         {"divide": lambda m, v, eps, beta2, step: m, "numerator": lambda g, m, beta1, step: g}),
        ("uphill", "The step goes up the gradient.", "The loss grows along the gradient: go the other way.",
         {"sign": -1}),
        ("lr-forgotten", "The update is not multiplied by lr.", "The learning rate scales both parts of the step.",
         {"lr_power": 0}),
    ]


EXERCISE = Exercise(
    id="ex11", name="adamw", title="A step of AdamW", lesson="11, the optimizer",
    tasks=(Task("adamw_step", "adamw_step", 10, ("p", "m", "v"), cases, tolerance=1e-9,
                vary=rule,
                rows="one number in the first step, with m = v = 0",
                mistakes=tuple(Mistake(name, title, text, change=change) for name, title, text,
                               change in _mistakes())),),
    hints=(
        "Five lines are enough: m, v, the corrected m, the corrected v, p.",
        "A running mean: a large share of the old value plus a small share of the new one; the shares add up to 1.",
        "Give the corrected means their own names. Return m and v without the correction.",
    ))
