# %% [markdown]
# # Exercise 10: softmax and cross-entropy
#
# The model computes K numbers (logits) for every image. Softmax turns them into probabilities; the loss is the mean,
# over the batch, of minus the logarithm of the true class's probability.
#
# $$p_{bk} = \frac{e^{z_{bk}}}{\sum_j e^{z_{bj}}} \qquad loss = -\frac{1}{B} \sum_b \log p_{b, label_b}$$
#
# - Logits can be large: `np.exp(1000)` is infinite. You may subtract the same number from all logits of a row; this
#   does not change p.
# - A probability can be so small that it is rounded to 0, and log(0) is infinite. Work with log p, not with p.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex10`. Help: `minimixer exercises hint ex10`.

# %%
import numpy as np


# %% nbgrader={"grade":false,"grade_id":"ex10-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
class CrossEntropy:
    """Softmax and cross-entropy: forward and backward."""

    @staticmethod
    def forward(logits, labels):
        """Mean loss of a batch.

        Parameters
        ----------
        logits : array, shape (B, K)
        labels : array of int, shape (B,)
            The true classes, 0 to K - 1.

        Returns
        -------
        loss : a number (shape ())
        saved : tuple
            `(p, labels)`; p are the probabilities, shape (B, K)
        """
        ### BEGIN SOLUTION
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -log_p[np.arange(len(labels)), labels].mean(), (np.exp(log_p), labels)
        ### END SOLUTION

    @staticmethod
    def backward(gy, p, labels):
        """Gradient of the logits.

        Parameters
        ----------
        gy : a number
            Gradient with respect to the loss.
        p, labels : array
            As `forward` saved them.

        Returns
        -------
        glogits : array, shape (B, K)
        """
        ### BEGIN SOLUTION
        glogits = p.copy()
        glogits[np.arange(len(labels)), labels] -= 1
        return gy * glogits / len(labels)
        ### END SOLUTION
