# %% [markdown]
# # Exercise 11: a step of AdamW
#
# Adam keeps two running means per parameter: `m` of the gradient and `v` of its square. Both start at zero, so the
# first values are too small; the **bias correction** divides them by $1 - \beta^{t}$. Then
#
# $$p \leftarrow p - lr \; \frac{\hat{m}}{\sqrt{\hat{v}} + \epsilon} - lr \cdot weight\_decay \cdot p$$
#
# The W means that the weight decay is **decoupled**: it is not part of the gradient, so it does not enter `m` and `v`.
# The decay uses the parameter before the step.
#
# - Return new arrays. Do not change the ones you are given.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex11`. Help: `minimixer exercises hint ex11`.

# %%
import numpy as np


# %% nbgrader={"grade":false,"grade_id":"ex11-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """One step of AdamW.

    Parameters
    ----------
    p, g : array
        A parameter and its gradient.
    m, v : array of the shape of p
        Running means of the gradient and of its square, before this step.
    step : int
        t, the number of this step, starting at **1**.
    lr, beta1, beta2, eps, weight_decay : float

    Returns
    -------
    p, m, v : array
        The new parameter and the new running means (m and v without the bias correction).
    """
    ### BEGIN SOLUTION
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    p = p - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * weight_decay * p
    return p, m, v
    ### END SOLUTION
