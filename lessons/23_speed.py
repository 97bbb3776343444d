# %% [markdown]
# # 23 Making it fast
#
# This lesson is optional: no other one needs it.
#
# - **Time:** 28 minutes to read, 30 to do, 60 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 05, 08 and 09
# - **Previous:** [22 One code, two devices](22_devices.ipynb)
# - **Next:** none

# %% [markdown]
# ## Goal
#
# The op you read is written as a formula, in `reference.py`. Where speed matters, faster forms of the op lie in the
# same folder, and each is proved equal to the one you read. GELU, for example, is the folder `minimixer/ops/gelu`:
# `reference.py`, `inplace.py`, `compiled.py`, and for GPUs `cuda.py` with `kernel.cu`. After this lesson you can
#
# 1. tell whether an operation is limited by the processor or by the memory,
# 2. read the five techniques of the fast engine: in place, blocks, shards, kept memory, threads,
# 3. measure such a change instead of just believing in it.
#
# All times below are from the machine that built this notebook. Run the cells to see yours.

# %%
import inspect
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np

import minimixer as mm
from minimixer import plots
from minimixer.bench import ladder
from minimixer.ops import layout, registry
from minimixer.ops.gelu import GELU, inplace
from minimixer.ops.linear import inplace as linear_inplace
from minimixer.parallel import ShardedModel, Workers
from minimixer.parallel.shards import shards
from minimixer.tensor import apply

# %% [markdown]
# First, how to measure. Other programs, and the changing clock rate of the processor, make single times useless. So we
# measure all candidates **in turns** and keep the smallest time of each: disturbances can only make a time longer.


# %%
FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"


def milliseconds(candidates, rounds=7):
    """The smallest time of each candidate; candidates maps names to functions without arguments."""
    best = dict.fromkeys(candidates, np.inf)
    for _ in range(rounds):
        for name, function in candidates.items():
            start = time.perf_counter()
            function()
            best[name] = min(best[name], 1000 * (time.perf_counter() - start))
    return best


# %% [markdown]
# ## Picture
#
# A processor does two things: it computes, and it moves numbers between memory and itself. The **intensity** of an
# operation is the number of its arithmetic operations per byte moved. Two numbers describe a machine: $R$, the
# operations it can do per second, and $M$, the bytes it can move per second. Then no operation of intensity $I$ is
# faster than
#
# $$\min(R,\; M \cdot I)$$
#
# This is called the **roofline**, because of its shape. Left of the edge, memory is the limit; right of it, the
# processor is. A sum of two float32 arrays reads 8 bytes, writes 4, and does one addition: $I$ = 1/12, far to the left.
# A product of two $n \times n$ matrices does $2n^3$ operations on $3n^2$ numbers of 4 bytes: $I = n/6$, to the right
# when $n$ is large. We measure $R$ with such a product, and $M$ with a sum of two large arrays.

# %% tags=["measured"]
rng = np.random.default_rng(0)
square = rng.standard_normal((1024, 1024), np.float32)
long_a, long_b, long_c = (np.ones(1 << 23, np.float32) for _ in range(3))           # 32 MB each
ms = milliseconds({"product": lambda: square @ square, "sum": lambda: np.add(long_a, long_b, out=long_c)})
rate = 2 * 1024**3 / (ms["product"] / 1000)                                         # R, operations per second
memory = 12 * (1 << 23) / (ms["sum"] / 1000)                                        # M, bytes per second
print(f"R = {rate / 1e9:.0f} GFLOP/s, M = {memory / 1e9:.1f} GB/s, edge at I = {rate / memory:.0f}")
intensity = np.geomspace(1 / 32, 512, 57)
roof = np.minimum(rate, memory * intensity) / 1e9
drawing = plots.lines(intensity, {"roofline": roof}, xlabel="operations per byte", ylabel="GFLOP/s", log="xy",
                      marks={"a + b": 1 / 12, "product": 1024 / 6})
drawing.axes[0].set_ylim(top=4 * roof.max())
drawing

