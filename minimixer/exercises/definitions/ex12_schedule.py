import math
from typing import Any

import numpy as np

from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.exercises.wire import kind_of
from minimixer.optim import Schedule

# peak, total_steps, warmup_steps, final
RUNS = [(1.0, 20, 5, 0.0), (0.3, 12, 0, 0.03), (2.0, 30, 10, 0.5), (0.01, 7, 3, 0.001), (0.5, 9, 1, 0.1),
        (0.2, 15, 5, 0.02)]


class NotANumber(TypeError):
    """A rate is not a number."""


def cases() -> list[Case]:
    found = []
    for peak, total, warmup, final in RUNS:
        schedule = Schedule("cosine", peak, total, warmup, final)
        rates = np.array([schedule(step) for step in range(total + 5)])
        label = f"peak = {peak:g}, total_steps = {total}, warmup_steps = {warmup}, final = {final:g}"
        found.append(Case(label, (peak, total, warmup, final), rates, {"warmup_steps": warmup, "final": final},  # type: ignore
                          reveals=NO_WARMUP if warmup == 0 else None))
    return found


def call(function: Function, case: Case) -> Any:
    """The rate of every step of a run, and of five steps after its end."""
    total = case.arguments[1]
    rates = [function(step, *case.arguments) for step in range(len(case.expected))]
    if all(rate is None for rate in rates):
        return None
    if any(rate is None for rate in rates):
        first = next(step for step, rate in enumerate(rates) if rate is None)
        raise NotANumber("None after the last step" if first >= total else f"None in step {first}")
    for step, rate in enumerate(rates):
        if np.asarray(rate).dtype.kind not in "fiu" or np.shape(rate) != ():
            raise NotANumber(f"{kind_of(rate)} in step {step}")
    return np.array([np.asarray(rate)[()] for rate in rates])


def schedule(warm: Function = lambda s, p, w, f, t: p * (s + 1) / w,
             progress: Function = lambda s, t, w: (s - w) / (t - 1 - w),
             fall: Function = lambda p, f, x: f + (p - f) * (1 + math.cos(math.pi * x)) / 2, ends: int = 0,
             after: Function = lambda s, t, x: min(1.0, x)) -> Function:
    """A schedule with one part changed; ``ends`` makes the warm-up that many steps longer."""
    def rate(step: int, peak: float, total: int, warmup: int, final: float) -> float:
        if step < warmup + ends and warmup:
            return float(warm(step, peak, warmup, final, total))
        try:
            share = progress(step, total, warmup)
        except ZeroDivisionError:
            share = 0.0
        return float(fall(peak, final, after(step, total, share)))
    return rate


def _cosine(scale: float, offset: float = 1) -> Function:
    return lambda p, f, x: f + (p - f) * scale * (offset + math.cos(math.pi * x))


NO_WARMUP = Mistake(
    "division-by-zero", "It fails where there is no warm-up.",
    "A warm-up of 0 steps is allowed: then no step belongs to the warm-up. What must you test before you divide?")
LATE = ("warm-up-off-by-one", "The warm-up is one step late: it starts with a rate of 0.",
        "Step 0 must already move: the first rate is peak / warmup_steps, and the warm-up's last step has peak.")
END = ("end-off-by-one", "The last step does not reach final.",
       "Steps are counted from 0, so the last one is total_steps - 1. There the cosine must end: n points have n - 1 "
       "gaps.")
AFTER = ("rises-again", "After the last step the rate rises again.",
         "A cosine is periodic. Stop the progress at 1.")


