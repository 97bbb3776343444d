# %% [markdown]
# # 15 Mixer and Transformer
#
# - **Time:** 28 minutes to read, 25 to do, 120 seconds of computing (measured on 2 cores)
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
import contextlib
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
# 3. The ConvNet, if one does: its small filters need real neighbors. A Mixer and a ViT learn whatever there is to learn
#    from the places; a fixed rule changes nothing for them.
#
# </details>

# %% [markdown]
# ## Build
#
# Self-attention with one head, for one image. $d$ is the length of a query, here C:
#
# $$\mathrm{attention}(x) = \mathrm{softmax}\!\left(\frac{q\, k^T}{\sqrt{d}}\right) v
# \qquad q = x\, w_q,\quad k = x\, w_k,\quad v = x\, w_v$$
#
# Papers write these tables as Q, K and V; here K already stands for the number of classes.
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

# %%
figure_of_means = plots.figure(4.0, 3.6)
panel = figure_of_means.subplots()
panel.imshow(means, cmap="Blues", vmin=0, vmax=1)
for (takes, gives), value in np.ndenumerate(means):
    panel.text(gives, takes, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black")
panel.set(xlabel="the patch that gives", ylabel="the patch that takes", title="weights of the means, (S, S)")
figure_of_means.alt = "A table of 6 x 6 weights between 0 and 1; each row sums to 1."
figure_of_means

# %% [markdown]
# Row $i$ says which patches patch $i$ takes from. In a Mixer, no such table exists: who takes from whom is stored in
# the weights, and is the same for all images.

# %% [markdown]
# **Your turn.** Compute what patch 0 gets, without the whole table: one query, all keys, all values. Set `y_0`, shape
# (C,) = (4,), from `patches`, `w_q`, `w_k` and `w_v`.
#
# <details><summary>Solution</summary>
#
# ```python
# y_0 = softmax(patches[0] @ w_q @ (patches @ w_k).T / np.sqrt(4)) @ (patches @ w_v)      # (4,) @ (4, 6) @ (6, 4)
# ```
#
# </details>

# %% tags=["your-turn"]
y_0 = ...

# %%
mm.exercises.turn(y_0, right=mixed[0], hint="the query of patch 0 has shape (4,), its scores have shape (6,)")

# %% [markdown]
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
# from there on it becomes quadratic. At 32 x 32 pixels, S = 64, the scores are only a fifth of its cost.
#
# And "linear" is true only for a fixed D_S. It has a second price: a Mixer's weights fit only one S. A ViT accepts a
# different number of patches with the same attention weights.

# %% [markdown]
# **Your turn.** How many hidden units may token mixing have until it costs as much as self-attention? Make the two
# columns of the table above equal, for S = 64 and C = 128. Set `equal_d_s` to this D_S.
#
# <details><summary>Solution</summary>
#
# ```python
# equal_d_s = 2 * 128 + 64        # 2 S D_S C = 4 S C^2 + 2 S^2 C, divided by 2 S C: D_S = 2 C + S
# ```
#
# </details>

# %% tags=["your-turn"]
equal_d_s = ...

# %%
mm.exercises.turn(equal_d_s, right=(4 * 64 * c**2 + 2 * 64**2 * c) / (2 * 64 * c), hint="divide both sides by 2 S C")

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
rule = np.random.default_rng(3).permutation(16)                         # at place i stands the old patch rule[i]
order = permutation.pixel_order(8, 2, rule, np.arange(4))
three = digits.test_images[digits.test_labels == 3][:1]                 # (1, 8, 8, 1)
shuffled_three = permutation.reorder(three, order)
figure = plots.figure(4.6, 2.5)
for panel, image, title in zip(figure.subplots(1, 2), (three, shuffled_three), ("a 3", "its patches, shuffled"),
                               strict=True):
    panel.imshow(image[0], cmap="gray")
    panel.set(title=title, xticks=[], yticks=[])
figure.alt = "A handwritten 3 of 8 x 8 pixels; beside it the same pixels, with the 16 patches in another order."
figure


# %%
def small(name):
    """A new model for digits of 8 x 8 pixels, with a head that is not zero."""
    model = nn.build(name, seed=1, image_size=8, patch_size=2, in_channels=1)
    model.head.weight.data = np.random.default_rng(2).standard_normal((64, 10)).astype(np.float32)
    return model


def same_answer(model, position=None):
    """Whether the 3 and its shuffled twin get the same logits, the twin with another position."""
    plain = model(mm.Tensor(three / np.float32(255))).data              # (1, K)
    if position is not None:
        model.position.data = np.asarray(position, np.float32)          # (S, C)
    return bool(np.abs(plain - model(mm.Tensor(shuffled_three / np.float32(255))).data).max() < 1e-3)


vit_without = small("vit-pico")
vit_without.position.data = np.zeros_like(vit_without.position.data)    # the bug
for label, model in (("ViT", small("vit-pico")), ("ViT without position", vit_without), ("Mixer", small("pico"))):
    print(f"{label + ':':<21} {'THE SAME logits' if same_answer(model) else 'different logits'}")

# %% [markdown]
# **Symptom.** There is no error, and the training loss falls, because a bag of patches says a lot about an image. The
# accuracy stays lower, and a shuffled image gets exactly the same answer.
#
# **Cure.** Add a learned vector to each place. A Mixer needs none: the rows of `fc1.weight` belong to places, so token
# mixing knows them. This is why the paper's Mixer has no position embedding.

# %%
learned = small("vit-pico").position.data                               # (S, C) = (16, 64)

# %% [markdown]
# **Your turn.** The patches of the 3 have changed places: at place i stands the old patch `rule[i]`. Let the position
# embedding move with them, so that the ViT gives the shuffled 3 the logits of the 3. Set `moved_with_them`, shape (16,
# 64), from `learned` and `rule`.
#
# <details><summary>Solution</summary>
#
# ```python
# moved_with_them = learned[rule]         # each patch keeps the vector of its old place
# ```
#
# </details>

# %% tags=["your-turn"]
moved_with_them = ...

# %%
mm.exercises.turn(moved_with_them, right=lambda position: same_answer(small("vit-pico"), position),
                  hint="row i must be the vector of the place where patch rule[i] was")

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
with Workers(1) as one_thread, contextlib.redirect_stdout(None):
    runs = permutation.exact(recipe, digits, rearranged, rules, one_thread)
for label, gaps in runs["differences"].items():
    print(f"initial weights {label:<11} largest difference in the loss: {max(gaps):.0e}")

# %% [markdown]
# **Shuffled images, in practice.** Now each model starts from its usual random weights and trains on the original
# digits, and on digits whose patches and pixels are shuffled. Each does so three times, with other random numbers. The
# table shows how many percent of the test images are right.

# %% tags=["measured"]
steps = 10 if FAST else 200


def three_runs(name, data):
    """The accuracy after the last step, in percent, with the seeds 0, 1 and 2: (3,)."""
    configs = [replace(recipe, model=name, max_steps=steps, seed=seed) for seed in range(3)]
    with Workers() as workers, contextlib.redirect_stdout(None):        # without a line for each run
        curves = [learn(name, config, workers, data, tests=1)[1] for config in configs]
    return 100 * np.array([curve["test_accuracy"][-1] for curve in curves])


accuracy = {}
for name in ("pico", "vit-pico", "convnet-pico"):
    for which, data in (("original", digits), ("shuffled", rearranged)):
        accuracy[name, which] = three_runs(name, data)
        print(f"{name:<13}{which:<10}", *(f"{value:7.1f}" for value in accuracy[name, which]))

# %% [markdown]
# Which of these differences mean something? Each is a difference of two runs, and runs differ by chance. The **standard
# error** says how far the mean of three differences is off by chance alone, as far as three numbers can say. So compare
# the mean with it: the **ratio** of the two. How large does it get when there is no effect at all? We try it, with
# random numbers whose true mean is 0.


# %%
def ratio(differences):
    """The mean over the last axis, in standard errors."""
    error = differences.std(axis=-1, ddof=1) / np.sqrt(differences.shape[-1])
    return np.abs(differences.mean(axis=-1)) / np.maximum(error, 1e-9)


chance = np.random.default_rng(0)
for runs_each in (3, 10):
    no_effect = ratio(chance.standard_normal((200_000, runs_each)))
    print(f"{runs_each:2} runs, no effect: the ratio is above {np.quantile(no_effect, 0.95):.1f} in 1 of 20 cases")

# %% tags=["measured"]
models = "pico", "vit-pico", "convnet-pico"
change = {name: accuracy[name, "shuffled"] - accuracy[name, "original"] for name in models}
for name, differences in change.items():
    print(f"{name:<13}", *(f"{value:+6.1f}" for value in differences),
          f"   mean {differences.mean():+.1f}, ratio {ratio(differences):.1f}")
print(f"One of the {len(digits.test_images)} test images is {100 / len(digits.test_images):.1f} points.")
figure_of_changes = plots.figure(6.0, 2.6)
panel = figure_of_changes.subplots()
for row, differences in enumerate(change.values()):
    panel.plot(differences, [row] * 3, "o", color=plots.BLUE, alpha=0.7)
    panel.plot(differences.mean(), row, "|", color=plots.ORANGE, markersize=22, markeredgewidth=3)
panel.axvline(0, color="gray", linewidth=0.8)
panel.set(yticks=range(3), yticklabels=models, ylim=(2.5, -0.5), xlabel="shuffled minus original (points)")
figure_of_changes.alt = "One row per model: the three changes of its accuracy and their mean, around a line at 0."
figure_of_changes

# %% [markdown]
# (Blue: the three runs. Orange: their mean.)
#
# For two of the models **we know the answer: there is no true change.** The initial weights of a Mixer are drawn
# without regard to places, so a permuted start is as likely as any other, and from a permuted start the training is the
# same. The same holds for the ViT: its position embedding starts at random, too. So their rows show what chance can do.
# The ViT's changes go from -9.7 to +3.9. The Mixer's are all gains, with a ratio of 6.5, and still they are chance: of
# 20 such tests, one comes out above 4.3. <!-- printed -->
#
# For the ConvNet there is no such identity. Its changes are -3.3, -3.1 and +0.3, with a ratio of 1.8. Two of three runs
# lost, by more than any run of the Mixer moved. But 1.8 is far below 4.3, so **three runs cannot tell** whether a
# ConvNet suffers on digits. Perhaps it does. With ten runs, a ratio of 2.3 would be enough. <!-- printed -->
#
# A prediction can be right, and a test too small to show it. `docs/claims.md` has the same test on photographs of 32 x
# 32 pixels, where there is more to lose.
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
# With few patches, the Linear layers that both models have take most of the time, and the two lines begin together.
# With many, the tables of scores do, and the ViT's line is steeper.

# %% [markdown]
# **Data.** The paper's third comparison: how many images does a model need? The paper finds that a Mixer gains more
# from more data than a ViT does. Here are the same number of steps on a tenth of the digits; we have already trained on
# all of them.

# %% tags=["measured"]
tenth = data_size.part(digits, 10)
print(len(tenth.train_images), "of", len(digits.train_images), "digits, the same number of each class")
for size in models:
    longer = replace(recipe, model=size, max_steps=steps, epochs=steps)             # more epochs, same number of steps
    with Workers() as team, contextlib.redirect_stdout(None):
        few = learn(size, longer, team, tenth, tests=1)[1]["test_accuracy"][-1]
    print(f"{size:<13} a tenth: {few:.1%}, all: {accuracy[size, 'original'][0]:.1f}%")

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
# - Before you believe a difference between runs, ask what chance alone does: repeat with other seeds, and include a
#   case whose answer you know.
#
# **What the library does differently:** the paper's ViT has a class token, whose vector gives the answer. Ours takes
# the mean of all patches, as the Mixer does. So the two differ in the mixing of patches, in the position embedding, and
# in the width of the other MLP (`vit-micro` has 280 hidden units, `micro` has 512), which keeps their numbers of
# parameters similar.
