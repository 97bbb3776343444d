# diagnosis: no-rate-in-a-step
# bug: prints the rate instead of returning it
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        peak * (step + 1) / warmup_steps
        return None
    progress = (step - warmup_steps) / (total_steps - warmup_steps - 1)
    if progress > 1:
        return final
    return final + 0.5 * (peak - final) * (1 + math.cos(math.pi * progress))
