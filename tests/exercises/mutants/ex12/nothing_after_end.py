# diagnosis: no-rate-after-end
# bug: returns nothing after the last step
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if step < total_steps:
        done = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return final + (peak - final) / 2 * (1 + math.cos(math.pi * done))