# %% [markdown]
# ## Predict
#
# The batch has 128 images. In a block of the Mixer called micro, the hidden layer has 128 x 64 x 512 numbers, 16 MB. A
# core keeps about 1 MB close to itself, in its **cache**; the rest is in main memory, far away.
#
# 1. GELU as a NumPy formula makes about 8 passes over the array, and each pass creates a new array. What if we work on
#    65,536 numbers at a time, and do all passes on these before we go on?
# 2. If 65,536 numbers are good, are 4,096 better? They fit into an even smaller and faster cache.
# 3. Cut the batch of 128 images into 8 **shards** of 16, so that all arrays are smaller, and change nothing else. Is it
#    faster?
#
# <details><summary>Answer</summary>
#
# 1. Yes, about three times as fast in our measurement. The intermediate results stay in the cache.
# 2. No. We predicted yes and measured no (`docs/benchmarks.md`): each NumPy call costs about a microsecond before it
#    computes anything, and small blocks need many calls.
# 3. No, not on its own. In our measurement it was even slower, 0.92 times the speed: more calls, and smaller products,
#    which do not split well across two threads. Shards are fast when each thread has *its own* shard. You will measure
#    it.
#
# The second and the third answer are the reason to measure.
#
# </details>

# %% [markdown]
# ## Build

# %% [markdown]
# **Your turn.** On which side of the roofline's edge is the largest Linear of micro? It multiplies a (8192, 128)
# matrix, 128 images of 64 patches, with a (128, 512) matrix. Numbers have 4 bytes; each array is moved once. Set
# `linear_intensity`, the operations per byte.
#
# <details><summary>Solution</summary>
#
# ```python
# linear_intensity = 2 * 8192 * 128 * 512 / (4 * (8192 * 128 + 128 * 512 + 8192 * 512))     # 50.6
# ```
#
# </details>

# %% tags=["your-turn"]
linear_intensity = ...

# %%
moved_numbers = 8192 * 128 + 128 * 512 + 8192 * 512
mm.exercises.turn(linear_intensity, right=2 * 8192 * 128 * 512 / (4 * moved_numbers),
                  hint="a product of (n, k) and (k, m) does 2 n k m operations on n k + k m + n m numbers")

# %% [markdown]
# The GELU after it reads and writes 4,194,304 numbers, and does little with each. The two need different cures:
# products want all cores, and everything else wants fewer passes through memory.
#
# **In place.** Each `*` and `+` in a NumPy formula creates a new array. `out=` and `*=` write into an existing one.
# Here is GELU in three versions (lesson 05): $y = x\,s$ with
# $s = \tfrac12\left(1 + \tanh\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right)$.


# %%
CUBIC, SQRT_2_OVER_PI = inplace.CUBIC, inplace.SQRT_2_OVER_PI


def formula(x):
    return 0.5 * x * (1 + np.tanh(SQRT_2_OVER_PI * (x + CUBIC * (x * x * x))))


def in_place(x, y):
    np.multiply(x, x, out=y)                # x^2
    y *= CUBIC * SQRT_2_OVER_PI
    y += SQRT_2_OVER_PI                     # sqrt(2/pi) (1 + 0.044715 x^2)
    y *= x
    np.tanh(y, out=y)
    y += 1
    y *= x
    y *= 0.5                                # x s
    return y


# %% [markdown]
# **Blocks.** The same, but on one part of the array at a time. `x[i:i + size]` is a view: nothing is copied.


# %%
def in_blocks(x, y, size):
    for i in range(0, x.size, size):
        in_place(x[i:i + size], y[i:i + size])
    return y


# %% tags=["measured"]
hidden = rng.standard_normal(1 << 22, np.float32)                                   # 16 MB
result = np.empty_like(hidden)
sizes = [1 << k for k in range(10, 23, 2)]
found = milliseconds({"formula": lambda: formula(hidden), "in place": lambda: in_place(hidden, result),
                      **{n: (lambda n=n: in_blocks(hidden, result, n)) for n in sizes}}, rounds=3)
assert np.allclose(formula(hidden), in_blocks(hidden, result, 1 << 16), atol=1e-6)
print(f"formula {found['formula']:.0f} ms, in place {found['in place']:.0f} ms")
plots.lines(sizes, {"in blocks": [found[n] for n in sizes], "formula": [found["formula"]] * len(sizes)},
            xlabel="numbers per block", ylabel="milliseconds", log="x", marks={"minimixer": layout.BLOCK})

# %% [markdown]
# The curve has a valley. On its left side, the calls cost too much; on its right side, the blocks no longer fit into
# the cache. Where the valley lies, and how deep it is, depends on the machine. In our measurement, working in place
# gains most, and blocks gain the rest. `tanh` itself takes most of the remaining time.

# %% [markdown]
# **Your turn.** Compute $y = 3x^2 - 2x$ in place: set `quadratic` to a function of `x` and `y`, arrays of one shape,
# that writes the result into `y`, returns it, leaves `x` alone and makes no new array.
#
# <details><summary>Solution</summary>
#
# ```python
# def quadratic(x, y):
#     np.multiply(x, 3, out=y)                # 3 x
#     y -= 2
#     y *= x                                  # (3 x - 2) x
#     return y
# ```
#
# </details>

