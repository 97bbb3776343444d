# %% [markdown]
# # 05 GELU, tanh and erf
#
# - **Time:** 25 minutes to read, 30 to do, 5 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 02 to 04, the bell curve of the normal distribution
# - **Previous:** [04 Linear: two gradients of a product](04_linear.ipynb)
# - **Next:** [06 LayerNorm](06_layernorm.ipynb)

# %% [markdown]
# ## Goal
#
# Every MLP in a Mixer has one function between its two Linear layers: **GELU**. After this lesson you can
#
# 1. say why there must be a function, and what a smooth one does better,
# 2. write both forms of GELU, the **erf** form and the **tanh** form, with their gradients,
# 3. choose the form that your weights need, and say how much the wrong one costs.

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
# One MLP: Linear, GELU, Linear. **N** is the number of rows, **C** the number of channels, and **D_C** the number of
# hidden units. GELU takes (N, D_C) and returns (N, D_C): it treats each number independently.

# %%
plots.shapes({"x": {"N": 4, "C": 3}, "hidden": {"N": 4, "D_C": 6}, "gelu(hidden)": {"N": 4, "D_C": 6},
              "y": {"N": 4, "C": 3}}, "→→→")

# %% [markdown]
# **Why have a function at all?** Without it, two Linear layers collapse into one:
# $(x W_1 + b_1) W_2 + b_2 = x\,(W_1 W_2) + (b_1 W_2 + b_2)$. The hidden units would be useless.

# %%
rng = np.random.default_rng(0)
rows = rng.standard_normal((4, 3))                                          # (N, C)
w1, b1, w2, b2 = (rng.standard_normal(shape) for shape in ((3, 6), 6, (6, 3), 3))
print("two layers are one:", np.allclose((rows @ w1 + b1) @ w2 + b2, rows @ (w1 @ w2) + (b1 @ w2 + b2)))

# %% [markdown]
# **ReLU** is the simplest function that changes this: $\max(x, 0)$. Think of it as a **gate**: $x$ is multiplied by 1
# if it is positive, and by 0 if not. **GELU** is a gate that opens gradually:
#
# $$\mathrm{gelu}(x) = x \cdot \Phi(x)$$
#
# $\Phi$ (say "Phi") is the cumulative normal distribution. $\Phi(x)$ is the probability that a random number $Z$ with
# the standard normal distribution is at most $x$: near 0 far to the left, 1/2 at 0, near 1 far to the right.
#
# $\Phi$ cannot be written with $+$, $\cdot$, $/$ and exp alone. It needs a function of its own, **erf**:
# $\Phi(x) = \frac{1}{2}\left(1 + \mathrm{erf}(x / \sqrt{2})\right)$.

# %%
erf = np.vectorize(math.erf)                    # NumPy has no erf, but the standard library does


def Phi(x):
    return 0.5 * (1 + erf(x / math.sqrt(2)))


xs = np.linspace(-4, 4, 161)
plots.lines(xs, {"ReLU": np.maximum(xs, 0), "GELU": xs * Phi(xs), "the gate, Phi": Phi(xs)}, xlabel="x", ylabel="y")

# %% [markdown]
# Is this really a probability? Draw 100,000 normal random numbers and count.

# %%
z = rng.standard_normal(100_000)
for point in (-1.0, 0.0, 1.0):
    print(f"share of numbers up to {point:4.1f}: {(z <= point).mean():.2f}   Phi: {Phi(point):.2f}")

# %% [markdown]
# ## Predict
#
# Use only the plot, no computer.
#
# 1. What is gelu(0)? What is gelu(10), roughly? And gelu(-10)?
# 2. If $x$ grows, does gelu($x$) always grow?
# 3. What is the slope of GELU at 0? And of ReLU?
# 4. What is gelu($x$) $-$ gelu($-x$)?
#
# <details><summary>Answer</summary>
#
# 1. 0, because $x$ is 0. About 10, because the gate is open. About 0, because the gate is closed.
# 2. No. From the far left to about $-0.75$ it falls, down to $-0.17$. Then it grows.
# 3. 1/2, the value of the gate at 0. ReLU has no slope there: 0 from the left, 1 from the right.
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
# **The gradient of the erf form.** GELU is a product of two functions of $x$, so the product rule gives two terms. What
# is the derivative of $\Phi$? $\Phi(x)$ is the area under the bell curve, up to $x$. If $x$ moves right by a small
# $\delta$, the area gains a strip as wide as $\delta$ and as high as the bell at $x$. So the derivative of the area is
# the height, $\varphi(x)$ (lowercase phi):
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
# **Now you see what smooth means.** The slope of ReLU jumps: a tiny change in a weight can switch it from 0 to 1.
# And it is 0 for *all* negative numbers. If a hidden unit is negative for every image, no gradient passes, so no weight
# before it changes, and it may stay that way forever. Such a unit is called *dead*. GELU lets some gradient pass where
# $x$ is slightly negative. Its slope even exceeds 1 in some places and falls below 0 in others.

