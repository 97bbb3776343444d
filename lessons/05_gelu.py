# %% [markdown]
# # 05 GELU, tanh and erf
#
# - **Time:** 12 minutes, 5 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 02 to 04, the bell curve of the normal distribution
# - **Previous:** [04 Linear: two gradients of a product](04_linear.ipynb)
# - **Next:** [06 LayerNorm](06_layernorm.ipynb)

# %% [markdown]
# ## Goal
#
# Between the two Linear layers of every MLP in a Mixer stands one function, **GELU**. After this lesson you can
#
# 1. say why there must be a function, and what a smooth one does better,
# 2. write both forms of GELU, the **erf** form and the **tanh** form, with their gradients,
# 3. choose the form that your weights need, and say how much the other one costs.

# %%
import inspect
import math

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.ops import gelu
from minimixer.tensor import apply
from minimixer.weights import names

# %% [markdown]
# ## Picture
#
# One MLP: Linear, GELU, Linear. **N** is the number of rows, **C** the number of channels, **D** the number of hidden
# numbers. GELU takes (N, D) and gives (N, D): it treats every number by itself.

# %%
plots.shapes({"x": {"N": 4, "C": 3}, "hidden": {"N": 4, "D": 6}, "gelu(hidden)": {"N": 4, "D": 6},
              "y": {"N": 4, "C": 3}}, "→→→")

# %% [markdown]
# **Why a function at all?** Without it, two Linear layers are only one:
# $(x W_1 + b_1) W_2 + b_2 = x\,(W_1 W_2) + (b_1 W_2 + b_2)$. The hidden numbers would be for nothing.

# %%
rng = np.random.default_rng(0)
rows = rng.standard_normal((4, 3))                                          # (N, C)
w1, b1, w2, b2 = (rng.standard_normal(shape) for shape in ((3, 6), 6, (6, 3), 3))
print("two layers are one:", np.allclose((rows @ w1 + b1) @ w2 + b2, rows @ (w1 @ w2) + (b1 @ w2 + b2)))

# %% [markdown]
# **ReLU** is the simplest function that changes this: $\max(x, 0)$. See it as a **gate**: $x$ is multiplied by 1 if it
# is positive, by 0 if not. **GELU** is a gate that opens slowly:
#
# $$\mathrm{gelu}(x) = x \cdot \Phi(x)$$
#
# $\Phi$ (say "Phi") is the cumulative normal distribution. $\Phi(x)$ is the probability that a random number $Z$ with
# the standard normal distribution is not larger than $x$: near 0 far on the left, 1/2 at 0, near 1 far on the right.
#
# $\Phi$ cannot be written with $+$, $\cdot$, $/$ and exp alone. It needs a function of its own, **erf**:
# $\Phi(x) = \frac{1}{2}\left(1 + \mathrm{erf}(x / \sqrt{2})\right)$.

# %%
erf = np.vectorize(math.erf)                    # NumPy has no erf, the standard library has


def Phi(x):
    return 0.5 * (1 + erf(x / math.sqrt(2)))


xs = np.linspace(-4, 4, 161)
plots.lines(xs, {"ReLU": np.maximum(xs, 0), "GELU": xs * Phi(xs), "the gate, Phi": Phi(xs)}, xlabel="x", ylabel="y")

# %% [markdown]
# Is this really a probability? Draw 100,000 normal numbers and count.

# %%
z = rng.standard_normal(100_000)
for point in (-1.0, 0.0, 1.0):
    print(f"share of numbers up to {point:4.1f}: {(z <= point).mean():.2f}   Phi: {Phi(point):.2f}")

# %% [markdown]
# ## Predict
#
# No computer, only the picture.
#
# 1. What is gelu(0)? What is about gelu(10), and what about gelu(-10)?
# 2. If $x$ grows, does gelu($x$) always grow?
# 3. What is the slope of GELU at 0? And of ReLU?
# 4. What is gelu($x$) $-$ gelu($-x$)?
#
# <details><summary>Answer</summary>
#
# 1. 0, because $x$ is 0. About 10, because the gate is open. About 0, because the gate is closed.
# 2. No. From far left to about $-0.75$ it falls, down to $-0.17$. Then it grows.
# 3. 1/2, the gate at 0. ReLU has no slope there: 0 from the left, 1 from the right.
# 4. Exactly $x$. The bell curve is symmetric, so $\Phi(x) + \Phi(-x) = 1$, and
#    $x\,\Phi(x) - (-x)\,\Phi(-x) = x\,(\Phi(x) + \Phi(-x)) = x$.
#
# </details>

