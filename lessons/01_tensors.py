# %% [markdown]
# # 01 Tensors, shapes, broadcasting
#
# - **Time:** 23 minutes to read, 25 to do, 5 seconds of computing (measured on 2 cores)
# - **Needs:** Python and a little NumPy
# - **Previous:** [00 From an image to a prediction](00_first_prediction.ipynb)
# - **Next:** [02 Autograd: the tape](02_autograd.ipynb)

# %% [markdown]
# ## Goal
#
# After this lesson you can
#
# 1. say the shape of `a + b` before you run it,
# 2. explain why the gradient of broadcasting is a **sum**,
# 3. read `unbroadcast`, the function in minimixer that computes this sum.
#
# Every layer of an MLP-Mixer adds a bias, so every layer broadcasts. Once you understand this lesson, you understand
# half of all shape errors in deep learning.

# %%
import inspect

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.ops import arithmetic, op

# %% [markdown]
# A minimixer `Tensor` is a NumPy array with a memory: it knows which operation made it. The array is `x.data`. The
# length of each axis is in `x.shape`.

# %%
x = mm.Tensor(np.arange(12, dtype=np.float32).reshape(4, 3), requires_grad=True)
print(x.shape, x.ndim, x.size, x.dtype)
x

# %% [markdown]
# `requires_grad=True` means: I will ask for the gradient of this Tensor later.

# %% [markdown]
# ## Picture
#
# Two letters name the axes in this lesson: **B** is the batch size (how many images), and **C** is the number of
# channels (how many numbers describe one image).

# %%
plots.shapes({"x": {"B": 4, "C": 3}, "bias": {"C": 3}, "y": {"B": 4, "C": 3}}, "+=")

# %% [markdown]
# **One letter, one meaning.** All lessons use these letters. You do not need them yet; come back when you meet one.
#
# | letter | how many | in a lesson |
# | --- | --- | --- |
# | B | images in a batch | 00 |
# | H, W | rows and columns of pixels in an image | 00, 07 |
# | P | pixels along one side of a patch | 00, 07 |
# | S | patches of an image, also called tokens | 00, 07, 08 |
# | C | channels: the numbers that describe one patch, or here one image | 01, 04 |
# | D_S, D_C | hidden units of the MLP that mixes the S patches, and of the one that mixes the C channels | 00, 08, 09 |
# | K | classes | 10 |
# | I, O | inputs and outputs of a layer, per row; for the first layer, I is the number of colors of a pixel | 04 |
# | N | rows or examples in all, such as the B x S patches of a batch | 04 |
#
# Two more things have fixed names: $L$ is the loss, and $g$, in code `gy`, is the gradient of the loss with respect to
# a result. The [glossary](../../docs/glossary.md), the file `docs/glossary.md`, explains all letters and words.

# %% [markdown]
# `x` has shape (B, C), and `bias` has shape (C,). NumPy adds the same `bias` to each of the B rows. This is called
# **broadcasting**:
#
# $$y_{b,c} = x_{b,c} + \mathrm{bias}_c$$
#
# Look at the indices. `bias` has no index $b$. So one number, $\mathrm{bias}_c$, is used in B places.
#
# **The rule.** Write the two shapes one above the other, aligned on the right. Two axes fit if they are equal or if one
# of them is 1. A missing axis counts as 1. The result takes the larger of the two.
#
# ```
# x       4  3
# bias       3      the missing axis counts as 1
# y       4  3
# ```
#
# Broadcasting copies nothing. `strides` says how many bytes NumPy moves in memory to reach the next element along an
# axis. Along a repeated axis it moves 0 bytes: it reads the same number again.

# %%
bias = np.array([10.0, 20.0, 30.0])
repeated = np.broadcast_to(bias, (4, 3))
print("strides:", repeated.strides, "bytes")
repeated

# %% [markdown]
# ## Predict
#
# What is the shape of each result? One of the four raises an error. Write down your answers first.
#
# 1. `(4, 3) + (3,)`
# 2. `(4, 3) + (4,)`
# 3. `(4, 1) + (3,)`
# 4. `(2, 1, 3) * (4, 1)`
#
# <details><summary>Answer</summary>
#
# 1. (4, 3): the rule above.
# 2. An error. From the right, 3 meets 4. They are not equal, and neither is 1. The 4 in the first shape does not help:
#    it is in the wrong place.
# 3. (4, 3): both arrays are repeated.
# 4. (2, 4, 3): from the right, 3 meets 1, then 1 meets 4, then 2 meets a missing axis.
#
# </details>

# %%
for left, right in [((4, 3), (3,)), ((4, 3), (4,)), ((4, 1), (3,)), ((2, 1, 3), (4, 1))]:
    try:
        print(left, right, "->", (np.zeros(left) + np.zeros(right)).shape)
    except ValueError:
        print(left, right, "-> error")

