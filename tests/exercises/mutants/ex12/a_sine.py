# diagnosis: sine-for-cosine
# bug: uses a sine
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = min(1, (step - warmup_steps) / (total_steps - 1 - warmup_steps))
    return final + (peak - final) / 2 * (1 + math.sin(math.pi * done))
