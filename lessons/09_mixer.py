# %% [markdown]
# # 09 The whole Mixer
#
# - **Time:** 24 minutes to read, 35 to do, 8 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 04 to 08
# - **Previous:** [08 Token mixing](08_token_mixing.ipynb)
# - **Next:** [10 The loss](10_loss.ipynb)

# %% [markdown]
# ## Goal
#
# You know all the parts. Now we put them together. After this lesson you can
#
# 1. write a complete MLP-Mixer in 30 lines that loads the library's weights and gives the same answers,
# 2. explain why a block has skip connections, and why the norm comes *before* the MLP,
# 3. count the parameters of every Mixer in the paper with one formula.

# %%
import inspect
from dataclasses import replace

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.nn import GELU, LayerNorm, Linear, Module

# %% [markdown]
# ## Picture
#
# A **Mixer block** maps tokens (B, S, C) to tokens (B, S, C): **B** images, **S** patches, **C** channels. It has two
# halves. Each half is a LayerNorm, an MLP and an addition:
#
# $$U_{*,c} = X_{*,c} + W_2\, \sigma(W_1\, \mathrm{LN}(X)_{*,c}) \qquad c = 1 \ldots C \qquad \text{(token mixing)}$$
# $$Y_{s,*} = U_{s,*} + W_4\, \sigma(W_3\, \mathrm{LN}(U)_{s,*}) \qquad s = 1 \ldots S \qquad \text{(channel mixing)}$$
#
# This is equation 1 of the paper. $\sigma$ is the GELU, LN the LayerNorm. The hidden layer of the first MLP has **D_S**
# units, that of the second **D_C**. Here is the second half as a graph. Each box has its name: the four arrays of the
# MLP are $W_3$ and its bias, $W_4$ and its bias. The long arc is the addition of $U$: the **skip connection**.

# %%
half_norm, half_mlp = LayerNorm(6), mm.nn.MlpBlock(6, 8, init=mm.nn.lecun_normal(np.random.default_rng(0)))
half_in = mm.Tensor(np.ones((2, 4, 6), np.float32), requires_grad=True)         # (B, S, C)
half_out = half_in + half_mlp(half_norm(half_in))                               # (B, S, C)
plots.graph(half_out, {"U": half_in, "norm": half_norm, "mlp": half_mlp, "Y": half_out})

# %% [markdown]
# Who sees whom? We change one number of a table (S, C), the one with the dot, and fill the cells that change. We leave
# out the norms. Token mixing spreads the change along the column. Channel mixing spreads it along the row. One after
# the other, they reach every cell.

# %%
token_mlp = mm.nn.MlpBlock(4, 8, init=mm.nn.lecun_normal(np.random.default_rng(1)))
channel_mlp = mm.nn.MlpBlock(6, 8, init=mm.nn.lecun_normal(np.random.default_rng(2)))
steps = {"one number": lambda x: x, "token mixing": lambda x: token_mlp(x.swapaxes(1, 2)).swapaxes(1, 2),
         "channel mixing": channel_mlp, "both": lambda x: channel_mlp(token_mlp(x.swapaxes(1, 2)).swapaxes(1, 2))}
before = np.random.default_rng(3).standard_normal((1, 4, 6)).astype(np.float32)
after = before.copy()
after[0, 1, 3] += 1
reached = [step(mm.Tensor(after)).data[0] != step(mm.Tensor(before)).data[0] for step in steps.values()]
plots.yes_no_maps(np.array(reached), list(steps), names=("S", "C"), mark=(1, 3))

# %% [markdown]
# ## Predict
#
# Mixer-B/16 has S = 196, C = 768, D_S = 384, D_C = 3072. An MLP from $n$ to $h$ to $n$ has $2nh + h + n$ parameters.
#
# 1. Which of a block's two MLPs has more parameters? Roughly how many times more?
# 2. Which needs more multiplications? (The token MLP runs once per channel, the channel MLP once per patch.)
#
# <details><summary>Answer</summary>
#
# 1. Token mixing: 2 x 196 x 384 + 384 + 196 = 151,108. Channel mixing: 2 x 768 x 3072 + 3072 + 768 = 4,722,432. That is
#    31 times as many.
# 2. Token mixing: 2 x 196 x 384 for each of 768 channels, 116 million. Channel mixing: 2 x 768 x 3072 for each of 196
#    patches, 925 million: 8 times as many. Almost all the work in a Mixer is channel mixing. <!-- printed -->
#
# </details>

