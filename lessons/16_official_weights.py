# %% [markdown]
# # 16 Official weights in your hands
#
# - **Time:** 28 minutes to read, 25 to do, 40 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 05, 07, 09 and 13
# - **Previous:** [15 Mixer and Transformer](15_transformer.ipynb)
# - **Next:** [17 How weights start](17_initial_weights.ipynb)

# %% [markdown]
# ## Goal
#
# The authors of the paper have published trained weights. After this lesson you can
#
# 1. open such a file with NumPy, and say what every array in it is,
# 2. load it into your own model, and test that nothing was mixed up,
# 3. grow a model for larger images without training, and give it a new head, and say what stays equal.
#
# **The weights are real, the file is ours.** Lessons use no network, so we cannot fetch the authors' files. We write
# the trained model of lesson 13 in exactly their layout, and read it back as if it came from a stranger. With the
# authors' file, everything works in the same way. The one for Mixer-B/16, about 240 MB, is at the address below. Fetch
# it with your browser; `docs/weights.md` lists the others.
#
# `https://storage.googleapis.com/mixer_models/imagenet1k/Mixer-B_16.npz`

# %%
import contextlib
import inspect
import pickle
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

import minimixer as mm
from minimixer import functional as F
from minimixer import nn, plots
from minimixer.data.images import read_image
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
# The official files come from JAX, which computes `y = x @ kernel`: a matrix is (in, out), as in minimixer. **timm** is
# a large collection of models for PyTorch, which computes `y = x @ weight.T`: a matrix is (out, in). It is the same
# matrix, transposed.
#
# The stem has four axes: P x P pixels, **I** input colors, C channels. Official (P, P, I, C), timm (C, I, P, P), here
# (P P I, C).

# %% [markdown]
# ## Predict
#
# 1. Mixer-B/16 has 12 blocks. How many arrays are in its file? (A Linear layer has two, and so does a LayerNorm.)
# 2. Take the same model for images of 448 instead of 224 pixels. Which arrays change their shape?
# 3. A trained model gets a new head of zeros, for other classes. What does it answer before any training?
#
# <details><summary>Answer</summary>
#
# 1. A block has two LayerNorms and two MLPs with two Linear layers each: 6 layers, 12 arrays. 12 blocks have 144. The
#    stem, the last LayerNorm and the head have two each. Altogether 150.
# 2. Only those of token mixing: S grows from 196 to 784. (The bias of its first layer has D_S numbers, not S. It
#    changes because growth also makes D_S four times as large: see "Build".) All others treat one patch at a time, and
#    do not know how many there are.
# 3. All logits are 0, so all classes are equally likely, for every image. Everything below the head is as it was.
#
# </details>

# %% [markdown]
# ## Build
#
# First the file. `minimixer export` writes the weights of a run; a name that ends in `.npz` means the official layout.
# This cell runs the command as you would type it in a terminal.

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)


def terminal(command):
    words = [sys.executable, "-m", *command.split()]                    # the minimixer of this Python
    print("$", command)
    return subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8").stdout


print(terminal("minimixer export cifar10-micro micro.npz").splitlines()[0])
print(f"{(folder / 'micro.npz').stat().st_size:,} bytes")

# %% [markdown]
# Now forget that we know the model. There is only a file. NumPy opens it; `allow_pickle=False` is important, see "Break
# it". Here are the arrays of the stem, of block 0, of the last LayerNorm and of the head:

# %%
with np.load(folder / "micro.npz", allow_pickle=False) as npz:
    theirs = dict(npz)
print(len(theirs), "arrays")
for name in sorted(theirs):
    if not name.startswith("MixerBlock_") or "MixerBlock_0" in name:
        print(f"{name:<42} {theirs[name].shape}")

# %% [markdown]
# **All sizes are in the shapes.** `stem/kernel` is (P, P, I, C), so P = 4 and C = 128. `token_mixing/Dense_0/kernel` is
# (S, D_S), so S = 64 patches: 8 x 8, and an image has $8 \cdot 4 = 32$ pixels per side. Nothing else is needed to build
# the model.

# %% [markdown]
# **Your turn.** In the authors' file of Mixer-B/16, `stem/kernel` is (16, 16, 3, 768), and
# `token_mixing/Dense_0/kernel` is (196, 384). Set `facts_of_b16` to two numbers: the pixels per side of an image, and
# the parameters of one token-mixing MLP, biases included.
#
# <details><summary>Solution</summary>
#
# ```python
# facts_of_b16 = 14 * 16, (196 * 384 + 384) + (384 * 196 + 196)       # 196 = 14 x 14 patches of 16 pixels
# ```
#
# </details>

