# %% [markdown]
# # 04 Linear: two gradients of a product
#
# - **Time:** 19 minutes to read, 30 to do, 5 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 01 to 03, the matrix product
# - **Previous:** [03 Finite differences](03_finite_differences.ipynb)
# - **Next:** [05 GELU, tanh and erf](05_gelu.ipynb)

# %% [markdown]
# ## Goal
#
# Almost all the work in an MLP-Mixer is one operation: `y = x @ weight + bias`. After this lesson you can
#
# 1. derive both gradients of a matrix product by looking at **one element**,
# 2. explain why a training step costs three times as much as a prediction,
# 3. read `minimixer/ops/linear/reference.py`.

# %%
import inspect
import time

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.ops import linear
from minimixer.tensor import apply

# %% [markdown]
# ## Picture
#
# **N** is the number of rows, one per patch of each image. **I** is the number of inputs per row, and **O** is the
# number of outputs.

# %%
plots.shapes({"x": {"N": 4, "I": 3}, "weight": {"I": 3, "O": 2}, "bias": {"O": 2}, "y": {"N": 4, "O": 2}}, "@+=")

# %% [markdown]
# The inner axis I must be equal in `x` and `weight`, and it disappears. With indices, $n$ for the row, $i$ for the
# input and $o$ for the output:
#
# $$y_{n,o} = \sum_{i} x_{n,i}\, W_{i,o} + b_o$$
#
# Every row uses the **same** weight. The rows do not see one another.

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((4, 3))                 # (N, I)
weight = rng.standard_normal((3, 2))            # (I, O)
bias = rng.standard_normal(2)                   # (O,)
y = x @ weight + bias                           # (N, O)

n, o = 1, 0                                     # one element by hand
print(f"by hand:  {sum(x[n, i] * weight[i, o] for i in range(3)) + bias[o]:.6f}")
print(f"by NumPy: {y[n, o]:.6f}")

# %% [markdown]
# ## Predict
#
# $g$ is the gradient of the loss with respect to $y$, called `gy` in code, with shape (N, O) = (4, 2). A gradient has
# the shape of its array. So the gradient of `x` is (4, 3), and the gradient of `weight` is (3, 2). Each of them is
# *one* product of two of the three arrays `gy`, `x`, `weight`, possibly transposed. Which products have the right
# shapes?
#
# <details><summary>Answer</summary>
#
# - gradient of `x`: (4, 2) @ (2, 3), so `gy @ weight.T`
# - gradient of `weight`: (3, 4) @ (4, 2), so `x.T @ gy`
#
# Only these fit. The shapes alone give you the answer, because all three sizes differ. They do not tell you *why*, and
# they do not help when the sizes are equal: see "Break it".
#
# </details>

# %% [markdown]
# ## Build
#
# **The gradient of the weight.** Take one element, $W_{i,o}$. Which outputs contain it? Look at the formula: column $o$
# of $y$, in *every* row $n$. In row $n$ it is multiplied by $x_{n,i}$. So if $W_{i,o}$ grows by $\delta$, then
# $y_{n,o}$ grows by $x_{n,i}\,\delta$, and the loss grows by $g_{n,o}\, x_{n,i}\,\delta$. Summed over all rows:
#
# $$\frac{\partial L}{\partial W_{i,o}} = \sum_{n} x_{n,i}\; g_{n,o}$$
#
# The sum runs over $n$. But a matrix product sums over the *last* index of the left matrix, and here $n$ is the *first*
# index of $x$. So $x$ must be transposed: $x_{n,i} = (x^T)_{i,n}$.
#
# $$\frac{\partial L}{\partial W_{i,o}} = \sum_{n} (x^T)_{i,n}\; g_{n,o} = (x^T g)_{i,o}$$
#
# **The gradient of x.** Take one element, $x_{n,i}$. It is used in row $n$ only, but in every column $o$, where it is
# multiplied by $W_{i,o}$:
#
# $$\frac{\partial L}{\partial x_{n,i}} = \sum_{o} g_{n,o}\; W_{i,o} = \sum_{o} g_{n,o}\; (W^T)_{o,i}
#   = (g\, W^T)_{n,i}$$
#
# **The gradient of the bias** is lesson 01: the bias is used in all rows, so we sum over them.


# %%
def linear_backward(gy, x, weight):
    gx = gy @ weight.T              # (N, I)  sum over o
    gweight = x.T @ gy              # (I, O)  sum over n
    gbias = gy.sum(axis=0)          # (O,)    sum over n
    return gx, gweight, gbias


# %% [markdown]
# Not convinced by the indices? Here is the gradient of the weight again, with loops, exactly as in the first formula.


# %%
gy = rng.standard_normal((4, 2))                # (N, O)
by_loops = np.zeros((3, 2))                     # (I, O)
for row, column in np.ndindex(3, 2):
    by_loops[row, column] = sum(x[k, row] * gy[k, column] for k in range(4))

