# %% [markdown]
# # Exercise 12: warm-up and cosine
#
# The learning rate of a training run: first a **warm-up**, a straight line up to `peak`, then half a cosine wave down
# to `final`.
#
# Steps are counted from 0. The run has `total_steps` steps; the first `warmup_steps` of them are the warm-up.
#
# - A rate of 0 would waste the first step: in the warm-up, step 0 has `peak / warmup_steps`, and the last step has
#   `peak`.
# - The step after the warm-up starts the cosine, at `peak`. The **last** step of the run has exactly `final`.
# - After the last step the rate stays at `final`. A warm-up of 0 steps is allowed.
#
# Check your work: `minimixer exercises check ex12`. Help: `minimixer exercises hint ex12`.

# %%
import math


# %% nbgrader={"grade":false,"grade_id":"ex12-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
def learning_rate(step, peak, total_steps, warmup_steps, final):
    """Learning rate of one step: a linear warm-up, then a cosine.

    Parameters
    ----------
    step : int
        Starts at 0; it may be larger than `total_steps`.
    peak, final : float
        The largest rate, and the rate of the last step.
    total_steps, warmup_steps : int
        `total_steps` is at least `warmup_steps + 2`.

    Returns
    -------
    float
    """
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - 1 - warmup_steps))
    return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION
