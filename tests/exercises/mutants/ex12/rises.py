# diagnosis: rises-again
# bug: lets the cosine continue after the end
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps - 1)
    return final + 0.5 * (peak - final) * (1 + math.cos(math.pi * progress))
