# %% [markdown]
# # 07 Patches: from pixels to tokens
#
# - **Time:** 28 minutes to read, 30 to do, 6 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 01 and 04, NumPy's `reshape`
# - **Previous:** [06 LayerNorm](06_layernorm.ipynb)
# - **Next:** [08 Token mixing](08_token_mixing.ipynb)

# %% [markdown]
# ## Goal
#
# A Mixer does not look at pixels. It cuts an image into squares and turns each one into a vector. After this lesson you
# can
#
# 1. cut an image into patches with `reshape`, `swapaxes`, `reshape`, and say why one `reshape` is not enough,
# 2. explain why this step, followed by the Linear layer, **is** a convolution,
# 3. say what a patch no longer knows after this step: its position.

# %%
import inspect

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.ops import patches

# %% [markdown]
# ## Picture
#
# The letters in this lesson: an image has **H** rows and **W** columns of pixels, and 3 color values per pixel: red,
# green and blue. **P** is the side of a patch in pixels. **S** is the number of patches. We paint a small image, so
# that we can see what happens to it.

# %%
row, column = np.mgrid[0:32, 0:32]
scene = np.empty((32, 32, 3))                                           # (H, W, 3)
scene[...] = np.linspace([0.35, 0.6, 0.9], [0.85, 0.9, 1], 32)[:, None]         # the sky
scene[(row - 9) ** 2 + (column - 22) ** 2 < 30] = [1.0, 0.8, 0.1]       # the sun
scene[row > 21 + 4 * np.sin(column / 5)] = [0.2, 0.5, 0.2]              # the hills
scene[(row > 15) & (row < 26) & (abs(column - 9) < 2)] = [0.4, 0.25, 0.1]      # a trunk
scene[(row - 13) ** 2 + (column - 9) ** 2 < 20] = [0.1, 0.4, 0.1]       # a tree
plots.patch_grid(scene, 8)

# %% [markdown]
# The patches are numbered in **reading order**: from left to right, then the next row of patches. There are
#
# $$S = \frac{H}{P} \cdot \frac{W}{P}$$
#
# of them, and each has $P \cdot P \cdot 3$ numbers. Nothing is lost, and nothing is computed: all the numbers of the
# image are still there, in a different order. Then one Linear layer, the **stem**, turns each patch into **C** numbers.
# These C numbers are a **token**.

# %%
plots.shapes({"patches": {"S": 16, "P x P x 3": 192}, "weight": {"P x P x 3": 192, "C": 64},
              "tokens": {"S": 16, "C": 64}}, "@=")

# %% [markdown]
# ## Predict
#
# Here is a tiny image of 4 x 6 pixels with one color value per pixel. The numbers show the order of the pixels in
# memory. Cut it into patches of 2 x 2.

# %%
tiny = np.arange(24).reshape(4, 6)          # (H, W)
print(tiny)

# %% [markdown]
# 1. How many patches are there? Which four numbers are in patch 0, and which in patch 4?
# 2. Does `tiny.reshape(6, 4)` give the patches?
# 3. The paper's Mixer-B/16 takes images of 224 x 224 pixels with 3 colors, and P = 16. What are S and the length of a
#    patch? What happens to S if P is halved?
#
# <details><summary>Answer</summary>
#
# 1. 2 x 3 = 6 patches. Patch 0 is 0, 1, 6, 7. Patch 4 is the middle one in the lower row: 14, 15, 20, 21.
# 2. No. Its first row is 0, 1, 2, 3: four pixels from *one* row of the image. `reshape` never changes the order of the
#    numbers, and here 6 must come before 2.
# 3. 224 / 16 = 14, so S = 14 x 14 = 196. A patch has 16 x 16 x 3 = 768 numbers. With P = 8, S is four times that: 784.
#
# </details>

# %% [markdown]
# ## Build
#
# **Step 1: give every pixel four coordinates instead of two.** A pixel in row $h$ is in patch row $i$ and, inside the
# patch, in row $r$. The same goes for columns: patch column $j$, and column $q$ inside the patch.
#
# $$h = i \cdot P + r \qquad\qquad w = j \cdot P + q$$
#
# `reshape` to (H/P, P, W/P, P) does exactly this. It splits the axis H into the two axes $i$ and $r$, and the axis W
# into $j$ and $q$. No number moves.

