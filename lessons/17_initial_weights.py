# %% [markdown]
# # 17 How weights start
#
# - **Time:** 25 minutes to read, 20 to do, 12 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 04, 06 and 09
# - **Previous:** [16 Official weights in your hands](16_official_weights.ipynb)
# - **Next:** [18 Overfitting](18_overfitting.ipynb)

# %% [markdown]
# ## Goal
#
# Before the first step of training, all weights are random numbers. How large should they be? After this lesson you can
#
# 1. derive the size that keeps a signal alive, $1/\sqrt{n}$, and write the library's `lecun_normal`,
# 2. show what happens to the signal and to the gradient in 8 layers if weights are too large or too small,
# 3. say what LayerNorm and skip connections change about it, and why the weights still must not all be equal.

# %%
import inspect
import math
import os

import numpy as np

import minimixer as mm
from minimixer import functional as F
from minimixer import nn, optim, plots
from minimixer.nn.random import STD_OF_TRUNCATED
from minimixer.parallel import Workers

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# A Linear layer, once more. **B** is the number of images in a batch, **n** the number of inputs of the layer (its
# *fan-in*), **m** the number of outputs.

# %%
plots.shapes({"x": {"B": 3, "n": 8}, "weight": {"n": 8, "m": 5}, "y": {"B": 3, "m": 5}}, "@=")

# %% [markdown]
# Each number of y is a sum of n products, one input times one weight. With random weights, some products are positive
# and some negative, so much of the sum cancels. The question is what is left.
#
# We need one number for "how large". The **root mean square** of an array is
#
# $$\mathrm{rms}(x) = \sqrt{\mathrm{mean}(x^2)}$$
#
# For numbers with mean 0 it is the standard deviation.


# %%
def rms(array):
    return float(np.sqrt((array * array).mean()))


# %% [markdown]
# ## Predict
#
# 1. A layer has n = 100 inputs, with rms 1. Its weights are normal numbers with standard deviation 1. What is the rms
#    of the output: about 1, about 10, or about 100?
# 2. Eight such layers follow each other. What is the rms at the end?
# 3. To be careful, somebody starts *all* weights and biases of a network at 0. Which of them can learn?
#
# <details><summary>Answer</summary>
#
# 1. About 10. A sum of n products grows like n if they all have the same sign. Here positive and negative ones cancel,
#    and the sum grows like $\sqrt{n}$.
# 2. About $10^8$. Each layer multiplies the size by 10.
# 3. Only the bias of the last layer. Every other gradient is a product with a weight or a signal that is 0. Equal
#    weights that are not 0 are hardly better: see "Break it".
#
# </details>

# %%
rng = np.random.default_rng(0)
ones = rng.standard_normal((1000, 100))                                         # (B, n)
print(f"weights of size 1:   rms {rms(ones @ rng.standard_normal((100, 100))):.1f}")
print(f"weights of size 0.1: rms {rms(ones @ (0.1 * rng.standard_normal((100, 100)))):.1f}")

# %% [markdown]
# ## Build
#
# **The size that keeps the signal.** One output is $y = \sum_{i=1}^{n} x_i w_i$. The weights are independent of each
# other and of $x$, have mean 0 and standard deviation $\sigma$. In the mean of $y^2$ all mixed terms
# $x_i w_i\, x_j w_j$ vanish, because $w_i$ and $w_j$ have mean 0. What is left are n terms with the mean
# $\mathrm{rms}(x)^2\, \sigma^2$:
#
# $$\mathrm{rms}(y) = \sqrt{n}\; \sigma\; \mathrm{rms}(x)$$
#
# The size stays if $\sigma = 1/\sqrt{n}$. This is **lecun-normal** (LeCun et al. 1998, *Efficient BackProp*). The
# official Mixer uses it, with one refinement: a normal number is sometimes very large, so numbers outside $\pm 2$ are
# drawn again. Cutting off both ends makes the standard deviation smaller, 0.8796 in place of 1, and we divide by that.


