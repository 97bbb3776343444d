# %% [markdown]
# # Exercise 03: a gradient by finite differences
#
# How do we know that a gradient is right? Move one entry of `x` a little and see how much `f(x)` changes. This is
# slow, but it needs no calculus, so it can check all the other exercises.
#
# Write `numeric_gradient(f, x, step)` with **central** differences: move every entry to both sides. The error is then
# of the order of `step` squared, not of `step`.
#
# - `x` can have any number of axes. It can also be a transposed view.
# - When you return, `x` must have its original values.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex03`. Help: `minimixer exercises hint ex03`.

# %%
import numpy as np


# %% nbgrader={"grade":false,"grade_id":"ex03-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
def numeric_gradient(f, x, step=1e-5):
    """Gradient of a function of one array, by central differences.

    Parameters
    ----------
    f : callable
        Takes an array of the shape of `x` and returns a number.
    x : array of float64, any shape
        Where to compute the gradient.
    step : float
        How far to move each entry to each side.

    Returns
    -------
    array of the shape of `x`
    """
    ### BEGIN SOLUTION
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.copy()
        moved[index] = x[index] + step
        above = f(moved)
        moved[index] = x[index] - step
        gradient[index] = (above - f(moved)) / (2 * step)
    return gradient
    ### END SOLUTION
