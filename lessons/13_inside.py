# %% [markdown]
# # 13 Inside a trained Mixer
#
# - **Time:** 12 minutes, 10 seconds of computing (measured on 2 cores)
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
# 2. measure whether such a drawing has structure, and compare it with a control,
# 3. read a confusion matrix, and say what such a model must not be used for.

# %%
import inspect
import json
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

import minimixer as mm
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
# 2. GELU lets positive numbers through and stops negative ones. What can two hidden units do together if their maps are
#    the same, but with opposite signs?
# 3. Which two of the ten classes will the model confuse most? airplane, automobile, bird, cat, deer, dog, frog, horse,
#    ship, truck
#
# <details><summary>Answer</summary>
#
# 1. To some degree, yes. In photographs, neighboring patches are similar. Weights that treat them similarly are useful,
#    and training finds them. The more data and the longer the training, the smoother the maps: those in the paper come
#    from 300 million images. You will measure how far ours get.
# 2. One passes the positive part, the other the negative part. Together they keep the whole signal. The paper found
#    many such pairs of "opposite phase" in the first blocks (figure 5).
# 3. Usually cat and dog. You will count.
#
# </details>

# %% [markdown]
# ## Build
#
# Fold every column of the first block into a map.

# %%
weight = model.blocks[0].token_mixing.fc1.weight.data                   # (S, D_S)
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
    """maps: (N, n, n) -> (N,) in periods per patch."""
    n = maps.shape[-1]
    u = np.fft.fftfreq(n)                                               # (n,)  0, 1/n, ..., -1/n
    radius = np.hypot(u[:, None], u[None, :])                           # (n, n)
    power = np.abs(np.fft.fft2(maps))**2                                # (N, n, n)
    return (power * radius).sum((1, 2)) / power.sum((1, 2))


frequency = mean_frequency(maps)                                        # (D_S,)
order = np.argsort(frequency)
chosen = np.concatenate([order[:8], order[-8:]])                        # the 8 slowest, then the 8 fastest
plots.weight_maps(maps[chosen], [f"{frequency[i]:.2f}" for i in chosen])

# %% [markdown]
# **Pairs of opposite phase.** Two maps with opposite signs have the correlation -1; two unrelated ones, about 0. For
# each unit, find the unit most opposite to it, and draw the best pairs one above the other.

# %%
flat = maps.reshape(len(maps), -1) - maps.mean((1, 2))[:, None]         # (D_S, S)
flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
correlation = flat @ flat.T                                             # (D_S, D_S)
partner = correlation.argmin(1)                                         # (D_S,)  the most opposite unit
how_opposite = correlation.min(1)
mutual = [i for i in np.argsort(how_opposite) if partner[partner[i]] == i and i < partner[i]][:8]
both = np.concatenate([mutual, partner[mutual]])
plots.weight_maps(maps[both], [f"unit {i}" if k >= len(mutual) else f"{how_opposite[i]:.2f}"
                               for k, i in enumerate(both)], columns=len(mutual))

# %% [markdown]
# The number above each pair is its correlation.

# %% [markdown]
# ## Check
#
# **First check: does a map show what the unit computes?** Give the layer a table in which one patch is 1 and all others
# are 0. The unit's output must be the weight at that place in its map (plus its bias).

# %%
layer = model.blocks[0].token_mixing.fc1
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
# had learned nothing about places, both numbers would be equal.

# %%
rng = np.random.default_rng(0)
print("block    trained   shuffled   most opposite pair   the same, shuffled")
for number, block in enumerate(model.blocks):
    trained = block.token_mixing.fc1.weight.data.T                      # (D_S, S)
    shuffled = rng.permuted(trained, axis=1)                            # (D_S, S)
    slow = [mean_frequency(m.reshape(-1, side, side)).mean() for m in (trained, shuffled)]
    pair = [np.corrcoef(m).min() for m in (trained, shuffled)]
    print(f"{number:5}{slow[0]:11.3f}{slow[1]:11.3f}{pair[0]:18.2f}{pair[1]:20.2f}")

# %% [markdown]
# Read it row by row. The gap between the columns is what training has put into the *arrangement* of the weights. In the
# paper it is large in the first blocks and small in the later ones. How is it here?
#
# **Fourth check: the library's file**, `minimixer/nn/mixer.py`.

# %%
print(inspect.getsource(nn.MlpBlock.forward))
print(inspect.getsource(nn.MixerBlock.forward))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `.swapaxes(1, 2)` | (B, C, S): the patches become the last axis, and `fc1` multiplies along it |
# | `self.fc1(x)` | `x @ weight + bias`, weight (S, D_S): each *column* is compared with the table of one channel |
# | `self.gelu(...)` | passes where map and table agree; so a pair of opposite maps passes everything |
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
# particular order. Somebody concludes that the model has learned nothing.
#
# **Cure.** Do the first check of this lesson: put in a single patch, and see which number comes out. And test with
# sizes that all differ: with S = 64 and D_S = 48, `reshape` would have drawn maps that do not even belong to one patch.

# %% [markdown]
# ## Use it
#
# **The stem.** It multiplies each patch, P x P pixels of 3 colors, by a matrix (P P 3, C). A column of this matrix is a
# filter, and a filter is a small color image. Here are the 32 strongest, each scaled to 0..1 (gray is zero).

# %%
stem = model.stem.weight.data                                           # (P P 3, C)
strongest = np.argsort(-np.linalg.norm(stem, axis=0))[:32]
p = config.patch_size
figure = plots.figure(8.4, 1.3)
for panel, k in zip(figure.subplots(2, 16).flat, strongest, strict=True):
    kernel = stem[:, k].reshape(p, p, 3)                                # row, column, color (lesson 07)
    panel.imshow(0.5 + 0.5 * kernel / np.abs(kernel).max())
    panel.set_axis_off()
figure

# %% [markdown]
# Gray and black filters look for edges, colored ones for colors. (The paper's figure 7 shows filters of 16 x 16 and
# 32 x 32 pixels. On 4 x 4 pixels there is no room for fine ones.)
#
# **Confusion.** The CIFAR-10 images do not come with minimixer, but the model's answers on its 10,000 test images do.
# The row is the true class, the column is the model's answer.

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
# - Opposite maps come in pairs, because GELU passes only one sign.
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
