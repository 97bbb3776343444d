# %% [markdown]
# # 13 Inside a trained Mixer
#
# - **Time:** 29 minutes to read, 20 to do, 10 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 07 to 09
# - **Previous:** [12 The run](12_run.ipynb)
# - **Next:** [14 Is it a CNN?](14_convolution.ipynb)

# %% [markdown]
# ## Goal
#
# A trained Mixer is a few matrices. What has training put into them? minimixer comes with a trained model, so this
# lesson needs no training and no network. After it you can
#
# 1. draw what each hidden unit of token mixing looks at,
# 2. measure whether such a drawing has structure, and compare the number with a control,
# 3. read a confusion matrix, and say what such a model must not be used for.

# %%
import inspect
import json
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

import minimixer as mm
from minimixer import functional as F
from minimixer import nn, plots
from minimixer.data.images import read_image

model = nn.mixer("micro", pretrained="cifar10")
config = model.config
side = config.image_size // config.patch_size
print(f"{model.num_parameters():,} parameters, {config.num_blocks} blocks")
print(f"S = {side} x {side} = {config.num_patches}, D_S = {config.tokens_mlp_dim}, C = {config.hidden_dim}")

# %% [markdown]
# ## Picture
#
# The first layer of a token-mixing MLP has a weight matrix with **S** rows and **D_S** columns. **S** is the number of
# patches, **D_S** the number of hidden units. Each column belongs to one hidden unit: one weight per patch. The patches
# are cut from an image in reading order, so the column can be folded back into a small image, a **map**.

# %%
plots.shapes({"fc1.weight": {"S": 9, "D_S": 5}, "a column": {"S": 9}, "its map": {"row": 3, "column": 3}})

# %% [markdown]
# (Drawn for 3 x 3 patches. Our model has 8 x 8 patches and 64 hidden units.)
#
# All channels share these weights. So a map answers the question: *which places in the image does this unit listen to,
# whatever the channel?*

# %% [markdown]
# ## Predict
#
# 1. Before training, the weights are random: neighbors in a map have nothing to do with each other. Will neighbors be
#    similar after training? Nobody told the model which patches are neighbors.
# 2. GELU passes large positive numbers and stops large negative ones. What can two hidden units do together if their
#    maps are the same, but with opposite signs?
# 3. For each unit, look for the unit whose map is most like it, and for the one whose map is most opposite to it. Which
#    of the two will be the closer one?
# 4. Which two of the ten classes will the model confuse most? airplane, automobile, bird, cat, deer, dog, frog, horse,
#    ship, truck
#
# <details><summary>Answer</summary>
#
# 1. To some degree, yes. In photographs, neighboring patches are similar. Weights that treat them similarly are useful,
#    and training finds them. The more data and the longer the training, the smoother the maps: those in the paper come
#    from 300 million images. You will measure how far ours get.
# 2. One passes the positive part, the other the negative part. If the second layer subtracts one from the other, the
#    whole signal is kept. This is what such a pair *can* do. Whether our pairs do it, you will measure.
# 3. The paper draws pairs of "opposite phase" (figure 5), and only those. You will count both kinds.
# 4. Usually cat and dog. You will count.
#
# </details>

# %% [markdown]
# ## Build
#
# Fold every column of the first block into a map.

# %%
block = model.blocks[0]                                                 # put in another number, and run all cells
weight = block.token_mixing.fc1.weight.data                             # (S, D_S)
maps = weight.T.reshape(-1, side, side)                                 # (D_S, 8, 8)  one map per hidden unit
plots.weight_maps(maps[:16], [f"unit {i}" for i in range(16)])

# %% [markdown]
# To sort them, we need one number per map: **how fast do its weights change from patch to patch?** The Fourier
# transform writes a map as a sum of waves. $F_{u,v}$ is the strength of the wave that has $u$ periods per patch
# downwards and $v$ to the right. The mean frequency is
#
# $$\bar f = \frac{\sum_{u,v} |F_{u,v}|^2 \, \sqrt{u^2 + v^2}}{\sum_{u,v} |F_{u,v}|^2}$$
#
# A slow change across the whole image gives a small number. The fastest wave changes its sign at every patch: 0.5
# periods per patch in each direction.


