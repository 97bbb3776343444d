# diagnosis: cosine-over-all
# bug: starts the cosine at step 0
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = step / (total_steps - 1)
    if progress > 1:
        return final
    return final + 0.5 * (peak - final) * (1 + math.cos(math.pi * progress))
