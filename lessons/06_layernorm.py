# %% [markdown]
# # 06 LayerNorm
#
# - **Time:** 29 minutes to read, 35 to do, 10 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 01 to 03, mean and variance
# - **Previous:** [05 GELU, tanh and erf](05_gelu.ipynb)
# - **Next:** [07 Patches: from pixels to tokens](07_patches.ipynb)

# %% [markdown]
# ## Goal
#
# In a Mixer, a **LayerNorm** comes before every MLP. Its forward pass is four lines. Its backward pass has three terms,
# and two of them are easy to forget. After this lesson you can
#
# 1. say what LayerNorm does to a row of numbers, and what it discards,
# 2. derive the **three terms** of its gradient one by one, and test each of them separately,
# 3. read `minimixer/ops/layernorm/reference.py`.

# %%
import inspect
import os

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.ops import layernorm
from minimixer.tensor import apply

# %% [markdown]
# ## Picture
#
# **S** is the number of patches, **C** the number of channels. Each patch is one row. Each row has its own mean and
# variance, taken over its C channels. The mean is subtracted. Then the row is multiplied by `r`, which is 1 divided by
# the square root of the variance. `weight` and `bias` have one number per channel, the same for all rows. In one line:
# `y = (x - mean) * r * weight + bias`.

# %%
plots.shapes({"x": {"S": 4, "C": 6}, "mean": {"S": 4, "kept": 1}, "r": {"S": 4, "kept": 1},
              "weight": {"C": 6}, "bias": {"C": 6}, "y": {"S": 4, "C": 6}}, ["(", "-", ")*", "*", "+", "="])

# %% [markdown]
# `mean` and `r` have one number per row. They *keep* their last axis, with length 1, so that they broadcast over the
# channels (`keepdims=True`, lesson 01).
#
# Four rows with different means and different spreads go in. After LayerNorm, all rows have mean 0 and variance 1. What
# remains is the **pattern** of a row: which channels are above its mean, and by how much.

# %%
rng = np.random.default_rng(0)
heights, spreads = np.array([[3.0], [-2.0], [0.0], [1.0]]), np.array([[1.0], [0.5], [2.0], [0.3]])
x = heights + spreads * rng.standard_normal((4, 6))                                     # (S, C)
after = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)                      # (S, C)
plots.weight_maps(np.stack([x, after]), ["before", "after"], names=("S", "C"), numbers=True,
                  alt="Four rows of six numbers. Before LayerNorm, every row has its own mean and spread. After it, "
                      "all have the same, and only the pattern of each row is left.")

# %% [markdown]
# ## Predict
#
# LayerNorm, without `weight` and `bias`, turns the row `[1, 2, 3, 4]` into about `[-1.34, -0.45, 0.45, 1.34]`. What
# does it give for these rows? <!-- printed -->
#
# 1. `[101, 102, 103, 104]`
# 2. `[10, 20, 30, 40]`
# 3. `[-1, -2, -3, -4]`
# 4. `[5, 5, 5, 5]`
#
# <details><summary>Answer</summary>
#
# 1. The same. The 100 is part of the mean, and the mean is subtracted.
# 2. The same. The spread is 10 times larger, but LayerNorm divides by it.
# 3. The same with the opposite sign.
# 4. `[0, 0, 0, 0]`, even though the variance is 0. A small number, `eps`, prevents division by zero.
#
# </details>

# %%
ones, zeros = mm.Tensor(np.ones(4)), mm.Tensor(np.zeros(4))
for row in ([1, 2, 3, 4], [101, 102, 103, 104], [10, 20, 30, 40], [-1, -2, -3, -4], [5, 5, 5, 5]):
    print(row, "->", mm.functional.layer_norm(mm.Tensor(np.array(row, float)), ones, zeros).data.round(2) + 0.0)

