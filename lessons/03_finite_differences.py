# %% [markdown]
# # 03 Finite differences: when to trust a gradient
#
# - **Time:** 20 minutes to read, 30 to do, 5 seconds of computing (measured on 2 cores)
# - **Needs:** lesson 02, the Taylor series
# - **Previous:** [02 Autograd: the tape](02_autograd.ipynb)
# - **Next:** [04 Linear: two gradients of a product](04_linear.ipynb)

# %% [markdown]
# ## Goal
#
# A wrong gradient raises no error. The network still learns a little, just worse than it could. So every gradient must
# be tested. After this lesson you can
#
# 1. test any gradient with **finite differences**,
# 2. choose the step, and explain why it is 1e-5 and not 1e-12,
# 3. say when the test itself is wrong.

# %%
import inspect

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.ops.softmax import Softmax
from minimixer.tensor import apply

# %% [markdown]
# ## Picture
#
# $f$ is a function of one number $x$. Its derivative $f'(x)$ is the slope of the **tangent**. We cannot compute a
# tangent from values of $f$, but we can compute the line through two points. Call their distance $h$, the **step**.
#
# - **Forward difference**: a line through $x$ and $x + h$. Its slope is $\dfrac{f(x+h) - f(x)}{h}$.
# - **Central difference**: a line through $x - h$ and $x + h$. Its slope is $\dfrac{f(x+h) - f(x-h)}{2h}$.

# %%
x0, wide = 1.0, 0.8                                     # a large step, so that we can see something
xs = np.linspace(0, 2, 60)
forward_slope = (np.exp(x0 + wide) - np.exp(x0)) / wide
central_slope = (np.exp(x0 + wide) - np.exp(x0 - wide)) / (2 * wide)
plots.lines(xs, {"f(x) = exp(x)": np.exp(xs),
                 "tangent, slope 2.72": np.exp(x0) * (1 + xs - x0),
                 f"forward, slope {forward_slope:.2f}": np.exp(x0) + forward_slope * (xs - x0),
                 f"central, slope {central_slope:.2f}": np.exp(x0 - wide) + central_slope * (xs - x0 + wide)},
            xlabel="x", ylabel="f(x)", title="h = 0.8", marks={"x": x0})

# %% [markdown]
# The central line is almost parallel to the tangent. The forward line is much too steep.

# %% [markdown]
# ## Predict
#
# We compute the derivative of `exp` at 1 with central differences in float64, which stores about 16 decimal digits.
# Which step gives the smallest error?
#
# `h = 1e-2` · `h = 1e-5` · `h = 1e-8` · `h = 1e-12`
#
# <details><summary>Answer</summary>
#
# 1e-5, with an error of 6e-11. A smaller step is *not* always better: 1e-12 gives an error of 2e-4, even more than the
# 5e-5 of 1e-2. Both are about a million times larger. The next section explains why. <!-- printed -->
#
# </details>

# %%
for h in (1e-2, 1e-5, 1e-8, 1e-12):
    estimate = (np.exp(1 + h) - np.exp(1 - h)) / (2 * h)
    print(f"h = {h:.0e}   error {abs(estimate - np.e):.0e}")

# %% [markdown]
# ## Build
#
# For an array, we move one entry at a time, up and then down, and watch the loss. That is the whole method.


