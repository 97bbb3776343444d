# diagnosis: schedule-of-transformers
# bug: follows a popular library: starts at 0, ends late, and falls to 0
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * step / max(1, warmup_steps)
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return peak * max(0.0, 0.5 * (1 + math.cos(math.pi * min(done, 1))))
