# %% [markdown]
# # Exercise 01: undo a broadcast
#
# NumPy repeats a small array when it meets a larger one: `x + b` with `x` of shape (B, C) and `b` of shape (C,) uses
# every number of `b` B times. In the backward pass, `b` gets a gradient of shape (B, C), one number per use. But the
# gradient of `b` must have the shape of `b`.
#
# Write `unbroadcast(gy, shape)`. It takes the gradient of the repeated array and returns the gradient of the original
# array.
#
# - If one number was used in many places, how do you combine the gradients of these places?
# - There are two kinds of repeated axes: new leading axes, and axes that had length 1.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex01`. Help: `minimixer exercises hint ex01`.

# %%
import numpy as np


# %% nbgrader={"grade":false,"grade_id":"ex01-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
def unbroadcast(gy, shape):
    """Reduce a gradient to the shape that an array had before NumPy repeated it.

    Parameters
    ----------
    gy : array
        Gradient with respect to the repeated array; `np.broadcast_shapes(shape, gy.shape) == gy.shape`.
    shape : tuple of int
        Shape of the original array. It may have fewer axes than `gy`, and axes of length 1.

    Returns
    -------
    array of shape `shape`
    """
    # Your code here
    raise NotImplementedError