# %%
exact = xs * Phi(xs)
print("gelu(x) - gelu(-x) = x:", np.allclose(exact - exact[::-1], xs))
print(f"lowest value: {exact.min():.2f} at x = {xs[exact.argmin()]:.2f}")

# %% [markdown]
# ## Build
#
# **The gradient of the erf form.** gelu is a product of two functions of $x$, so the product rule gives two terms.
# And what is the derivative of $\Phi$? $\Phi(x)$ is the area below the bell curve, up to $x$. If $x$ moves to the right
# by a small $\delta$, a strip is added, as wide as $\delta$ and as high as the bell at $x$. So the derivative of the
# area is the height, $\varphi(x)$ (a small phi):
#
# $$\mathrm{gelu}'(x) = \Phi(x) + x\,\varphi(x), \qquad \varphi(x) = \frac{e^{-x^2/2}}{\sqrt{2\pi}}$$


# %%
def bell(x):
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def erf_gradient(gy, x):
    return gy * (Phi(x) + x * bell(x))          # the shape of x


slope = erf_gradient(1.0, xs)
plots.lines(xs, {"slope of ReLU": (xs > 0).astype(float), "slope of GELU": slope}, xlabel="x", ylabel="derivative")

# %% [markdown]
# **Now you see what smooth means.** The slope of ReLU jumps: a tiny step of a weight can change the slope from 0 to 1.
# And it is 0 for *all* negative numbers. If a hidden number is negative for every picture, no gradient passes, so no
# weight before it changes, and it may stay so for ever. People say: the unit is *dead*. GELU lets some gradient pass
# where $x$ is a little negative. Its slope is even larger than 1 at some places, and below 0 at others.

# %%
print(f"largest slope {slope.max():.2f} at x = {xs[slope.argmax()]:.1f}, smallest {slope.min():.2f} "
      f"at x = {xs[slope.argmin()]:.1f}")
print(f"slope at x = -0.5: ReLU 0, GELU {erf_gradient(1.0, -0.5):.2f}; at x = -3: GELU {erf_gradient(1.0, -3.0):.3f}")

# %% [markdown]
# **The tanh form.** Not every library has erf (NumPy has none), but all have tanh. And tanh has the shape we need: it
# rises from $-1$ to 1. So we try $\Phi(x) \approx \frac{1}{2}(1 + \tanh u)$ and look for a good $u(x)$. Near 0, with
# $\tanh u = u - u^3/3 + \ldots$ and with the Taylor series of $\Phi$:
#
# $$\Phi(x) = \frac{1}{2} + \frac{1}{\sqrt{2\pi}}\left(x - \frac{x^3}{6} + \ldots\right)$$
#
# - **Same slope.** With $u = kx$, the slope is $k/2$. It must be $1/\sqrt{2\pi}$, so $k = \sqrt{2/\pi} \approx 0.798$.
# - **Same bend.** With $u = k\,(x + c\,x^3)$, the $x^3$ terms are equal for $c = k^2/3 - 1/6 \approx 0.0455$.
#
# The authors of GELU use a $c$ close to this, 0.044715. It is a little worse at 0, and better for larger $x$:


# %%
k = math.sqrt(2 / math.pi)


def tanh_form(x, c=0.044715):
    return 0.5 * x * (1 + np.tanh(k * (x + c * x * x * x)))


for c in (0.0, k * k / 3 - 1 / 6, 0.044715):
    print(f"c = {c:.6f}: largest error {np.abs(tanh_form(xs, c) - exact).max():.5f}")

# %% [markdown]
# The cubic term makes the form 70 times better. The two forms never differ by more than 0.0005. The difference is
# largest where the gate is almost open or almost closed:

# %%
plots.lines(xs, {"difference": tanh_form(xs) - exact}, xlabel="x", ylabel="tanh form minus erf form")