# %%
def lecun(n, m, rng):
    weight = rng.standard_normal((n, m))                                        # (n, m)
    outside = np.abs(weight) > 2
    while outside.any():
        weight[outside] = rng.standard_normal(outside.sum())                    # draw these again
        outside = np.abs(weight) > 2
    return (weight / STD_OF_TRUNCATED / math.sqrt(n)).astype(np.float32)


# %% [markdown]
# **The way back.** The gradient of the input is `gy @ weight.T` (lesson 04): each of its numbers is a sum of *m*
# products. So backward the size is kept by $1/\sqrt{m}$. If n = m, one choice serves both directions. If not, one of
# them has to give way; lecun-normal keeps the forward one. (Glorot and Bengio 2010 take a mean of the two.)
#
# **Eight layers.** We send random rows x through 8 square layers, and a random gradient g back from the end. At each
# layer we note the size of both. To read the gradient *between* layers, every layer gets its input as a new leaf.


# %%
def through(layers, x, g):
    """Sizes of the signal before and after each layer, and of the gradient at the same places."""
    inputs, signal, gradient = [], [rms(x)], [rms(g)]
    for layer in layers:
        inputs.append(mm.Tensor(x, requires_grad=True))                         # (B, C)
        x = layer(inputs[-1]).data                                              # (B, C)
        signal.append(rms(x))
    for layer, leaf in zip(reversed(layers), reversed(inputs), strict=True):
        g = mm.grad((layer(leaf) * g).sum(), [leaf])[0]                         # (B, C)  the chain rule, once
        gradient.append(rms(g))
    return signal, gradient[::-1]


# %%
C = 64
x_in, g_out = rng.standard_normal((2, 256, C), np.float32)                                  # (B, C) each


def linear_layers(scale, depth=8):
    draw = np.random.default_rng(1)
    return [nn.Linear(C, C, init=lambda shape: scale * lecun(*shape, draw)) for _ in range(depth)]


# %% [markdown]
# We compare lecun-normal with weights of half and of twice the size.