# %% [markdown]
# ## Build
#
# Now the gradient. A network ends in one number, the loss $L$. Let $g_{b,c}$ be the gradient of the loss with respect
# to $y_{b,c}$: if $y_{b,c}$ grows by a small $\delta$, the loss grows by $g_{b,c}\,\delta$. In code this array is
# called `gy`. It has the shape of `y`.
#
# What is the gradient of `bias`? Let $\mathrm{bias}_c$ grow by $\delta$. Then **all B numbers of column c** grow by
# $\delta$: $y_{0,c}, y_{1,c}, \ldots, y_{B-1,c}$. Each of them changes the loss, and small changes add up:
#
# $$\frac{\partial L}{\partial\,\mathrm{bias}_c} = \sum_{b=0}^{B-1} g_{b,c}$$
#
# One number went to B places. So B gradients come back, and the gradient of `bias` is their **sum**. In NumPy, this is
# one line.

# %%
gy = np.arange(12.0).reshape(4, 3)      # (B, C)  an arbitrary gradient of y
gbias = gy.sum(axis=0)                  # (C,)  the sum over b
print("gy:", gy.shape, " gradient of bias:", gbias.shape, gbias)

# %% [markdown]
# **Your turn.** Another array, `column`, has shape (B, 1), and $y_{b,c} = x_{b,c} + \mathrm{column}_b$. To how many
# places does one number of `column` go? Set `gcolumn` to the gradient of `column`, made from `gy`. It has the shape of
# `column`.
#
# <details><summary>Solution</summary>
#
# ```python
# gcolumn = gy.sum(axis=1, keepdims=True)     # (B, 1)  the sum over c
# ```
#
# </details>

# %% tags=["your-turn"]
gcolumn = ...

# %%
mm.exercises.turn(gcolumn, right=np.array([[3.0], [12.0], [21.0], [30.0]]),
                  hint="one number of column goes to the C places of its row.")

# %% [markdown]
# Broadcasting can repeat an array in two ways, and a sum undoes both:
#
# - an axis was **missing**: sum it away,
# - an axis had **length 1**: sum over it, but keep its length at 1 (`keepdims=True`).


# %%
def sum_to_shape(gy, shape):
    """Gradient of an operand of this shape, after it was broadcast to the shape of gy."""
    missing = gy.ndim - len(shape)
    gy = gy.sum(axis=tuple(range(missing)))         # the same number of axes as `shape`
    for axis, n in enumerate(shape):
        if n == 1:
            gy = gy.sum(axis=axis, keepdims=True)   # length 1 again
    return gy                                       # shape


for shape in [(4, 3), (3,), (1, 3), (4, 1), ()]:
    print(f"{shape!s:<8} gets {sum_to_shape(gy, shape).tolist()}")

# %% [markdown]
# The last row is a single number, shape `()`. It went to all 12 places, so its gradient is the sum of all 12.

# %% [markdown]
# ## Check
#
# **First check: finite differences.** Never trust a formula that you have not tested. Move one number of `bias` up by a
# small step, then down, and see how the loss changes. (Lesson 03 explains this method and its limits.) The loss here is
# $L = \sum_{b,c} g_{b,c}\, y_{b,c}$: its gradient with respect to $y_{b,c}$ is $g_{b,c}$, exactly what we want.

# %%
def loss_of(bias):
    return (gy * (x.data + bias)).sum()


step = 1e-5
for c in range(3):
    move = step * np.eye(3)[c]                      # (C,)  only entry c moves
    slope = (loss_of(bias + move) - loss_of(bias - move)) / (2 * step)
    print(f"bias[{c}]: finite difference {slope:.4f}, sum {gbias[c]:.4f}")

# %% [markdown]
# minimixer has a function for this test. It takes a function of Tensors and tries every entry of every input.

# %%
rng = np.random.default_rng(0)
report = mm.gradcheck(lambda a, b: a * b, rng.random((2, 1, 3)), rng.random((4, 1)))
print("all gradients correct:", report.ok)

# %%
a3, b2, g3 = rng.random((2, 1, 3)), rng.random((4, 1)), rng.random((2, 4, 3))

# %% [markdown]
# **Your turn.** In a product, the chain rule comes first: if $y = a \cdot b$, then $b$ receives $g \cdot a$, and after
# that the sum over the places where $b$ was repeated. Here `a3` has shape (2, 1, 3), `b2` has shape (4, 1), and `g3` is
# the gradient of their product, with shape (2, 4, 3). Set `gb` to the gradient of `b2`.
#
# <details><summary>Solution</summary>
#
# ```python
# gb = (g3 * a3).sum(axis=(0, 2))[:, None]      # (2, 4, 3) -> (4,) -> (4, 1)
# ```
#
# </details>

# %% tags=["your-turn"]
gb = ...

# %%
leaf = mm.Tensor(b2, requires_grad=True)
mm.exercises.turn(gb, right=mm.grad((leaf * a3 * g3).sum(), [leaf])[0], hint="which axes of g3 * a3 does b2 not have?")

# %% [markdown]
# **Second check: the library's file.** This code runs in every addition and multiplication in minimixer. Let us read it
# together. It is in `minimixer/ops/op.py`.

