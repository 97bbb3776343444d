# %% [markdown]
# # 15 Mixer and Transformer
#
# - **Time:** 12 minutes, 90 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 07 to 09, and 14
# - **Previous:** [14 Is it a CNN?](14_convolution.ipynb)
# - **Next:** [16 Official weights in your hands](16_official_weights.ipynb)

# %% [markdown]
# ## Goal
#
# The paper compares the Mixer with the Vision Transformer (ViT). Both cut an image into patches. They differ in one
# place: how the patches exchange information. After this lesson you can
#
# 1. write self-attention in NumPy, and say what it has that token mixing does not,
# 2. count what both cost, and say when "linear" and "quadratic" matter,
# 3. say what each model knows about the places of the patches, and demonstrate it with shuffled images.

# %%
import inspect
import os
from dataclasses import replace

import numpy as np

import minimixer as mm
from minimixer import nn, plots
from minimixer.bench.steps import step_of
from minimixer.bench.timing import interleave, seconds_per_call
from minimixer.experiments import data_size, permutation
from minimixer.experiments.learning import learn
from minimixer.parallel import Workers

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# Here is one image with S = 6 patches, each a vector of C = 4 channels. **Token mixing** multiplies by a fixed, learned
# matrix. We show only its first layer, with D_S = 3 hidden units. Every image uses the same matrix.

# %%
plots.shapes({"x swapped": {"C": 4, "S": 6}, "fc1.weight": {"S": 6, "D_S": 3}, "hidden": {"C": 4, "D_S": 3}}, "@=")

# %% [markdown]
# **Self-attention** computes a new matrix for each image. Three Linear layers turn each patch into three vectors: a
# query $q$ ("what am I looking for?"), a key $k$ ("what do I have?") and a value $v$ ("what do I give?"). The products
# of all queries with all keys are the scores, a table of S x S numbers. A softmax turns each row into weights for a
# mean.

# %%
plots.shapes({"q": {"S": 6, "C": 4}, "k swapped": {"C": 4, "S'": 6}, "scores": {"S": 6, "S'": 6},
              "v": {"S'": 6, "C": 4}, "y": {"S": 6, "C": 4}}, "@→@=")

# %% [markdown]
# S and S' are the same number, and the same patches. S' are the patches that give, S those that take.

# %% [markdown]
# ## Predict
#
# 1. An image has twice as many pixels per side, and the patches stay the same size. So S is four times as large. How
#    does the cost of the token-mixing MLP grow, and how does the cost of the table of scores?
# 2. You shuffle the patches of an image. What does a self-attention layer return?
# 3. You shuffle the patches of *all* images by one rule, and train from scratch. Which one suffers: a Mixer, a ViT, or
#    a ConvNet?
#
# <details><summary>Answer</summary>
#
# 1. Token mixing has $2\, S\, D_S\, C$ multiplications: four times as many, if $D_S$ stays the same. The scores are S x
#    S: sixteen times as many.
# 2. The same vectors, shuffled in the same way. It does not know about places at all.
# 3. The ConvNet. Its small filters need real neighbors. A Mixer and a ViT learn whatever there is to learn from the
#    places; a fixed rule changes nothing for them.
#
# </details>

# %% [markdown]
# ## Build
#
# Self-attention with one head, for one image. $d$ is the length of a query, here C:
#
# $$\mathrm{attention}(X) = \mathrm{softmax}\!\left(\frac{Q K^T}{\sqrt{d}}\right) V
# \qquad Q = X W_q,\quad K = X W_k,\quad V = X W_v$$
#
# The scores are sums of $d$ products. Their typical size grows with $\sqrt{d}$, so we divide by it. Otherwise one
# weight of the softmax would be near 1, and its gradient near 0.


# %%
def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))             # minus the largest: no overflow
    return e / e.sum(axis=-1, keepdims=True)


