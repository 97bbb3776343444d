# %% [markdown]
# # Exercise 07: cut images into patches
#
# A Mixer does not see pixels, it sees patches: squares of P x P pixels. Each patch becomes one row of numbers.
#
# Write `Patches.forward`, and `Patches.backward`, which puts the gradients back in their places. You need no loop:
# `reshape` splits an axis in two, and `swapaxes` (or `transpose`) changes the order of the axes.
#
# - The patches are in reading order: from left to right, then from top to bottom.
# - Within a patch, the order is (row, column, channel).
# - Write the shape next to every line. The images have 4 axes; in between there are 6.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex07`. Help: `minimixer exercises hint ex07`.


# %% nbgrader={"grade":false,"grade_id":"ex07-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
class Patches:
    """Images to patches: forward and backward."""

    @staticmethod
    def forward(images, patch_size):
        """Cut every image into patches.

        Parameters
        ----------
        images : array, shape (B, H, W, channels)
        patch_size : int
            P; it divides H and W.

        Returns
        -------
        y : array, shape (B, S, P * P * channels)
            S = (H / P) * (W / P)
        saved : tuple
            `(images.shape, patch_size)`
        """
        ### BEGIN SOLUTION
        b, h, w, channels = images.shape
        p = patch_size
        tiles = images.reshape(b, h // p, p, w // p, p, channels)
        tiles = tiles.transpose(0, 1, 3, 2, 4, 5)
        y = tiles.reshape(b, (h // p) * (w // p), p * p * channels)
        return y, (images.shape, patch_size)
        ### END SOLUTION

    @staticmethod
    def backward(gy, shape, patch_size):
        """Gradient of the images.

        Parameters
        ----------
        gy : array, shape (B, S, P * P * channels)
            Gradient with respect to y.
        shape : tuple of int
            (B, H, W, channels)
        patch_size : int

        Returns
        -------
        gimages : array, shape (B, H, W, channels)
        """
        ### BEGIN SOLUTION
        b, h, w, channels = shape
        p = patch_size
        tiles = gy.reshape(b, h // p, w // p, p, p, channels)
        return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(shape)
        ### END SOLUTION
