# %% [markdown]
# # Exercise 08: token mixing
#
# A linear layer mixes the **last** axis. To mix patches (tokens), move them to the last axis, apply an MLP, and move
# them back. Every channel uses the same MLP.
#
# You have `Linear` and `Gelu` from exercises 04 and 05:
# `y, saved = Linear.forward(x, weight, bias)` and `gx, gweight, gbias = Linear.backward(gy, *saved)`;
# `y, saved = Gelu.forward(x)` and `gx = Gelu.backward(gy, *saved)`.
#
# - Forward is: swap axes, Linear, Gelu, Linear, swap axes. What is backward?
# - There is no residual connection here; it comes in exercise 09.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex08`. Help: `minimixer exercises hint ex08`.

# %%
from minimixer.exercises.parts import Gelu, Linear


# %% nbgrader={"grade":false,"grade_id":"ex08-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
class TokenMixing:
    """An MLP along the patches: forward and backward.  B images, S patches, C channels, D hidden units."""

    @staticmethod
    def forward(x, weight1, bias1, weight2, bias2):
        """Mix the patches of every channel.

        Parameters
        ----------
        x : array, shape (B, S, C)
        weight1, bias1 : array, shapes (S, D) and (D,)
        weight2, bias2 : array, shapes (D, S) and (S,)

        Returns
        -------
        y : array, shape (B, S, C)
        saved : tuple
            `(saved1, saved2, saved3)`, what the first Linear, the Gelu and the second Linear saved
        """
        ### BEGIN SOLUTION
        hidden, saved1 = Linear.forward(x.swapaxes(1, 2), weight1, bias1)
        active, saved2 = Gelu.forward(hidden)
        mixed, saved3 = Linear.forward(active, weight2, bias2)
        return mixed.swapaxes(1, 2), (saved1, saved2, saved3)
        ### END SOLUTION

    @staticmethod
    def backward(gy, saved1, saved2, saved3):
        """Gradients of the five inputs.

        Parameters
        ----------
        gy : array, shape (B, S, C)
            Gradient with respect to y.
        saved1, saved2, saved3 : tuple
            As `forward` saved them.

        Returns
        -------
        gx, gweight1, gbias1, gweight2, gbias2 : array
            Each has the shape of its input.
        """
        ### BEGIN SOLUTION
        gactive, gweight2, gbias2 = Linear.backward(gy.swapaxes(1, 2), *saved3)
        ghidden = Gelu.backward(gactive, *saved2)
        gswapped, gweight1, gbias1 = Linear.backward(ghidden, *saved1)
        return gswapped.swapaxes(1, 2), gweight1, gbias1, gweight2, gbias2
        ### END SOLUTION