# %%
def draw(panels, ylabel):
    """One drawing per entry: title -> {label: a size before and after each layer}."""
    figure = plots.figure(8.4, 3.2, alt=f"Curves of {ylabel} by layer, on a logarithmic axis: {'; '.join(panels)}.")
    for axes, (title, curves) in zip(figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        for (label, values), color in zip(curves.items(), (plots.RED, plots.GREEN, plots.BLUE), strict=True):
            axes.plot(range(len(values)), values, color=color, marker="o", markersize=3, label=label)
        axes.set(yscale="log", xlabel="layer", title=title, xticks=range(0, 9, 2))
        axes.grid(alpha=0.25)
    figure.axes[0].set_ylabel(ylabel)
    figure.axes[0].legend(fontsize=8)
    return figure


halves = {scale: through(linear_layers(scale), x_in, g_out) for scale in (2, 1, 0.5)}
draw({"signal, left to right": {f"{s} x lecun": both[0] for s, both in halves.items()},
      "gradient, right to left": {f"{s} x lecun": both[1] for s, both in halves.items()}}, "rms")

# %% [markdown]
# Read the left drawing from left to right, and the right one from right to left: the gradient starts at the last layer.
# A factor of 2 per layer looks harmless. After 8 layers it is a factor of $2^8 = 256$, and in a Mixer-B/16 with its 48
# matrices one after the other it would be $10^{14}$.

# %%
for scale, (signal, gradient) in halves.items():
    print(f"{scale:>3} x lecun: signal at the end {signal[-1]:8.3f}, gradient at the start {gradient[0]:8.3f}")

# %% [markdown]
# **An activation takes a part away.** GELU sets most of the negative half to almost 0, so the signal behind it is
# smaller, and the next layer gets less.

# %% [markdown]
# **Your turn.** By which factor must the weights be larger than lecun-normal, so that Linear *and* GELU together keep
# the rms of a normal signal? Set `gain` to a number. (He et al. 2015 did this for ReLU: there it is $\sqrt{2}$, because
# ReLU takes away exactly half of the mean square.)
#
# <details><summary>Solution</summary>
#
# ```python
# z = np.random.default_rng(2).standard_normal(100_000)       # what Linear gives, if lecun-normal keeps the size
# gain = 1 / rms(F.gelu(mm.Tensor(z)).data)                   # about 1.53
# ```
#
# </details>

# %% tags=["your-turn"]
gain = ...


# %%
def keeps_size(answer):
    layer = linear_layers(answer, depth=1)[0]
    ratio = rms(F.gelu(layer(mm.Tensor(x_in))).data) / rms(x_in)
    return True if 0.9 < ratio < 1.15 else f"with this factor, the rms behind GELU is {ratio:.2f} times that before"


mm.exercises.turn(gain, right=keeps_size, hint="measure the rms behind a GELU whose input is normal with rms 1")

# %% [markdown]
# **What LayerNorm and skips change.** Now the layers of a Mixer: an MLP (Linear, GELU, Linear). We try four ways to put
# 8 of them together. $f$ is the MLP:
#
# | name | a block computes |
# | --- | --- |
# | plain | $f(x)$ |
# | norm | $f(\mathrm{LN}(x))$ |
# | skip | $x + f(x)$ |
# | skip and norm | $x + f(\mathrm{LN}(x))$, the Mixer's block |

# %%
WAYS = {"plain": lambda x, f, norm: f(x), "norm": lambda x, f, norm: f(norm(x)),
        "skip": lambda x, f, norm: x + f(x), "skip and norm": lambda x, f, norm: x + f(norm(x))}


def blocks(way, scale, depth=8):
    draw, norm = np.random.default_rng(1), nn.LayerNorm(C)
    mlps = [nn.MlpBlock(C, 4 * C, init=lambda shape: scale * lecun(*shape, draw)) for _ in range(depth)]
    return [lambda x, f=f: WAYS[way](x, f, norm) for f in mlps]


tried = {way: {scale: through(blocks(way, scale), x_in, g_out) for scale in (4, 1, 0.25)} for way in WAYS}
draw({way: {f"{s} x lecun": signal for s, (signal, _) in runs.items()} for way, runs in tried.items()}, "rms of signal")

# %%
draw({way: {f"{s} x lecun": back for s, (_, back) in runs.items()} for way, runs in tried.items()}, "rms of gradient")

# %% [markdown]
# - **plain:** the signal grows or dies, as before, and the gradient does the same on its way back.
# - **norm:** each block starts again from rms 1. The signal depends on the last block only, whatever the scale.
# - **skip:** small weights do no harm, because $x$ itself passes through. Large ones still explode.
# - **skip and norm:** both dangers are gone. Large weights only *add* to the signal instead of multiplying it.
#
# So a Mixer forgives a lot, and this is one reason why it can be deep. But note what happens with large weights: after
# the first block, $x$ is mostly what the blocks have added, and little is left of the image.

# %% [markdown]
# **Your turn.** In "skip and norm" at 4 x lecun, every block adds a random branch of rms about 12. Random branches add
# up like the random products above. Predict the rms of the signal after 32 blocks: set `after_32`. (15 % off is fine.)
#
# <details><summary>Solution</summary>
#
# ```python
# after_32 = 12 * math.sqrt(32)                   # independent, so the squares add up: 32 times 12 squared
# ```
#
# </details>

# %% tags=["your-turn"]
after_32 = ...


# %%
def as_measured(answer):
    measured = through(blocks("skip and norm", 4, depth=32), x_in, g_out)[0][-1]
    return True if abs(answer / measured - 1) < 0.15 else f"measured: {measured:.0f}; the squares of the parts add up"


mm.exercises.turn(after_32, right=as_measured, hint="32 x 12 would be right if all branches pointed the same way")

# %% [markdown]
# ## Check
#
# **First check: is the small gradient right?** After 8 plain blocks with weights a quarter as large, $10^{-12}$
# arrived. That could be a bug. Finite differences say no: relative to its size, the gradient is exact.

# %%
eight = linear_layers(0.25)
for parameter in (p for layer in eight for p in layer.parameters()):
    parameter.data = parameter.data.astype(np.float64)


def stack(x):
    for layer in eight:
        x = F.gelu(layer(x))
    return x * 1e9                                                              # or finite differences see nothing


print("gradient of 8 small layers:", mm.gradcheck(stack, x_in[:2].astype(np.float64)).ok)

# %% [markdown]
# **Second check: the number 0.8796.** A normal distribution cut off at $\pm a$ has the variance
# $1 - 2a\,\varphi(a) / \mathrm{erf}(a / \sqrt 2)$, where $\varphi$ is the bell curve. And our weights must have the
# standard deviation $1/\sqrt{n}$, with no number beyond $2 / 0.8796$ times that.

# %%
a = 2.0
bell = math.exp(-a * a / 2) / math.sqrt(2 * math.pi)
print(f"by the formula {math.sqrt(1 - 2 * a * bell / math.erf(a / math.sqrt(2))):.10f}, in the library "
      f"{STD_OF_TRUNCATED:.10f}")
weight = lecun(400, 300, np.random.default_rng(3)) * math.sqrt(400)             # (n, m)  times the square root of n
print(f"std {weight.std():.2f}, largest {np.abs(weight).max():.2f}")

# %% [markdown]
# **Third check: the library's file**, `minimixer/nn/random.py`.

# %%
print(inspect.getsource(nn.lecun_normal))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `rng.standard_normal(shape, np.float32)` | the generator belongs to the seed: the same seed, the same weights |
# | `np.flatnonzero(np.abs(weight) > 2)` | where the numbers outside are, as positions in one long row |
# | `outside[np.abs(weight.flat[outside]) > 2]` | only what was drawn again is looked at again |
# | `weight *= 1 / (math.sqrt(shape[0]) * ...)` | `shape[0]` is n: the weights are (in, out) |
#
# `Linear` starts its bias at 0, and LayerNorm starts at scale 1 and shift 0.

# %% [markdown]
# ## Break it
#
# "Random numbers are ugly. I start all weights at the same value." We do this to the MLPs of a small Mixer, and train
# it on the digits. Here is the training, as in lesson 12, in short.

# %%
digits = mm.data.load_digits()
statistics = digits.channel_statistics()


def small_mixer():
    return mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1, hidden_dim=32, num_blocks=8,
                       tokens_mlp_dim=16, channels_mlp_dim=64)