# %% [markdown]
# ## Build
#
# **Forward.** For one row, where $i$ is the channel:
#
# $$\mu = \frac{1}{C}\sum_i x_i \qquad v = \frac{1}{C}\sum_i (x_i - \mu)^2 \qquad
#   n_i = \frac{x_i - \mu}{\sqrt{v + \varepsilon}} \qquad y_i = \gamma_i\, n_i + \beta_i$$
#
# $\mu$ is the mean, $v$ the variance, and $n$ the normalized row. $\varepsilon$ is `eps`, $\gamma$ (gamma) is `weight`,
# and $\beta$ (beta) is `bias`.


# %%
def forward(x, weight, bias, eps=1e-6):
    mean = x.mean(-1, keepdims=True)                        # (S, 1)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)    # (S, 1)
    rstd = 1 / np.sqrt(variance + eps)                      # (S, 1)
    normalized = (x - mean) * rstd                          # (S, C)
    return normalized * weight + bias, normalized, rstd


weight, bias = 1 + 0.3 * rng.standard_normal(6), rng.standard_normal(6)                 # (C,)
y, normalized, rstd = forward(x, weight, bias)
print("means of the rows:    ", normalized.mean(-1).round(4) + 0.0)
print("variances of the rows:", normalized.var(-1).round(4))

# %% [markdown]
# This formula hides three decisions.
#
# **Divide by C, not by C - 1.** Statistics uses $C - 1$ to *estimate* the variance of a whole population from a sample
# (`ddof=1`). We estimate nothing. We want the mean of $n_i^2$ in this row to be 1. That takes $C$, `ddof=0`, NumPy's
# default.
#
# **eps inside the square root.** Why not divide by $\sqrt{v} + \varepsilon$? Because of the *gradient*. The slope of
# $\sqrt{v}$ is $1 / (2\sqrt{v})$: at $v = 0$ it is infinite. The slope of $\sqrt{v + \varepsilon}$ at 0 is large but
# finite. Does $v = 0$ ever happen? In a new Mixer all biases are 0, so a patch whose pixels are all 0 becomes a row of
# zeros. One such row is enough: infinity times 0 is NaN (not a number), and after the next step all gradients are NaN.

# %%
with np.errstate(divide="ignore"):
    print("slope of sqrt(v) at 0:       ", 1 / (2 * np.sqrt(np.float64(0))))
print("slope of sqrt(v + 1e-6) at 0:", round(1 / (2 * np.sqrt(1e-6))))

# %% [markdown]
# **weight and bias.** Mean 0 and variance 1 are a good starting point, but they may not be what the next layer needs.
# With $\gamma$ and $\beta$, the network can learn a different spread and mean for each channel. They start at 1 and 0.

# %% [markdown]
# **Your turn.** `weight` and `bias` can even undo the norm of one row. Which `weight` and which `bias`, one number each
# for all four channels, turn `[1, 2, 3, 4]` into `[1, 2, 3, 4]` again? Set `undo` to the tuple (weight, bias). You can
# neglect eps.
#
# <details><summary>Solution</summary>
#
# ```python
# undo = (np.sqrt(1.25), 2.5)           # the standard deviation of the row, and its mean
# ```
#
# </details>

# %% tags=["your-turn"]
undo = ...


# %%
def undoes_the_norm(answer):
    row = np.array([1.0, 2.0, 3.0, 4.0])                                        # (C,)
    back = forward(row, *answer)[0]                                             # (C,)
    return np.allclose(back, row, atol=1e-3) or f"It gives {back.round(2)}. Which numbers did the norm take away?"


mm.exercises.turn(undo, right=undoes_the_norm)

# %% [markdown]
# For this row only: a row with another mean or another spread needs another `weight` and `bias`, and all rows share the
# same ones.

# %% [markdown]
# **Backward.** $g_i$ is the gradient of the loss with respect to $n_i$. Since $y_i = \gamma_i n_i + \beta_i$, it is
# $\gamma_i$ times the gradient of $y_i$, in code `g = gy * weight`. We write $r = 1/\sqrt{v + \varepsilon}$, in code
# `rstd`, so that $n_i = (x_i - \mu)\, r$.
#
# Now move one number, $x_i$, by a small $\delta$. It changes the row $n$ along **three paths**, because $x_i$ affects
# three parts of the formula:
#
# $$n_j = (x_j - \mu) \cdot r$$
#
# **Path 1, direct.** $\mu$ and $r$ stay the same. Only $n_i$ changes, by $r\,\delta$. The loss changes by
# $g_i\, r\,\delta$:
#
# $$\text{term 1} = r\, g_i$$
#
# **Path 2, through the mean.** $\mu$ is the mean of C numbers, so it rises by $\delta / C$. Then *every* $n_j$ falls by
# $r\,\delta / C$. The loss changes by $-\frac{r\,\delta}{C} \sum_j g_j$. And $\frac{1}{C}\sum_j g_j$ is a mean:
#
# $$\text{term 2} = -r\; \mathrm{mean}(g)$$

