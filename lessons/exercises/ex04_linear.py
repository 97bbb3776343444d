# %% [markdown]
# # Exercise 04: the linear layer
#
# $y = x W + b$. The last axis of `x` holds the features; all axes before it are rows that go through the same layer.
#
# Write `Linear.forward` and `Linear.backward`. `forward` returns the result **and** a tuple of what `backward` needs;
# `backward` gets the gradient `gy` of the result, then the items of this tuple.
#
# - Find each gradient from the shapes: which product of `gy` with `x` has the shape of `weight`?
# - Every row uses the same `weight` and the same `bias`. How do you combine the gradients of the rows?
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex04`. Help: `minimixer exercises hint ex04`.


# %% nbgrader={"grade":false,"grade_id":"ex04-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
class Linear:
    """A linear layer: forward and backward."""

    @staticmethod
    def forward(x, weight, bias):
        """Multiply every row by a matrix and add a vector.

        Parameters
        ----------
        x : array, shape (..., n_in)
        weight : array, shape (n_in, n_out)
        bias : array, shape (n_out,)

        Returns
        -------
        y : array, shape (..., n_out)
        saved : tuple
            `(x, weight)`
        """
        ### BEGIN SOLUTION
        y = x @ weight + bias
        return y, (x, weight)
        ### END SOLUTION

    @staticmethod
    def backward(gy, x, weight):
        """Gradients of the three inputs.

        Parameters
        ----------
        gy : array, shape (..., n_out)
            Gradient with respect to y.
        x, weight : array
            As `forward` saved them.

        Returns
        -------
        gx : array, shape (..., n_in)
        gweight : array, shape (n_in, n_out)
        gbias : array, shape (n_out,)
        """
        ### BEGIN SOLUTION
        n_in, n_out = weight.shape
        rows = gy.reshape(-1, n_out)
        gweight = x.reshape(-1, n_in).T @ rows
        return gy @ weight.T, gweight, rows.sum(axis=0)
        ### END SOLUTION