# %% [markdown]
# **The gradient of the tanh form.** One function is inside another: $t = \tanh u$ and $u = k\,(x + c\,x^3)$. The
# derivative of $\tanh$ is $1 - \tanh^2$. By the chain rule it is multiplied by the **inner derivative**, that of $u$:
#
# $$t' = (1 - t^2)\,u', \qquad u' = k\,(1 + 3c\,x^2), \qquad
#   \mathrm{gelu}'(x) = \frac{1 + t}{2} + x\,\frac{t'}{2}$$


# %%
def tanh_gradient(gy, x, c=0.044715):
    t = np.tanh(k * (x + c * x * x * x))
    inner = k * (1 + 3 * c * x * x)             # u'
    return gy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)


# %% [markdown]
# ## Check
#
# **First check: finite differences.** Each gradient must fit to *its own* form.

# %%
step = 1e-5
for name, f, gradient in (("erf", lambda x: x * Phi(x), erf_gradient), ("tanh", tanh_form, tanh_gradient)):
    numeric = (f(xs + step) - f(xs - step)) / (2 * step)
    report = mm.gradcheck(lambda x, form=name: mm.functional.gelu(x, form), rows)
    print(f"{name:<4}  ours is right: {np.abs(gradient(1.0, xs) - numeric).max() < 1e-8}  minimixer's: {report.ok}")

# %% [markdown]
# **Second check: the file of the library**, `minimixer/ops/gelu.py`. First the tanh form:

# %%
print(f"SQRT_2_OVER_PI = {gelu.SQRT_2_OVER_PI:.6f}, CUBIC = {gelu.CUBIC}\n")
print(inspect.getsource(gelu.Gelu))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `t = xp.tanh(...)` | $t = \tanh u$; `xp` is NumPy, or CuPy on a GPU |
# | `x * x * x` | $x^3$ by two multiplications: a general power is much slower |
# | `return ..., (x, t)` | the result, and what the gradient will need: tanh is not computed again |
# | `dt = ...` | $t' = (1 - t^2)\,u'$, the inner derivative is the last factor |
# | `gy * (0.5 * (1 + t + x * dt))` | the product rule, times the gradient that comes in |
#
# No shapes are mentioned, because every number is by itself. And now the erf form:

# %%
print(inspect.getsource(gelu.GeluErf))

# %%
points = rng.standard_normal((3, 5))
ones = np.ones_like(points)
assert np.allclose(gelu.Gelu.backward(np, ones, *gelu.Gelu.forward(np, points)[1]), tanh_gradient(1.0, points))
assert np.allclose(gelu.GeluErf.backward(np, ones, *gelu.GeluErf.forward(np, points)[1]), erf_gradient(1.0, points))
print("our gradients and the library's agree")

# %% [markdown]
# ## Break it
#
# **The classic bug:** the chain rule stops too early. $1 - t^2$ is there, the factor $u'$ is not. **A second bug:** the
# forms are mixed, forward with tanh, backward with erf. We train one small MLP with each of them: it must learn a sine.


# %%
class NoInnerDerivative(gelu.Gelu):
    """The tanh form; its gradient lacks the factor u'."""

    @staticmethod
    def backward(xp, gy, x, t):
        return gy * (0.5 * (1 + t + x * (1 - t * t)))


class MixedForms(gelu.Gelu):
    """Forward the tanh form, backward the erf form."""

    @staticmethod
    def backward(xp, gy, x, t):
        return gelu.GeluErf.backward(xp, gy, *gelu.GeluErf.forward(xp, x)[1])


# %%
def train(op, steps=200):
    block = mm.nn.MlpBlock(1, 32, init=mm.nn.lecun_normal(np.random.default_rng(0)))
    block.gelu = lambda hidden: apply(op, hidden)                   # our op in the place of the layer
    optimiser = mm.optim.AdamW(block.parameters(), lr=0.01)
    x = np.linspace(-2, 2, 64, dtype=np.float32)[:, None]           # (64, 1)
    losses = []
    for _ in range(steps):
        loss = ((block(mm.Tensor(x)) - mm.Tensor(np.sin(3 * x))) ** 2).mean()
        optimiser.step(mm.grad(loss, block.parameters()))
        losses.append(loss.item())
    return losses