# %% [markdown]
# **Path 3, through the variance.** This takes three small steps.
#
# 1. How much does $v$ change? $v$ is the mean of the squares $(x_j - \mu)^2$. The square of number $i$ changes by
#    $2\,(x_i - \mu)\,\delta$, so $v$ changes by $\frac{2}{C} (x_i - \mu)\,\delta$. (The mean $\mu$ moves too, but this
#    does not change $v$: it would add $-\frac{2}{C}\frac{\delta}{C}\sum_j (x_j - \mu)$, and this sum is 0.)
# 2. How much does $r$ change? $r = (v + \varepsilon)^{-1/2}$, so its slope is
#    $-\frac{1}{2}(v + \varepsilon)^{-3/2} = -\frac{1}{2} r^3$. Times step 1: $r$ changes by
#    $-\frac{r^3}{C}(x_i - \mu)\,\delta = -\frac{r^2}{C}\, n_i\,\delta$.
# 3. How much does $n_j$ change? By $(x_j - \mu)$ times step 2, and $(x_j - \mu)\, r = n_j$. So *every* $n_j$ changes by
#    $-\frac{r}{C}\, n_j\, n_i\,\delta$.
#
# The loss changes by $-\frac{r}{C}\, n_i\,\delta \sum_j g_j n_j$. Again this contains a mean:
#
# $$\text{term 3} = -r\; n_i\; \mathrm{mean}(g \cdot n)$$
#
# All changes are small, so they add up:
#
# $$\frac{\partial L}{\partial x_i} = r \left( g_i - \mathrm{mean}(g) - n_i\, \mathrm{mean}(g \cdot n) \right)$$


# %%
def three_terms(gy, normalized, rstd, weight):
    g = gy * weight                                                             # (S, C)
    direct = rstd * g                                                           # (S, C)
    through_mean = -rstd * g.mean(-1, keepdims=True)                            # (S, 1)
    through_variance = -rstd * normalized * (g * normalized).mean(-1, keepdims=True)    # (S, C)
    return direct, through_mean, through_variance


gy = rng.standard_normal((4, 6))                                                # (S, C)
terms = three_terms(gy, normalized, rstd, weight)
gx = sum(terms)                                                                 # (S, C)
scaled = [np.broadcast_to(t, (4, 6)) / rstd for t in (*terms, gx)]
plots.weight_maps(np.stack(scaled), ["direct", "mean", "variance", "their sum"], names=("S", "C"),
                  alt="The three terms and their sum, as tables of 4 rows and 6 columns. The direct term has the "
                      "largest numbers; the one through the mean has the same number in all columns of a row.")

# %% [markdown]
# (Each row is shown divided by its $r$, so that you can see all of them.) The three maps look different. The first is
# the largest, but the others are not small.

# %% [markdown]
# **Your turn.** Large language models often use a simpler norm, **RMSNorm**: it subtracts no mean, and divides by the
# square root of the mean of the squares, $n_i = x_i \, r$ with $r = 1 / \sqrt{\mathrm{mean}(x^2) + \varepsilon}$. Which
# paths are open, and which terms are left? Write `rms_backward`: `g` is the gradient with respect to $n$; `g` and `n`
# have shape (S, C), `r` has (S, 1). It returns the gradient with respect to x, (S, C).
#
# <details><summary>Solution</summary>
#
# ```python
# def rms_backward(g, n, r):
#     return r * (g - n * (g * n).mean(-1, keepdims=True))      # no mean, so no path 2
# ```
#
# </details>

# %% tags=["your-turn"]
def rms_backward(g, n, r):
    ...


# %%
def right_for_rms(function):
    r_rms = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)                 # (S, 1)
    leaf = mm.Tensor(x, requires_grad=True)
    normed = leaf * (1 / ((leaf * leaf).mean(-1, keepdims=True) + 1e-6).sqrt())             # (S, C)
    wanted = mm.grad((normed * gy).sum(), [leaf])[0]                            # (S, C)
    got = np.asarray(function(gy, x * r_rms, r_rms))
    return (got.shape == x.shape and np.allclose(got, wanted)) or "The engine finds another one: which paths are open?"


mm.exercises.turn(rms_backward, right=right_for_rms)

# %% [markdown]
# **weight and bias** are lesson 01: the same number is used in all rows, so we sum the gradients of all rows.

# %%
gweight = (gy * normalized).sum(axis=0)         # (C,)
gbias = gy.sum(axis=0)                          # (C,)

# %% [markdown]
# ## Check
#
# **First check: each term separately.** A path can be closed. If we compute $\mu$ and $r$ once and do not update them
# when $x$ moves, only path 1 is open. If we update only $\mu$, paths 1 and 2 are open. So finite differences can test
# the terms one by one.


# %%
def loss(moved, open_paths):
    """Sum of gy * y; the statistics of closed paths are those of x, not those of the moved array."""
    mean = (moved if open_paths >= 2 else x).mean(-1, keepdims=True)
    r = 1 / np.sqrt((moved if open_paths == 3 else x).var(-1, keepdims=True) + 1e-6)
    return (gy * ((moved - mean) * r * weight + bias)).sum()


step = 1e-5
for paths in (1, 2, 3):
    numeric = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[i] = step
        numeric[i] = (loss(x + move, paths) - loss(x - move, paths)) / (2 * step)
    print(f"{paths} open: equal to the sum of the first {paths} terms:", np.allclose(numeric, sum(terms[:paths])))

# %% [markdown]
# minimixer's check opens all paths, for all three inputs at once:


# %%
def verdicts(function):
    report = mm.gradcheck(function, x, weight, bias)
    return {name: row.ok for name, row in zip(("x", "weight", "bias"), report.inputs, strict=True)}


print(verdicts(mm.functional.layer_norm))

# %% [markdown]
# **Second check: the meaning.** You predicted that adding 100 to a row changes nothing. The gradient must agree: if all
# numbers of a row move up together, the loss stays the same. So the sum of `gx` over a row is 0. If the row is
# stretched, the loss stays the same too: the sum of `gx` times $(x - \mu)$ is 0 (almost, because of eps). Term 2 is
# exactly what makes the first sum 0. Term 3 is exactly what makes the second sum 0.

# %%
centered = x - x.mean(-1, keepdims=True)                                        # (S, C)
for name, gradient in (("term 1", terms[0]), ("terms 1 + 2", terms[0] + terms[1]), ("all three", gx)):
    up, stretch = np.abs(gradient.sum(-1)).max(), np.abs((gradient * centered).sum(-1)).max()
    print(f"{name:<12} all up: {up:6.3f}   stretch: {stretch:.3f}")

# %% [markdown]
# **Third check: the library's file**, `minimixer/ops/layernorm/reference.py`.

# %%
print(inspect.getsource(layernorm.LayerNorm))

# %%
library = layernorm.LayerNorm.backward(np, gy, normalized, rstd, weight)
print([bool(np.allclose(a, b)) for a, b in zip(library, (gx, gweight, gbias), strict=True)])

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `centered` | computed once and used twice: for the variance and for the result |
# | `(centered * centered).mean(...)` | the variance in a second pass over the row, divided by C |
# | `return ..., (normalized, rstd, weight)` | $n$, $r$ and $\gamma$ are all that backward needs: x itself is not kept |
# | `g`, then the three lines of `gx` | our three terms, with `rstd` factored out |
# | `leading` | all axes but the last: the rows. In a Mixer x is (B, S, C), so there are B x S rows |
#
# Why a second pass? There is a one-pass formula, $v = \mathrm{mean}(x^2) - \mu^2$. Flax, which the official code uses,
# computes it this way. But far from 0 it subtracts two large numbers that are almost equal. You know this from lesson
# 03: only the wrong digits remain.