# %%
def numeric_gradient(f, x, h):
    """Central differences for each entry of x; f returns one number."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[i] = h
        gradient[i] = (f(x + move) - f(x - move)) / (2 * h)
    return gradient                                     # the shape of x


point = np.array([[1.0, 2.0], [3.0, 4.0]])
print(numeric_gradient(lambda x: (x**3).sum(), point, 1e-5))
print(3 * point**2)

# %% [markdown]
# Two errors work against each other.
#
# **Error 1: the step is too large (truncation).** Write the Taylor series on both sides of $x$:
#
# $$f(x \pm h) = f(x) \pm h f'(x) + \frac{h^2}{2} f''(x) \pm \frac{h^3}{6} f'''(x) + \ldots$$
#
# Subtract the two. $f(x)$ and $f''$ have the same sign in both, so they vanish. Divide by $2h$:
#
# $$\frac{f(x+h) - f(x-h)}{2h} = f'(x) + \frac{h^2}{6} f'''(x) + \ldots$$
#
# So the error shrinks with $h^2$: a step 10 times smaller is 100 times better. In the forward difference the $f''$ term
# remains, and the error is $\frac{h}{2} f''(x)$: only 10 times better. This is why everybody uses central differences.
#
# **Error 2: the step is too small (rounding).** The computer stores $f$ with a relative error of about $\varepsilon$:
# the stored value is $f \cdot (1 \pm \varepsilon)$. $\varepsilon$ is 1.1e-16 in float64 and 6e-8 in float32. With a
# tiny step, $f(x+h)$ and $f(x-h)$ agree in almost all digits. The subtraction cancels the digits that agree. The wrong
# digits remain. Dividing by the tiny $2h$ then makes them large: the error is about $\varepsilon |f| / h$.
#
# For `exp` at 1, $|f|$ is 2.7. At h = 1e-12 this makes 1.1e-16 · 2.7 / 1e-12 = 3e-4, and above we measured 2e-4. Only 4
# digits are right!
#
# **Together:**
#
# $$E(h) = \frac{h^2}{6} |f'''| + \frac{\varepsilon |f|}{h}$$

# %%
steps = 10.0 ** -np.arange(1, 14)                       # 0.1, 0.01, ... 1e-13


def expected_error(h, epsilon):
    """E(h) for exp at 1, where f = f''' = e."""
    return np.e * (h**2 / 6 + epsilon / h)


def measured_error(dtype, central=True):
    errors = []
    for h in steps.astype(dtype):
        low = np.exp(dtype(1) - h) if central else np.exp(dtype(1))
        slope = (np.exp(dtype(1) + h) - low) / (h * dtype(2 if central else 1))
        errors.append(max(abs(float(slope) - np.e), 1e-13))
    return errors


# %%
plots.lines(steps, {"central, float64": measured_error(np.float64),
                    "E(h) for float64": expected_error(steps, 1.1e-16),
                    "forward, float64": measured_error(np.float64, central=False),
                    "central, float32": measured_error(np.float32)},
            xlabel="step h", ylabel="error of the derivative", log="xy", marks={"1e-5": 1e-5})

# %% [markdown]
# Read this plot from right to left. First the step shrinks and the error falls: error 1. Then comes a minimum. Then the
# error rises again: error 2. On the right, the formula $E(h)$ matches the measured curve. On the left, it lies above
# the curve: how much is rounded away is luck, and $E(h)$ is close to the worst case. (The float32 curve ends flat:
# there $x + h$ rounds to $x$, the slope becomes 0, and the error is the whole derivative.)
#
# **Where is the minimum?** Where the derivative of $E$ is zero:
#
# $$\frac{h}{3} |f'''| = \frac{\varepsilon |f|}{h^2} \quad\Rightarrow\quad
#   h = \sqrt[3]{3\,\varepsilon\,|f| / |f'''|} \approx \sqrt[3]{3\,\varepsilon}$$

# %%
for dtype_name, epsilon in (("float64", 1.1e-16), ("float32", 6e-8)):
    best = (3 * epsilon) ** (1 / 3)
    print(f"{dtype_name}: best step {best:.0e}, its error {expected_error(best, epsilon):.0e}")

# %% [markdown]
# This is the reason for a step of about **1e-5 in float64**. In float32, even the best step leaves an error of 4e-5:
# too large to reveal a small bug. <!-- printed -->
#
# So gradients are tested in float64, even for a network that is trained in float32.

# %% [markdown]
# **Your turn.** For the forward difference, the two errors are $\frac{h}{2} |f''|$ and $2 \varepsilon |f| / h$. Find
# the step with the smallest sum for `exp` at 1 in float64, where $|f| = |f''|$ and $\varepsilon$ is 1.1e-16. Set
# `best_forward`, and look for it in the plot above.
#
# <details><summary>Solution</summary>
#
# ```python
# # The derivative of h / 2 + 2 epsilon / h is 1 / 2 - 2 epsilon / h**2. It is 0 where h**2 = 4 epsilon.
# best_forward = 2 * np.sqrt(1.1e-16)
# ```
#
# </details>

# %% tags=["your-turn"]
best_forward = ...