# %%
print(f"largest slope {slope.max():.2f} at x = {xs[slope.argmax()]:.1f}, smallest {slope.min():.2f} "
      f"at x = {xs[slope.argmin()]:.1f}")
print(f"slope at x = -0.5: ReLU 0, GELU {erf_gradient(1.0, -0.5):.2f}; at x = -3: GELU {erf_gradient(1.0, -3.0):.3f}")

# %% [markdown]
# **The tanh form.** Not every library has erf (NumPy has none), but all have tanh. And tanh has the shape we need: it
# rises from $-1$ to 1. So we try $\Phi(x) \approx \frac{1}{2}(1 + \tanh u)$ and look for a good $u(x)$. Near 0, we use
# $\tanh u = u - u^3/3 + \ldots$ and the Taylor series of $\Phi$:
#
# $$\Phi(x) = \frac{1}{2} + \frac{1}{\sqrt{2\pi}}\left(x - \frac{x^3}{6} + \ldots\right)$$
#
# - **Same slope.** With $u = kx$, the slope is $k/2$. It must be $1/\sqrt{2\pi}$, so $k = \sqrt{2/\pi} \approx 0.798$.
# - **Same bend.** With $u = k\,(x + c\,x^3)$, the $x^3$ terms are equal for $c = k^2/3 - 1/6 \approx 0.0455$.
#
# The authors of GELU use a $c$ close to this, 0.044715. It is slightly worse near 0 and better for larger $x$:


# %%
k = math.sqrt(2 / math.pi)


def tanh_form(x, c=0.044715):
    return 0.5 * x * (1 + np.tanh(k * (x + c * x * x * x)))


for c in (0.0, k * k / 3 - 1 / 6, 0.044715):
    print(f"c = {c:.6f}: largest error {np.abs(tanh_form(xs, c) - exact).max():.5f}")

# %% [markdown]
# The cubic term makes the form 70 times more accurate. The two forms never differ by more than 0.0005. The difference
# is largest where the gate is almost open or almost closed:

# %%
plots.lines(xs, {"difference": tanh_form(xs) - exact}, xlabel="x", ylabel="tanh form minus erf form")

# %% [markdown]
# **Your turn.** Is the authors' $c$ the best one? Try others between 0.04 and 0.05, by hand or in a loop, until the
# largest error is below 0.0004. Set `better_c`.
#
# <details><summary>Solution</summary>
#
# ```python
# better_c = min(np.linspace(0.04, 0.05, 101), key=lambda c: np.abs(tanh_form(xs, c) - exact).max())
# ```
#
# </details>

# %% tags=["your-turn"]
better_c = ...

# %%
mm.exercises.turn(better_c, right=lambda c: np.abs(tanh_form(xs, c) - exact).max() < 0.0004 or
                  f"With this c the largest error is {np.abs(tanh_form(xs, c) - exact).max():.5f}.",
                  hint="a little below the authors' value.")

# %% [markdown]
# A smaller error is possible. But weights that were trained with the tanh form were trained with 0.044715, so libraries
# keep it.

# %% [markdown]
# **The gradient of the tanh form.** One function is nested in another: $t = \tanh u$ and $u = k\,(x + c\,x^3)$. The
# derivative of $\tanh$ is $1 - \tanh^2$. The chain rule multiplies it by the **inner derivative**, that of $u$:
#
# $$t' = (1 - t^2)\,u', \qquad u' = k\,(1 + 3c\,x^2), \qquad
#   \mathrm{gelu}'(x) = \frac{1 + t}{2} + x\,\frac{t'}{2}$$


# %%
def tanh_gradient(gy, x, c=0.044715):
    t = np.tanh(k * (x + c * x * x * x))
    inner = k * (1 + 3 * c * x * x)             # u'
    return gy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)


# %% [markdown]
# **Your turn.** There is a third form in use: $x \cdot s(x)$ with the gate $s(x) = 1 / (1 + e^{-1.702 x})$, called
# "quick GELU". The derivative of this gate is $1.702\, s\,(1 - s)$. Write its gradient, as `erf_gradient` above.
#
# <details><summary>Solution</summary>
#
# ```python
# def quick_gradient(gy, x):
#     s = 1 / (1 + np.exp(-1.702 * x))
#     return gy * (s + x * 1.702 * s * (1 - s))
# ```
#
# </details>


