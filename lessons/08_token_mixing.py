# %% [markdown]
# # 08 Token mixing: transpose, MLP, transpose back
#
# - **Time:** 26 minutes to read, 30 to do, 8 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 04, 05 and 07
# - **Previous:** [07 Patches: from pixels to tokens](07_patches.ipynb)
# - **Next:** [09 The whole Mixer](09_mixer.ipynb)

# %% [markdown]
# ## Goal
#
# The stem looks at each patch separately. Something must carry information from patch to patch. In a Mixer, an MLP does
# this. After this lesson you can
#
# 1. write token mixing in four lines,
# 2. say what is shared (the MLP, by all channels) and what is not (the weights of each position),
# 3. explain why the two transposes cost nothing.

# %%
import inspect
import time

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.ops import shape

# %% [markdown]
# ## Picture
#
# There are **B** images with **S** patches each, and every patch is a vector of **C** channels. So `x` has shape (B, S,
# C). An MLP (Linear, GELU, Linear) always works on the **last** axis. To mix patches, S must be the last axis. So we
# swap, compute, and swap back.
#
# Here is the whole way, with one image of a digit. We leave out the stem, so that you can follow the numbers: the 16
# pixels of a patch are its C = 16 channels. Each patch has a color, and it becomes one row of the table. After the swap
# it is a column. Now we mix each row of this table. The framed row holds one channel of *all* S = 4 patches. In the
# mixed table, every number depends on all four patches.

# %%
digit = mm.data.load_digits().test_images[5]                            # (8, 8, 1)
mix_rows = np.random.default_rng(0).standard_normal((4, 4))             # (S, S)  not trained, so it mixes at random
plots.token_mixing(digit, 4, lambda table: table @ mix_rows, row=6)

# %% [markdown]
# The same steps in shapes, with smaller sizes, for a batch of B = 2 images. **D_S** is the number of hidden units of
# the MLP (`tokens_mlp_dim` in the code).

# %%
plots.shapes({"x": {"B": 2, "S": 4, "C": 6}, "swapped": {"B": 2, "C": 6, "S": 4}, "hidden": {"B": 2, "C": 6, "D_S": 3},
              "mixed": {"B": 2, "C": 6, "S": 4}, "y": {"B": 2, "S": 4, "C": 6}}, "→→→→")

# %% [markdown]
# And in numbers, for one image. A **row** is a patch. A **column** is a channel: the same property, for example "how
# much green", at all S positions. The marked row is one patch. After the swap it is a column, and every channel is a
# row. The MLP reads a row from left to right: it sees all positions of *one* channel.

# %%
plots.transposition(np.arange(24).reshape(4, 6), row=1)

# %% [markdown]
# This is half of equation 1 in the paper. $X_{*,c}$ is column $c$: one channel, all patches. $\sigma$ is the GELU:
#
# $$Y_{*,c} = W_2\, \sigma(W_1\, X_{*,c}) \qquad \text{for every channel } c = 1 \ldots C$$
#
# The paper also puts a LayerNorm in front and adds $X$ at the end: see lesson 09. It multiplies from the left; our rows
# multiply from the right, `x @ weight`. That is the same product, transposed. Like the official code, we add biases.

# %% [markdown]
# ## Predict
#
# `x` has shape (2, 4, 6). We change one number: image 0, patch 1, channel 3. Which numbers of `y` change?
#
# How many parameters does the MLP have if S = 196 and D_S = 384, as in Mixer-B/16? Does C = 768 matter?
#
# <details><summary>Answer</summary>
#
# All four patches of image 0 change, but only in channel 3: `y[0, :, 3]`. The MLP sees one channel at a time.
#
# The first Linear has S x D_S + D_S parameters, and the second has D_S x S + S: together 2 x 196 x 384 + 384 + 196 =
# 151,108. C does not matter: all 768 channels use the same MLP. <!-- printed -->
#
# </details>

# %% [markdown]
# ## Build
#
# First the sizes, all different: a wrong axis then raises an error instead of giving a wrong number. Then the MLP. It
# works on the last axis, like every MLP.

# %%
B, S, C, D_S = 2, 4, 6, 3
rng = np.random.default_rng(4)
w1, b1 = rng.standard_normal((S, D_S)), rng.standard_normal(D_S)        # (S, D_S), (D_S,)
w2, b2 = rng.standard_normal((D_S, S)), rng.standard_normal(S)          # (D_S, S), (S,)
x = rng.standard_normal((B, S, C))


def gelu(z):
    """The tanh form, lesson 05."""
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def mlp(z):
    return gelu(z @ w1 + b1) @ w2 + b2                                  # (..., S) -> (..., D_S) -> (..., S)