# %%
far = (1000 + 0.1 * rng.standard_normal(64)).astype(np.float32)                 # (C,)
exact = far.astype(np.float64).var()
print(f"variance in float64: {exact:.3f}")
for name, variance in (("two passes", ((far - far.mean()) ** 2).mean()),
                       ("one pass", (far * far).mean() - far.mean() ** 2)):
    print(f"{name}, float32: off by at most 10%: {abs(variance - exact) <= 0.1 * exact}")

# %% [markdown]
# ## Break it
#
# The classic bug: **only the first term**. It is tempting to think "the mean and the variance are just numbers" and
# treat them as constants. We train a small Mixer on images of digits, 8 x 8 pixels, once with the correct LayerNorm and
# once with this one.


# %%
class FirstTermOnly(layernorm.LayerNorm):
    """Treats the mean and the variance as constants."""

    @staticmethod
    def backward(xp, gy, normalized, rstd, weight):
        _, *right = layernorm.LayerNorm.backward(xp, gy, normalized, rstd, weight)
        return rstd * gy * weight, *right


class BrokenNorm(mm.nn.LayerNorm):
    def forward(self, x):
        return apply(FirstTermOnly, x, self.weight, self.bias, eps=self.eps)


# %%
config = mm.nn.MixerConfig(image_size=8, patch_size=2, in_channels=1, num_classes=10, hidden_dim=32, num_blocks=2,
                           tokens_mlp_dim=16, channels_mlp_dim=64)
digits = mm.data.load_digits()
steps = 30 if os.environ.get("MINIMIXER_LESSON_FAST") == "1" else 150


def build(norm):
    """The same Mixer with the same weights; norm builds its LayerNorms."""
    model = mm.nn.MlpMixer(config)
    model.norm = norm(config.hidden_dim)
    for block in model.blocks:
        block.token_norm, block.channel_norm = norm(config.hidden_dim), norm(config.hidden_dim)
    return model


# %%
def train(model):
    optimizer = mm.optim.SGD(model.parameters(), lr=0.05)
    order, losses = np.random.default_rng(0), []
    for _ in range(steps):
        chosen = order.integers(0, len(digits.train_images), 64)
        batch = digits.train_images[chosen].astype(np.float32) / 127.5 - 1      # (64, 8, 8, 1)
        batch_loss = mm.functional.cross_entropy(model(mm.Tensor(batch)), digits.train_labels[chosen])
        optimizer.step(mm.grad(batch_loss, model.parameters()))
        losses.append(batch_loss.item())
    return losses


right, broken = build(mm.nn.LayerNorm), build(BrokenNorm)
plots.lines(np.arange(steps), {"right": train(right), "only the first term": train(broken)},
            xlabel="step", ylabel="cross-entropy")

# %%
test_images = mm.Tensor(digits.test_images.astype(np.float32) / 127.5 - 1)      # (360, 8, 8, 1)
with mm.no_grad():
    for name, trained in (("right", right), ("only the first term", broken)):
        share = (trained(test_images).data.argmax(-1) == digits.test_labels).mean()
        print(f"{name:<20} {100 * share:.0f}% of the test images are right")

# %% [markdown]
# **Symptom.** Training seems to work. The loss falls, and the digits are recognized. If you had only the broken curve,
# you would see nothing strange. It just falls more slowly, and you would start looking for a better learning rate. The
# gradient check needs no training, and it names the input:

# %%
print(verdicts(lambda *inputs: apply(FirstTermOnly, *inputs, eps=1e-6)))

# %% [markdown]
# `weight` and `bias` are right: their gradients do not use the three terms. So a test that looks only at the gradients
# of this layer's *parameters* finds nothing.
#
# **Cure.** Test the gradient of every input, not only of the parameters. And for each statistic computed from $x$, ask:
# does it change when $x$ changes? If so, there is one more path, and one more term.