# %% [markdown]
# ## Build
#
# **The MLP**, for both halves. It works on the last axis.


# %%
class Mlp(Module):
    def __init__(self, dim, hidden_dim):
        self.fc1 = Linear(dim, hidden_dim)
        self.gelu = GELU("tanh")
        self.fc2 = Linear(hidden_dim, dim)

    def forward(self, x):
        return self.fc2(self.gelu(self.fc1(x)))         # (..., dim) -> (..., hidden_dim) -> (..., dim)


# %% [markdown]
# **Channel mixing** needs no transpose: C is already the last axis. The MLP takes each patch on its own and mixes its C
# numbers. All patches share the same MLP (in the terms of lesson 07, a 1 x 1 convolution).
#
# **The block** is equation 1, line by line.


# %%
class Block(Module):
    def __init__(self, num_patches, hidden_dim, tokens_mlp_dim, channels_mlp_dim):
        self.token_norm = LayerNorm(hidden_dim)
        self.token_mixing = Mlp(num_patches, tokens_mlp_dim)            # S -> D_S -> S
        self.channel_norm = LayerNorm(hidden_dim)
        self.channel_mixing = Mlp(hidden_dim, channels_mlp_dim)         # C -> D_C -> C

    def forward(self, x):                                               # (B, S, C)
        y = self.token_norm(x).swapaxes(1, 2)                           # (B, C, S)
        x = x + self.token_mixing(y).swapaxes(1, 2)                     # (B, S, C)  U
        return x + self.channel_mixing(self.channel_norm(x))            # (B, S, C)  Y


# %% [markdown]
# **Your turn.** What does a Mixer lose without token mixing? Write the class `NoTokens`, made from `Block`, whose
# `forward` does only the second half. Then predict: if the patches of an image are shuffled, does the answer of such a
# model change?
#
# <details><summary>Solution</summary>
#
# ```python
# class NoTokens(Block):
#     def forward(self, x):                                             # (B, S, C)
#         return x + self.channel_mixing(self.channel_norm(x))          # (B, S, C)
# ```
#
# </details>

# %% tags=["your-turn"]
NoTokens = ...


# %%
def cannot_see_the_order(block_class):
    blocks, drawn = [block_class(9, 6, 4, 8) for _ in range(2)], np.random.default_rng(10)
    for parameter in (p for block in blocks for p in block.parameters()):
        parameter.data = drawn.standard_normal(parameter.shape)
    tokens = drawn.standard_normal((1, 9, 6))                           # (B, S, C)
    means = [blocks[1](blocks[0](mm.Tensor(t))).data.mean(axis=1) for t in (tokens, tokens[:, ::-1])]       # (B, C)
    if np.allclose(means[0], tokens.mean(axis=1)):
        return "Your block changes nothing: does it add what its channel mixing gives?"
    return np.allclose(*means) or "Shuffled patches give another answer: does your block still mix tokens?"


mm.exercises.turn(NoTokens, right=cannot_see_the_order)

# %% [markdown]
# The answer does not change. Every patch is treated alone, and the mean over the patches does not depend on their
# order. Without token mixing, a Mixer sees a bag of patches, not an image.

# %% [markdown]
# **The Mixer**: patches, the stem, the blocks, a final norm, the mean over the patches, and a Linear layer, the
# **head**, with one output per class.


# %%
class Mixer(Module):
    def __init__(self, patch_size, num_patches, hidden_dim, num_blocks, tokens_mlp_dim, channels_mlp_dim, num_classes):
        self.patch_size = patch_size
        self.stem = Linear(patch_size * patch_size * 3, hidden_dim)
        self.blocks = [Block(num_patches, hidden_dim, tokens_mlp_dim, channels_mlp_dim) for _ in range(num_blocks)]
        self.norm = LayerNorm(hidden_dim)
        self.head = Linear(hidden_dim, num_classes)

    def forward(self, images):                                          # (B, H, W, 3)
        x = self.stem(mm.functional.patches(images, self.patch_size))   # (B, S, C)
        for block in self.blocks:
            x = block(x)                                                # (B, S, C)
        return self.head(self.norm(x).mean(axis=1))                     # (B, C) -> (B, num_classes)


# %% [markdown]
# That is the whole model: no attention, no convolution wider than one patch, no position embedding. We copy the weights
# of the library's `pico` model into ours, by name, and compare the answers. The head of a new Mixer is zero, so that it
# starts with the same score for every class. To make the comparison meaningful, we fill it with random numbers.