plots.lines(np.arange(200), {"right": train(gelu.Gelu), "without the inner derivative": train(NoInnerDerivative),
                             "mixed forms": train(MixedForms)}, xlabel="step", ylabel="mean squared error", log="y")

# %% [markdown]
# **Symptom.** Nothing to see. All three learn the sine. The curve of the mixed forms lies on the right one. The curve
# of the first bug is a little different, and here not even worse. Such a gradient still points downhill, so a loss
# curve does not tell you about it. But it is not the gradient of this network: every result that you publish with it
# is the result of another method.
#
# Only a test finds these bugs. And only a **strict** test finds the second one, because its slopes are almost right:

# %%
for op in (gelu.Gelu, NoInnerDerivative, MixedForms):
    wrong_by = np.abs(op.backward(np, 1.0, *op.forward(np, xs)[1]) - tanh_gradient(1.0, xs)).max()
    loose, strict = (mm.gradcheck(lambda x, op=op: apply(op, x), points, tolerance=tolerance).ok
                     for tolerance in (1e-2, 1e-6))
    print(f"{op.__name__:<18} slope wrong by {wrong_by:.4f}  tolerance 1e-2: {loose!s:<6} 1e-6: {strict}")

# %% [markdown]
# **Cure.** Write $t'$ as a line of its own, as the library does (`dt = ...`). Then a missing factor is easy to see.
# Test in float64 with a small tolerance: a tolerance of 1 % accepts the gradient of another function.

# %% [markdown]
# ## Use it
#
# **Which weights need which form?** The paper says only "GELU". The official code, written in JAX, computes the tanh
# form. timm, the PyTorch library, computes the erf form. Weights learned with one form should be used with it.
# minimixer keeps this with the names of the two kinds of files, and sets the form when it loads weights.

# %%
for layout in (names.OFFICIAL, names.TIMM):
    print(f"{layout.name:<9} {layout.gelu}")

# %% [markdown]
# What happens if you take the wrong one? We give the same random weights and the same random pictures to two Mixers
# with 8 blocks, so with 16 GELUs, one behind the other.

# %%
head = mm.nn.lecun_normal(np.random.default_rng(1))((128, 10))      # (C, classes); a new head is zero
pictures = mm.Tensor(rng.standard_normal((16, 32, 32, 3), np.float32))
logits = {}
for form in ("tanh", "erf"):
    model = mm.nn.mixer("micro", gelu=form)
    model.head.weight.data = head
    with mm.no_grad():
        logits[form] = model(pictures).data                         # (16, 10)
print(f"logits have a spread of {logits['erf'].std():.2f}")
print(f"they differ by at most  {np.abs(logits['tanh'] - logits['erf']).max():.4f}")
print("same answers:", (logits["tanh"].argmax(-1) == logits["erf"].argmax(-1)).all())

# %% [markdown]
# The answers are the same, the digits are not. So if your logits differ from a reference in the *fourth* decimal, and
# you look for a bug: compare the forms first.

# %% [markdown]
# ## Exercise
#
# Write forward and backward of the erf form. The grader sees when you hand in the tanh form.
#
# ```console
# $ minimixer exercises start ex05
# ```

# %% [markdown]
# ## Summary
#
# - Without a function between them, two Linear layers are one.
# - GELU is a gate: $x \cdot \Phi(x)$. It is smooth, and lets some gradient pass for small negative numbers.
# - erf form: $\mathrm{gelu}' = \Phi + x\,\varphi$. tanh form: the same product rule, and the chain rule with the inner
#   derivative $u'$.
# - The forms differ by less than 0.0005. Official weights need tanh, timm's weights need erf.
# - A wrong gradient of GELU is invisible in training. A strict gradient check sees it.
#
# **What the library does differently:** erf comes from SciPy (on a GPU, from CuPy). On the CPU a faster pair in
# `minimixer/kernels/cpu.py` replaces the tanh form: the same formula, computed in place and in small blocks. Lesson 12
# shows why this is faster. The erf form runs as you read it here.