# %% [markdown]
# ## Use it
#
# **Why does a Mixer need it?** Every block adds something to its input, so the numbers grow from block to block. But an
# MLP learns best if its inputs always have about the same scale. Here is a new Mixer with 8 blocks: the standard
# deviation of each block's input, and of what its first MLP receives.

# %%
model = mm.nn.mixer("micro")
images = mm.Tensor(rng.standard_normal((4, 32, 32, 3), np.float32))             # (B, H, W, 3)
stream, spreads_before, spreads_after = model.stem(mm.functional.patches(images, 4)), [], []        # (B, S, C)
with mm.no_grad():
    for block in model.blocks:
        spreads_before.append(stream.data.std())
        spreads_after.append(block.token_norm(stream).data.std())
        stream = block(stream)                                                  # (B, S, C)
plots.lines(np.arange(1, 9), {"enters the block": spreads_before, "after its LayerNorm": spreads_after},
            xlabel="block", ylabel="standard deviation")

# %% [markdown]
# **Each row is independent.** Here a patch does not see the other patches, and an image does not see the other images
# of the batch (that would be BatchNorm). So an image gives the same result alone and in a batch, and LayerNorm does the
# same in training and at test time.

# %%
norm = mm.nn.LayerNorm(128)
print("the same alone as in the batch:", np.allclose(norm(stream).data[:1], norm(stream[:1]).data, atol=1e-6))

# %% [markdown]
# **A parameter that does nothing.** In token mixing, the last Linear layer works on patches: its bias adds one number
# to *all channels* of a patch. All layers after it begin with a LayerNorm over channels. And adding one number to the
# whole row is exactly what LayerNorm discards! So this bias cannot change the answer, and its gradient is 0. With only
# the first term, it is not 0: the broken gradient pushes a parameter that has no effect at all.

# %%
labels = digits.test_labels
for name, trained in (("right", right), ("only the first term", broken)):
    useless = trained.blocks[0].token_mixing.fc2.bias                           # (S,)
    push = mm.grad(mm.functional.cross_entropy(trained(test_images), labels), [useless])[0]
    print(f"{name:<20} largest gradient {np.abs(push).max():.4f}")

# %% [markdown]
# **Your turn.** The model `micro` from above has 8 blocks and S = 64 patches. How many of its parameters can never
# change the answer, for this reason? Set `useless_parameters`.
#
# <details><summary>Solution</summary>
#
# ```python
# useless_parameters = 8 * 64           # the last bias of the token mixing of each block has one number per patch
# ```
#
# </details>

# %% tags=["your-turn"]
useless_parameters = ...

# %%
last_biases = sum(block.token_mixing.fc2.bias.data.size for block in model.blocks)
mm.exercises.turn(useless_parameters, right=last_biases, hint="Each block has one such bias: what is its shape?")

# %% [markdown]
# ## Exercise
#
# Write the forward and backward passes of LayerNorm. The checker says which of the three terms is missing.
#
# ```console
# $ minimixer exercises start ex06
# ```

# %% [markdown]
# ## Summary
#
# - LayerNorm gives every row mean 0 and variance 1 over its channels, then scales by `weight` and shifts by `bias`.
# - The variance is divided by C. eps is inside the square root, so that the gradient is finite.
# - $x$ acts in three places: directly, in the mean, and in the variance. So the gradient has three terms,
#   $r\,(g - \mathrm{mean}(g) - n\,\mathrm{mean}(g \cdot n))$.
# - Terms 2 and 3 remove from the gradient what LayerNorm removes from $x$: the mean and the spread of a row.
# - Without them a network still learns, just worse. A gradient check sees it at once.
#
# **What the library does differently:** the layer uses eps = 1e-6, like the official Mixer; PyTorch's default is 1e-5.
# The folder `minimixer/ops/layernorm/` holds every form of this op. On the CPU, training runs `inplace.py`, the same
# formulas on a few rows at a time, with every mean computed as a product with a vector, or `compiled.py`, where Numba
# is installed. A GPU runs `cuda.py` with `kernel.cu`. A test proves each equal to the code you read. To train with the
# code you read, use `--kernels reference` (in Python, `mm.reference_kernels()`).