# %%
def mean_frequency(maps):
    """maps: (D_S, n, n) -> (D_S,) in periods per patch."""
    n = maps.shape[-1]
    u = np.fft.fftfreq(n)                                               # (n,)  0, 1/n, ..., -1/n
    radius = np.hypot(u[:, None], u[None, :])                           # (n, n)
    power = np.abs(np.fft.fft2(maps))**2                                # (D_S, n, n)
    return (power * radius).sum((1, 2)) / power.sum((1, 2))


frequency = mean_frequency(maps)                                        # (D_S,)
order = np.argsort(frequency)
chosen = np.concatenate([order[:8], order[-8:]])                        # the 8 slowest, then the 8 fastest
plots.weight_maps(maps[chosen], [f"{frequency[i]:.2f}" for i in chosen])

# %% [markdown]
# **Your turn.** The second layer has maps too: unit d writes its result back to all S places, each time a weight of its
# own. `fc2.weight` is (D_S, S). Set `back` to the maps that the units of the first block write, shape (D_S, 8, 8).
#
# <details><summary>Solution</summary>
#
# ```python
# back = block.token_mixing.fc2.weight.data.reshape(-1, 8, 8)                 # no .T: a row is a unit here
# ```
#
# </details>

# %% tags=["your-turn"]
back = ...

# %%
mm.exercises.turn(back, right=block.token_mixing.fc2.weight.data.reshape(-1, side, side),
                  hint="which axis of (D_S, S) becomes the two axes of a map?")

# %% [markdown]
# **Partners.** Two equal maps have the correlation 1; two maps with opposite signs, -1; two unrelated ones, about 0.
# For each unit, find the most opposite unit and the most alike one.


# %%
def correlations(columns):
    """columns: (S, D_S) -> (D_S, D_S), each unit with each other one; 0 for a unit with itself."""
    table = np.corrcoef(columns.T)                                      # (D_S, D_S)
    np.fill_diagonal(table, 0)
    return table


def best_pairs(table):
    """The pairs of units that are each other's largest number in the table, the strongest eight: (pairs, 2)."""
    best = table.argmax(1)                                              # (D_S,)
    return np.array([(i, best[i]) for i in np.argsort(-table.max(1)) if best[best[i]] == i and i < best[i]][:8])


def draw_pairs(pairs, table):
    one_above_the_other = pairs.T.reshape(-1)
    return plots.weight_maps(maps[one_above_the_other], [f"{table[i, j]:.2f}" for i, j in pairs], columns=len(pairs))


correlation = correlations(weight)
draw_pairs(best_pairs(-correlation), correlation)                       # the most opposite pairs

# %%
draw_pairs(best_pairs(correlation), correlation)                        # the most alike pairs

# %% [markdown]
# Each column is a pair, with its correlation above. The first figure is the paper's (figure 5): opposites. The second
# one asks the same question with the other sign. A drawing of one of them alone says nothing about the other.

# %%
z = np.array([-2.0, -0.3, 0.5, 3.0])

# %% [markdown]
# **Your turn.** A pair of opposite maps, without biases: one unit gets z, the other -z. The second layer subtracts. Set
# `kept` to gelu(z) - gelu(-z), shape (4,), without computing GELU: GELU is z times a number between 0 and 1, and these
# numbers add up to 1 for z and -z.
#
# <details><summary>Solution</summary>
#
# ```python
# kept = z                                # z * share(z) - (-z) * share(-z) = z * (share(z) + share(-z))
# ```
#
# </details>

# %% tags=["your-turn"]
kept = ...

# %%
mm.exercises.turn(kept, right=(F.gelu(mm.Tensor(z)) - F.gelu(mm.Tensor(-z))).data,
                  hint="lesson 05: gelu(z) = z * share(z). Put -z into it, and subtract")

# %% [markdown]
# ## Check
#
# **First check: does a map show what the unit computes?** Give the layer a table in which one patch is 1 and all others
# are 0. The unit's output must be the weight at that place in its map (plus its bias).

# %%
layer = block.token_mixing.fc1
place = 8 * 2 + 5                                                       # row 2, column 5
one_patch = np.zeros((1, 1, config.num_patches), np.float32)            # (B, C, S)
one_patch[0, 0, place] = 1
answer = (layer(mm.Tensor(one_patch)) - layer.bias).data[0, 0]          # (D_S,)
print("all units agree:", np.allclose(answer, maps[:, 2, 5], atol=1e-6))

