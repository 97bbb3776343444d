# %% [markdown]
# # Exercise 05: GELU
#
# $\mathrm{gelu}(x) = x \, \Phi(x)$, where $\Phi$ is the cumulative distribution function of the normal distribution:
# $\Phi(x) = \frac{1}{2} (1 + \mathrm{erf}(x / \sqrt{2}))$. Its derivative is the density
# $\Phi'(x) = e^{-x^2 / 2} / \sqrt{2 \pi}$.
#
# Write the **exact** form, with `erf`. (There is also an approximation with `tanh`; it differs by up to 0.0005.)
#
# - $x \, \Phi(x)$ is a product of two functions of x. What is the derivative of a product?
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex05`. Help: `minimixer exercises hint ex05`.

# %%
import numpy as np
from scipy.special import erf


# %% nbgrader={"grade":false,"grade_id":"ex05-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
class Gelu:
    """The GELU, x times Phi(x): forward and backward."""

    @staticmethod
    def forward(x):
        """Apply the GELU to every element.

        Parameters
        ----------
        x : array, any shape

        Returns
        -------
        y : array of the shape of x
        saved : tuple
            `(x, phi)`; phi is Phi(x), an array of the shape of x
        """
        ### BEGIN SOLUTION
        phi = (1 + erf(x / np.sqrt(2))) / 2
        return x * phi, (x, phi)
        ### END SOLUTION

    @staticmethod
    def backward(gy, x, phi):
        """Gradient of the input.

        Parameters
        ----------
        gy : array of the shape of x
            Gradient with respect to y.
        x, phi : array
            As `forward` saved them.

        Returns
        -------
        gx : array of the shape of x
        """
        ### BEGIN SOLUTION
        density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
        return gy * (phi + x * density)
        ### END SOLUTION