# %%
library = mm.nn.mixer("pico", seed=0)
library.head.weight.data = np.random.default_rng(4).standard_normal((64, 10)).astype(np.float32)
ours = Mixer(patch_size=4, num_patches=64, hidden_dim=64, num_blocks=4, tokens_mlp_dim=32, channels_mlp_dim=128,
             num_classes=10)
ours.load_state_dict(library.state_dict())
images = mm.Tensor(np.random.default_rng(5).random((2, 32, 32, 3), np.float32))        # (B, H, W, 3)
print("logits:", ours(images).shape)
print("the same answers:", np.allclose(ours(images).data, library(images).data, atol=1e-5))

# %% [markdown]
# **Why skip connections?** With a skip, a block computes $x + f(x)$. Its derivative is $1 + f'(x)$: the 1 carries the
# gradient back unchanged, whatever $f$ does. Without the skip, only $f'(x)$ is left, and an untrained $f$ is random.
#
# **Why the norm before the MLP (pre-norm)?** There it is part of $f$, and the path of the 1 is clear. With the norm
# after the addition (post-norm), $\mathrm{LN}(x + f(x))$, the gradient must pass through every norm. Each norm divides
# it by a standard deviation, here greater than 1, so less and less arrives along the direct path.
#
# We measure this with up to 32 untrained blocks of channel mixing. We send a gradient into the output and compare it
# with the gradient that arrives at the input, using the **cosine** of the angle between them: 1 for the same direction,
# 0 for a right angle. (The length alone would tell us little, because the norms rescale everything.)

# %%
ways = {"pre-norm": lambda x, f, norm: x + f(norm(x)), "post-norm": lambda x, f, norm: norm(x + f(x)),
        "no skip": lambda x, f, norm: f(norm(x))}


def cosine(depth, way):
    """Of the gradient that is sent and the one that arrives; way(x, f, norm) is one block."""
    rng = np.random.default_rng(6)
    x = start = mm.Tensor(rng.standard_normal((1, 64, 32)).astype(np.float32), requires_grad=True)     # (B, S, C)
    for _ in range(depth):
        x = way(x, mm.nn.MlpBlock(32, 128, init=mm.nn.lecun_normal(rng)), LayerNorm(32))
    sent = rng.standard_normal(x.shape).astype(np.float32)              # (B, S, C)  gradient at the output
    arrived = mm.grad((x * sent).sum(), [start])[0]                     # (B, S, C)  gradient at the input
    return float((arrived * sent).sum() / (np.linalg.norm(arrived) * np.linalg.norm(sent)))


depths = [1, 2, 4, 8, 16, 32]
plots.lines(depths, {name: [cosine(depth, way) for depth in depths] for name, way in ways.items()}, xlabel="blocks",
            ylabel="cosine(gradient sent, arrived)", log="x")

# %% [markdown]
# Without a skip, a single untrained block is enough: what arrives has nothing in common with what was sent. It is the
# correct gradient, but random weights have scrambled it. With post-norm, the direct part fades from block to block;
# with pre-norm, it lasts longest. The paper uses pre-norm.

# %% [markdown]
# **Your turn.** Let even more of it arrive: keep pre-norm, and multiply what a block adds by a constant. Set `scale` to
# a number, not 0, so that the cosine after 32 blocks is at least 0.9. Try some, and ask which part of $1 + f'(x)$ gets
# smaller.
#
# <details><summary>Solution</summary>
#
# ```python
# scale = 0.1           # the derivative becomes 1 + 0.1 f'(x)
# ```
#
# </details>

# %% tags=["your-turn"]
scale = ...


# %%
def arrives(number):
    if number == 0:
        return "With 0, the blocks would do nothing at all."
    found = cosine(32, lambda x, f, norm: x + float(number) * f(norm(x)))
    return found >= 0.9 or f"With {number}, the cosine after 32 blocks is {found:.2f}."


mm.exercises.turn(scale, right=arrives)

# %% [markdown]
# Very deep models often start with such a small scale, one number per channel, and train it (LayerScale).

# %% [markdown]
# ## Check
#
# **First check: finite differences** of a whole Mixer, with sizes that all differ, in float64. First the images, then
# the weights of the first token-mixing layer. Almost everything else comes after these weights: only the stem and the
# first norm come before them.

# %%
tiny_config = mm.nn.MixerConfig(image_size=6, patch_size=2, in_channels=3, hidden_dim=7, num_blocks=2, tokens_mlp_dim=5,
                                channels_mlp_dim=11, num_classes=4)