# %% [markdown]
# **Second check: is the frequency right?** A known wave must give its own frequency.

# %%
wave = np.sin(2 * np.pi * 2 / 8 * np.arange(8))[None, :, None] * np.ones((1, 8, 8))     # 2 periods in 8 patches
print(f"measured {mean_frequency(wave)[0]:.4f}, expected {2 / 8:.4f} periods per patch")

# %% [markdown]
# **Third check: a control.** A drawing of weights always looks like *something*. So we need maps that cannot have
# structure. Take the same weights and shuffle them within each map: the values stay, their places do not. If training
# had learned nothing about places, both frequencies would be equal.

# %%
rng = np.random.default_rng(0)
trained = [one.token_mixing.fc1.weight.data for one in model.blocks]    # (S, D_S) each
shuffled = [rng.permuted(columns, axis=0) for columns in trained]       # (S, D_S)  the places of each unit, shuffled
print("block   mean frequency   shuffled")
for number, kinds in enumerate(zip(trained, shuffled, strict=True)):
    slow = [mean_frequency(columns.T.reshape(-1, side, side)).mean() for columns in kinds]
    print(f"{number:5}{slow[0]:17.3f}{slow[1]:11.3f}")

# %% [markdown]
# The gap between the columns is what training has put into the *arrangement* of the weights. In the paper it is large
# in the first blocks and small in the later ones. How is it here?
#
# **Fourth check: the same control for partners.** Shuffled maps have partners too: we take the best of 63 candidates,
# and the best of many is never 0. And a second control: **the other sign**. If training favored opposites, the
# strongest opposite partner would be stronger than the strongest alike one, and more units would have one.

# %%
print("         strongest partner (shuffled)     units that have a partner beyond 0.5")
print("block   opposite         alike               opposite   alike")
more_alike = 0
for number, kinds in enumerate(zip(trained, shuffled, strict=True)):
    table, control = (correlations(columns) for columns in kinds)
    having = [int((sign * table > 0.5).any(1).sum()) for sign in (-1, 1)]
    more_alike += having[1] > having[0]
    print(f"{number:5}{table.min():10.2f} ({control.min():.2f}){table.max():8.2f} ({control.max():.2f})"
          f"{having[0]:15}{having[1]:10}")
print(f"In {more_alike} of {len(trained)} blocks, more units have an alike partner than an opposite one.")

# %% [markdown]
# Read it row by row: the numbers beyond those in brackets are training's work. Then compare the two kinds, and read the
# last line. If you draw opposite pairs only, as we did in the first figure of pairs, you find opposite pairs. To say
# that a model *prefers* them, you must count the alike ones as well.
#
# **Fifth check: do the pairs do what they could do?** You have computed that an opposite pair keeps the whole signal
# *if* the second layer subtracts one from the other. Then their rows of `fc2.weight` are opposite too, with a
# correlation of -1. We take all pairs beyond 0.5, and look at what they write back.

# %%
print("block   opposite pairs   write back   alike pairs   write back")
for number, one in enumerate(model.blocks):
    read, written = correlations(trained[number]), correlations(one.token_mixing.fc2.weight.data.T)
    print(f"{number:5}", end="")
    for width, sign in ((17, -1), (14, 1)):
        chosen = np.triu(sign * read > 0.5)                             # (D_S, D_S)  each pair once
        mean = f"{written[chosen].mean():.2f}" if chosen.any() else "none"
        print(f"{chosen.sum():{width}}{mean:>13}", end="")
    print()

# %% [markdown]
# A mean near -1 for opposite pairs would say: yes, they keep the signal. A mean near 0 says: they share a map, and use
# it for different things. For alike pairs, a mean near 1 would say that one unit does nearly the same as the other.
#
# So these weights show *how many* partners of each kind there are. They do not show *why*. "Because GELU passes one
# sign only" is a good story, and this check is how you find out whether a good story is true.
#
# Another run gives another count. The weights that came with minimixer before were trained with AdamW, for fewer epochs
# and with weaker augmentation. In their blocks 2 to 7, 41 to 60 of the 64 units had an alike partner beyond 0.5. Our
# present weights were trained with Muon, which strengthens the weak directions of each update (lesson 11), and such
# partners are rare. Is Muon the reason? Two runs that differ in three things cannot tell.
#
# **Last check: the library's file**, `minimixer/nn/mixer.py`.