# %%
mm.exercises.turn(best_forward, right=lambda h: 1.9e-8 < h < 2.3e-8 or
                  f"At this step the sum is {h / 2 + 2.2e-16 / h:.1e} times e; it can be smaller.",
                  hint="set the derivative of the sum to zero.")

# %% [markdown]
# ## Check
#
# Is our method right? We compare it with a gradient that we know from autograd.

# %%
rng = np.random.default_rng(0)
start = rng.standard_normal((3, 4))
leaf = mm.Tensor(start, requires_grad=True)
analytic = mm.grad((leaf.tanh() * leaf).sum(), [leaf])[0]
numeric = numeric_gradient(lambda x: (np.tanh(x) * x).sum(), start, 1e-5)
print("largest difference is below 1e-9:", np.abs(analytic - numeric).max() < 1e-9)

# %% [markdown]
# For a million parameters, two million passes are too many. But two passes are enough to test *all* of them at once,
# along one random direction $d$. If the whole array moves by $h \cdot d$, each entry contributes its gradient times its
# part of
# $d$. So the slope must be $\sum_i d_i \cdot \mathrm{gradient}_i$.


# %%
def tanh_loss(x):
    return (np.tanh(x) * x).sum()


direction = np.random.default_rng(5).standard_normal((3, 4))

# %% [markdown]
# **Your turn.** Set `along` to the central difference of `tanh_loss` at `start`, with step 1e-5 along `direction`. It
# is a single number. The check compares it with the gradient `analytic`, as above.
#
# <details><summary>Solution</summary>
#
# ```python
# move = 1e-5 * direction                                                     # (3, 4)
# along = (tanh_loss(start + move) - tanh_loss(start - move)) / (2 * 1e-5)
# ```
#
# </details>

# %% tags=["your-turn"]
along = ...

# %%
mm.exercises.turn(along, right=(direction * analytic).sum(), hint="this is numeric_gradient without its loop.")

# %% [markdown]
# minimixer uses both. It casts to float64, tries all entries (for a large array, a sample of 200), and
# returns a report that prints as a table. `tolerance` is the largest error it allows, relative to the largest entry of
# the gradient.

# %%
report = mm.gradcheck(lambda x: x.tanh() * x, start)
print("entries:", report.inputs[0].checked, " shape:", report.inputs[0].shape, " ok:", report.ok)

# %% [markdown]
# Now read the file, `minimixer/gradcheck.py`. This function checks the gradient of one input:

# %%
print(inspect.getsource(inspect.getmodule(mm.gradcheck)._compare))

# %% [markdown]
# | lines | meaning |
# | --- | --- |
# | `slope(move)` | our central difference, along any direction `move` |
# | `unit_moves` | one entry after another, as in our loop |
# | `chosen` | for more than 200 entries, a random sample, because each entry costs two forward passes |
# | `direction` | one random direction through *all* entries, so that those outside the sample count too |
# | `scale` | the error is divided by the largest entry: 1e-6 is small only relative to something |
#
# **A test that cannot fail proves nothing.** So we test the test: it must reject a gradient that is 1% too large. This
# is called a negative control.


# %%
class OnePercent(Softmax):
    """Softmax with a gradient that is 1% too large."""

    @staticmethod
    def backward(xp, gy, *saved):
        return 1.01 * Softmax.backward(xp, gy, *saved)


print("correct gradient accepted:", mm.gradcheck(mm.functional.softmax, start).ok)
print("1% too large, rejected:   ", not mm.gradcheck(lambda x: apply(OnePercent, x), start).ok)

# %% [markdown]
# ## Break it
#
# The classic bug is in the *test*. A function like softmax returns an array, but we need one number. The obvious choice
# is the sum. See what happens with a gradient that is **twice** as large as it should be:


# %%
class TwiceTooLarge(Softmax):
    """Softmax with a gradient that is twice as large as it should be."""

    @staticmethod
    def backward(xp, gy, *saved):
        return 2 * Softmax.backward(xp, gy, *saved)


