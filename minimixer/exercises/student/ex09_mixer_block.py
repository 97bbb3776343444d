# %% [markdown]
# # Exercise 09: the Mixer block
#
# Equation 1 of the paper. Both halves have the same form: **normalize, mix, add to the input**.
#
# $$u = x + \mathrm{TokenMixing}(\mathrm{LayerNorm}(x)) \qquad y = u + \mathrm{ChannelMixing}(\mathrm{LayerNorm}(u))$$
#
# You have three parts. `LayerNorm` takes `(x, weight, bias, eps)`; `TokenMixing` and `ChannelMixing` take
# `(x, weight1, bias1, weight2, bias2)`. Each has `forward`, which returns `y, saved`, and `backward(gy, *saved)`, which
# returns the gradient of `x` and then the gradient of each parameter.
#
# - `x` takes two paths: through the branch and around it. What happens to the gradients where the paths split?
# - Each half has its own LayerNorm with its own parameters.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex09`. Help: `minimixer exercises hint ex09`.

# %%
from minimixer.exercises.parts import ChannelMixing, LayerNorm, TokenMixing

EPS = 1e-6


# %% nbgrader={"grade":false,"grade_id":"ex09-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
class MixerBlock:
    """A Mixer block: forward and backward.  B images, S patches, C channels."""

    @staticmethod
    def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
        """Mix the patches of every channel, then the channels of every patch.

        Parameters
        ----------
        x : array, shape (B, S, C)
        token_norm, channel_norm : tuple
            `(weight, bias)` of each LayerNorm, both of shape (C,); use `EPS` for eps.
        token_mixing, channel_mixing : tuple
            `(weight1, bias1, weight2, bias2)` of each MLP.

        Returns
        -------
        y : array, shape (B, S, C)
        saved : tuple
            `(saved1, saved2, saved3, saved4)`, what the four parts saved, in the order of computation
        """
        # Your code here
        raise NotImplementedError

    @staticmethod
    def backward(gy, saved1, saved2, saved3, saved4):
        """Gradients of the five inputs.

        Parameters
        ----------
        gy : array, shape (B, S, C)
            Gradient with respect to y.
        saved1, saved2, saved3, saved4 : tuple
            As `forward` saved them.

        Returns
        -------
        gx : array, shape (B, S, C)
        gtoken_norm, gtoken_mixing, gchannel_norm, gchannel_mixing : tuple of array
            One gradient per parameter, in the order of `forward`'s tuples.
        """
        # Your code here
        raise NotImplementedError