def train(model, steps=80):
    optimizer, batches, losses = optim.AdamW(model, 3e-3), mm.data.Batches(digits, 64, seed=0), []
    with Workers(1):                                                            # one thread: these matrices are small
        for step in range(10 if FAST else steps):
            images, labels = batches[step]                                      # (B, 8, 8, 1), (B,)
            logits = model(mm.Tensor(mm.data.normalize(images, *statistics)))   # (B, K)
            loss = F.cross_entropy(logits, labels)
            optimizer.step(mm.grad(loss, model.parameters()))
            losses.append(loss.item())
    return losses


# %% tags=["measured"]
equal = small_mixer()
for block in equal.blocks:
    for layer in (block.channel_mixing.fc1, block.channel_mixing.fc2, block.token_mixing.fc1, block.token_mixing.fc2):
        layer.weight.data = np.full_like(layer.weight.data, 1 / layer.weight.shape[0])
losses_equal = train(equal)
hidden = equal.blocks[0].channel_mixing.fc1.weight.data                         # (C, D_C)
for label, matrix in (("equal", hidden), ("random", small_mixer().blocks[0].channel_mixing.fc1.weight.data)):
    strengths = np.linalg.svd(matrix, compute_uv=False) ** 2                    # (C,)  singular values, squared
    print(f"{label:<7} largest direction: {strengths[0] / strengths.sum():.0%} of the matrix")

# %% [markdown]
# **Symptom.** The loss falls, but slowly (you will see the curve below). All 64 hidden units of an MLP compute the
# same, so they get the same gradient and make the same step. Only rounding errors make them slightly different. The
# matrix knows one direction: the MLP has one hidden unit, at the price of 64. There is no error and no warning.
#
# **Cure.** Random numbers, different for every weight. They need not be clever, only different: this is called
# **breaking the symmetry**. Two layers drawn from the same seed would start equal, too. So a model draws all its layers
# from one generator, one after the other.
#
# One matrix may start at 0: the **head**. It has no twin behind it, and its input differs from image to image. Then all
# logits are 0, and the first loss is exactly $\ln 10$ (lesson 10).

