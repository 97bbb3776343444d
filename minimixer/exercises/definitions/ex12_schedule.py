import math
from typing import Any

import numpy as np

from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.optim import Schedule

# peak, total_steps, warmup_steps, final
RUNS = [(1.0, 20, 5, 0.0), (0.3, 12, 0, 0.03), (2.0, 30, 10, 0.5), (0.01, 7, 3, 0.001)]


def cases() -> list[Case]:
    found = []
    for peak, total, warmup, final in RUNS:
        schedule = Schedule("cosine", peak, total, warmup, final)
        rates = np.array([schedule(step) for step in range(total + 5)])
        label = f"peak = {peak:g}, total_steps = {total}, warmup_steps = {warmup}, final = {final:g}"
        found.append(Case(label, (peak, total, warmup, final), rates))
    return found


def call(function: Function, case: Case) -> Any:
    """The rate of every step of a run, and of five steps after its end."""
    rates = [function(step, *case.arguments) for step in range(len(case.expected))]
    return None if any(rate is None for rate in rates) else np.array(rates)


def _schedule(warm: Function | None = None, progress: Function | None = None, fall: Function | None = None,
              ends: int = 0, clipped: bool = True) -> Function:
    """A schedule with one part changed; ``ends`` makes the warm-up that many steps longer."""
    def rate(step: int, peak: float, total: int, warmup: int, final: float) -> float:
        if step < warmup + ends and warmup:
            return (warm or (lambda s, p, w: p * (s + 1) / w))(step, peak, warmup)
        share = (progress or (lambda s, t, w: (s - w) / (t - 1 - w)))(step, total, warmup)
        share = min(1.0, share) if clipped else share
        return (fall or (lambda p, f, x: f + (p - f) * (1 + math.cos(math.pi * x)) / 2))(peak, final, share)
    return rate


def _mistakes() -> list[tuple[str, str, str, Function]]:
    return [
        ("warm-up-off-by-one", "The warm-up is one step late: it starts with a rate of 0.",
         "Step 0 must already move: the first rate is peak / warmup_steps, and the warm-up's last step has peak.",
         _schedule(warm=lambda s, p, w: p * s / w)),
        ("warm-up-too-long", "The warm-up lasts one step too long.",
         "Steps are counted from 0, so the last step of the warm-up is warmup_steps - 1. The rate must not go above "
         "peak.",
         _schedule(ends=1)),
        ("no-warm-up", "There is no warm-up.", "The first warmup_steps steps climb from almost 0 to peak.",
         _schedule(warm=lambda s, p, w: p)),
        ("cosine-over-all", "The cosine starts at step 0, not after the warm-up.",
         "The curve must start at peak, in the step after the warm-up. How many steps of the cosine are done, and how "
         "many are there?",
         _schedule(progress=lambda s, t, w: s / (t - 1))),
        ("cosine-over-total", "The cosine takes as long as the whole run.",
         "It starts at the right step, but it has only the steps after the warm-up: it must reach final at the last "
         "one.",
         _schedule(progress=lambda s, t, w: (s - w) / (t - 1))),
        ("end-off-by-one", "The last step does not reach final.",
         "Steps are counted from 0, so the last one is total_steps - 1. There the cosine must end: n points have n - 1 "
         "gaps.", _schedule(progress=lambda s, t, w: (s - w) / (t - w))),
        ("begins-one-early", "The cosine is one step ahead.",
         "The step after the warm-up must have exactly peak: its progress is 0.",
         _schedule(progress=lambda s, t, w: (s + 1 - w) / (t - w))),
        ("rises-again", "After the last step the rate rises again.",
         "A cosine is periodic. Stop the progress at 1.", _schedule(clipped=False)),
        ("final-ignored", "The rate falls to 0, not to final.", "The curve goes from peak to final.",
         _schedule(fall=lambda p, f, x: p * (1 + math.cos(math.pi * x)) / 2)),
        ("final-added", "final is added on top of the whole curve.",
         "At the start the rate must be peak, not more: only the difference between peak and final is scaled.",
         _schedule(fall=lambda p, f, x: f + p * (1 + math.cos(math.pi * x)) / 2)),
        ("line-for-cosine", "The rate falls along a straight line.", "It must follow half a cosine wave.",
         _schedule(fall=lambda p, f, x: f + (p - f) * (1 - x))),
        ("quarter-wave", "The rate follows a quarter of a cosine wave.",
         "Half a cosine wave goes from 1 to -1; shift and scale it so that it goes from 1 to 0.",
         _schedule(fall=lambda p, f, x: f + (p - f) * math.cos(math.pi * x / 2))),
        ("half-forgotten", "The cosine is not scaled to go from 1 to 0.",
         "cos goes from 1 to -1, so 1 + cos goes from 2 to 0.",
         _schedule(fall=lambda p, f, x: f + (p - f) * (1 + math.cos(math.pi * x)))),
    ]


EXERCISE = Exercise(
    id="ex12", name="schedule", title="Warm-up and cosine", lesson="10, training: loss, AdamW, schedules",
    tasks=(Task("learning_rate", "learning_rate", 10, "rate of every step", cases, tolerance=1e-9, call=call,
                mistakes=tuple(Mistake(*mistake) for mistake in _mistakes()),
                errors={"ZeroDivisionError": Mistake(
                    "division-by-zero", "There is a division by zero.",
                    "A warm-up of 0 steps is allowed: then no step belongs to the warm-up. What must you test before "
                    "you divide?")}),),
    hints=(
        "Before you code, write down the rates of a run with total_steps = 5 and warmup_steps = 2, one by one.",
        "There are three parts: the warm-up, the cosine, and the steps after the end.",
        "Let progress go from 0, in the step after the warm-up, to 1, in the last step. Then one cosine formula is "
        "enough.",
    ))