def largest_difference(weights):
    """Between the wrong gradient and finite differences, for the loss sum(weights * softmax(x))."""
    x = mm.Tensor(start, requires_grad=True)
    wrong = mm.grad((apply(TwiceTooLarge, x) * weights).sum(), [x])[0]
    def loss(x):
        return (np.exp(x) / np.exp(x).sum(-1, keepdims=True) * weights).sum()
    return np.abs(wrong - numeric_gradient(loss, start, 1e-5)).max()


for name, weights in (("plain sum", np.ones((3, 4))), ("random weights", rng.random((3, 4)))):
    print(f"{name:<15} the wrong gradient is", "accepted" if largest_difference(weights) < 1e-6 else "rejected")

# %% [markdown]
# **Symptom.** The test passes, and the gradient is wrong. Why? The outputs of softmax sum to 1, *whatever x is*. So the
# loss is constant, and its gradient is 0. Two times 0 is 0: the test sees no difference. The same happens with
# LayerNorm, whose outputs sum to 0.
#
# **Cure.** Multiply the output by fixed random weights $v$ before you sum: $L = \sum_i v_i\, y_i$. Then every output
# counts, and nothing cancels. In minimixer this is the line `v = rng.standard_normal(y.shape)`:

# %%
source = inspect.getsource(mm.gradcheck)
print(source[source.index("    rng ="):source.index("    def value")])

# %% [markdown]
# ## Use it
#
# Test one block of the Mixer: 2 images, 4 patches, 6 channels. One call tests the backward pass through all its
# operations, down to the input. It does not test the gradients of the weights: `gradcheck` moves only what you pass to
# it. Lesson 09 passes it a weight too.

# %%
config = mm.nn.MixerConfig(image_size=4, patch_size=2, hidden_dim=6, tokens_mlp_dim=5, channels_mlp_dim=8)
block = mm.nn.MixerBlock(config, init=mm.nn.lecun_normal(np.random.default_rng(1)))
for parameter in block.parameters():
    parameter.data = parameter.data.astype(np.float64)      # weights start as float32
print("the gradient of its input is correct:", mm.gradcheck(block, rng.standard_normal((2, 4, 6))).ok)

# %% [markdown]
# **When not to trust finite differences.** At a kink of a function there is no derivative. Take the maximum of three
# equal numbers. Autograd shares the gradient: a third for each. But if you move one entry up by $h$, the maximum rises
# by $h$; if you move it down, the maximum stays. The central difference says one half. Both are honest answers to a
# question that has no answer.

# %%
tie = mm.Tensor(np.ones(3), requires_grad=True)
print("autograd:          ", mm.grad(tie.max(), [tie])[0].round(3))
print("finite differences:", numeric_gradient(np.max, np.ones(3), 1e-5).round(3))

# %% [markdown]
# **Your turn.** ReLU, $\max(x, 0)$, has a kink at 0. What do the central difference and the forward difference say
# there, for any step? Answer without a computer: set `kink` to the two numbers, in this order.
#
# <details><summary>Solution</summary>
#
# ```python
# kink = (0.5, 1.0)                   # (h - 0) / 2h and (h - 0) / h
# ```
#
# </details>

# %% tags=["your-turn"]
kink = ...

# %%
mm.exercises.turn(kink, right=(0.5, 1.0), hint="write down max(h, 0), max(0, 0) and max(-h, 0).")

# %% [markdown]
# So test at random points: a tie there has probability zero. And turn off randomness: with dropout, `f(x + h)` and
# `f(x - h)` would be two different functions.

# %% [markdown]
# ## Exercise
#
# Write `numeric_gradient` yourself. It must use central differences, work for any shape and for transposed arrays, and
# leave `x` unchanged.
#
# ```console
# $ minimixer exercises start ex03
# ```

# %% [markdown]
# ## Summary
#
# - The central difference is $(f(x+h) - f(x-h)) / 2h$. Its error is $\frac{h^2}{6}|f'''| + \varepsilon|f|/h$.
# - Large steps suffer from truncation, small steps from rounding. In float64, 1e-5 is close to the best step.
# - Test in float64. Reduce the output with random weights, not with a plain sum. Test at random points.
# - Test the test: it must reject a gradient that is 1% wrong.
#
# **What the library does differently:** it moves at most 200 entries of each input and adds one random direction
# through all of them; it measures errors relative to the largest entry; it keeps transposed arrays transposed.
