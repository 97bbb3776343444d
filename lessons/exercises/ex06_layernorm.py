# %% [markdown]
# # Exercise 06: LayerNorm
#
# For every row (the last axis): subtract the mean, divide by the standard deviation, then scale by `weight` and shift
# by `bias`. With $\sigma^2$ the mean of the squares of $x - \mu$:
#
# $$\hat{x} = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \qquad y = \hat{x} \cdot weight + bias$$
#
# The backward pass is famous: `x` affects `y` in **three** ways: directly, through the mean, and through the variance.
#
# - Start with the gradient of $\hat{x}$.
# - All rows share `weight` and `bias`.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex06`. Help: `minimixer exercises hint ex06`.

# %%
import numpy as np


# %% nbgrader={"grade":false,"grade_id":"ex06-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
class LayerNorm:
    """Layer normalization over the last axis: forward and backward."""

    @staticmethod
    def forward(x, weight, bias, eps):
        """Normalize every row, then scale and shift it.

        Parameters
        ----------
        x : array, shape (..., C)
        weight, bias : array, shape (C,)
        eps : float
            Added to the variance.

        Returns
        -------
        y : array, shape (..., C)
        saved : tuple
            `(normalized, rstd, weight)`: normalized is the normalized x before scale and shift, shape (..., C);
            rstd is one divided by the standard deviation, shape (..., 1)
        """
        ### BEGIN SOLUTION
        centered = x - x.mean(axis=-1, keepdims=True)
        rstd = 1 / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + eps)
        normalized = centered * rstd
        return normalized * weight + bias, (normalized, rstd, weight)
        ### END SOLUTION

    @staticmethod
    def backward(gy, normalized, rstd, weight):
        """Gradients of the three inputs.

        Parameters
        ----------
        gy : array, shape (..., C)
            Gradient with respect to y.
        normalized, rstd, weight : array
            As `forward` saved them.

        Returns
        -------
        gx : array, shape (..., C)
        gweight, gbias : array, shape (C,)
        """
        ### BEGIN SOLUTION
        g = gy * weight
        through_mean = g.mean(axis=-1, keepdims=True)
        through_variance = normalized * (g * normalized).mean(axis=-1, keepdims=True)
        gx = rstd * (g - through_mean - through_variance)
        rows = tuple(range(gy.ndim - 1))
        return gx, (gy * normalized).sum(axis=rows), gy.sum(axis=rows)
        ### END SOLUTION