# %% tags=["your-turn"]
facts_of_b16 = ...

# %%
mm.exercises.turn(facts_of_b16, right=(int(196**0.5) * 16, 2 * 196 * 384 + 384 + 196),
                  hint="S patches are a square; each of the two Linear layers has a matrix and a bias")

# %% [markdown]
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
read_by_us = nn.mixer("micro", seed=99)                                 # other weights, to be replaced
read_by_us.load_state_dict(ours)

# %% [markdown]
# Why can we reshape the stem without a transpose? Because minimixer flattens a patch in the order row, column, color
# (lesson 07), and (P, P, I, C) has the same order. Test it, with the logits of three images. They come with matplotlib:
# a drawing of a gift, matplotlib's logo, and a photograph of Grace Hopper, who wrote one of the first compilers. None
# of them shows one of the ten classes, so the answers mean nothing (lesson 13). What counts: the numbers are the same.
#
# The model wants pixels on the scale of its training: minus a mean, divided by a standard deviation. The run has them.

# %%
trained = mm.train.load_run("cifar10-micro")
model = trained.model                                                   # what the file should give
files = "Minduka_Present_Blue_Pack.png", "logo2.png", "grace_hopper.jpg"
paths = [Path(get_sample_data(file, asfileobj=False)) for file in files]


def read_pixels(size):
    return np.stack([read_image(path, size, 3) for path in paths])      # (B, size, size, 3), 0..255


def scaled(pixels):
    return mm.Tensor(((pixels / 255 - trained.mean) / trained.std).astype(np.float32))


images = scaled(read_pixels(32))                                        # (B, H, W, I) = (3, 32, 32, 3)
logits = model(images).data                                             # (B, K) = (3, 10)
print("the same logits, to the bit:", np.array_equal(logits, read_by_us(images).data))

# %% [markdown]
# **Your turn.** Now the other direction, to timm. Set `for_timm`, shape (C, I, P, P) = (128, 3, 4, 4), from
# `model.stem.weight.data`, which is (P P I, C) = (48, 128).
#
# <details><summary>Solution</summary>
#
# ```python
# for_timm = model.stem.weight.data.reshape(4, 4, 3, 128).transpose(3, 2, 0, 1)        # (C, I, P, P)
# ```
#
# </details>

# %% tags=["your-turn"]
for_timm = ...

# %%
def comes_back(kernel):
    return np.array_equal(names.TIMM.from_file(np.asarray(kernel)), model.stem.weight.data)


mm.exercises.turn(for_timm, right=comes_back, hint="first give the rows their three axes back, then exchange axes")

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
rng = np.random.default_rng(2)
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

# %%
b2 = np.array([0.0, 1.0, 2.0, 3.0])                                     # (S,)  the bias of the second layer

# %% [markdown]
# **Your turn.** The second layer writes to the S patches, so its bias `b2` grows too: each of the four parts gets a
# copy. Set `b2_grown`, shape (4 S,) = (16,), in the reading order of the large image. The list of the parts above tells
# where each number goes.
#
# <details><summary>Solution</summary>
#
# ```python
# b2_grown = np.array([0, 1, 0, 1,  2, 3, 2, 3,  0, 1, 0, 1,  2, 3, 2, 3])     # or np.tile(b2, 4)[np.argsort(order)]
# ```
#
# </details>

# %% tags=["your-turn"]
b2_grown = ...

# %%
mm.exercises.turn(b2_grown, right=growth.grow(b2, ("S",), side=2, k=2),
                  hint="draw the 4 x 4 patches, and write 0, 1, 2, 3 into each quarter")

# %% [markdown]
# ## Check
#
# **First check: our reader against the library's.** `model_from` reads the sizes from the shapes, builds the model, and
# reports what happened to each name. Read the report: it is the table of names.

# %%
imported, report_in = mm.weights.model_from(folder / "micro.npz")
print(report_in)
print("the same logits, to the bit:", np.array_equal(logits, imported(images).data))

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
wrong_stem = kernel_timm.reshape(4 * 4 * 3, 128)                        # the bug: no transpose before
right_stem = kernel_timm.transpose(2, 3, 1, 0).reshape(4 * 4 * 3, 128)  # (P, P, I, C), then (P P I, C)


