# %% [markdown]
# # 14 Is it a CNN?
#
# - **Time:** 23 minutes to read, 25 to do, 10 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 07 to 09
# - **Previous:** [13 Inside a trained Mixer](13_inside.ipynb)
# - **Next:** [15 Mixer and Transformer](15_transformer.ipynb)

# %% [markdown]
# ## Goal
#
# The paper says that a Mixer is "a very special CNN" (a convolutional neural network), and that a typical CNN is not a
# Mixer. Not everybody agrees with the term. We do not argue about words here: we run it. After this lesson you can
#
# 1. write each of the three parts of a Mixer as a convolution,
# 2. show that a whole Mixer and a network of convolutions give the same numbers, to $10^{-12}$,
# 3. name the property of a typical CNN that a Mixer does **not** have, and demonstrate it with a shifted image.

# %%
import inspect

import numpy as np

import minimixer as mm
from minimixer import functional as F
from minimixer import nn, plots
from minimixer.ops.unfold import Unfold

# %% [markdown]
# ## Picture
#
# A convolution moves a small window over an image. At each position it multiplies the window by a **filter** and sums.
# Two numbers describe it: the **kernel** size (kernel 3 means windows of 3 x 3 pixels) and the **stride** (how far the
# window moves). In general, a window has **KH x KW** pixels: the height and the width of the kernel.
#
# We use images of 12 x 12 pixels and patches with P = 3. So the table of patches has 4 x 4 entries, S = 16.

# %%
figure = plots.figure(8.4, 3.0)
for panel, cells, kernel, stride, text in zip(
        figure.subplots(1, 3), (12, 4, 4), (3, 1, 4), (3, 1, 4),
        ("stem, on pixels\nkernel P = 3, stride P = 3", "channel mixing, on patches\nkernel 1, stride 1",
         "token mixing, on ONE channel\nkernel 4: the whole table"), strict=True):
    panel.set(xlim=(-0.2, cells + 0.2), ylim=(cells + 0.2, -0.2), xticks=[], yticks=[], aspect="equal")
    for line in range(cells + 1):
        panel.plot([0, cells], [line, line], [line, line], [0, cells], color="gray", linewidth=0.5)
    panel.bar(kernel / 2, kernel, kernel, color=plots.ORANGE, alpha=0.7)
    if stride < cells:
        panel.bar(stride + kernel / 2, kernel, kernel, color=plots.BLUE, alpha=0.35)
    panel.set_title(text, fontsize=10)
figure.alt = "Three grids: windows of 3 x 3 pixels side by side, of one patch, and of all 4 x 4 patches at once."
figure

# %% [markdown]
# Orange is the first position of the window, blue the next one. In the third drawing there is no next position: the
# window is as large as the table.
#
# - **Stem.** Windows of P x P pixels that do not overlap are the patches.
# - **Channel mixing.** A window of one patch: it sees all C channels of this patch, and no other patch.
# - **Token mixing.** A window of all S patches, but of only one channel. This is called a **depth-wise** convolution:
#   each channel is filtered on its own.

# %% [markdown]
# ## Predict
#
# Take Mixer-B/16: S = 196 patches, C = 768 channels, and D_S = 384 hidden units in token mixing.
#
# 1. How many weights does the first layer of token mixing have?
# 2. A typical depth-wise convolution has separate filters for each channel. How many weights would that be here, with
#    384 full-size filters per channel?
# 3. You move an image one patch to the right. Does the output of token mixing move one patch to the right, too?
#
# <details><summary>Answer</summary>
#
# 1. S x D_S = 75,264. All channels share them.
# 2. C times as many: 57,802,752. That is nearly as much as the whole Mixer-B/16 (59,880,472).
# 3. No. A window that cannot move has one weight per position. This is the difference from a typical CNN; see "Use it".
#
# </details>

# %% [markdown]
# ## Build
#
# First a convolution in NumPy, with loops, so that nothing is hidden. $x$ is the image, $(u, v)$ the position of the
# window, $t$ the stride, $(i, j)$ a pixel in the window, $m$ an input channel, $o$ an output channel:
#
# $$y_{u,v,o} = b_o + \sum_{i=0}^{KH-1} \sum_{j=0}^{KW-1} \sum_{m} x_{ut+i,\; vt+j,\; m}\; W_{(i,j,m),\,o}$$
#
# The filters form one matrix $W$. Each row of it belongs to one pixel $(i, j)$ and one channel $m$ of the window. The
# rows are in this order: $i$ first, then $j$, then $m$.