tiny = mm.nn.MlpMixer(tiny_config, seed=0)
for parameter in tiny.parameters():
    parameter.data = parameter.data.astype(np.float64)
tiny.head.weight.data += np.random.default_rng(7).standard_normal((7, 4))
photos = np.random.default_rng(8).random((2, 6, 6, 3))                  # (B, H, W, 3)


def with_weight(weight):
    tiny.blocks[0].token_mixing.fc1.weight = weight                     # (S, D_S)
    return tiny(mm.Tensor(photos))


print("images: ", mm.gradcheck(tiny, photos).ok)
print("weights:", mm.gradcheck(with_weight, np.random.default_rng(9).standard_normal((9, 5)) / 3).ok)

# %% [markdown]
# **Second check: the library's file**, `minimixer/nn/mixer.py`. First the block:

# %%
print(inspect.getsource(mm.nn.MixerBlock))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `MlpBlock(config.num_patches, config.tokens_mlp_dim, ...)` | S -> D_S -> S |
# | `MlpBlock(config.hidden_dim, config.channels_mlp_dim, ...)` | C -> D_C -> C |
# | `token_norm`, `channel_norm` | two norms, each with its own weights, both over C |
# | `self.drop_branch(y)` | stochastic depth: in training it sometimes drops an entire branch; with rate 0, never |
#
# And the whole model:

# %%
print(inspect.getsource(mm.nn.MlpMixer.__init__))
print(inspect.getsource(mm.nn.MlpMixer.forward))

# %% [markdown]
# `check_images` rejects images of the wrong size. Without it, the error would come from somewhere deep inside.
# `seed=None` leaves the weights of all Linear layers at zero, for weights that you load afterwards (the scales of the
# norms are 1, as always). `rates` starts at 0 and grows from block to block.

# %% [markdown]
# ## Break it
#
# The most common bug in small Mixers is not in `forward`. It is in the sizes: **D_S and D_C are swapped**. This happens
# easily if the constructor takes two *ratios*, such as `expansion=4` and `expansion_token=0.5`. Which one is for which
# MLP? And 0.5 of what: of C or of S? The paper's D_S is half of **C** (384 = 0.5 x 768), although the MLP runs over S =
# 196. We build all three readings of "micro".

