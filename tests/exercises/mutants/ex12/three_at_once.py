# diagnosis: warm-up-off-by-one+begins-one-early+final-ignored
# bug: has three mistakes
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * step / warmup_steps
    done = min(1, (step + 1 - warmup_steps) / (total_steps - warmup_steps))
    return peak / 2 * (1 + math.cos(math.pi * done))