# %%
print(inspect.getsource(nn.MlpBlock.forward))
print(inspect.getsource(nn.MixerBlock.forward))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `.swapaxes(1, 2)` | (B, C, S): the patches become the last axis, and `fc1` multiplies along it |
# | `self.fc1(x)` | `x @ weight + bias`, weight (S, D_S): each *column* is compared with the table of one channel |
# | `self.gelu(...)` | passes on what it gets where map and table agree, and nearly nothing where they are opposite |
# | `self.fc2(hidden)` | weight (D_S, S): each *row* is a map too, the one that the unit writes back |

# %% [markdown]
# ## Break it
#
# In this model S = 64, and D_S = 64 too. So you can forget the transpose, and NumPy does not complain.

# %%
wrong = weight.reshape(-1, side, side)                                  # rows: no .T
for label, some in (("columns", maps), ("rows", wrong)):
    print(f"{label:<8} shape {some.shape}, mean frequency {mean_frequency(some).mean():.3f}")
plots.weight_maps(np.concatenate([maps[:8], wrong[:8]]), ["column"] * 8 + ["row"] * 8)

# %% [markdown]
# **Symptom.** No error, and drawings of the right size. They look like noise, because the hidden units are in no
# particular order: their mean frequency is about that of the shuffled maps. Somebody concludes that the model has
# learned nothing.
#
# **Cure.** Do the first check of this lesson: put in a single patch, and see which number comes out. And test with
# sizes that all differ: with S = 64 and D_S = 48, `reshape` would have drawn maps that do not even belong to one patch.

# %% [markdown]
# ## Use it
#
# **The stem.** It multiplies each patch, P x P pixels of 3 colors, by a matrix (P P 3, C). A column of this matrix is a
# filter, and a filter is a small color image. Is it a filter for color, or for light and dark? One number tells: split
# each pixel of it into its mean over the three colors (gray) and the rest (color). The **gray share** is the part of
# the squared weights that is gray: 1 for a filter without color, 0 for a filter that is only color.

# %%
p = config.patch_size
stem = model.stem.weight.data.reshape(p, p, 3, -1)                      # (P, P, 3, C)  row, column, color (lesson 07)
gray = stem.mean(axis=2, keepdims=True)                                 # (P, P, 1, C)
gray_share = 3 * (gray**2).sum((0, 1, 2)) / (stem**2).sum((0, 1, 2))    # (C,)
strongest = np.argsort(-(stem**2).sum((0, 1, 2)))[:32]
print(f"gray share of the 32 strongest filters: {gray_share[strongest].min():.2f} to {gray_share[strongest].max():.2f}")
nearly_gray, nearly_color = (gray_share > 0.9).sum(), (gray_share < 0.1).sum()
print(f"of all {len(gray_share)} filters, {nearly_gray} are nearly gray (above 0.9), {nearly_color} nearly pure color "
      f"(below 0.1), {len(gray_share) - nearly_gray - nearly_color} are mixtures")

# %%
by_share = strongest[np.argsort(-gray_share[strongest])]                # from gray to colored
figure = plots.figure(8.4, 4.8)
for panel, c in zip(figure.subplots(4, 8).flat, by_share, strict=True):
    kernel = stem[..., c]                                               # (P, P, 3)
    panel.imshow(0.5 + 0.5 * kernel / np.abs(kernel).max())             # gray is zero
    panel.set_axis_off()
    panel.set_title(f"{gray_share[c]:.2f}", fontsize=8)
figure.alt = "The 32 strongest filters as images of 4 x 4 pixels, from nearly gray ones to strongly colored ones."
figure

# %% [markdown]
# The number above each filter is its gray share. Before you call one "an edge filter" or "a color filter", look at its
# number, and at how many filters are mixtures. (The paper's figure 7 shows filters of 16 x 16 and 32 x 32 pixels. On 4
# x 4 pixels there is no room for fine ones.)
#
# **Confusion.** The CIFAR-10 images do not come with minimixer, but the model's answers on its 10,000 test images do.
# The row is the true class, the column is the model's answer. The color is the share of the row.