def answers(numbers):
    shares = np.exp(numbers) / np.exp(numbers).sum(axis=-1, keepdims=True)              # (B, K)
    return ", ".join(f"{trained.class_names[row.argmax()]} {row.max():.0%}" for row in shares)


for word, stem in (("right", right_stem), ("wrong", wrong_stem)):
    read_by_us.stem.weight.data = stem
    found = read_by_us(images).data
    print(f"{word}: {stem.shape}, largest error {np.abs(found - logits).max():.2f}, answers: {answers(found)}")

# %% [markdown]
# **Symptom.** Shapes fit, nothing complains, the network computes, and its percentages look like any others. They are
# nonsense, although all the right numbers are in the model. A test that compares shapes finds nothing.
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
# it was trained with. minimixer infers it from the layout. We write the weights in timm's layout and read them back.
# How large is the difference, for one GELU and for the logits of a trained model?

# %%
mm.weights.save_timm(model, folder / "micro.safetensors")
from_timm, _ = mm.weights.model_from(folder / "micro.safetensors")
print("official:", imported.config.gelu, " timm:", from_timm.config.gelu)
points = mm.Tensor(np.linspace(-5, 5, 1001))
print(f"one GELU: {np.abs(F.gelu(points, 'tanh').data - F.gelu(points, 'erf').data).max():.1e}")
as_timm = from_timm(images).data                                        # (B, K)
print(f"logits:   {np.abs(as_timm - logits).max():.0e} of {np.abs(logits).max():.1f}")
print(f"answers:  {answers(logits)}\nwith erf: {answers(as_timm)}")

# %% [markdown]
# It is small. But if your logits differ from another program's in the third or fourth digit, look here first.
#
# **2. A larger image**, 64 pixels instead of 32. Two facts must hold before any training. An image that is tiled 2 x 2
# times gets the logits of the original image. And any large image gets the *mean* of the logits of its four quarters.

# %%
large, _ = mm.weights.model_from(folder / "micro.npz", image_size=64)
print(f"parameters: {model.num_parameters():,} -> {large.num_parameters():,}")
print("token mixing:", model.blocks[0].token_mixing.fc1, "->", large.blocks[0].token_mixing.fc1)
tiled = mm.Tensor(np.tile(images.data, (1, 2, 2, 1)))                   # (B, 64, 64, 3)
print("tiled:", np.allclose(large(tiled).data, logits, atol=1e-4))
fine = scaled(read_pixels(64)).data                                     # (B, 64, 64, 3)
quarters = [fine[:, i:i + 32, j:j + 32] for i in (0, 32) for j in (0, 32)]                # (B, 32, 32, 3) each
of_quarters = np.stack([model(mm.Tensor(quarter)).data for quarter in quarters])        # (4, B, K)
of_large = large(mm.Tensor(fine)).data                                  # (B, K)
print("mean: ", np.allclose(of_large, of_quarters.mean(axis=0), atol=1e-4))

# %% [markdown]
# Why the mean? Each quarter is treated as before. Then a Mixer takes the average over all patches, which is the mean of
# the averages of the four quarters. The head after it is a Linear layer, so the logits of a mean are the mean of the
# logits.
#
# So is the large model better, because it sees more pixels? Look at its answers for the photograph:

# %%
shown = [(read_pixels(32)[2], logits[2:], "32 pixels")]
for i, place in enumerate(("top left", "top right", "bottom left", "bottom right")):
    row, column = 32 * (i // 2), 32 * (i % 2)
    shown.append((read_pixels(64)[2, row:row + 32, column:column + 32], of_quarters[i][2:], place))
shown.append((read_pixels(64)[2], of_large[2:], "64 pixels"))
figure = plots.figure(9.2, 2.0)
figure.get_layout_engine().set(wspace=0.06)
for panel, (pixels, numbers, title) in zip(figure.subplots(1, 6), shown, strict=True):
    panel.imshow(pixels)
    panel.set_axis_off()
    panel.set_title(f"{title}\n{answers(numbers)}", fontsize=9)
figure.alt = "A photograph in 32 pixels, its four quarters, and all of it in 64 pixels, each with the model's answer."
figure

# %% [markdown]
# Not yet. Each quarter is judged as if it were a whole image, but the model has learned from whole objects of 32
# pixels, not from parts of them. Growth is a *start*. Training then fills the zeros between the blocks, so that the
# quarters begin to see each other.
#
# **3. A new head.** `adapt` keeps everything but the head, and starts the head with zeros. We want digits instead of
# animals and vehicles.

# %%
for_digits, notes = mm.weights.adapt(model, image_size=32, num_classes=10, new_head=True)
print(*notes)
before, after = model.state_dict(), for_digits.state_dict()
print("changed:", [name for name in before if not np.array_equal(before[name], after[name])])
print("logits: ", for_digits(images).data[0])

# %% [markdown]
# Now only the head learns, on 200 digits, enlarged to 32 x 32 pixels in three equal colors. What it gets are the C =
# 128 **features** of an image: the mean of all patches after the last LayerNorm. To read them, we put in a head that
# changes nothing, the identity matrix. All that is below the head is called the **trunk**.


# %%
def features(trunk, pixels):
    """Everything below the head.  pixels: (N, 32, 32, 3) uint8 -> (N, C)."""
    seen, _ = mm.weights.adapt(trunk, image_size=32, num_classes=128, new_head=True)
    seen.head.weight.data = np.eye(128, dtype=np.float32)
    return replace(trained, model=seen).logits(pixels)                  # scales the pixels, too


def accuracy_of_head(x, x_test):
    """Train a head on x, (N, features), and return the share of right answers on x_test."""
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-3
    head = nn.Linear(x.shape[1], 10, nn.zeros)
    optimizer = mm.optim.AdamW(head.parameters(), lr=0.01, weight_decay=1.0)
    for _ in range(200):
        head.zero_grad()
        F.cross_entropy(head(mm.Tensor((x - mean) / std)), digits.train_labels[:200]).backward()
        optimizer.step()
    return (head(mm.Tensor((x_test - mean) / std)).data.argmax(axis=1) == digits.test_labels[:200]).mean()


# %%
digits = mm.data.load_digits()
halves = digits.train_images[:200], digits.test_images[:200]            # (N, 8, 8, 1) each
enlarged = [half.repeat(4, 1).repeat(4, 2).repeat(3, 3) for half in halves]             # (N, 32, 32, 3)
inputs = {"trunk trained on photographs": [features(model, half) for half in enlarged],
          "trunk with random weights": [features(nn.mixer("micro", seed=0), half) for half in enlarged],
          "no trunk: the 64 pixels": [half.reshape(200, 64).astype(np.float32) / 255 for half in halves]}
for label, (x, x_test) in inputs.items():
    print(f"{label:<29} {x.shape[1]:4} features, {accuracy_of_head(x, x_test):.0%} of 200 test digits are right")

# %% [markdown]
# Three lines, because a number alone says nothing. The second line is the control: what do the same layers give without
# training? The distance to the first line is what photographs have taught. And the third line asks whether a trunk is
# needed at all. A digit of 8 x 8 pixels is so simple that its pixels are a strong opponent, and a trunk that has
# learned from animals and vehicles has seen no digits. `minimixer train finetune` trains the trunk as well; how much
# that gains is another experiment, and it needs the same two controls.
#
# **4. Import and predict.** `minimixer import` turns a file into a run folder, as if you had trained the model.

# %%
print(terminal("minimixer import micro.npz --out run").splitlines()[-1])
read_back = mm.train.load_run(folder / "run")
print("mean", np.round(read_back.mean, 3), "std", np.round(read_back.std, 3))
print("the same answers:", np.array_equal(read_back.predict(read_pixels(32)), trained.predict(read_pixels(32))))

# %% [markdown]
# The run folder holds more than weights: it also holds the names of the classes and the scale of the pixels. Our export
# has written both into the file. The authors' files have neither. Their models expect pixels between -1 and 1 (minus
# 0.5, divided by 0.5), and `import` takes that for granted, unless `--mean` and `--std` say otherwise. If you forget
# the scale, the model sees images with too little contrast, and too bright.
#
# And here is the command that looks at a file:

# %%
(folder / "gift.png").write_bytes(paths[0].read_bytes())
print(terminal("minimixer predict run gift.png"))
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
# - Two things belong to the weights, but are not in the authors' files: the form of GELU and the scale of the pixels.
# - Growth copies the token-mixing weights along a diagonal. The large model starts as the mean of its parts, and is not
#   better before it is trained.
# - A new head starts with zeros. To judge what is below it, compare with random weights and with no trunk at all.
# - Never read a pickle from a stranger.
#
# **What the library does differently:** it reads only the headers first, and refuses a file that is damaged, too large
# when unpacked, or not a Mixer's, with a sentence that says why. It changes a model only if all arrays fit. Its tests
# send random Mixers through timm and Flax, and the logits agree.