# %%
P = 2
four = tiny.reshape(4 // P, P, 6 // P, P)       # (H/P, P, W/P, P)  axes i, r, j, q
i, r, j, q = 1, 0, 2, 1
print("shape:", four.shape)
print("two coordinates: ", tiny[i * P + r, j * P + q])
print("four coordinates:", four[i, r, j, q])

# %% [markdown]
# **Step 2: bring together what belongs together.** The axes are now in the order $i, r, j, q$. But *which patch* is
# $(i, j)$, and *where in the patch* is $(r, q)$. So the two middle axes, $r$ and $j$, must trade places. After that,
# `tiles[i, j]` is a whole patch, a small image.

# %%
tiles = four.swapaxes(1, 2)                     # (H/P, W/P, P, P)  axes i, j, r, q
print("shape:", tiles.shape)
print("the middle patch in the lower row:")
print(tiles[1, 1])

# %% [markdown]
# **Step 3: flatten.** The first two axes become one, S. The last two become one, P x P.

# %%
flat = tiles.reshape(6, P * P)                  # (S, P * P)
print(flat)
print("step 1 copied:", not np.shares_memory(tiny, four))
print("step 2 copied:", not np.shares_memory(tiny, tiles))
print("step 3 copied:", not np.shares_memory(tiny, flat))

# %% [markdown]
# **Your turn.** Another order of the same four axes gives something else: four small copies of `tiny`, each made of
# every second pixel of every second row. Set `copies`, of shape (P x P, H/P, W/P) = (4, 2, 3), from `four`. Two lines
# are enough, and `transpose` takes all four axes at once.
#
# <details><summary>Solution</summary>
#
# ```python
# by_place = four.transpose(1, 3, 0, 2)         # (P, P, H/P, W/P)  axes r, q, i, j
# copies = by_place.reshape(P * P, 2, 3)        # (P * P, H/P, W/P)
# ```
#
# </details>

# %% tags=["your-turn"]
copies = ...

# %%
every_second = np.stack([tiny[r_::2, q_::2] for r_ in range(2) for q_ in range(2)])     # (P * P, H/P, W/P)
mm.exercises.turn(copies, right=every_second, hint="Which of i, r, j, q say which copy, and which say where in it?")

# %% [markdown]
# Steps 1 and 2 are free: they only change how NumPy walks over the same memory. Step 3 needs the new order in
# contiguous memory, so now the numbers really move. Here is the memory before and after. Every box is one number, and
# the color shows which patch it belongs to.

# %%
owner = np.repeat(np.repeat(np.arange(6).reshape(2, 3), P, axis=0), P, axis=1)     # (H, W)  the patch of each pixel
memory = plots.figure(9.0, 1.9, alt="Two rows of 24 boxes, colored by patch. In the memory of the image, two boxes of "
                      "the same color stand together; in the memory of the patches, four.")
for axes, numbers, name in zip(memory.subplots(2, 1), (tiny.ravel(), flat.ravel()), ("the image", "the patches"),
                               strict=True):
    axes.imshow(owner.ravel()[numbers][None], cmap="Set2", vmin=0, vmax=7, aspect="auto")
    for place, number in enumerate(numbers):
        axes.text(place, 0, number, ha="center", va="center", fontsize=8)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"memory of {name}", fontsize=9)
memory

# %% [markdown]
# Real images have two more axes: **B** images in front, and the 3 color values at the end. They just come along.