gx, gweight, gbias = linear_backward(gy, x, weight)
print("loops and product agree:", np.allclose(by_loops, gweight))

# %% [markdown]
# There is a second way to see `x.T @ gy`. Each row $n$ gives one table of all products $x_{n,i}\, g_{n,o}$. The
# gradient is the **sum of these tables over the rows**, because every row used the same weight. This is lesson 01
# again: one number, used in many places.

# %%
tables = x[:, :, None] * gy[:, None, :]         # (N, I, O)  one table per row
print("sum of the tables:", np.allclose(tables.sum(axis=0), gweight))
plots.weight_maps(np.concatenate([tables, gweight[None]]), [*(f"row {r}" for r in range(4)), "their sum"])

# %% [markdown]
# **Your turn.** PyTorch stores the weight the other way round, with shape (O, I), and computes $y = x W^T + b$. Derive
# its gradient: write out one element $y_{n,o}$, and ask where $W_{o,i}$ is used. Set `gtorch`, of shape (O, I), made
# from `gy` and `x`.
#
# <details><summary>Solution</summary>
#
# ```python
# gtorch = gy.T @ x                   # (O, I)  sum over n
# ```
#
# </details>

# %% tags=["your-turn"]
gtorch = ...

# %%
mm.exercises.turn(gtorch, right=gweight.T, hint="the sum runs over n, and n must be the inner axis of the product.")

# %% [markdown]
# ## Check
#
# **First check: finite differences** of the loss $L = \sum g_{n,o}\, y_{n,o}$.

# %%
step = 1e-5
numeric = np.zeros_like(weight)
for i, j in np.ndindex(3, 2):
    move = np.zeros_like(weight)
    move[i, j] = step
    numeric[i, j] = (gy * (x @ (weight + move) - x @ (weight - move))).sum() / (2 * step)
print("finite differences:", np.round(numeric, 6).tolist())
print("x.T @ gy:          ", np.round(gweight, 6).tolist())
print("minimixer's check: ", mm.gradcheck(mm.functional.linear, x, weight, bias).ok)

# %% [markdown]
# **Second check: the library's file**, `minimixer/ops/linear/reference.py`.

# %%
print(inspect.getsource(linear.Linear))

# %% [markdown]
# Three lines are ours. One line is new: `rows = gy.reshape(-1, n_out)`. In the Mixer, `x` has shape (B, S, C): B
# images, S patches, C channels. All B x S patches use the same weight, so for the weight they are simply N = B x S
# rows. `reshape(-1, n_out)` turns them into one long table, and a single product sums over all rows. `gx` does not need
# this: `@` works on the last two axes and leaves the others alone.

# %%
big = rng.standard_normal((2, 4, 3))            # (B, S, C)
big_gy = rng.standard_normal((2, 4, 5))         # (B, S, O)
library = linear.Linear.backward(np, big_gy, big, rng.standard_normal((3, 5)))[1]
print("gradient of the weight:", library.shape)
print("our function on the long table:",
      np.allclose(library, linear_backward(big_gy.reshape(8, 5), big.reshape(8, 3), np.zeros((3, 5)))[1]))

# %% [markdown]
# The weight can also stand on the left, and then it mixes the *patches* of an image: $y = V x$ for each image, where
# $V$ has shape (O, S). Lesson 08 is about this product. Here O is 5:

# %%
big_gleft = rng.standard_normal((2, 5, 3))      # (B, O, C)  the gradient of V @ big

# %% [markdown]
# **Your turn.** All images share $V$. Set `gleft` to its gradient, of shape (O, S) = (5, 4), made from `big_gleft` and
# `big`, which has shape (B, S, C) here.
#
# <details><summary>Solution</summary>
#
# ```python
# gleft = (big_gleft @ big.swapaxes(1, 2)).sum(axis=0)      # (B, O, C) @ (B, C, S) -> (B, O, S) -> (O, S)
# ```
#
# </details>

# %% tags=["your-turn"]
gleft = ...

# %%
mm.exercises.turn(gleft, right=np.einsum("boc,bsc->os", big_gleft, big),
                  hint="first for one image: which sum is it, over c or over s? Then add up the images.")

# %% [markdown]
# ## Break it
#
# When I = O, the weight is square. Then the wrong product has the right shape too: `gy.T @ x` instead of `x.T @ gy`. It
# is the transpose of the right answer. We train with both: find a weight such that `x @ weight` gives the targets.


# %%
def train(gradient_of_weight, steps=60):
    data = np.random.default_rng(1).standard_normal((32, 6))            # (N, I)
    target = data @ np.random.default_rng(2).standard_normal((6, 6))    # (N, O), O = I
    found, losses = np.zeros((6, 6)), []
    for _ in range(steps):
        error = data @ found - target                                   # (N, O)
        losses.append((error**2).mean())
        found -= 0.02 * gradient_of_weight(data, error)
    return losses