# %% tags=["your-turn"]
quadratic = ...


# %%
def is_in_place(answer):
    x, y = np.linspace(-1, 1, 1 << 18, dtype=np.float32), np.empty(1 << 18, np.float32)      # 1 MB each
    kept = x.copy()
    tracemalloc.start()
    written = answer(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if written is not y or not np.array_equal(x, kept):
        return "it must return y itself, and leave x as it was"
    if peak > 1 << 16:
        return f"it made new arrays, {peak:,} bytes: begin with np.multiply(x, 3, out=y), then change y in place"
    return np.allclose(y, 3 * kept**2 - 2 * kept, atol=1e-5)


mm.exercises.turn(quadratic, right=is_in_place)

# %% [markdown]
# **Sums as products.** LayerNorm needs the mean of each row. A mean is a product with a vector whose entries are all
# $1/C$, and BLAS, the library that multiplies matrices for NumPy, is better at it than `mean`. (`Workers(1)` limits
# BLAS to one thread. For such small products, waking a second thread costs more than it gains.)

# %% tags=["measured"]
rows = rng.standard_normal((8192, 128), np.float32)                                 # (N, C)
average = np.full(128, 1 / 128, np.float32)                                         # (C,)
assert np.allclose(rows.mean(-1), rows @ average, atol=1e-6)
with Workers(1):
    means = milliseconds({"rows.mean(-1)": lambda: rows.mean(-1), "rows @ average": lambda: rows @ average}, 20)
for way, best in means.items():
    print(f"{way:<16}{best:6.2f} ms")

# %% [markdown]
# **Kept memory.** When you free a large array, the C library returns its memory to the system at once. The next array
# gets new memory, which the system hands out in pages of 4 KB. Each page costs an interruption, a **page fault**, and
# is filled with zeros. A training step frees and allocates the same sizes again and again. `keep_freed_memory` in
# `minimixer/parallel/host.py` asks the C library to keep the memory. That takes three lines, and in our measurement of
# a training step of micro, 61,377 page faults became 0.
#
# **Shards and threads.** NumPy lets other Python threads run while it computes. So two threads can work at the same
# time, each on its own images, forward and backward. Then the gradients of the shards are added. The number of images
# per shard follows from the size of the model's largest array, which has at most 2 MB (2,097,152 bytes) per shard. Here
# is that of micro:

# %%
config = mm.nn.MIXERS["micro"]
print("the largest array per image:", 4 * config.widest_array, "bytes")
for part in shards(128, config):
    print("images", part.start, "to", part.stop - 1)

# %% [markdown]
# **Your turn.** The largest array of the smaller model pico has 64 x 128 numbers of 4 bytes per image. Into how many
# shards does minimixer cut a batch of 1,024 images? Set `parts`.
#
# <details><summary>Solution</summary>
#
# ```python
# parts = 1024 * 64 * 128 * 4 // 2_097_152    # 16
# ```
#
# </details>

# %% tags=["your-turn"]
parts = ...

# %%
mm.exercises.turn(parts, right=len(shards(1024, mm.nn.MIXERS["pico"])), hint="how many bytes has the array in all?")

# %% [markdown]
# ## Check
#
# **First check: the fast form is the same function.** Inside its block, `mm.reference_kernels()` runs every op in the
# form you read.

# %%
images = mm.Tensor(np.random.default_rng(1).random((8, 32, 32, 3), np.float32))     # (B, H, W, 3)
labels = np.arange(8)
model = mm.nn.mixer("pico", seed=0)
model.head.weight.data = np.random.default_rng(2).standard_normal((64, 10)).astype(np.float32)


def gradients():
    return mm.grad(mm.functional.cross_entropy(model(images), labels), model.parameters())


quick = gradients()
with mm.reference_kernels():
    plain = gradients()
print("all gradients agree:", all(np.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in zip(quick, plain, strict=True)))

# %% [markdown]
# **Second check: the number of threads changes nothing, not even the last bit.** A sum of floats depends on the order.
# So the gradients are added in the order of the shards, not in the order in which the threads finish.

# %%
batch = np.random.default_rng(3).integers(0, 256, (128, 32, 32, 3), dtype=np.uint8)
classes = np.arange(128) % 10
half = np.full(3, 0.5, np.float32)                                                  # mean and std of the pixels
answers = []
for count in (1, 2, 3):
    with Workers(count) as workers:
        answers.append(ShardedModel(model, workers, half, half).gradients(batch, classes, step=0)[2])
print("same bits:", all(np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in zip(*answers, strict=True)))

# %% [markdown]
# **Third check: the library's file**, `minimixer/ops/gelu/inplace.py`.

# %%
print(inspect.getsource(inplace.GELU.forward))
print(inspect.getsource(inplace.gelu))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `dense(x)` | `x` may be a transposed view, as in token mixing; then work on the memory below it and copy nothing |
# | `np.empty_like` | two new arrays for the result and for backward: the only new memory |
# | `cls.loop(...)` | the function printed below it; the compiled form replaces only this loop (see the next cell) |
# | `swap(y, swapped)` | a view again, if the input was one |
# | `blocks(x, y, s)` | walk through all three together, 65,536 numbers at a time |
# | `np.multiply(..., out=sb)` | the same passes as ours, all in the block `sb` |
# | `sb *= 0.5`, `sb += 0.5` | $s$, which backward needs, so it is kept |
#
# NumPy needs eight passes, because each of its functions does one thing. A compiler can do all eight things to a number
# before it moves on to the next. **Numba** is such a compiler: it reads a Python function and generates machine code.
# It comes with minimixer where it exists for your Python; without it, everything still works, only slower. This is the
# loop that Numba compiles for GELU, from `compiled.py` in the same folder:

# %%
source = Path(inplace.__file__).with_name("compiled.py").read_text()
print(source[source.index("@compiled\ndef gelu("):source.index("@compiled\ndef gelu_gradient(")])

# %% [markdown]
# And how does an op find its faster form? It asks this function, which remembers its answers in a dictionary:

# %%
print(inspect.getsource(registry.choose))

# %% [markdown]
# **A swap that costs nothing.** Lesson 08 found that $(X^T W)^T = W^T X$: a product with a swapped view can be computed
# in the memory as it lies, so that no number has to be moved first. The Linear that training runs on the CPU finds this
# by itself. Its file, `minimixer/ops/linear/inplace.py`, is beside the reference from lesson 04, and a test proves the
# two equal:

# %%
print(inspect.getsource(linear_inplace.Linear.forward))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `dense(x)` | is `x` a swapped view of dense memory? Then it returns the underlying memory, (B, S, C), and True |
# | `weight.T @ x` | (D_S, S) @ (B, S, C) gives (B, D_S, C): no number was moved |
# | `y += bias[:, None]` | the bias belongs to D_S, which is now the second-to-last axis: (D_S, 1) |
# | `y.swapaxes(-1, -2)` | from outside it looks like (B, C, D_S), as it should |
# | the rest | the usual Linear, on rows (lesson 04) |
#
# The GELU and the second Linear find the same order again. After the second `swapaxes` the memory is dense in its
# original order, as if nothing had been swapped at all:

# %%
token_mlp = mm.nn.MlpBlock(4, 3, init=mm.nn.lecun_normal(np.random.default_rng(0)))                 # S = 4, D_S = 3
tokens_in = mm.Tensor(np.random.default_rng(4).standard_normal((2, 4, 6)).astype(np.float32))       # (B, S, C)
inside = token_mlp(tokens_in.swapaxes(1, 2))                                                        # (B, C, S)
print("as the MLP returns it: dense", inside.data.flags.c_contiguous)
print("after the second swap: dense", inside.swapaxes(1, 2).data.flags.c_contiguous)

# %% [markdown]
# What does this save? We compare with a Linear that is given the same numbers in a copy that is dense as (B, C, S), and
# with the time of making that copy. (B, S, C) = (8, 196, 768), D_S = 384, as in Mixer-B/16.

# %% tags=["measured"]
token_linear = mm.nn.Linear(196, 384, mm.nn.lecun_normal(np.random.default_rng(0)))
token_view = np.random.default_rng(1).standard_normal((8, 196, 768), np.float32).swapaxes(1, 2)     # (B, C, S), a view
token_copy = token_view.copy()                                                                      # (B, C, S), dense
with mm.no_grad():
    found_times = milliseconds({"Linear on the view": lambda: token_linear(mm.Tensor(token_view)),
                                "Linear on the copy": lambda: token_linear(mm.Tensor(token_copy)),
                                "making the copy": token_view.copy})
for what, took in found_times.items():
    print(f"{what:<20}{took:8.1f} ms")

# %% [markdown]
# Compare the first two rows: the order of the numbers in memory should make little difference to the product. What is
# saved is the copy, twice in each block and twice more on the way back.

# %% [markdown]
# ## Break it
#
# In place is dangerous. Let us avoid the last new array too, and write the result over `x` itself.


# %%
class GreedyGelu(GELU):
    """GELU that writes its result over its input."""

    @staticmethod
    def forward(xp, x):
        y, saved = GELU.forward(xp, x)
        x[...] = y                                          # no new array!
        return x, saved                                     # saved holds x, which is no longer x


values = np.linspace(-2.0, 2.0, 5)
for kind in (GELU, GreedyGelu):
    x = mm.Tensor(values.copy(), requires_grad=True)        # (5,)
    y = apply(kind, x)
    print(f"{kind.__name__:<11} y {y.data.round(3)}  gradient {mm.grad(y.sum(), [x])[0].round(3)}")

# %% [markdown]
# **Symptom.** The results are right, so all tests of the forward pass are green. The gradients are wrong, without an
# error, because backward reads $y$ where it expects $x$: at -1 even the sign is wrong. And in `x + gelu(x)` the forward
# pass is wrong too.
#
# **Cure.** minimixer has one rule: *no op ever writes to its inputs.* In place is allowed only on arrays that the op
# has created itself. The in-place form of GELU follows this rule. A test helps more than rereading your own code:
# finite differences find this bug.

# %%
def sum_of_gelu(kind, at):
    return float(apply(kind, mm.Tensor(at.copy())).sum().item())


at, step = -1.0, 1e-5
slope = (sum_of_gelu(GreedyGelu, np.array([at + step])) - sum_of_gelu(GreedyGelu, np.array([at - step]))) / (2 * step)
point = mm.Tensor(np.array([at]), requires_grad=True)
print(f"finite difference {slope:.3f}, GreedyGelu {mm.grad(apply(GreedyGelu, point).sum(), [point])[0][0]:.3f}")

# %% [markdown]
# ## Use it
#
# Now all of it together, one technique after the other, on one block of micro with 128 images, forward and backward.
# Each rung of this **ladder** runs in its own process, and they take turns. A fault is a page fault.

# %% tags=["measured"]
exit_code = ladder.main(["--rounds", "1" if FAST else "3"])

# %% [markdown]
# How to read it:
#
# - **Rung 2** is rung 1 with shards: smaller arrays alone do not make it faster.
# - **Rung 3** has the fast forms: fewer passes, less new memory.
# - **Rung 4** runs on one core only, while the rungs above use all cores for their products. It is a step back, and the
#   starting point for what follows.
# - **Rung 5** keeps freed memory: look at the page faults.
# - **Rung 6** gives each core its own shard. Now *everything* runs on all cores: products, GELU and LayerNorm.
# - **Rung 7** (where Numba is installed) reads and writes each array of GELU and LayerNorm once. Almost only products
#   are left.
#
# Your numbers will differ from ours in `docs/benchmarks.md`. Trust them only if the machine is idle. When other
# programs are running, rungs 1 to 3 can take many times longer: the threads of one product wait for each other, and one
# of them waits for its turn on a core. Even on an idle machine, a difference of 10 % says nothing in such a short
# measurement.
#
# **Predictions and outcomes.** Before each change we wrote down what we expected. Here are four of these, from
# `docs/benchmarks.md`:
#
# | change | predicted | measured |
# | --- | --- | --- |
# | keep freed memory | 10 % less time | 122 to 139 images per second: right |
# | blocks of 4,096 numbers | faster GELU | 2.4 ns per number vs. 1.15 with 65,536: wrong |
# | more and smaller shards for pico, batch 32 | faster | 1,366 images per second in 2 shards, 996 in 4: wrong |
# | huge pages of memory | faster | no difference beyond the noise: wrong |
#
# All four sounded reasonable. What did not help is not in the library.

# %% [markdown]
# ## Exercise
#
# Measure the ladder on your machine, with 7 rounds, while it does nothing else. Before you start, write down the
# speedup that you expect from each rung.
#
# ```console
# $ minimixer bench ladder
# ```

# %% [markdown]
# ## Summary
#
# - Roofline: an operation is limited by the processor or by the memory. Products are limited by the first, almost
#   everything else by the second.
# - Working in place and in blocks saves passes through memory. It changes how a formula is computed, not its result.
# - A compiler turns many passes into one, if it is given the loop.
# - Kept memory avoids page faults. Shards with one thread each use all cores for everything.
# - Add the gradients in a fixed order, and the result does not depend on the number of threads.
# - Predict, then measure in turns, then keep it or throw it away.
#
# **What the library does differently:** it computes `y` and `s` of GELU in one walk, runs backward in blocks too, and
# its AdamW reads and writes each of its arrays once. Every form of an op lies in one folder and is proved equal to the
# one you read. `--kernels reference` (or `mm.reference_kernels()`) trains with the one you read.