def attention(x, w_q, w_k, w_v):
    """x: (S, C), weights: (C, C) -> the mixed patches (S, C), and the weights of the means (S, S)."""
    q, k, v = x @ w_q, x @ w_k, x @ w_v                                 # (S, C) each
    weights = softmax(q @ k.T / np.sqrt(x.shape[-1]))                   # (S, S)  each row sums to 1
    return weights @ v, weights


rng = np.random.default_rng(0)
patches = rng.standard_normal((6, 4))                                   # (S, C)
w_q, w_k, w_v = rng.standard_normal((3, 4, 4))
mixed, means = attention(patches, w_q, w_k, w_v)
print("sums of the rows:", means.sum(axis=1).round(6))
plots.weight_maps(means[None], ["weights, (S, S)"])

# %% [markdown]
# Row $i$ says which patches patch $i$ takes from. In a Mixer, no such table exists: who takes from whom is stored in
# the weights, and is the same for all images.
#
# **What it costs.** Count the multiplications of one block, without the MLP that both have:
#
# | | token mixing | self-attention |
# | --- | --- | --- |
# | Linear layers | $2\, S\, D_S\, C$ | $4\, S\, C^2$ (q, k, v, and one at the end) |
# | table of scores, and its use | none | $2\, S^2\, C$ |
#
# We draw both for micro's sizes, C = 128 and D_S = 64. The third curve is a Mixer whose D_S grows with S. Nothing in
# the architecture forbids this; the paper chooses D_S independently of S.

# %%
s = np.array([16, 64, 256, 1024, 4096])
c, d_s = 128, 64
plots.lines(s, {"token mixing, D_S = 64": 2 * s * d_s * c, "token mixing, D_S = S": 2 * s * s * c,
                "self-attention": 4 * s * c**2 + 2 * s**2 * c},
            xlabel="patches S", ylabel="multiplications per block", log="xy", marks={"S = 2 C": 2 * c})

# %% [markdown]
# Both axes are logarithmic, so a straight line of slope 1 is linear growth, and slope 2 is quadratic. Self-attention
# *starts out* linear: with few patches, its Linear layers cost more than the scores. At S = 2 C they are equal, and
# from there on it becomes quadratic. At 32 x 32 pixels, S = 64, the difference between the two models is small.
#
# And "linear" is true only for a fixed D_S. It has a second price: a Mixer's weights fit only one S. A ViT accepts a
# different number of patches with the same attention weights.

# %% [markdown]
# ## Check
#
# **First check: the multiplications of the real models.** `nn.count_macs` runs a model on one image and reads the graph
# that this leaves behind. By hand, we add what both models share to the blocks of each.

# %%
mixer, vit = nn.build("micro", seed=None), nn.build("vit-micro", seed=None)
shared = 64 * 48 * 128 + 128 * 10                                       # stem and head
mixing = 8 * (2 * 64 * 64 * 128 + 2 * 64 * 128 * 512)                   # 8 blocks: token mixing, channel mixing
attending = 8 * (4 * 64 * 128**2 + 2 * 64**2 * 128 + 2 * 64 * 128 * 280)
print("Mixer:", nn.count_macs(mixer) == shared + mixing, f"{nn.count_macs(mixer):,}")
print("ViT:  ", nn.count_macs(vit) == shared + attending, f"{nn.count_macs(vit):,}")

# %% [markdown]
# **Second check: the library's attention is the same as ours.** Read it, in `minimixer/nn/vit.py`:

# %%
print(inspect.getsource(nn.Attention.forward))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `.reshape(b, s, h, d).swapaxes(1, 2)` | the C channels become h **heads** of d = C / h; each has its own table |
# | `q * (1 / math.sqrt(d))` | the same division, applied to q: S x d numbers instead of S x S |
# | `k.swapaxes(2, 3)` | $K^T$, a view |
# | `F.softmax(scores) @ v` | the means |
# | `self.out(...)` | heads side by side again, and one Linear layer that mixes them |
#
# With one head, and an `out` that changes nothing, it must give our numbers:

# %%
library = nn.Attention(4, num_heads=1)
for linear, weight in zip((library.query, library.key, library.value, library.out), (w_q, w_k, w_v, np.eye(4)),
                          strict=True):
    linear.weight.data, linear.bias.data = weight, np.zeros(4)
theirs = library(mm.Tensor(patches[None])).data[0]
print("equal to 1e-12:", np.abs(theirs - mixed).max() < 1e-12)

# %% [markdown]
# ## Break it
#
# We leave out one line of a ViT: `x = self.stem(x) + self.position`. Without the position, each image has many twins:
# all the images with the same patches in a different order. We take a handwritten digit and shuffle its patches.

# %%
digits = mm.data.load_digits()
order = permutation.pixel_order(8, 2, np.random.default_rng(3).permutation(16), np.arange(4))
three = digits.test_images[digits.test_labels == 3][:1]                 # (1, 8, 8, 1)
shuffled_three = permutation.reorder(three, order)
plots.weight_maps(np.stack([three, shuffled_three])[:, 0, :, :, 0] / 255, ["a 3", "its patches, shuffled"])


# %%
def changed_by_shuffling(name, without_position=False):
    model = nn.build(name, seed=1, image_size=8, patch_size=2, in_channels=1)
    model.head.weight.data = np.random.default_rng(2).standard_normal((64, 10)).astype(np.float32)
    if without_position:
        model.position.data = np.zeros_like(model.position.data)        # the bug
    plain, twin = (model(mm.Tensor(x / np.float32(255))).data for x in (three, shuffled_three))
    return "different logits" if np.abs(plain - twin).max() > 1e-3 else "THE SAME logits"


print("ViT:                 ", changed_by_shuffling("vit-pico"))
print("ViT without position:", changed_by_shuffling("vit-pico", without_position=True))
print("Mixer:               ", changed_by_shuffling("pico"))

# %% [markdown]
# **Symptom.** There is no error, and the training loss falls, because a bag of patches says a lot about an image. The
# accuracy stays lower, and a shuffled image gets exactly the same answer.
#
# **Cure.** Add a learned vector to each place. A Mixer needs none: the rows of `fc1.weight` belong to places, so token
# mixing knows them. This is why the paper's Mixer has no position embedding.

# %% [markdown]
# ## Use it
#
# **Shuffled images, exactly.** Now all images are shuffled by one rule: patches change places, and so do the pixels
# inside each patch. We permute the initial weights of a Mixer by the same rule. Its training must then be the same,
# number for number. Only four arrays change:

# %%
print(inspect.getsource(permutation.follow))

# %% [markdown]
# We train in float64, for 20 steps, and compare the losses on the original images with those on shuffled ones. The last
# line is for a Mixer whose initial weights are *not* permuted: a different start, so different numbers.

# %% tags=["measured"]
rules = np.random.default_rng(0).permutation(16), np.random.default_rng(1).permutation(4)
rearranged = permutation.reordered(digits, permutation.pixel_order(8, 2, *rules))
recipe = replace(mm.train.PRESETS["digits"], batch_size=32, workers=1)
with Workers(1) as one_thread:
    runs = permutation.exact(recipe, digits, rearranged, rules, one_thread)
for label, gaps in runs["differences"].items():
    print(f"initial weights {label:<11} largest difference in the loss: {max(gaps):.0e}")

# %% [markdown]
# **Shuffled images, in practice.** Now each model starts from its usual random weights and trains on the original
# digits, and on digits whose patches and pixels are shuffled. Three numbers per line: original, shuffled, and the
# difference.

# %% tags=["measured"]
steps = 10 if FAST else 200
accuracy = {}
with Workers() as workers:
    for name in ("pico", "vit-pico", "convnet-pico"):
        config = replace(recipe, model=name, max_steps=steps)
        for which, data in (("original", digits), ("shuffled", rearranged)):
            accuracy[name, which] = learn(f"{name}, {which}", config, workers, data, tests=1)[1]["test_accuracy"][-1]

