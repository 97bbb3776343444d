# %% [markdown]
# # 16 Official weights in your hands
#
# - **Time:** 12 minutes, 5 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 05, 07 and 09
# - **Previous:** [15 Mixer and Transformer](15_transformer.ipynb)
# - **Next:** none

# %% [markdown]
# ## Goal
#
# The authors of the paper have published trained weights. After this lesson you can
#
# 1. open such a file with NumPy, and say what every array in it is,
# 2. load it into your own model, and test that nothing was mixed up,
# 3. grow a model for 224 pixels to 448 pixels without training.
#
# **The numbers in this lesson are random.** Lessons use no network, so we cannot fetch the real file. We write a file
# in exactly the official layout, from a small random Mixer. Everything you see works the same way with the real file;
# only the predictions here mean nothing. The real file for Mixer-B/16, about 240 MB, is at the address below. Fetch it
# with your browser; `docs/weights.md` lists the others.
#
# `https://storage.googleapis.com/mixer_models/imagenet1k/Mixer-B_16.npz`

# %%
import contextlib
import inspect
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.image import imsave

import minimixer as mm
from minimixer import nn, plots
from minimixer.functional import gelu
from minimixer.weights import growth, names

# %% [markdown]
# ## Picture
#
# A weights file is a dictionary from names to arrays. There are two conventions, which differ in names and in the order
# of axes. Here is the first matrix of a channel-mixing MLP. **C** is the number of channels, **D_C** the number of
# hidden units.

# %%
plots.shapes({"official, and here": {"C": 4, "D_C": 8}, "timm (PyTorch)": {"D_C": 8, "C": 4}})

# %% [markdown]
# The official files come from JAX: `y = x @ W`, so W is (in, out), as in minimixer. **timm** is a large collection of
# models for PyTorch. PyTorch computes `y = x @ W.T`, so W is (out, in). It is the same matrix, transposed.
#
# The stem has four axes: P x P pixels, **I** input colors, C channels. Official (P, P, I, C), timm (C, I, P, P), here
# (P P I, C).

# %% [markdown]
# ## Predict
#
# 1. Mixer-B/16 has N = 12 blocks. How many arrays are in its file? (A Linear layer has two, and so does a LayerNorm.)
# 2. Take the same model for images of 448 instead of 224 pixels. Which arrays change their shape?
#
# <details><summary>Answer</summary>
#
# 1. A block has two LayerNorms and two MLPs with two Linear layers each: 6 layers, 12 arrays. 12 blocks have 144. The
#    stem, the last LayerNorm and the head have two each. Altogether 150.
# 2. Only those of token mixing: S grows from 196 to 784. (The bias of its first layer has D_S numbers, not S. It
#    changes because growth also makes D_S four times as large: see "Build".) All others treat one patch at a time, and
#    do not know how many there are.
#
# </details>

# %% [markdown]
# ## Build
#
# First the file. A small Mixer with random weights. (The head of a new Mixer is zero. We fill it, so that we have
# something to compare.)

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
model = nn.mixer("pico", seed=0, num_blocks=2)
model.head.weight.data = np.random.default_rng(1).standard_normal(model.head.weight.shape, np.float32)
report = mm.weights.save_official(model, folder / "Mixer-random.npz")
print(report.path.name, f"{report.path.stat().st_size:,} bytes")

# %% [markdown]
# Now forget that we know the model. There is only a file. NumPy opens it; `allow_pickle=False` is important, see "Break
# it". Here are the arrays of the stem, of block 1 and of the head:

# %%
with np.load(folder / "Mixer-random.npz", allow_pickle=False) as npz:
    theirs = dict(npz)
for name in sorted(theirs):
    if "MixerBlock_0" not in name:
        print(f"{name:<42} {theirs[name].shape}")

# %% [markdown]
# **All sizes are in the shapes.** `stem/kernel` is (P, P, I, C), so P = 4 and C = 64. `token_mixing/Dense_0/kernel` is
# (S, D_S), so S = 64 patches: 8 x 8, and an image has $8 \cdot 4 = 32$ pixels per side. Nothing else is needed to build
# the model.
#
# Our own reader needs only a rule for the names, and one `reshape` for the stem.

# %%
RULES = [("stem/kernel", "stem.weight"), ("MixerBlock_", "blocks."), ("pre_head_layer_norm", "norm"),
         ("LayerNorm_0", "token_norm"), ("LayerNorm_1", "channel_norm"), ("Dense_0", "fc1"), ("Dense_1", "fc2"),
         ("kernel", "weight"), ("scale", "weight"), ("/", ".")]


def our_name(name):
    for old, new in RULES:
        name = name.replace(old, new)
    return name


ours = {our_name(name): array.reshape(-1, array.shape[-1]) if array.ndim == 4 else array        # (P * P * I, C)
        for name, array in theirs.items()}
read_by_us = nn.mixer("pico", seed=99, num_blocks=2)                    # other weights, to be replaced
read_by_us.load_state_dict(ours)