# %%
def cut(images, patch_size):
    """(B, H, W, 3) -> (B, S, P * P * 3); images with one color value come out as (B, S, P * P)."""
    b, h, w, colors = images.shape
    p = patch_size
    x = images.reshape(b, h // p, p, w // p, p, colors)         # (B, H/P, P, W/P, P, 3)
    x = x.swapaxes(2, 3)                                        # (B, H/P, W/P, P, P, 3)
    return x.reshape(b, (h // p) * (w // p), p * p * colors)    # (B, S, P * P * 3)


print(cut(scene[None], 8).shape)

# %% [markdown]
# **Your turn.** Where does the pixel in row 13 and column 22 of the scene go? H = W = 32 and P = 8. Set `place` to
# three numbers: the patch, and the row and the column inside the patch. All of them count from 0.
#
# <details><summary>Solution</summary>
#
# ```python
# found_at = (1 * 4 + 2, 5, 6)             # 13 = 1 x 8 + 5 and 22 = 2 x 8 + 6; there are 4 patches in a row
# ```
#
# </details>

# %% tags=["your-turn"]
found_at = ...

# %%
spot = np.zeros((1, 32, 32, 1))                                         # (B, H, W, 1)
spot[0, 13, 22] = 1
number_, inside_ = np.argwhere(cut(spot, 8)[0])[0]                      # in (S, P * P)
mm.exercises.turn(found_at, right=(number_, inside_ // 8, inside_ % 8), hint="h = i P + r, w = j P + q")

# %% [markdown]
# **A convolution in disguise.** The stem multiplies each patch by a weight of shape (P x P x 3, C). Split the first
# axis back into its three parts: (P, P, 3, C). For one output $c$ this is a small image of P x P pixels: a **filter**.
# With $F$ for the filters, $x$ for the image and $m$ for the color, token $(i, j)$ is
#
# $$y_{i,j,c} = b_c + \sum_{r=0}^{P-1} \sum_{q=0}^{P-1} \sum_{m=0}^{2} x_{iP+r,\; jP+q,\; m} \; F_{r,q,m,c}$$
#
# Lay the filter on the image, multiply, and sum. Move it by **P pixels**, and repeat. This is the definition of a
# convolution with kernel size P and **stride** P (the stride is how far the filter moves). A typical convolution moves
# by one pixel, and its windows overlap. Here they touch but do not overlap.

# %%
rng = np.random.default_rng(0)
stem = mm.nn.Linear(8 * 8 * 3, 5, mm.nn.lecun_normal(rng))              # C = 5
stem.bias.data = rng.standard_normal(5).astype(np.float32)              # (C,)  not all zero
filters = stem.weight.data.reshape(8, 8, 3, 5)                          # (P, P, 3, C)
moved = np.empty((4, 4, 5))                                             # (H/P, W/P, C)
for i_, j_ in np.ndindex(4, 4):
    window = scene[8 * i_:8 * i_ + 8, 8 * j_:8 * j_ + 8]                # (P, P, 3)
    for c in range(5):
        moved[i_, j_, c] = (window * filters[..., c]).sum() + stem.bias.data[c]

tokens = cut(scene[None], 8) @ stem.weight.data + stem.bias.data        # (B, S, C)
print("patches and a Linear equal the moving filter:", np.allclose(tokens[0].reshape(4, 4, 5), moved, atol=1e-5))

# %% [markdown]
# ## Check
#
# **First check: the library's convolution.** minimixer has one, for the ConvNet that we compare the Mixer with (lesson
# 14). It knows nothing about patches. We give it our weights.

# %%
convolution = mm.nn.Conv2d(3, 5, kernel_size=8, stride=8, padding=0)
convolution.filters = stem                                              # the same weight and bias
image = mm.Tensor(scene[None].astype(np.float32))                       # (B, H, W, 3)
by_convolution = convolution(image)                                     # (B, H/P, W/P, C)
by_patches = stem(mm.functional.patches(image, 8))                      # (B, S, C)
print(convolution, "gives", by_convolution.shape)
print("equal to the stem:", np.allclose(by_convolution.data.reshape(1, 16, 5), by_patches.data, atol=1e-5))

# %% [markdown]
# **Second check: finite differences.** Every pixel goes to exactly *one* place. So its gradient comes back from exactly
# one place, and nothing is summed. (In lesson 01 a number went to many places, and there was a sum.)

# %%
report = mm.gradcheck(lambda x: mm.functional.patches(x, 2), rng.random((2, 4, 6, 3)))
print("all gradients correct:", report.ok)

# %% [markdown]
# **Third check: the library's file**, `minimixer/ops/patches.py`.

# %%
print(inspect.getsource(patches.Patches))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `x.reshape(b, h // p, p, w // p, p, channels)` | step 1: $h$ becomes $(i, r)$, $w$ becomes $(j, q)$ |
# | `.swapaxes(2, 3)` | step 2: $r$ and $j$ trade places (axes 2 and 3, because B is axis 0) |
# | `tiles.reshape(b, ..., p * p * channels)` | step 3, the only one that moves numbers |
# | `(x.shape, p)` | what backward needs: only sizes, no numbers |
# | `backward` | the same three steps in reverse: unflatten, swap the *same* two axes, merge |
#
# Swapping two axes twice restores the original order. This is why `swapaxes(2, 3)` appears in both functions.

# %%
images = rng.random((3, 8, 12, 3))                                      # (B, H, W, 3)
library, sizes = patches.Patches.forward(np, images, 4)                 # (B, S, P * P * 3)
print("our function and the library agree:", np.array_equal(cut(images, 4), library))
print("backward puts every pixel back:    ", np.array_equal(patches.Patches.backward(np, library, *sizes), images))

# %% [markdown]
# ## Break it
#
# The classic bug: **one `reshape`, without swapping the axes**. The shapes are right, so there is no error.


# %%
def cut_wrong(images, patch_size):
    b, h, w, colors = images.shape
    p = patch_size
    return images.reshape(b, (h // p) * (w // p), p * p * colors)       # (B, S, P * P * 3)  the right shape!


right, wrong = cut(scene[None], 8)[0], cut_wrong(scene[None], 8)[0]     # (S, P * P * 3)
print("shapes:", right.shape, wrong.shape)
print("the same numbers:", np.array_equal(np.sort(right.ravel()), np.sort(wrong.ravel())))

# %%
sheet = plots.figure(8.4, 4.3, alt="16 patches, twice. With the swap they show pieces of the scene: sky, sun, tree, "
                     "hills. Without the swap they show horizontal stripes.")
for half, vectors, label in zip(sheet.subfigures(1, 2), (right, wrong), ("with the swap", "without the swap"),
                                strict=True):
    half.suptitle(label, fontsize=10)
    for number, axes in enumerate(half.subplots(4, 4).flat):
        axes.imshow(vectors[number].reshape(8, 8, 3))                   # (P, P, 3)
        axes.set_axis_off()
sheet

# %% [markdown]
# On the right, no "patch" shows a piece of the image: they show **stripes**. Where do these numbers come from? 64
# consecutive pixels in memory are two whole rows of 32 pixels. We mark patch 5 in the image.

# %%
pixel = np.arange(32 * 32).reshape(1, 32, 32, 1)                        # (B, H, W, 1)  the number of each pixel
where = plots.figure(7.0, 3.3, alt="The pixels of patch 5 in the scene. With the swap they are a square of 8 x 8 "
                     "pixels; without the swap, two whole rows of the image.")
for axes, cutter, caption in zip(where.subplots(1, 2), (cut, cut_wrong), ("with the swap", "without the swap"),
                                 strict=True):
    marked = np.isin(pixel[0], cutter(pixel, 8)[0, 5])                  # (H, W, 1)
    axes.imshow(np.where(marked, scene, 0.75 + 0.25 * scene))
    axes.set_title(f"patch 5, {caption}", fontsize=10)
    axes.set_axis_off()
where

# %% [markdown]
# **Symptom.** No error, and the right shape. Nothing stops you from training such a model: each "patch" is still a
# fixed set of pixels. But it is a thin strip across the whole width instead of a square. Most pixels that are vertical
# neighbors in the image end up in different tokens. A quick test is the mean color of each patch. With real patches,
# these S colors form a small copy of the image.

# %%
small = plots.figure(7.0, 3.1, alt="The scene, and its 4 x 4 mean colors. With the swap they look like the scene, only "
                     "coarser; without the swap, like horizontal bands.")
for axes, vectors_, note in zip(small.subplots(1, 3), (scene, right, wrong), ("the image", "with the swap",
                                                                             "without the swap"), strict=True):
    axes.imshow(vectors_ if vectors_.ndim == 3 else vectors_.reshape(4, 4, 64, 3).mean(axis=2))     # (H/P, W/P, 3)
    axes.set_title(note, fontsize=10)
    axes.set_axis_off()
small

# %% [markdown]
# **Cure.** Look at your patches, or test with numbers that you can check by hand, such as `tiny`. In lesson 04, sizes
# that all differ turned a wrong product into an error. Here they do not help: `reshape` only checks whether the
# *number* of elements is right. You must compare the numbers themselves.

# %% [markdown]
# **Your turn.** There are images for which the wrong function is right. For which height and width, with P = 8, do
# `cut` and `cut_wrong` agree, although there is more than one patch? Set `size` to (H, W).
#
# <details><summary>Solution</summary>
#
# ```python
# size = (32, 8)        # W = P: the patches stand below each other, and each is contiguous in memory
# ```
#
# </details>

# %% tags=["your-turn"]
size = ...


# %%
def wrong_is_right(answer):
    height, width = answer
    if height % 8 or width % 8 or height * width <= 64:
        return f"{height} x {width} pixels are not two or more patches of 8 x 8."
    other = np.arange(height * width * 3).reshape(1, height, width, 3)          # (B, H, W, 3)
    return np.array_equal(cut(other, 8), cut_wrong(other, 8)) or "They differ: is each patch contiguous in memory?"


mm.exercises.turn(size, right=wrong_is_right)

# %% [markdown]
# So a test image of one column of patches would have missed this bug. Test with several patches in each direction.

# %% [markdown]
# ## Use it
#
# **An embedding without positions.** All S patches use the same stem. So a patch gives the same token wherever it is.
# We shuffle the patches of our image: the tokens are shuffled in the same way, and nothing else happens.

# %%
order = rng.permutation(16)                                             # a new position for every patch
shuffled = stem(mm.Tensor(right[order].astype(np.float32)))             # (S, C)
print("tokens of the shuffled patches are the shuffled tokens:",
      np.allclose(shuffled.data, by_patches.data[0][order], atol=1e-5))

# %% [markdown]
# This is why a ViT (lesson 15) adds a learned vector for each position, the position embedding. The Mixer has none. It
# does not need one: its next layer, token mixing, has separate weights for every position (lesson 08).
#
# **The order inside a patch** is arbitrary too, as long as it is always the same: shuffle the pixels, and shuffle the
# rows of the weight in the same way. A sum does not depend on its order. The order matters when you load someone else's
# weights: minimixer flattens in the order (row, column, color), the order in which the official code stores its
# filters.

# %%
inside = rng.permutation(8 * 8 * 3)
print("same tokens:", np.allclose(right[:, inside] @ stem.weight.data[inside], right @ stem.weight.data, atol=1e-5))

# %% [markdown]
# **In a real Mixer** these are the first two steps. Here they are for the paper's Mixer-B/16: P = 16, S = 196 and
# C = 768.

# %%
for step in mm.nn.trace(mm.nn.mixer("B/16", seed=None)).first:
    print(f"{step.name:<8} {step.axes} = {step.shape}, {step.parameters:,} parameters")
print(f"16 x 16 x 3 x 768 + 768 = {16 * 16 * 3 * 768 + 768:,}")

# %% [markdown]
# The 590,592 parameters of the stem are P x P x 3 x C = 16 x 16 x 3 x 768 weights, and 768 biases. <!-- printed -->

# %% [markdown]
# minimixer rejects an image that the patches do not fill. A convolution would not complain: where the filter no longer
# fits, it stops. With P = 5 it makes 6 x 6 tokens out of 30 x 30 pixels, and two rows and two columns are lost.

# %%
print(mm.nn.Conv2d(3, 5, kernel_size=5, stride=5, padding=0)(image).shape)
try:
    mm.functional.patches(image, 5)
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## Exercise
#
# Write the forward and backward passes of `patches`, for images whose height and width differ.
#
# ```console
# $ minimixer exercises start ex07
# ```

# %% [markdown]
# ## Summary
#
# - `reshape` splits each of the axes H and W in two: which patch, and where in the patch. `swapaxes` brings the two
#   patch axes together. A second `reshape` flattens.
# - `reshape` alone never changes the order of the numbers. Without the swap you get stripes.
# - Patches followed by a Linear layer are a convolution with kernel size P and stride P.
# - The stem knows what is in a patch, but not where the patch is.
#
# **See it:** in `minimixer play`, the first step lets the patches of your drawing fly apart into the rows of the table.
#
# **What the library does differently:** nothing in the arrays: the three steps are the same. In addition, it checks
# that the patches fill the image, and it computes no gradient of the pixels if nobody asks for it.