plots.lines(np.arange(60), {"x.T @ gy, right": train(lambda x, gy: x.T @ gy),
                            "gy.T @ x, wrong": train(lambda x, gy: gy.T @ x)},
            xlabel="step", ylabel="mean squared error", log="y")

# %% [markdown]
# **Symptom.** No shape error. In this experiment the loss explodes, because the step goes in a wrong direction. A
# smaller step only delays it. Inside a larger network the bug is harder to see: the other layers still learn, and the
# loss goes down, just not as far. A test finds it at once:


# %%
class WrongLinear(linear.Linear):
    """A Linear whose weight gradient is transposed."""

    @staticmethod
    def backward(xp, gy, x, weight):
        right = linear.Linear.backward(xp, gy, x, weight)
        return right[0], right[1].T, right[2]


square = [rng.standard_normal(shape) for shape in ((4, 3), (3, 3), (3,))]
print(mm.gradcheck(lambda *arguments: apply(WrongLinear, *arguments), *square).ok)

# %% [markdown]
# **Cure.** Test with sizes that all differ: N = 4, I = 3, O = 2. Then most wrong products do not even fit, and you get
# an error instead of a wrong number.

# %% [markdown]
# ## Use it
#
# **What does a product cost?** Each of the N x O outputs needs I multiplications and I additions: 2 N I O operations.
# Now count the backward pass. `gy @ weight.T` sums over O for N x I numbers, and `x.T @ gy` sums over N for I x O
# numbers. Each of them is again 2 N I O. So **backward costs twice as much as forward**, and a training step costs
# three times as much as a prediction. Measure it (the times depend on your machine; the ratio should be close to 2):

# %% tags=["measured"]
wide_x = rng.standard_normal((4096, 256), np.float32)       # (N, I)
wide_w = rng.standard_normal((256, 256), np.float32)        # (I, O)
wide_gy = rng.standard_normal((4096, 256), np.float32)      # (N, O)


def milliseconds(function):
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


# Alternate the two and take the best of 20: other programs can only make a run slower.
pairs = [(milliseconds(lambda: wide_x @ wide_w), milliseconds(lambda: (wide_gy @ wide_w.T, wide_x.T @ wide_gy)))
         for _ in range(20)]
forward, backward = np.min(pairs, axis=0)
print(f"forward {forward:.1f} ms, backward {backward:.1f} ms, ratio {backward / forward:.1f}")

# %% [markdown]
# **Your turn.** In Mixer-B, one layer goes from C = 768 channels to D_C = 3072 hidden units, for the S = 196 patches of
# each image. How many operations does this one layer need in a training step with 64 images, forward and backward? Set
# `operations`.
#
# <details><summary>Solution</summary>
#
# ```python
# operations = 3 * 2 * (64 * 196) * 768 * 3072        # 1.8e11: a training step has many such layers
# ```
#
# </details>

# %% tags=["your-turn"]
operations = ...

# %%
mm.exercises.turn(operations, right=3 * 2.0 * 64 * 196 * 768 * 3072,
                  hint="N is the number of patches in all images, and backward costs twice as much as forward.")

# %% [markdown]
# **In the Mixer.** A layer stores its weight as (in, out), so that the forward pass needs no transpose. PyTorch stores
# (out, in): remember this when you compare weights. If the last axis is wrong, the error says what to look for.

# %%
layer = mm.nn.Linear(64, 128, mm.nn.lecun_normal(np.random.default_rng(0)))
patches = mm.Tensor(rng.standard_normal((8, 64, 64), np.float32))       # (B, S, C)
print(layer, patches.shape, "->", layer(patches).shape)
try:
    layer(mm.Tensor(np.zeros((8, 64, 48), np.float32)))
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## Exercise
#
# Write the forward and backward passes of Linear for inputs with any number of leading axes.
#
# ```console
# $ minimixer exercises start ex04
# ```

# %% [markdown]
# ## Summary
#
# - `gx = gy @ weight.T`, `gweight = x.T @ gy`, `gbias = gy.sum(axis=0)`.
# - You can always derive them again: write out one element, ask where it is used, and see which index the sum runs
#   over.
# - All rows share the weight. So its gradient is a sum over all rows: B x S of them in a Mixer.
# - Backward costs two products, forward costs one.
#
# **What the library does differently:** it flattens all leading axes into rows. The folder `minimixer/ops/linear/`
# holds every form of this op. On the CPU, training runs the faster form in `inplace.py`: it adds the bias in place and
# computes with transposed views without copying them. A test proves every form equal to the one you read. To train with
# the one you read, pass `--kernels reference` on the command line, or use `mm.reference_kernels()` in Python.