# %%
facts = json.loads(nn.list_pretrained()["cifar10-micro"].with_suffix(".json").read_text())
names = [row["class"] for row in facts["classes"]]
counts = np.array(facts["confusion"])                                   # (K, K)
plots.confusion(counts, names, title=f"{facts['accuracy']:.1%} of {counts.sum():,} test images are right")

# %%
off_diagonal = counts - np.diag(counts.diagonal())
mixed_up = np.triu(off_diagonal + off_diagonal.T)                       # a for b, and b for a
for pair in np.argsort(-mixed_up, axis=None)[:5]:
    a, b = divmod(int(pair), len(names))
    print(f"{mixed_up[a, b]:4} times: {names[a]} and {names[b]}")
animals = np.array([name in ("bird", "cat", "deer", "dog", "frog", "horse") for name in names])
crossing = off_diagonal[animals][:, ~animals].sum() + off_diagonal[~animals][:, animals].sum()
print(f"{off_diagonal.sum():,} mistakes, {crossing:,} of them between animals and vehicles")

# %% [markdown]
# **Your turn.** The diagonal divided by the sums of the rows says how many of the real cats are found. A user asks
# something else: the model has said "cat"; how often is that right? Set `precision` to this share for each class,
# shape (K,) = (10,), from `counts`.
#
# <details><summary>Solution</summary>
#
# ```python
# precision = counts.diagonal() / counts.sum(axis=0)          # all images that got this answer: a column
# ```
#
# </details>

# %% tags=["your-turn"]
precision = ...

# %%
mm.exercises.turn(precision, right=counts.diagonal() / counts.sum(axis=0),
                  hint="the images that were called a cat stand in one column")

# %% [markdown]
# **What it must not be used for.** Two images come with matplotlib: a drawing of a gift, and matplotlib's own logo.
# Neither is one of the ten classes. What does the model say?

# %%
trained_model = mm.train.load_run("cifar10-micro")                      # the same weights, and how to scale images
paths = [Path(get_sample_data(name, asfileobj=False)) for name in ("Minduka_Present_Blue_Pack.png", "logo2.png")]
images = np.stack([read_image(path, config.image_size, 3) for path in paths])         # (B, 32, 32, 3)
figure_of_two = plots.figure(5.6, 2.9)
for panel, image, probabilities in zip(figure_of_two.subplots(1, 2), images, trained_model.predict(images),
                                       strict=True):
    best = probabilities.argmax()
    panel.imshow(image)
    panel.set_axis_off()
    panel.set_title(f"{trained_model.class_names[best]}, {probabilities[best]:.0%} sure", fontsize=10)
figure_of_two.alt = "A drawing of a gift and a logo, each with the class that the model has answered."
figure_of_two

# %% [markdown]
# It always answers, because its probabilities sum to 1 over ten classes. "I do not know" is not one of them.

# %% [markdown]
# ## Exercise
#
# Take a photograph of a cat, a dog, a car or a ship. First write down what you expect. Then ask the model, turn the
# image upside down, and ask again.
#
# ```console
# $ minimixer predict photo.jpg
# ```

# %% [markdown]
# ## Summary
#
# - A column of the first token-mixing matrix is a map: one weight per place in the image.
# - One number, the mean frequency, sorts the maps; a control with shuffled weights tells you what the number means.
# - Maps have partners, opposite and alike. Count both before you say that a model prefers one kind; a count names no
#   cause.
# - The confusion matrix says more than the accuracy: *which* mistakes.
# - A classifier answers no matter what it is shown.
#
# **See it:** `minimixer play cifar10-micro` shows these maps beside your own drawing or photo. Click on patches to
# erase them: which ones matter for the answer?
#
# **What the library does differently:** `minimixer experiments token-weights` sorts and pairs the maps of three blocks.
# It leaves the constant part of a map out of its mean frequency, so its numbers are a little higher, and it counts in
# cycles per image, 8 times ours. `nn.mixer("micro", pretrained="cifar10")` gives the bare model, which expects
# normalized pixels. `train.load_run("cifar10-micro")` also keeps the mean and standard deviation of the pixels, and
# takes images as they are.