# %% [markdown]
# Why can we reshape the stem without a transpose? Because minimixer flattens a patch in the order row, column, color
# (lesson 07), and (P, P, I, C) has the same order. Test it, with the logits of random images:

# %%
rng = np.random.default_rng(2)
images = rng.random((4, 32, 32, 3), np.float32) * 2 - 1                 # (B, H, W, I), between -1 and 1
logits = model(mm.Tensor(images)).data                                  # (B, K) = (4, 10)
print("the same logits:", np.array_equal(logits, read_by_us(mm.Tensor(images)).data))

# %% [markdown]
# **Larger images.** Token mixing has weights for S patches and no other number. The paper (appendix C) says how to
# grow: cut an image with k times the side into k x k parts of the old size, and treat each part as before. With the
# patches in the order of the parts, the new matrix has $k^2$ copies of the old one on its diagonal, and zeros
# elsewhere:
#
# $$W_1' = \mathrm{diag}(W_1, \ldots, W_1) \qquad b_1' = (b_1, \ldots, b_1)$$
#
# `np.kron(np.eye(4), W)` is this matrix for k = 2. A tiny example: S = 2 x 2 patches, D_S = 3 hidden units.

# %%
W1 = rng.standard_normal((4, 3))                                        # (S, D_S)
by_parts = np.kron(np.eye(4), W1)                                       # (4 S, 4 D_S)
order = growth.part_order(side=2, k=2)                                  # (4 S,)  where the patches of the parts are
grown = np.empty_like(by_parts)
grown[order] = by_parts                                                 # rows in the reading order of the image
print("patches of part 0, 1, 2, 3:", order.reshape(4, 4).tolist())
plots.weight_maps(np.stack([by_parts, grown]), ["order of parts", "reading order"])

# %% [markdown]
# On the left, the formula. On the right, the same rows, moved to where the patches really are: the image of 4 x 4
# patches is read row by row, so its first row (patches 0 to 3) belongs to two parts.

# %% [markdown]
# ## Check
#
# **First check: our reader against the library's.** `model_from` reads the sizes from the shapes, builds the model, and
# reports what happened to each name. Read the report: it is the table of names.

# %%
imported, report_in = mm.weights.model_from(folder / "Mixer-random.npz")
print(report_in)
print("the same logits:", np.array_equal(logits, imported(mm.Tensor(images)).data))

# %% [markdown]
# **Second check: the library's files.** The names are one table, `TABLE` in `minimixer/weights/names.py`, used in both
# directions. A `Layout` gives the order of the axes.

# %%
print(inspect.getsource(names.Layout.from_file))
print("official:", names.OFFICIAL.axes)
print("timm:    ", names.TIMM.axes)

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `self.axes[array.ndim]` | official: nothing moves. timm: (1, 0) for a matrix, (3, 2, 0, 1) for the stem |
# | `array.transpose(...)` | the axes in the official order; `order.index` inverts the permutation |
# | `official.reshape(-1, official.shape[-1])` | our line: (P, P, I, C) becomes (P P I, C), *after* the transpose |
#
# And growth, `minimixer/weights/growth.py`:

# %%
print(inspect.getsource(growth.grow).split('"""')[2])
print("as ours:", np.array_equal(growth.grow(W1, ("S", "D_S"), side=2, k=2), grown))

# %% [markdown]
# It writes the blocks without `kron`, so that it does not multiply zeros: `grown[copies, :, copies, :] = array`. `take`
# with `argsort(order)` does the same as our assignment to `grown[order]`: row i goes to place `order[i]`.

# %% [markdown]
# ## Break it
#
# A file in timm's layout has a stem of shape (C, I, P, P). It has as many numbers as ours. So `reshape` runs without an
# error.

# %%
kernel_timm = theirs["stem/kernel"].transpose(3, 2, 0, 1)               # (C, I, P, P), as timm stores it
wrong_stem = kernel_timm.reshape(4 * 4 * 3, 64)                         # the bug: no transpose before
right_stem = kernel_timm.transpose(2, 3, 1, 0).reshape(4 * 4 * 3, 64)   # (P, P, I, C), then (P * P * I, C)
for word, stem in (("right", right_stem), ("wrong", wrong_stem)):
    read_by_us.stem.weight.data = stem
    answers = read_by_us(mm.Tensor(images)).data
    print(f"{word}: shape {stem.shape}, largest error of the logits {np.abs(answers - logits).max():.2f}")

# %% [markdown]
# **Symptom.** Shapes fit, nothing complains, the network computes. Its answers are nonsense, although all the right
# numbers are in it. A test that compares shapes finds nothing.
#
# **Cure.** Transpose, then reshape. And compare *logits* with those of another program, for one image. Shapes prove
# nothing.
#
# **A second way to fail: the file itself.** PyTorch's `.pth` files are *pickles*. A pickle is not data. It is a list of
# commands, and reading it runs them. minimixer refuses it:

# %%
(folder / "mixer.pth").write_bytes(pickle.dumps({"stem.proj.weight": kernel_timm}))
with contextlib.chdir(folder):
    try:
        mm.weights.model_from("mixer.pth")
    except mm.weights.WeightsError as refusal:
        print(refusal)

# %% [markdown]
# ## Use it
#
# **1. Two forms of GELU.** The official code computes GELU with tanh, timm with erf (lesson 05). No file says which one
# it was trained with. minimixer infers it from the layout. How large is the difference, for one GELU and for the
# logits?

# %%
mm.weights.save_timm(model, folder / "mixer.safetensors")
from_timm, _ = mm.weights.model_from(folder / "mixer.safetensors")
print("official:", imported.config.gelu, " timm:", from_timm.config.gelu)
points = mm.Tensor(np.linspace(-5, 5, 1001))
print(f"one GELU: {np.abs(gelu(points, 'tanh').data - gelu(points, 'erf').data).max():.1e}")
print(f"logits:   {np.abs(from_timm(mm.Tensor(images)).data - logits).max():.0e} of {np.abs(logits).max():.1f}")

# %% [markdown]
# It is small. But if your logits differ from another program's in the fourth digit, look here first.
#
# **2. Growth of a whole model**, from 32 to 64 pixels. Two facts must hold before any training. An image that is tiled
# 2 x 2 times gets the logits of the original image. And any large image gets the *mean* of the logits of its four
# parts.

# %%
large, report_large = mm.weights.model_from(folder / "Mixer-random.npz", image_size=64)
print(f"parameters: {model.num_parameters():,} -> {large.num_parameters():,}")
print("token mixing:", model.blocks[0].token_mixing.fc1, "->", large.blocks[0].token_mixing.fc1)
tiled = np.tile(images, (1, 2, 2, 1))                                   # (B, 64, 64, 3)
print("tiled:", np.allclose(large(mm.Tensor(tiled)).data, logits, atol=1e-4))
rows = [images[:2], images[2:]]
whole = np.concatenate([np.concatenate(row, axis=1) for row in rows])[None]                     # (1, 64, 64, 3)
print("mean: ", np.allclose(large(mm.Tensor(whole)).data, logits.mean(axis=0), atol=1e-4))

# %% [markdown]
# Why the mean? Each part is treated as before. Then a Mixer takes the average over all patches, which is the mean of
# the averages of the four parts. The head after it is a Linear layer, so the logits of a mean are the mean of the
# logits. Training then fills the zeros between the blocks, so that the parts begin to see each other.
#
# **3. Import and predict.** `minimixer import` turns a file into a run folder, as if you had trained the model. This
# cell runs the command as you would type it in a terminal.


# %%
def terminal(command):
    words = [sys.executable, "-m", *command.split()]                    # the minimixer of this Python
    print("$", command)
    return subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8").stdout


print(terminal("minimixer import Mixer-random.npz --out run").splitlines()[-1])

# %% [markdown]
# The run folder holds more than weights: it also holds the scale of the pixels. Pixels between 0 and 1 become numbers
# between -1 and 1, as in the official training: minus 0.5, divided by 0.5. If you forget this, the model sees images
# that have half the contrast and are too bright. In Python, `load_run` reads the folder and `predict` does the scaling
# for you.

# %%
trained = mm.train.load_run(folder / "run")
print("mean", trained.mean, "std", trained.std)
pixels = np.round(255 * (images / 2 + 0.5)).astype(np.uint8)            # (B, H, W, I), as images come from files
probabilities = trained.predict(pixels)                                 # (B, K)
print("most probable class:", probabilities.argmax(axis=1), "and by the logits above:", logits.argmax(axis=1))

# %% [markdown]
# And here is the command that looks at a file. The weights are random, so the answer is random too: the percentages
# mean nothing.

# %%
imsave(folder / "image.png", pixels[0])
print(terminal("minimixer predict run image.png"))
temporary.cleanup()

# %% [markdown]
# ## Exercise
#
# Fetch the real file (address at the top), import it, and let it look at a photograph of your own. `--labels FILE`
# gives the 1,000 classes their names, one per line.
#
# ```console
# $ minimixer import Mixer-B_16.npz --out runs/b16
# ```

# %% [markdown]
# ## Summary
#
# - A weights file is names and arrays. All sizes of the model are in the shapes.
# - Official matrices are (in, out), PyTorch's (out, in). The stem is (P, P, I, C) or (C, I, P, P).
# - A wrong `reshape` raises no error. Compare logits.
# - Two things belong to the weights, but are not in the file: the form of GELU and the scale of the pixels.
# - Growth copies the token-mixing weights along a diagonal. The large model starts as the mean of its parts.
# - Never read a pickle from a stranger.
#
# **What the library does differently:** it reads only the headers first, and refuses a file that is damaged, too large
# when unpacked, or not a Mixer's, with a sentence that says why. It changes a model only if all arrays fit. Its tests
# send random Mixers through timm and Flax, and the logits agree.
