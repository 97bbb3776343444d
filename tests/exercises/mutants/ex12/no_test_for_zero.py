# diagnosis: division-by-zero
# bug: divides by warmup_steps before testing whether there is a warm-up
import math


def learning_rate(step, peak, total_steps, warmup_steps, final):
    warm = (step + 1) / warmup_steps
    if warm <= 1:
        return peak * warm
    progress = (step - warmup_steps) / (total_steps - warmup_steps - 1)
    if progress > 1:
        return final
    return final + 0.5 * (peak - final) * (1 + math.cos(math.pi * progress))