# %% tags=["your-turn"]
def quick_gradient(gy, x):
    ...


# %%
def quick_form(x):
    return x / (1 + np.exp(-1.702 * x))


numeric_slope = (quick_form(xs + 1e-5) - quick_form(xs - 1e-5)) / 2e-5
mm.exercises.turn(quick_gradient, right=lambda gradient: np.allclose(gradient(3.0, xs), 3 * numeric_slope) or
                  f"At x = 1 the slope should be {numeric_slope[100]:.4f}, not {gradient(1.0, xs)[100]:.4f}.",
                  hint="the product rule gives two terms; gy multiplies both.")

# %% [markdown]
# ## Check
#
# **First check: finite differences.** Each gradient must match *its own* form.

# %%
step = 1e-5
for name, f, gradient in (("erf", lambda x: x * Phi(x), erf_gradient), ("tanh", tanh_form, tanh_gradient)):
    numeric = (f(xs + step) - f(xs - step)) / (2 * step)
    report = mm.gradcheck(lambda x, form=name: mm.functional.gelu(x, form), rows)
    print(f"{name:<4}  ours is right: {np.abs(gradient(1.0, xs) - numeric).max() < 1e-8}  minimixer's: {report.ok}")

# %% [markdown]
# **Second check: the library's file**, `minimixer/ops/gelu/reference.py`. First the tanh form:

# %%
print(f"SQRT_2_OVER_PI = {gelu.reference.SQRT_2_OVER_PI:.6f}, CUBIC = {gelu.reference.CUBIC}\n")
print(inspect.getsource(gelu.GELU))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `t = xp.tanh(...)` | $t = \tanh u$; `xp` is NumPy, or CuPy on a GPU |
# | `x * x * x` | $x^3$ as two multiplications: a general power is much slower |
# | `return ..., (x, t)` | the result, and what the gradient will need: tanh is not computed again |
# | `dt = ...` | $t' = (1 - t^2)\,u'$; the inner derivative is the last factor |
# | `gy * (0.5 * (1 + t + x * dt))` | the product rule, times the incoming gradient |
#
# There are no shapes here, because each number is independent. Now the erf form:

# %%
print(inspect.getsource(gelu.GELUErf))

# %%
points = rng.standard_normal((3, 5))
ones = np.ones_like(points)
assert np.allclose(gelu.GELU.backward(np, ones, *gelu.GELU.forward(np, points)[1]), tanh_gradient(1.0, points))
assert np.allclose(gelu.GELUErf.backward(np, ones, *gelu.GELUErf.forward(np, points)[1]), erf_gradient(1.0, points))
print("our gradients and the library's agree")

# %% [markdown]
# ## Break it
#
# **The classic bug:** the chain rule stops too early. $1 - t^2$ is there, but the factor $u'$ is missing. **A second
# bug:** the forms are mixed, tanh in the forward pass and erf in the backward pass. We train one small MLP with each
# variant: it must learn a sine.


# %%
class NoInnerDerivative(gelu.GELU):
    """The tanh form; its gradient lacks the factor u'."""

    @staticmethod
    def backward(xp, gy, x, t):
        return gy * (0.5 * (1 + t + x * (1 - t * t)))


class MixedForms(gelu.GELU):
    """The tanh form forward, the erf form backward."""

    @staticmethod
    def backward(xp, gy, x, t):
        return gelu.GELUErf.backward(xp, gy, *gelu.GELUErf.forward(xp, x)[1])


# %%
def train(op, steps=200):
    block = mm.nn.MlpBlock(1, 32, init=mm.nn.lecun_normal(np.random.default_rng(0)))
    block.gelu = lambda hidden: apply(op, hidden)                   # our op in place of the layer
    optimizer = mm.optim.AdamW(block.parameters(), lr=0.01)
    x = np.linspace(-2, 2, 64, dtype=np.float32)[:, None]           # (64, 1)
    losses = []
    for _ in range(steps):
        loss = ((block(mm.Tensor(x)) - mm.Tensor(np.sin(3 * x))) ** 2).mean()
        optimizer.step(mm.grad(loss, block.parameters()))
        losses.append(loss.item())
    return losses


plots.lines(np.arange(200), {"right": train(gelu.GELU), "without the inner derivative": train(NoInnerDerivative),
                             "mixed forms": train(MixedForms)}, xlabel="step", ylabel="mean squared error", log="y")