# %%
print(inspect.getsource(op.unbroadcast))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `if target is None` | the operand was a Python number, as in `x * 2`: nobody needs its gradient |
# | `shape, dtype = target` | the shape and the type of the operand: the sum does not need its values |
# | `if gy.shape != shape` | if nothing was repeated, there is nothing to do: the most common case |
# | `added` | how many axes were missing, our `missing` |
# | `repeated` | the axes of length 1 that became longer |
# | `gy.sum((...), keepdims=True)` | one sum over all of them, then `reshape` drops the missing ones |
# | `astype(dtype)` | a float32 operand gets a float32 gradient |
#
# It is our function, in one pass over the memory. Who calls it? Addition, for one:

# %%
print(inspect.getsource(arithmetic.Add))

# %%
for shape in [(4, 3), (3,), (1, 3), (4, 1), ()]:
    assert np.allclose(sum_to_shape(gy, shape), op.unbroadcast(gy, (shape, gy.dtype)))
print("our function and the library agree")

# %% [markdown]
# ## Break it
#
# The classic bug is silent: **two shapes that broadcast but should not**. A model returns predictions of shape (B, 1).
# The targets have shape (B,). You subtract them, as everybody does.

# %%
target = np.array([1.0, 2.0, 3.0, 4.0])             # (B,)
prediction = target.reshape(4, 1).copy()            # (B, 1)  the perfect prediction!
error = prediction - target                         # we wanted (B, 1)
print("shape of the error:", error.shape)
print("mean squared error:", (error**2).mean())

# %% [markdown]
# **Symptom.** There is no error message. The prediction is perfect, but the loss is 2.5 instead of 0. (4, 1) and (4,)
# became (4, 4): every prediction was compared with every target. A model trained this way learns to predict the *mean*
# of all targets, because the mean is closest to all of them. <!-- printed -->

# %%
guess = mm.Tensor(np.zeros((4, 1)), requires_grad=True)
for _ in range(200):
    wrong_loss = ((guess - target) ** 2).mean()     # (4, 4) inside
    guess.data -= 0.5 * mm.grad(wrong_loss, [guess])[0]
print("after training:", guess.data.ravel().round(3))

# %% [markdown]
# **Your turn.** The accident costs memory too. With B = 4096 predictions in float32 (4 bytes each), the right error
# takes 16 kB. How many megabytes does the accidental one take? (1 MB = 1e6 bytes.) Set `megabytes`.
#
# <details><summary>Solution</summary>
#
# ```python
# megabytes = 4096 * 4096 * 4 / 1e6             # (B, B) numbers
# ```
#
# </details>

# %% tags=["your-turn"]
megabytes = ...

# %%
mm.exercises.turn(megabytes, right=67.108864, hint="which shape do (B, 1) and (B,) make?")

# %% [markdown]
# **Cure.** Make the shapes equal before you subtract, and say so: `assert prediction.shape == target.shape`. In
# minimixer, the functions you meet first, such as `cross_entropy`, reject shapes that do not belong together.

# %%
try:
    mm.functional.cross_entropy(mm.Tensor(np.zeros((4, 10))), np.zeros((4, 1), int))
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## Use it
#
# In the Mixer, an array has three axes: (B, S, C). **S** is the number of patches per image. A bias of shape (C,) is
# used for every patch of every image, in B x S places.

# %%
plots.shapes({"x": {"B": 2, "S": 4, "C": 6}, "bias": {"C": 6}, "y": {"B": 2, "S": 4, "C": 6}}, "+=")

# %% [markdown]
# Now a real layer. The loss is the sum of all outputs, so every $g$ is 1. Each number of the bias went to 8 x 64 = 512
# places. Its gradient must be 512.

# %%
layer = mm.nn.Linear(16, 6)
images = mm.Tensor(rng.random((8, 64, 16)), requires_grad=True)             # (B, S, C)
y = layer(mm.Tensor(images.data.astype(np.float32)))                        # (B, S, 6)
print("gradient of the bias:", mm.grad(y.sum(), [layer.bias])[0])

# %% [markdown]
# The same happens to the mean in LayerNorm (lesson 06). In `x - x.mean(-1, keepdims=True)`, the shapes are (B, S, C)
# and (B, S, 1). `keepdims=True` keeps the axis so that the two fit. Without it, the shapes (8, 64, 16) and (8, 64) do
# not fit, and minimixer says why:

# %%
try:
    images - images.mean(-1)
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## Exercise
#
# Write `unbroadcast(gy, shape)` yourself, without looking: it receives only the shape, not the type. The checker also
# tries it on shapes you have not seen and tells you what is wrong.
#
# ```console
# $ minimixer exercises start ex01
# ```

# %% [markdown]
# ## Summary
#
# - Align shapes on the right. Axes fit if they are equal or if one is 1.
# - Forward, broadcasting **repeats**. Backward, the gradient is **summed** over the same axes.
# - The reason: a number that is used in many places changes the loss through all of them.
# - Shapes that broadcast by accident raise no error. Check that they are equal where they must be.
#
# **What the library does differently:** it does both sums in one call, keeps only the shape of the operand, and gives
# the gradient the type of the operand. Python numbers get no gradient.