def _mistakes() -> list[tuple[str, str, str, dict[str, Any]]]:
    return [
        (*LATE, {"warm": lambda s, p, w, f, t: p * s / w}),
        *(("schedule-of-transformers", "This is the schedule of Hugging Face's Transformers.",
           "It differs in three places: its warm-up starts with a rate of 0, its cosine reaches its end one step too "
           "late, "
           "and it falls to 0, not to final. Work out the rates of step 0, of the last step, and of the one after it.",
           {"warm": lambda s, p, w, f, t: p * s / max(1, w), "progress": lambda s, t, w: (s - w) / max(1, t - w),
            "fall": lambda p, f, x: p * (1 + math.cos(math.pi * x)) / 2, "after": after})
          for after in (lambda s, t, x: x, lambda s, t, x: min(1.0, x))),
        *(("schedule-of-nanogpt", "This is the schedule of nanoGPT.",
           "It differs in two places: its warm-up does not reach peak, because it divides by one too many, and its "
           "cosine "
           "reaches final one step too late. Work out the rates of the last step of the warm-up and of the last of "
           "all.",
           {"warm": lambda s, p, w, f, t: p * (s + 1) / (w + 1), "progress": lambda s, t, w: (s - w) / (t - w),
            "after": after})
          for after in (lambda s, t, x: 1.0 if s > t else x, lambda s, t, x: min(1.0, x))),
        ("warm-up-ends-low", "The warm-up does not reach peak in its last step.",
         "It has warmup_steps steps, and the last of them has peak. You divide by one too many.",
         {"warm": lambda s, p, w, f, t: p * (s + 1) / (w + 1)}),
        ("warm-up-ends-low", "The warm-up starts at 0 and does not reach peak in its last step.",
         "The first rate is peak / warmup_steps, and the last has peak.", {"warm": lambda s, p, w, f,
                                                                           t: p * s / (w + 1)}),
        ("warm-up-from-0", "The warm-up starts with a rate of 0.",
         "Step 0 must already move: the first rate is peak / warmup_steps. A rate of 0 would waste the first step.",
         {"warm": lambda s, p, w, f, t: p * s / max(1, w - 1)}),
        ("warm-up-from-final", "The warm-up starts at final, not at 0.",
         "Its line goes through peak / warmup_steps in step 0; final has no part in it.",
         {"warm": lambda s, p, w, f, t: f + (p - f) * (s + 1) / w}),
        ("warm-up-from-final", "The warm-up starts at final, not at 0.",
         "Its line goes through peak / warmup_steps in step 0; final has no part in it.",
         {"warm": lambda s, p, w, f, t: f + (p - f) * s / w}),
        ("warm-up-too-long", "The warm-up lasts one step too long.",
         "Steps are counted from 0, so the last step of the warm-up is warmup_steps - 1. The rate must not go above "
         "peak.", {"ends": 1}),
        ("no-warm-up", "There is no warm-up.", "The first warmup_steps steps climb from almost 0 to peak.",
         {"warm": lambda s, p, w, f, t: p}),
        ("warm-up-integer", "The warm-up uses whole numbers: `//` throws the fraction away.", "Divide with `/`.",
         {"warm": lambda s, p, w, f, t: p * ((s + 1) // w)}),
        ("warm-up-curved", "The warm-up is not a straight line.", "It climbs by the same amount in every step.",
         {"warm": lambda s, p, w, f, t: p * ((s + 1) / w) ** 2}),
        ("warm-up-curved", "The warm-up is not a straight line.", "It climbs by the same amount in every step.",
         {"warm": lambda s, p, w, f, t: p * (1 - math.cos(math.pi * (s + 1) / w)) / 2}),
        ("cosine-over-all", "The cosine starts at step 0, not after the warm-up.",
         "The curve must start at peak, in the step after the warm-up. How many steps of the cosine are done, and how "
         "many are there?", {"progress": lambda s, t, w: s / (t - 1)}),
        ("cosine-over-all", "The cosine starts at step 0, not after the warm-up, and does not end in the last step.",
         "The curve must start at peak, in the step after the warm-up, and end in step total_steps - 1.",
         {"progress": lambda s, t, w: s / t}),
        ("cosine-over-total", "The cosine takes as long as the whole run.",
         "It starts at the right step, but it has only the steps after the warm-up: it must reach final at the last "
         "one.", {"progress": lambda s, t, w: (s - w) / (t - 1)}),
        ("cosine-over-total", "The cosine takes as long as the whole run.",
         "It starts at the right step, but it has only the steps after the warm-up: it must reach final at the last "
         "one.", {"progress": lambda s, t, w: (s - w) / t}),
        (*END, {"progress": lambda s, t, w: (s - w) / (t - w)}),
        ("begins-one-early", "The cosine is one step ahead.",
         "The step after the warm-up must have exactly peak: its progress is 0.",
         {"progress": lambda s, t, w: (s + 1 - w) / (t - w)}),
        ("begins-one-early", "The cosine is one step ahead.",
         "The step after the warm-up must have exactly peak: its progress is 0.",
         {"progress": lambda s, t, w: (s + 1 - w) / (t - 1 - w)}),
        ("progress-integer", "The progress is 0 or 1: `//` throws the fraction away.", "Divide with `/`.",
         {"progress": lambda s, t, w: (s - w) // (t - 1 - w)}),
        ("progress-integer", "The progress is 0 or 1: `//` throws the fraction away.", "Divide with `/`.",
         {"progress": lambda s, t, w: (s - w) // (t - w)}),
        (*AFTER, {"after": lambda s, t, x: x}),
        ("zero-after-end", "After the last step the rate is 0.", "It stays at final.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(math.pi * x)) / 2 if x <= 1 else 0.0,
          "after": lambda s, t, x: x if s < t else 2.0}),
        ("peak-after-end", "After the last step the rate is peak again.", "It stays at final.",
         {"after": lambda s, t, x: x if s < t else 0.0}),
        ("final-ignored", "The rate falls to 0, not to final.", "The curve goes from peak to final.",
         {"fall": lambda p, f, x: p * (1 + math.cos(math.pi * x)) / 2}),
        ("final-as-minimum", "final only cuts the curve off.",
         "The curve itself goes from peak to final: scale it, and it needs no lower limit.",
         {"fall": lambda p, f, x: max(f, p * (1 + math.cos(math.pi * x)) / 2)}),
        ("final-added", "final is added on top of the whole curve.",
         "At the start the rate must be peak, not more: only the difference between peak and final is scaled.",
         {"fall": lambda p, f, x: f + p * (1 + math.cos(math.pi * x)) / 2}),
        ("final-as-share", "final is taken for a share of peak.", "It is the rate of the last step itself.",
         {"fall": lambda p, f, x: p * (f + (1 - f) * (1 + math.cos(math.pi * x)) / 2)}),
        ("line-for-cosine", "The rate falls along a straight line.", "It must follow half a cosine wave.",
         {"fall": lambda p, f, x: f + (p - f) * (1 - x)}),
        ("exponential", "The rate falls by the same factor in every step.", "It must follow half a cosine wave.",
         {"fall": lambda p, f, x: p * (f / p) ** x}),
        ("quarter-wave", "The rate follows a quarter of a cosine wave.",
         "Half a cosine wave goes from 1 to -1; shift and scale it so that it goes from 1 to 0.",
         {"fall": lambda p, f, x: f + (p - f) * math.cos(math.pi * x / 2)}),
        ("whole-wave", "The rate follows a whole cosine wave: it falls and rises again.",
         "Half a wave goes from 1 to -1: the angle ends at pi, not at 2 pi.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(2 * math.pi * x)) / 2}),
        ("half-forgotten", "The cosine is not scaled to go from 1 to 0.",
         "cos goes from 1 to -1, so 1 + cos goes from 2 to 0.", {"fall": _cosine(1)}),
        ("one-forgotten", "The cosine is not shifted: it goes below final.",
         "cos goes from 1 to -1; shift and scale it so that it goes from 1 to 0.", {"fall": _cosine(1, 0)}),
        ("one-forgotten", "The cosine is halved, but not shifted.",
         "cos goes from 1 to -1; shift and scale it so that it goes from 1 to 0.", {"fall": _cosine(0.5, 0)}),
        ("cosine-rises", "The cosine goes up, from final to peak.", "1 - cos goes from 0 to 2: look at the sign.",
         {"fall": lambda p, f, x: f + (p - f) * (1 - math.cos(math.pi * x)) / 2}),
        ("constant", "The rate does not fall after the warm-up.", "It must follow half a cosine wave.",
         {"fall": lambda p, f, x: p}),
        ("two-values", "The rate drops in one step.", "It must follow half a cosine wave.",
         {"fall": lambda p, f, x: p if x < 0.5 else f}),
        ("two-values", "The rate drops to final right after the warm-up.", "It must follow half a cosine wave. Which "
                                                                           "of "
         "min and max keeps the progress at most 1?", {"after": lambda s, t, x: max(1.0, x)}),
        ("root-for-cosine", "The rate falls along a square root.", "It must follow half a cosine wave.",
         {"fall": lambda p, f, x: f + (p - f) * (1 - math.sqrt(x))}),
        *(("power-for-cosine", "The rate falls along a power of the progress.", "It must follow half a cosine wave.",
           {"fall": lambda p, f, x, n=n: f + (p - f) * (1 - x) ** n}) for n in (2, 3)),
        ("brackets", "Only the cosine is halved or scaled, not the whole bracket.",
         "* and / come before +: put 1 + cos into brackets, then scale it.",
         {"fall": lambda p, f, x: f + (p - f) * 1 + math.cos(math.pi * x) / 2}),
        ("brackets", "Only the cosine is halved or scaled, not the whole bracket.",
         "* and / come before +: put 1 + cos into brackets, then scale it.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(math.pi * x) / 2)}),
        ("brackets", "Only final is scaled by the cosine, not the difference.",
         "* comes before -: put peak - final into brackets.",
         {"fall": lambda p, f, x: f + p - f * (1 + math.cos(math.pi * x)) / 2}),
        ("brackets", "final is halved, too.", "The one half belongs to 1 + cos only.",
         {"fall": lambda p, f, x: 0.5 * (f + (p - f) * (1 + math.cos(math.pi * x)))}),
        ("sum-for-difference", "The sum of peak and final is scaled, not their difference.",
         "The curve falls from peak to final: how far is that?",
         {"fall": lambda p, f, x: f + (p + f) * (1 + math.cos(math.pi * x)) / 2}),
        ("absolute-cosine", "The rate follows the absolute value of a cosine: it falls and rises again.",
         "Shift the cosine up instead: 1 + cos goes from 2 to 0.",
         {"fall": lambda p, f, x: f + (p - f) * abs(math.cos(math.pi * x))}),
        ("half-angle", "The angle ends at half of pi.", "Half a cosine wave ends at pi.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(math.pi * x / 2)) / 2}),
        ("warm-up-over-all", "The warm-up is divided by total_steps.", "It has warmup_steps steps.",
         {"warm": lambda s, p, w, f, t: p * (s + 1) / t}),
        ("warm-up-to-final", "The warm-up climbs to final, not to peak.", "Its last step has peak.",
         {"warm": lambda s, p, w, f, t: f * (s + 1) / w}),
        ("warm-up-integer", "The warm-up uses whole numbers: `//` throws the fraction away.", "Divide with `/`.",
         {"warm": lambda s, p, w, f, t: p * (s + 1) // w}),
        ("sine-for-cosine", "A sine takes the place of the cosine.",
         "A sine starts at 0 in the middle of its range; the curve must start at its top.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.sin(math.pi * x)) / 2}),
        ("sine-for-cosine", "A sine takes the place of the cosine.", "The curve must start flat, at its top.",
         {"fall": lambda p, f, x: f + (p - f) * (1 - math.sin(math.pi * x / 2))}),
        ("degrees", "The cosine gets degrees.", "math.cos and np.cos take radians: half a wave is pi.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(180 * x)) / 2}),
        ("pi-forgotten", "The angle lacks pi.", "Half a cosine wave ends at the angle pi, not at 1.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(x)) / 2}),
        ("pi-rounded", "pi is rounded.", "math.pi has all its digits; with 3.14 the last step misses final.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(3.14 * x)) / 2}),
        ("pi-rounded", "pi is rounded.", "math.pi has all its digits.",
         {"fall": lambda p, f, x: f + (p - f) * (1 + math.cos(3.14159 * x)) / 2}),
        ("falls-to-difference", "final is subtracted, but not added again.",
         "The curve ends at final, so final is its lowest point.",
         {"fall": lambda p, f, x: (p - f) * (1 + math.cos(math.pi * x)) / 2}),
    ]


EXERCISE = Exercise(
    id="ex12", name="schedule", title="Warm-up and cosine", lesson="11, the optimizer",
    tasks=(Task("learning_rate", "learning_rate", 10, "rate of every step", cases, tolerance=1e-9, call=call,
                vary=schedule,
                rows="a run of five steps, two of them the warm-up",
                mistakes=tuple(Mistake(name, title, text, change=change) for name, title, text, change in _mistakes()),
                errors={
                    "NotANumber:None after": Mistake(
                        "no-rate-after-end", "After the last step nothing is returned.",
                        "The rate stays at final. Without a return statement, Python returns None: what happens where "
                        "none of your tests holds?"),
                    "NotANumber:None": Mistake(
                        "no-rate-in-a-step", "In some steps nothing is returned.",
                        "Without a return statement, Python returns None: what happens where none of your tests "
                        "holds?"),
                    "NotANumber:str": Mistake(
                        "text-for-number", "The rate is a text, not a number.",
                        "Format a number where it is printed; what computes with it needs the number itself."),
                    "NotANumber": Mistake(
                        "not-a-number", "The rate is not a number.", "Return one number per call."),
                    "ZeroDivisionError": NO_WARMUP}),),
    hints=(
        "Before you code, write down the rates of a run with total_steps = 5 and warmup_steps = 2, one by one.",
        "There are three parts: the warm-up, the cosine, and the steps after the end.",
        "Let progress go from 0, in the step after the warm-up, to 1, in the last step. Then one cosine formula is "
        "enough.",
    ))