# %% [markdown]
# The slow way first, with a loop over the images and the channels. This is the paper's formula, literally: take the
# column of one channel, give it to the MLP, and put the result back into that column.

# %%
by_channels = np.empty_like(x)                                          # (B, S, C)
for image in range(B):
    for channel in range(C):
        column = x[image, :, channel]                                   # (S,)  X[*, c]
        by_channels[image, :, channel] = mlp(column)                    # (S,)
print(x.shape, "->", by_channels.shape)

# %% [markdown]
# **Your turn.** Do the same without a loop. Write `mix_patches`: it takes `x` with shape (B, S, C), calls `mlp` once,
# and returns the mixed array, again with shape (B, S, C).
#
# <details><summary>Solution</summary>
#
# ```python
# def mix_patches(x):
#     return mlp(x.swapaxes(1, 2)).swapaxes(1, 2)       # (B, S, C) -> (B, C, S) -> (B, S, C)
# ```
#
# </details>

# %% tags=["your-turn"]
def mix_patches(x):
    ...


# %%
def mixes_as_the_loop(function):
    got = np.asarray(function(x))
    if got.shape != x.shape:
        return f"The result has shape {got.shape}, not {x.shape}: is every swap there, the one back too?"
    return np.allclose(got, by_channels) or "The shape is right, but not the numbers: which axis does mlp see last?"


mm.exercises.turn(mix_patches, right=mixes_as_the_loop)

# %% [markdown]
# Here is our version, one step per line, with the MLP written out.


# %%
def token_mixing(x):
    z = x.swapaxes(1, 2)            # (B, C, S)
    z = gelu(z @ w1 + b1)           # (B, C, D_S)  sum over the patches
    z = z @ w2 + b2                 # (B, C, S)
    return z.swapaxes(1, 2)         # (B, S, C)


y = token_mixing(x)                 # (B, S, C)
print("the same as one channel at a time:", np.allclose(y, by_channels))

# %% [markdown]
# **The same MLP for every channel.** Do you see C in the weights? It appears in none of them.

# %% [markdown]
# Why share? The paper tried a separate MLP for each channel and found no gain. It is expensive: C times as many
# weights.

# %%
one = 2 * 196 * 384 + 384 + 196
print(f"B/16, one block: shared {one:,}, a separate MLP per channel {768 * one:,}")

# %% [markdown]
# **Now the prediction.** We change one number and fill the cells that change: rows are patches, columns are channels.
# The dot marks the number that we changed.

# %%
def changes(function, x):
    """Which outputs of image 0 change if x[0, 1, 3] does: (S, C), yes or no."""
    moved = x.copy()
    moved[0, 1, 3] += 1
    return (function(moved) != function(x))[0]


both_tables = np.stack([changes(lambda x: x, x), changes(token_mixing, x)])             # (2, S, C)
plots.yes_no_maps(both_tables, ["in x", "in y"], names=("S", "C"), mark=(1, 3))

# %% [markdown]
# **Now it matters where a patch is.** Each position $s$ has its own row of `w1` and its own column of `w2`. If you
# permute the patches, the result is *not* simply permuted. If you permute the channels, it is. This is why a Mixer
# needs no position embedding.

# %%
patch_order, channel_order = [2, 0, 3, 1], [5, 3, 0, 1, 4, 2]
print("permute channels:", np.allclose(token_mixing(x[:, :, channel_order]), y[:, :, channel_order]))
print("permute patches: ", np.allclose(token_mixing(x[:, patch_order]), y[:, patch_order]))

# %% [markdown]
# **Why `swapaxes` costs nothing.** An array is a block of memory plus a rule for walking over it. The rule is
# `strides`: how many bytes it takes to reach the next element along each axis. `swapaxes` exchanges two numbers of the
# rule. The memory stays as it is.

# %%
swapped = x.swapaxes(1, 2)
print("x:      ", x.shape, x.strides)
print("swapped:", swapped.shape, swapped.strides)
print("the same memory:", np.shares_memory(x, swapped))

# %% [markdown]
# **Your turn.** Predict, without running it: what are the strides of `x.swapaxes(0, 2)`? Set `strides` to a tuple of
# three numbers of bytes.
#
# <details><summary>Solution</summary>
#
# ```python
# strides = (8, 48, 192)                # the first and the last number of x.strides have changed places
# ```
#
# </details>

# %% tags=["your-turn"]
strides = ...

# %%
mm.exercises.turn(strides, right=x.swapaxes(0, 2).strides, hint="Which two of the three numbers change places?")