# %% [markdown]
# **Symptom.** There is nothing to see. All three learn the sine. The curve for the mixed forms lies on top of the right
# one. The curve for the first bug is slightly different, and here it is not even worse. Such a gradient still points
# downhill, so a loss curve will not reveal it. But it is not the gradient of this network: every result you publish
# with it is the result of another method.
#
# Only a test finds these bugs. And only a **strict** test finds the second one, because its slopes are almost right:

# %%
for op in (gelu.GELU, NoInnerDerivative, MixedForms):
    wrong_by = np.abs(op.backward(np, 1.0, *op.forward(np, xs)[1]) - tanh_gradient(1.0, xs)).max()
    loose, strict = (mm.gradcheck(lambda x, op=op: apply(op, x), points, tolerance=tolerance).ok
                     for tolerance in (1e-2, 1e-6))
    print(f"{op.__name__:<18} slope wrong by {wrong_by:.4f}  tolerance 1e-2: {loose!s:<6} 1e-6: {strict}")

# %% [markdown]
# **Cure.** Write $t'$ on its own line, as the library does (`dt = ...`). Then a missing factor is easy to see. Test in
# float64 with a small tolerance: a tolerance of 1 % accepts the gradient of another function.

# %% [markdown]
# ## Use it
#
# **How often does GELU fall?** Left of $x = -0.75$, its slope is negative. In a new network, the inputs of the hidden
# units are close to standard normal numbers, and $\Phi$ counts those.

# %% [markdown]
# **Your turn.** What share of standard normal numbers gets a negative slope from GELU? Read it off $\Phi$, to two
# digits or more. Set `falling`.
#
# <details><summary>Solution</summary>
#
# ```python
# falling = Phi(-0.75)                # 0.23
# ```
#
# </details>

# %% tags=["your-turn"]
falling = ...

# %%
mm.exercises.turn(falling, right=lambda share: 0.22 <= share <= 0.235, hint="Phi(x) is the share of numbers up to x.")

# %% [markdown]
# So for more than a fifth of the hidden units, the output *falls* when the input grows.
#
# **Which weights need which form?** The paper says only "GELU". The official code, written in JAX, computes the tanh
# form. timm, the PyTorch library, computes the erf form. Weights learned with one form should be used with that form.
# minimixer records the form for each of the two file layouts and sets it when it loads weights.

# %%
for layout in (names.OFFICIAL, names.TIMM):
    print(f"{layout.name:<9} {layout.gelu}")

# %% [markdown]
# What happens if you choose the wrong one? We give the same random weights and the same random images to two Mixers
# with 8 blocks, and so with 16 GELUs in a row.

# %%
head = mm.nn.lecun_normal(np.random.default_rng(1))((128, 10))      # (C, classes); a new head is zero
images = mm.Tensor(rng.standard_normal((16, 32, 32, 3), np.float32))
logits = {}
for form in ("tanh", "erf"):
    model = mm.nn.mixer("micro", gelu=form)
    model.head.weight.data = head
    with mm.no_grad():
        logits[form] = model(images).data                           # (16, 10)
print(f"logits have a spread of {logits['erf'].std():.2f}")
print(f"they differ by at most  {np.abs(logits['tanh'] - logits['erf']).max():.4f}")
print("same answers:", (logits["tanh"].argmax(-1) == logits["erf"].argmax(-1)).all())

# %% [markdown]
# The answers are the same, but the digits are not. So if your logits differ from a reference in the *fourth* decimal
# place and you are looking for a bug, compare the forms first.

# %% [markdown]
# ## Exercise
#
# Write the forward and backward passes of the erf form. The checker notices if you submit the tanh form.
#
# ```console
# $ minimixer exercises start ex05
# ```

# %% [markdown]
# ## Summary
#
# - Without a function between them, two Linear layers are one.
# - GELU is a gate: $x \cdot \Phi(x)$. It is smooth and lets some gradient pass for small negative numbers.
# - erf form: $\mathrm{gelu}' = \Phi + x\,\varphi$. tanh form: the same product rule, plus the chain rule with the inner
#   derivative $u'$.
# - The forms differ by less than 0.0005. Official weights need tanh, and timm's weights need erf.
# - A wrong gradient of GELU is invisible in training. A strict gradient check sees it.
#
# **What the library does differently:** erf comes from SciPy (on a GPU, from CuPy). The folder `minimixer/ops/gelu/`
# also holds faster code for the tanh form. On the CPU, training runs `inplace.py`, the same formula computed in place
# and in small blocks, or `compiled.py`, where Numba is installed. Lesson 23 shows why they are faster. A test proves
# each equal to the code you read, and `--kernels reference` (in Python, `mm.reference_kernels()`) trains with the code
# you read. The erf form always runs on the CPU as you read it here.
