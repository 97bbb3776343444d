# diagnosis: quarter-wave
# bug: uses a quarter of the wave
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps - 1)
    if progress > 1:
        return final
    return final + (peak - final) * math.cos(math.pi / 2 * progress)