# %% [markdown]
# Let us measure two things, alternating them: a view, and a copy that really moves the numbers. (B, S, C) = (8, 196,
# 768).

# %% tags=["measured"]
large = rng.standard_normal((8, 196, 768), np.float32)


def microseconds(function):
    start = time.perf_counter()
    function()
    return 1e6 * (time.perf_counter() - start)


pairs = [(microseconds(lambda: large.swapaxes(1, 2)), microseconds(lambda: large.swapaxes(1, 2).copy()))
         for _ in range(10)]
view, copy = np.min(pairs, axis=0)
print(f"view {view:.1f} us, copy {copy:,.0f} us")

# %% [markdown]
# But then something must walk over the memory in the new order. A product can avoid this. Transpose the whole formula:
# $(X^T W)^T = W^T X$. So `x.swapaxes(1, 2) @ w1`, swapped back, is `w1.T @ x`. Here `x` is read in its memory order.

# %%
print(np.allclose((swapped @ w1).swapaxes(1, 2), w1.T @ x))             # (B, D_S, C)

# %% [markdown]
# ## Check
#
# **First check: finite differences** for `x` and all four parameters, with minimixer's ops.


# %%
def mix(x, w1, b1, w2, b2):
    hidden = mm.functional.gelu(mm.functional.linear(x.swapaxes(1, 2), w1, b1))     # (B, C, D_S)
    return mm.functional.linear(hidden, w2, b2).swapaxes(1, 2)                      # (B, S, C)


print("same numbers as ours: ", np.allclose(mix(*map(mm.Tensor, (x, w1, b1, w2, b2))).data, y))
print("all gradients correct:", mm.gradcheck(mix, x, w1, b1, w2, b2).ok)

# %% [markdown]
# **Second check: the library's files.** The MLP knows nothing about patches or channels. It works on the last axis, of
# length `dim`:

# %%
print(inspect.getsource(mm.nn.MlpBlock.forward))
print(inspect.getsource(mm.nn.MixerBlock.forward))

# %% [markdown]
# Read the first two lines of `MixerBlock.forward`. `swapaxes(1, 2)`, the MLP, `swapaxes(1, 2)`: our four lines.
# `dropout` and `drop_branch` matter only in training, and at a rate of 0 they return their input unchanged.
#
# `swapaxes` itself is an op. Its gradient is the same swap, because swapping twice changes nothing:

# %%
print(inspect.getsource(shape.SwapAxes))

# %% [markdown]
# **Who pays for the swap?** On the CPU, training runs a faster form of Linear. It looks at the strides, finds the
# swapped view, and computes $W^T X$ by itself, so nobody pays. Lesson 23 reads that form, line by line.

# %% [markdown]
# ## Break it
#
# You forget the second transpose. If S and C differ, the next addition raises an error. But what if **S = C**? It
# happens: minimixer's own model `pico` has 64 patches and 64 channels.


# %%
class Forgetful(mm.nn.MixerBlock):
    def forward(self, x):
        x = x + self.token_mixing(self.token_norm(x).swapaxes(1, 2))    # (B, S, C) + (B, C, S)
        return x + self.channel_mixing(self.channel_norm(x))            # (B, S, C)


def build(block_class, hidden_dim):
    config = mm.nn.MixerConfig(image_size=8, patch_size=2, hidden_dim=hidden_dim, tokens_mlp_dim=8, channels_mlp_dim=32)
    return block_class(config, init=mm.nn.lecun_normal(np.random.default_rng(0)))       # S = 16


for hidden_dim in (12, 16):
    tokens = mm.Tensor(np.random.default_rng(1).standard_normal((1, 16, hidden_dim)).astype(np.float32))
    try:
        print(f"S = 16, C = {hidden_dim}:", build(Forgetful, hidden_dim)(tokens).shape)
    except ValueError as refusal:
        print(f"S = 16, C = {hidden_dim}:", refusal)

# %% [markdown]
# **Symptom.** With C = 16 there is no error and no warning. The number of parameters is right. Even a gradient check
# passes, because every gradient is the right gradient *of this wrong model*:

# %%
forgetful = build(Forgetful, 16)
for parameter in forgetful.parameters():
    parameter.data = parameter.data.astype(np.float64)
print("gradients:", mm.gradcheck(forgetful, np.random.default_rng(2).standard_normal((1, 16, 16))).ok)
print("parameters:", forgetful.num_parameters(), "and", build(mm.nn.MixerBlock, 16).num_parameters())