# %% [markdown]
# **Your turn.** Take a new Mixer with its zero head. In the very first step, which parameters have a gradient that is
# not zero? Set `moving` to a set of names, such as `{"stem.weight", "blocks.0.token_norm.bias"}`.
#
# <details><summary>Solution</summary>
#
# ```python
# moving = {"head.weight", "head.bias"}           # the gradient goes back through head.weight, which is 0
# ```
#
# </details>

# %% tags=["your-turn"]
moving = ...


# %%
def first_gradients(answer):
    model = small_mixer()
    images, labels = digits.train_images[:64], digits.train_labels[:64]         # (B, 8, 8, 1), (B,)
    loss = F.cross_entropy(model(mm.Tensor(mm.data.normalize(images, *statistics))), labels)
    names = [name for name, _ in model.named_parameters()]
    moved = {name for name, g in zip(names, mm.grad(loss, model.parameters()), strict=True) if np.abs(g).max() > 0}
    return answer == moved or f"{len(moved)} of {len(names)} parameters have a gradient; you named {len(answer)}"


mm.exercises.turn(moving, right=first_gradients, hint="gx = gy @ weight.T, and the head's weight is 0")

# %% [markdown]
# From the second step on the head is no longer 0, and everything moves.

# %% [markdown]
# ## Use it
#
# How much does it matter in a real Mixer, with 8 blocks, skips, norms and AdamW? We multiply all random matrices by a
# factor and train for a few steps. The last model is different: lecun-normal, but without skips and norms.


# %%
def scaled(scale):
    model = small_mixer()
    for name, parameter in model.named_parameters():
        if "norm" not in name and name.endswith("weight"):
            parameter.data = parameter.data * np.float32(scale)
    return model


class PlainBlock(nn.Module):
    """A Mixer block without its skips and norms."""

    def __init__(self, block):
        self.token_mixing, self.channel_mixing = block.token_mixing, block.channel_mixing

    def forward(self, x):                                                       # (B, S, C)
        return self.channel_mixing(self.token_mixing(x.swapaxes(1, 2)).swapaxes(1, 2))


# %% tags=["measured"]
without = small_mixer()
without.blocks = [PlainBlock(block) for block in without.blocks]
runs = {"lecun": train(scaled(1)), "10 x lecun": train(scaled(10)), "lecun / 10": train(scaled(0.1)),
        "all equal": losses_equal, "lecun, no skip, no norm": train(without)}
smooth = {label: np.convolve(losses, np.ones(5) / 5, "valid") for label, losses in runs.items()}
plots.lines(np.arange(len(smooth["lecun"])) + 4, smooth, xlabel="step (mean of the last 5)", ylabel="cross-entropy")

# %% [markdown]
# With skips and norms, even weights that are 10 times too large or too small learn; they only lose time. AdamW helps:
# its step does not depend on the size of the gradient (lesson 11). Without skips and norms, lecun-normal alone is not
# enough at this depth: GELU takes a part away in each of 16 MLPs, and this model learns as slowly as the one with equal
# weights.

# %% [markdown]
# ## Exercise
#
# A run's seed decides how its weights start and in which order it sees the images. Before you compare two recipes, you
# must know how much the seed alone changes. Write down a guess (in percentage points), then train three times:
#
# ```console
# $ minimixer seeds digits --seeds 0 1 2 --out runs/three-seeds
# ```

# %% [markdown]
# ## Summary
#
# - A sum of n random products grows like $\sqrt{n}$, so weights with standard deviation $1/\sqrt{n}$ keep the size.
# - A wrong factor per layer is a wrong power over the depth, for the signal and for the gradient.
# - LayerNorm makes each block start from size 1; a skip lets signal and gradient pass. Together they turn "multiply"
#   into "add".
# - Equal weights stay equal: start with random numbers. Only the head may start at 0.
#
# **What the library does differently:** one generator draws the weights of a whole model, in the order in which its
# parts are made, in float32. So a seed gives the same model everywhere, and a change of this order would be a change of
# all results: the note at the top of `minimixer/nn/__init__.py` says so.
