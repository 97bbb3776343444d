# diagnosis: schedule-of-nanogpt
# bug: follows a well-known training script
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    if step >= total_steps:
        return final
    ratio = (step - warmup_steps) / (total_steps - warmup_steps)
    return final + (peak - final) / 2 * (1 + math.cos(math.pi * ratio))