# %% [markdown]
# But the numbers are added in the wrong place: what belongs to patch $s$, channel $c$ goes to patch $c$, channel $s$.
# We use only token mixing and change one number, as before.

# %%
square = build(mm.nn.MixerBlock, 16)
wide = np.random.default_rng(1).standard_normal((1, 16, 16)).astype(np.float32)         # (B, S, C), S = C


def with_swap_back(values):
    return values + square.token_mixing(mm.Tensor(values).swapaxes(1, 2)).swapaxes(1, 2).data


def without_swap_back(values):
    return values + square.token_mixing(mm.Tensor(values).swapaxes(1, 2)).data


both = np.stack([changes(with_swap_back, wide), changes(without_swap_back, wide)])       # (2, S, C)
plots.yes_no_maps(both, ["right", "forgotten"], names=("S", "C"), mark=(1, 3))

# %% [markdown]
# On the left, a **column** changes: one channel, all patches. On the right, a **row** changes, besides the number that
# we changed: token mixing writes into one patch, and the index of that patch, 3, is the index of a *channel*.
#
# **Cure.** Test every layer with sizes that all differ, here S = 16 and C = 12: then you get an error. And test what a
# layer may touch: change one channel, and assert that no other channel changes.

# %% [markdown]
# **Your turn.** Write this second test. `keeps_channels` takes a layer, such as `with_swap_back`. It returns True if
# only channel 3 changes when `wide[0, 1, 3]` does, and False otherwise. Use `changes`.
#
# <details><summary>Solution</summary>
#
# ```python
# def keeps_channels(layer):
#     others = np.delete(changes(layer, wide), 3, axis=1)               # (S, C - 1)  all channels except number 3
#     return not others.any()
# ```
#
# </details>

# %% tags=["your-turn"]
def keeps_channels(layer):
    ...


# %%
def tells_them_apart(test):
    if not test(with_swap_back):
        return "It refuses the right layer: does it leave out channel 3, where a change is allowed?"
    return not test(without_swap_back) or "It lets the forgotten swap pass: does it look at all other channels?"


mm.exercises.turn(keeps_channels, right=tells_them_apart)

# %% [markdown]
# ## Use it
#
# Mixer-B/16 has S = 196 patches and C = 768 channels. Here are the steps that one image takes through its first block,
# up to the first addition. <!-- printed -->

# %%
first_block = mm.nn.trace(mm.nn.mixer("B/16", seed=None)).blocks[0]
for step in first_block[:7]:
    sizes = ", ".join(f"{axis}={n}" for axis, n in zip(step.axes, step.shape, strict=True))
    print(f"{step.name:<20} (B, {sizes})".ljust(46) + f"{step.parameters:>9,} parameters")

# %% [markdown]
# **One hidden unit is an image.** Column $d$ of `w1` has one weight per position. Put these S weights where their
# patches are, and you see what hidden unit $d$ looks at. Before training it is noise; lesson 13 shows what training
# turns it into.

# %%
micro = mm.nn.mixer("micro")                                            # S = 64 = 8 x 8 positions
units = micro.blocks[0].token_mixing.fc1.weight.data                    # (S, D_S)
plots.weight_maps(units.T[:8].reshape(8, 8, 8), [f"unit {d}" for d in range(8)], columns=4,
                  alt="The weights of eight hidden units, each on the 8 x 8 positions of the patches. Untrained, they "
                      "are noise without any pattern.")

# %% [markdown]
# **The price.** The weights have S in their shape. So a Mixer takes images of only one size:

# %%
try:
    micro(mm.Tensor(np.zeros((1, 64, 64, 3), np.float32)))
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## Exercise
#
# Write the forward and backward passes of token mixing. The checker uses sizes that differ and sizes that are equal.
#
# ```console
# $ minimixer exercises start ex08
# ```

# %% [markdown]
# ## Summary
#
# - Token mixing is swap, MLP, swap back. The MLP runs over the patches of one channel.
# - All channels share the MLP; every position has its own weights. So the model knows positions, and the image size is
#   fixed.
# - `swapaxes` changes strides and moves nothing. $W^T X$ computes the product in the memory as it is.
# - If S = C, a forgotten swap raises no error. Test with sizes that differ.
#
# **See it:** in `minimixer play`, point at a hidden unit of the token mixing: its S weights, as an image. Shuffle the
# patches, and the answer is lost. Shuffle the weights with them, and it is back.
#
# **What the library does differently:** it writes the same swaps, and on the CPU a faster form of Linear removes their
# cost (lesson 23). With `--kernels reference` (in Python, `mm.reference_kernels()`), training uses the Linear from
# lesson 04 instead.