# %%
def convolve(x, weight, bias, kernel, stride):
    """x: (H, W, I), weight: (kernel * kernel * I, O) -> (H', W', O)."""
    rows, columns = ((n - kernel) // stride + 1 for n in x.shape[:2])
    y = np.empty((rows, columns, weight.shape[1]))
    for u, v in np.ndindex(rows, columns):
        window = x[u * stride:u * stride + kernel, v * stride:v * stride + kernel]      # (kernel, kernel, I)
        y[u, v] = window.reshape(-1) @ weight + bias                                    # (O,)  the three sums
    return y


# %% [markdown]
# Now a small Mixer, with random weights in float64, and four random images.

# %%
config = nn.MixerConfig(image_size=12, patch_size=3, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5, channels_mlp_dim=7,
                        num_classes=3)
rng = np.random.default_rng(0)
model = nn.MlpMixer(config)
for parameter in model.parameters():
    parameter.data = parameter.data + 0.3 * rng.standard_normal(parameter.shape)
images = mm.Tensor(rng.standard_normal((4, 12, 12, 3)), requires_grad=True)              # (B, H, W, 3)
block, side = model.blocks[0], 4

# %% [markdown]
# **The stem.** First the Mixer's way: cut patches, flatten them, apply one Linear layer (lesson 07). Then a convolution
# with kernel P and stride P, and the *same* weight matrix. Nothing is converted: both use the order (row, column,
# channel).

# %%
patches = model.stem(F.patches(images, 3)).data[0]                                      # (S, C)
convolved = convolve(images.data[0], model.stem.weight.data, model.stem.bias.data, kernel=3, stride=3)
print("table of patches:", convolved.shape)                                             # (4, 4, C)
print("equal to 1e-12:", np.abs(patches - convolved.reshape(16, 6)).max() < 1e-12)

# %% [markdown]
# **Your turn.** Column 2 of `model.stem.weight`, (P P 3, C), is a filter. Set `filter_2` to it as a small color
# image, shape (3, 3, 3): row, column, color.
#
# <details><summary>Solution</summary>
#
# ```python
# filter_2 = model.stem.weight.data[:, 2].reshape(3, 3, 3)                    # (row, column, color)
# ```
#
# </details>

# %% tags=["your-turn"]
filter_2 = ...

# %%
mm.exercises.turn(filter_2, right=model.stem.weight.data.reshape(3, 3, 3, 6)[..., 2],
                  hint="take one column first, then fold its 27 numbers in the order of the rows")

# %% [markdown]
# **Channel mixing.** Kernel 1: the window is one patch. The three sums become one, over $m$. That is a Linear layer.

# %%
table = rng.standard_normal((4, 4, 6))                                                  # (4, 4, C)
linear = block.channel_mixing.fc1
convolved_1x1 = convolve(table, linear.weight.data, linear.bias.data, kernel=1, stride=1)     # (4, 4, D_C)
by_linear = linear(mm.Tensor(table.reshape(1, 16, 6))).data[0]                          # (S, D_C)
print("equal to 1e-12:", np.abs(by_linear - convolved_1x1.reshape(16, 7)).max() < 1e-12)

# %% [markdown]
# **Token mixing.** Take one channel alone: it is a grayscale image of 4 x 4 "pixels". The D_S = 5 hidden units are five
# filters of 4 x 4, as large as this image. There is only one position for the window, so the result is 1 x 1 with D_S
# channels. We use the same five filters for each channel.

# %%
fc1 = block.token_mixing.fc1                                                            # weight: (S, D_S)
hidden = fc1(mm.Tensor(table.reshape(1, 16, 6)).swapaxes(1, 2)).data[0]                 # (C, D_S)  the Mixer's way
for c in range(6):
    one_channel = table[:, :, c:c + 1]                                                  # (4, 4, 1)
    filtered = convolve(one_channel, fc1.weight.data, fc1.bias.data, kernel=4, stride=1)        # (1, 1, D_S)
    assert np.abs(filtered[0, 0] - hidden[c]).max() < 1e-12
print("all six channels are equal to 1e-12")

# %% [markdown]
# So a column of `fc1.weight` is an image: one filter. Here are the five (random ones; lesson 13 draws trained ones).

# %%
plots.weight_maps(fc1.weight.data.T.reshape(5, 4, 4), [f"filter {d}" for d in range(5)])

# %% [markdown]
# **What sharing means.** A usual depth-wise convolution has filters of its own for each channel. `nn.Conv2d` calls this
# `groups=C`, and keeps its weights as (C, S, D_S): one matrix per channel. With the right weights, it computes token
# mixing.

# %%
def depthwise(weights):
    """weights: (C, S, D_S) -> what a depth-wise convolution makes of the table, (C, D_S)."""
    conv = nn.Conv2d(6, 6 * 5, kernel_size=4, padding=0, groups=6, bias=False)
    conv.filters.weight.data = np.asarray(weights)
    return conv(mm.Tensor(table[None])).data.reshape(6, 5) + fc1.bias.data              # (C, D_S)


# %% [markdown]
# **Your turn.** Set `separate`, shape (C, S, D_S) = (6, 16, 5), so that this convolution gives what the Mixer gives.
# How many numbers does it need, and how many does the Mixer keep?
#
# <details><summary>Solution</summary>
#
# ```python
# separate = np.repeat(fc1.weight.data[None], 6, axis=0)      # the same filters six times: 480 numbers, not 80
# ```
#
# </details>

# %% tags=["your-turn"]
separate = ...

# %%
mm.exercises.turn(separate, right=lambda weights: bool(np.abs(depthwise(weights) - hidden).max() < 1e-12),
                  hint="what does token mixing do differently for channel 1 than for channel 0?")

# %% [markdown]
# ## Check
#
# **First check: the library's file.** minimixer has a ConvNet to compare with the Mixer, so it has a convolution. Is it
# the same as ours? Read it, in `minimixer/nn/convnet.py`, and the op beneath it, in `minimixer/ops/unfold.py`:

# %%
print(inspect.getsource(nn.Conv2d.forward))
print(inspect.getsource(Unfold.forward))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `F.unfold(...)` | all windows, each flattened to a row: (B, H', W', KH * KW * I) |
# | `self.filters(windows)` | one Linear layer for all of them: $W$ and $b$ of our formula |
# | `xp.pad(...)` | zeros around the image; we need none, so we pass `padding=0` |
# | `for i, window in places(...)` | a loop over the KH * KW pixels *of the window*, not over the positions |
# | `y[:, :, :, i] = padded[window]` | pixel number i of all windows at once |
#
# A convolution is a Linear layer on windows. This is why the three identities hold.
#
# **Second check: the whole Mixer, as a network of `nn.Conv2d`.** We give the convolutions the Mixer's own weights.


# %%
def convolution(linear_layer, kernel, in_channels, stride=1):
    conv = nn.Conv2d(in_channels, linear_layer.bias.size, kernel, stride, padding=0)
    conv.filters = linear_layer                                         # the same Tensors, no copy
    return conv


def mix_tokens(mlp, x):                                                 # x: (B, 4, 4, C)
    b, _, _, c = x.shape
    x = x.transpose(0, 3, 1, 2).reshape(b * c, side, side, 1)           # every channel is an image of its own
    hidden_units = F.gelu(convolution(mlp.fc1, side, 1)(x))             # (B * C, 1, 1, D_S)  full-size filters
    y = convolution(mlp.fc2, 1, config.tokens_mlp_dim)(hidden_units)    # (B * C, 1, 1, S)
    return y.reshape(b, c, side, side).transpose(0, 2, 3, 1)            # (B, 4, 4, C)


def mix_channels(mlp, x):                                               # x: (B, 4, 4, C)
    hidden_units = F.gelu(convolution(mlp.fc1, 1, config.hidden_dim)(x))            # (B, 4, 4, D_C)
    return convolution(mlp.fc2, 1, config.channels_mlp_dim)(hidden_units)           # (B, 4, 4, C)


# %% [markdown]
# The second layer of each MLP is a 1 x 1 convolution. LayerNorm and the skip connections treat each patch on its own;
# they stay as they are.


# %%
def as_convnet(mix_tokens):
    x = convolution(model.stem, 3, 3, stride=3)(images)                 # (B, 4, 4, C)
    for one in model.blocks:
        x = x + mix_tokens(one.token_mixing, one.token_norm(x))
        x = x + mix_channels(one.channel_mixing, one.channel_norm(x))
    return model.head(model.norm(x).mean(axis=(1, 2)))                  # (B, 3)


def compare(ours, theirs):
    return "equal to 1e-12" if np.abs(ours - theirs).max() < 1e-12 * np.abs(ours).max() else "NOT equal"


mixer_logits, conv_logits = model(images), as_convnet(mix_tokens)
print(mixer_logits.data[0].round(4), conv_logits.data[0].round(4))
print("logits:   ", compare(mixer_logits.data, conv_logits.data))
both = [mm.grad((logits * logits).sum(), [images])[0] for logits in (mixer_logits, conv_logits)]
print("gradients:", compare(*both))

# %% [markdown]
# **It is an identity**, forward and backward. A Mixer is a CNN with three unusual choices: after the stem, it has only
# 1 x 1 and full-size kernels; the full-size filters are depth-wise; and all channels share them.

# %% [markdown]
# ## Break it
#
# In `mix_tokens` the channels must become images: (B, 4, 4, C) to (B * C, 4, 4, 1). `reshape` alone can produce this
# shape too. Then the axes get mixed up.


# %%
def mix_tokens_wrong(mlp, x):
    b, _, _, c = x.shape
    x = x.reshape(b * c, side, side, 1)                                 # the bug: no transpose before
    y = convolution(mlp.fc2, 1, config.tokens_mlp_dim)(F.gelu(convolution(mlp.fc1, side, 1)(x)))
    return y.reshape(b, side, side, c)                                  # (B, 4, 4, C)


print("right:", compare(mixer_logits.data, as_convnet(mix_tokens).data))
print("wrong:", compare(mixer_logits.data, as_convnet(mix_tokens_wrong).data))
print("shape:", as_convnet(mix_tokens_wrong).shape)

# %% [markdown]
# **Symptom.** All shapes are right, and there is no error. Training would not complain either. But a "channel" is now a
# mixture of neighbors in memory: some patches and some channels. It is a different network, and nobody notices until
# its numbers are compared with those of a correct one.
#
# **Cure.** `reshape` does not change the order of the numbers: it only cuts the long row of numbers in different
# places. To exchange axes, use `transpose` or `swapaxes` first. And test with numbers, not with shapes.

# %% [markdown]
# ## Use it
#
# **What a typical CNN has and a Mixer does not.** If an image moves, the output of a convolution with a small kernel
# moves with it: the filter is the same at each position. This is **translation equivariance**. We test it. A
# handwritten digit, with an empty border around it, moves by 3 pixels, which is one patch.

# %%
digit = np.zeros((18, 18, 1))
digit[5:13, 5:13] = mm.data.load_digits().train_images[3] / 255.0                       # 8 x 8 pixels in the middle
moved = np.roll(digit, 3, axis=1)                                                       # 3 pixels to the right
figure_of_digits = plots.figure(5.0, 2.6)
for panel, pixels, title in zip(figure_of_digits.subplots(1, 2), (digit, moved), ("digit", "moved"), strict=True):
    panel.imshow(pixels, cmap="gray")
    panel.set(title=title, xticks=np.arange(2.5, 15, 3), yticks=np.arange(2.5, 15, 3))
    panel.tick_params(length=0, labelbottom=False, labelleft=False)
    panel.grid(color=plots.ORANGE, linewidth=0.8)                       # the cuts between the patches
figure_of_digits.alt = "A handwritten 3 in the middle of 18 x 18 pixels, and the same 3 one patch further right."
figure_of_digits

# %% [markdown]
# Three layers see both images. Then we move the first result by one patch (or by 3 pixels) and compare it with the
# second: *move, then compute* against *compute, then move*.

# %%
draw = nn.lecun_normal(np.random.default_rng(5))
small_kernel = nn.Conv2d(1, 4, 3, init=draw)                       # a usual CNN: kernel 3, stride 1
stem = nn.Conv2d(1, 4, 3, stride=3, padding=0, init=draw)          # a Mixer's stem: kernel 3, stride 3
full_size = nn.MlpBlock(36, 18, init=draw)                              # token mixing for 6 x 6 patches


def tokens_of(image):                                                   # (1, 18, 18, 1) -> (1, 6, 6, 4)
    x = stem(image).reshape(1, 36, 4).swapaxes(1, 2)                    # (1, C, S)
    return full_size(x).swapaxes(1, 2).reshape(1, 6, 6, 4)


def error_of_moving(layer, steps, second=moved):
    before, after = (layer(mm.Tensor(image[None].astype(np.float32))).data for image in (digit, second))
    return np.abs(np.roll(before, steps, axis=2) - after).max() / np.abs(after).max()


print(f"convolution, kernel 3: {error_of_moving(small_kernel, 3):.2f}")
print(f"stem of a Mixer:       {error_of_moving(stem, 1):.2f}")
print(f"stem, token mixing:    {error_of_moving(tokens_of, 1):.2f}")

# %% [markdown]
# 0.00 means that the output moved exactly with the image. **Token mixing does not move**: its error is as large as the
# output itself. We draw one channel after token mixing. Left: computed, then moved. Right: moved, then computed. A
# typical CNN would give two equal images.

# %%
answers = [tokens_of(mm.Tensor(image[None].astype(np.float32))).data[0, :, :, 0] for image in (digit, moved)]
plots.weight_maps(np.stack([np.roll(answers[0], 1, axis=1), answers[1]]), ["compute, move", "move, compute"])

# %% [markdown]
# **Your turn.** We moved the digit by 3 pixels, one patch. Now move it by 1, 2, 3, 4, 5 or 6 pixels. After which of
# these moves has the output of the *stem* the same numbers as before, moved by some patches? Set `exact` to a list.
#
# <details><summary>Solution</summary>
#
# ```python
# exact = [3, 6]                  # whole patches; after other moves, a patch holds other pixels than before
# ```
#
# </details>

# %% tags=["your-turn"]
exact = ...

# %%
def moves_exactly(pixels):
    image = np.roll(digit, pixels, axis=1)
    return min(error_of_moving(stem, steps, image) for steps in range(6)) < 1e-6


mm.exercises.turn(exact, right=[pixels for pixels in range(1, 7) if moves_exactly(pixels)],
                  hint="which pixels share a patch after the move?")

# %% [markdown]
# A Mixer must learn from examples what a CNN has by construction: that a cat on the left is the same as a cat on the
# right. Random shifts and crops in training give it such examples.
#
# **The other side.** Token mixing does not know which patches are neighbors. Permute the patches of all images by one
# fixed, random rule, and permute the rows and columns of the token weights by the same rule. The logits stay the same.
# A small kernel cannot follow: its window would see patches that are no longer neighbors.

# %%
order = np.random.default_rng(1).permutation(16)                        # the rule
x = model.stem(mm.Tensor(F.patches(images, 3).data[:, order]))          # (B, S, C)  shuffled patches
shuffled = nn.MlpMixer(config)
for copy, original in zip(shuffled.parameters(), model.parameters(), strict=True):
    copy.data = original.data
for one in shuffled.blocks:
    mlp = one.token_mixing
    mlp.fc1.weight.data = mlp.fc1.weight.data[order]                    # (S, D_S)
    mlp.fc2.weight.data = mlp.fc2.weight.data[:, order]                 # (D_S, S)
    mlp.fc2.bias.data = mlp.fc2.bias.data[order]                        # (S,)
    x = one(x)
logits_of_shuffled = shuffled.head(shuffled.norm(x).mean(axis=1)).data
print("shuffled patches, shuffled weights:", compare(mixer_logits.data, logits_of_shuffled))

# %% [markdown]
# ## Exercise
#
# Train minimixer's small ConvNet on the bundled digits. Then train the Mixer (the same command without `--model`), and
# compare test accuracy, number of parameters and time.
#
# ```console
# $ minimixer train digits --model convnet-pico
# ```

# %% [markdown]
# ## Summary
#
# - Stem: a convolution with kernel and stride P. Channel mixing: 1 x 1 convolutions. Token mixing: a depth-wise
#   convolution with full-size filters, shared by all channels, then a 1 x 1 convolution.
# - The identity holds to $10^{-12}$, forward and backward, so "is it a CNN?" is a question of words.
# - The properties are not a question of words: token mixing is not equivariant to shifts, and it fits only one image
#   size.
# - Sharing filters between channels saves a factor of C in weights: 768 in Mixer-B/16.
#
# **What the library does differently:** the Mixer does not compute with convolutions. `F.patches` is a reshape and a
# swap of axes, `swapaxes` is a view, and each MLP is two large products. That gives the same result with less copying:
# `unfold` copies each pixel up to KH x KW times.