# %%
micro = mm.nn.MIXERS["micro"]
s, c = micro.num_patches, micro.hidden_dim                              # 64, 128
readings = {"right: D_S = 0.5 C, D_C = 4 C": (c // 2, 4 * c), "swapped": (4 * c, c // 2),
            "0.5 of S": (s // 2, 4 * c)}
for reading, (tokens_mlp_dim, channels_mlp_dim) in readings.items():
    model = mm.nn.mixer("micro", tokens_mlp_dim=tokens_mlp_dim, channels_mlp_dim=channels_mlp_dim)
    print(f"{reading:<32}{model.num_parameters():>10,} parameters, output {model(images).shape}")

# %% [markdown]
# **Symptom.** All three run, and all three can be trained. No shape gives the bug away: D_S and D_C are *inside* the
# MLPs, so they never meet. But two of the three are not the paper's model, and you would compare your result with the
# wrong one. The only sign is the **number of parameters**.
#
# **Cure.** Take two named widths, `tokens_mlp_dim` and `channels_mlp_dim`, as the official code does. Print the number
# of parameters, and compare it with a number that you computed by hand:
#
# $$\underbrace{P^2 \cdot 3 \cdot C + C}_{\text{stem}} + \text{blocks} \cdot [\underbrace{4C}_{\text{two norms}} +
#   \underbrace{(2 S D_S + D_S + S)}_{\text{token mixing}} + \underbrace{(2 C D_C + D_C + C)}_{\text{channel mixing}}
#   ] + \underbrace{2C}_{\text{norm}} + \underbrace{C K + K}_{\text{head}}$$
#
# **P** is the side of a patch, **K** the number of classes. A norm has 2C parameters: a scale and a shift.


# %%
def count(config):
    p, s, c, k = config.patch_size, config.num_patches, config.hidden_dim, config.num_classes
    d_s, d_c = config.tokens_mlp_dim, config.channels_mlp_dim
    stem = p * p * 3 * c + c
    token_mixing = 2 * s * d_s + d_s + s
    channel_mixing = 2 * c * d_c + d_c + c
    return stem + config.num_blocks * (4 * c + token_mixing + channel_mixing) + 2 * c + c * k + k


print(f"micro by the formula: {count(micro):,}")

# %% [markdown]
# ## Use it
#
# **All Mixers in the paper.** Its table 1 lists the parameters in millions, without the head (C x 1000 + 1000). We
# compare three numbers: the formula, the real model and the paper. With `seed=None` the matrices are zeros, which take
# no memory until they are written, so even H/14 fits.

# %%
paper = {"S/32": 19, "S/16": 18, "B/32": 60, "B/16": 59, "L/32": 206, "L/16": 207, "H/14": 431}     # millions
print("name   blocks    C    S  D_S   D_C     formula       model   no head  paper")
for name, millions in paper.items():
    config = mm.nn.MIXERS[name]
    in_model = mm.nn.mixer(name, seed=None).num_parameters()
    no_head = in_model - (config.hidden_dim * 1000 + 1000)
    print(f"{name:<6}{config.num_blocks:>7}{config.hidden_dim:>6}{config.num_patches:>5}{config.tokens_mlp_dim:>5}"
          f"{config.channels_mlp_dim:>6}{count(config):>13,}{in_model:>12,}{no_head / 1e6:>8.1f} M{millions:>5} M")

# %% [markdown]
# All seven agree. Look at S/32 and S/16: there, smaller patches give *fewer* parameters, because the stem shrinks by
# more than token mixing grows. In L, with its 24 blocks, it is the other way around. But S is four times as large, so
# there is almost four times as much work.

# %% [markdown]
# **Your turn.** How many parameters more has B/16 for images of 448 x 448 pixels instead of 224 x 224? Set `gained`.
# Ask first which sizes in the formula change.
#
# <details><summary>Solution</summary>
#
# ```python
# gained = 12 * (2 * 588 * 384 + 588)   # S grows by 784 - 196 = 588, and only the token mixing of the 12 blocks has S
# ```
#
# </details>

# %% tags=["your-turn"]
gained = ...

# %%
b16 = mm.nn.MIXERS["B/16"]
mm.exercises.turn(gained, right=count(replace(b16, image_size=448)) - count(b16),
                  hint="S becomes 28 x 28 = 784. Which arrays have S in their shape?")

# %% [markdown]
# **`print(model)`** shows every step with its shape and parameters, including the transposes. Identical blocks share
# their rows.

# %%
print(library)

# %% [markdown]
# **The trace** is what `minimixer inspect pico` prints. It does not read a plan: it runs the real model on one image
# and reads the graph that this leaves behind (lesson 02). **MACs** are multiply-adds. **Kept** is the memory that the
# backward pass needs per image.

# %%
print(mm.nn.trace(library))

# %% [markdown]
# Notice what costs nothing: the `swapaxes` keep no memory at all. Now compare with your prediction. Here are the
# parameters and the MACs of one block of B/16, by the same trace.

# %%
steps_b16 = mm.nn.trace(mm.nn.mixer("B/16", seed=None)).blocks[0]
totals = []
for half in ("token_mixing", "channel_mixing"):
    parts = [step for step in steps_b16 if step.name.startswith(half)]
    totals.append((sum(step.parameters for step in parts), sum(step.macs for step in parts)))
    print(f"{half:<16}{totals[-1][0]:>10,} parameters, {totals[-1][1] / 1e6:.0f} million MACs")
print("channel mixing has", " and ".join(f"{c / t:.0f}" for t, c in zip(*totals, strict=True)), "times as many")

# %% [markdown]
# In each block, channel mixing has most of the parameters and most of the work.

# %% [markdown]
# ## Exercise
#
# Write the Mixer block, forward and backward, from LayerNorm, TokenMixing and ChannelMixing, which are given. Where x
# takes two paths, two gradients come back. The checker supplies weights and compares your block with the library's.
#
# ```console
# $ minimixer exercises start ex09
# ```

# %% [markdown]
# ## Summary
#
# - A block does the same thing twice: norm, MLP, add. First over the patches (with two swaps), then over the channels.
# - The skip connections carry the gradient back unchanged. Pre-norm keeps that path clear.
# - A Mixer is: patches, stem, blocks, norm, mean over the patches, head.
# - D_S and D_C are two widths with two names. Swapping them raises no error. Count the parameters.
#
# **See it:** `minimixer play` walks through a trained Mixer, one half of a block after the other, while you draw. Its
# forward pass, `minimixer/play/mixer.js`, is this lesson's once more, in JavaScript.
#
# **What the library does differently:** its block is ours plus dropout and stochastic depth, which the paper uses in
# training. Its constructor takes one `MixerConfig`, which checks the sizes, and draws all weights from one seed.
