# diagnosis: final-ignored
# bug: falls to zero
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps - 1)
    progress = min(progress, 1)
    return 0.5 * peak * (1 + math.cos(math.pi * progress))