# %%
for name in ("pico", "vit-pico", "convnet-pico"):
    before, after = (accuracy[name, which] for which in ("original", "shuffled"))
    print(f"{name:<13} {before:.1%} {after:.1%} {100 * (after - before):+.1f}")

# %% [markdown]
# One training run per line says little: with another seed, these numbers move by a point or two. Mixer and ViT do not
# mind. And the ConvNet? We predicted that it suffers. On a digit of 8 x 8 pixels it does not: after a few layers, its
# filters see the whole image, wherever the pixels are. On photographs of 32 x 32 pixels it does; `docs/claims.md` has
# the numbers. A prediction can be right, and a test too small to show it.
#
# **Time.** Does a clock agree with the counts? We time one training step on larger and larger images, with patches of
# 4 x 4 pixels and models of the size pico. All of them take turns.

# %% tags=["measured"]
sides = (32, 64) if FAST else (32, 64, 96, 128)
with Workers() as threads:
    blocks = {}
    for side in sides:
        for kind in ("pico", "vit-pico"):
            step = step_of(nn.build(kind, image_size=side), 8, threads, train=True)
            blocks[kind, side] = lambda step=step: seconds_per_call(step, at_least=0.02 if FAST else 0.2) / 8
    times = interleave(blocks, 1 if FAST else 3)
curves = {kind: [1000 * np.median(times[kind, side]) for side in sides] for kind in ("pico", "vit-pico")}
plots.lines([(side // 4) ** 2 for side in sides], {"Mixer pico": curves["pico"], "ViT pico": curves["vit-pico"]},
            xlabel="patches S", ylabel="ms per image, training", log="xy")

# %% [markdown]
# **Data.** The paper's third comparison: how many images does a model need? The paper finds that a Mixer gains more
# from more data than a ViT does. Here are the same number of steps on a tenth of the digits; we have already trained on
# all of them.

# %% tags=["measured"]
tenth = data_size.part(digits, 10)
print(len(tenth.train_images), "of", len(digits.train_images), "digits, the same number of each class")
with Workers() as team:
    for size in ("pico", "vit-pico", "convnet-pico"):
        longer = replace(recipe, model=size, max_steps=steps, epochs=steps)         # more epochs, same number of steps
        few = learn(f"{size}, 10 %", longer, team, tenth, tests=1)[1]["test_accuracy"][-1]
        print(f"   10 %: {few:.1%}, 100 %: {accuracy[size, 'original']:.1%}")

# %% [markdown]
# All three gain. Which one gains *most* depends here on how good each is after so few steps, and not only on the data.
# The library's experiments do this with photographs, and say which of the paper's claims can be seen at that scale, and
# which cannot: `docs/claims.md`.

# %% [markdown]
# ## Exercise
#
# Run one of these experiments yourself. First write down what you expect: what does a Mixer lose without its skip
# connections, what does it lose without token mixing, and what does it gain from a position embedding?
#
# ```console
# $ minimixer experiments ablation --data digits
# ```

# %% [markdown]
# ## Summary
#
# - Token mixing stores in its weights who takes from whom. Self-attention computes it for each image, from queries and
#   keys.
# - The table of scores has S x S numbers, so self-attention becomes quadratic, but only when S is larger than about
#   2 C. Token mixing is linear as long as D_S does not grow.
# - Attention does not know about places, and needs a position embedding. Token mixing knows them by itself.
# - A Mixer trains as well on images that are shuffled by one rule: exactly as well, if its weights are permuted too.
#
# **What the library does differently:** the paper's ViT has a class token, whose vector gives the answer. Ours takes
# the mean of all patches, as the Mixer does. So the two differ in the mixing of patches, in the position embedding, and
# in the width of the other MLP (`vit-micro` has 280 hidden units, `micro` has 512), which keeps their numbers of
# parameters similar.
