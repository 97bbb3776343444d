# diagnosis: warm-up-off-by-one
# bug: wastes step 0 with a rate of 0
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps - 1)
    if progress > 1:
        return final
    return final + 0.5 * (peak - final) * (1 + math.cos(math.pi * progress))
