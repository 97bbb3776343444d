# %% [markdown]
# # 22 One code, two devices
#
# This lesson is optional: no other one needs it.
#
# - **Time:** 20 minutes to read, 20 to do, 5 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 05 and 09; no GPU
# - **Previous:** [21 Your own Mixer](21_own_mixer.ipynb)
# - **Next:** [23 Making it fast](23_speed.ipynb)

# %% [markdown]
# ## Goal
#
# A GPU has its own memory. Arrays in it are not NumPy arrays. The library **CuPy** provides arrays for NVIDIA GPUs,
# with functions named as in NumPy: `numpy.tanh` and `cupy.tanh`. After this lesson you can
#
# 1. explain how one file computes on a CPU and on a GPU, without a single `if gpu`,
# 2. read `array_module`, the function that chooses between NumPy and CuPy,
# 3. find bugs that only show up on a GPU, on a machine that has none.

# %%
import inspect
import math
import types

import numpy as np

import minimixer as mm
from minimixer import backend, plots
from minimixer.ops import gelu
from minimixer.ops.op import Op
from minimixer.tensor import apply

# %% [markdown]
# What does your machine have? `choose_device` says which device a training run uses, and why. `auto` means: the GPU, if
# there is one.

# %% tags=["measured"]
print(backend.choose_device("auto"))

# %% [markdown]
# ## Picture
#
# A device is a memory, the class of the arrays in it, and the module that computes with them. By convention this module
# is called **xp**: it is `numpy` or `cupy`, and `xp.tanh(x)` is right in both cases.

# %%
axes = plots.figure(8.4, 2.7, alt="Two boxes, the device cpu with NumPy arrays and the device gpu with "
                        "CuPy arrays. x.to('gpu') copies one way, x.numpy() the other.").subplots()
axes.set(xlim=(0, 10), ylim=(0, 4))
axes.set_axis_off()
for left, color, name, text in (
        (0.1, plots.BLUE, '"cpu"', "numpy.ndarray\nxp = numpy\n\nimages from files\nrandom numbers"),
        (6.1, plots.GREEN, '"gpu"', "cupy.ndarray\nxp = cupy\n\nweights, gradients\na batch of images")):
    axes.bar(left, 3.2, 3.8, align="edge", color=color, alpha=0.15)
    axes.text(left + 1.9, 3.4, f"device {name}", ha="center", weight="bold")
    axes.text(left + 1.9, 1.6, text, ha="center", va="center")
for y, start, end, text in ((2.2, 4.0, 6.0, 'x.to("gpu")'), (0.9, 6.0, 4.0, "x.numpy()")):
    axes.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "-|>"})
    axes.text(5, y + 0.18, text, ha="center", family="monospace")
axes.figure

# %% [markdown]
# Both arrows are copies. So is `x.to("cpu")`, which returns a Tensor where `x.numpy()` returns an array. There is no
# other way between the two memories, and you write the copy yourself: a hidden copy would be slow, and you would not
# see why.

# %% [markdown]
# ## Predict
#
# `n` is a NumPy array, `c` is a CuPy array. Which module computes, and where is the result?
#
# 1. `n * n`
# 2. `c * 2.0`
# 3. `c * n`
# 4. `c * n.mean()`, where `n.mean()` is a NumPy number
#
# <details><summary>Answer</summary>
#
# 1. NumPy, on the CPU.
# 2. CuPy, on the GPU. A Python number belongs to no device: it works with any array.
# 3. Neither. It is an error. Which of the two should be copied? The library cannot know what you want, so it asks you.
# 4. CuPy, if you write it with Tensors: a NumPy *number* (a scalar, not an array) becomes a Python number first.
#
# So **the data decides**. There is no switch that says "we are on the GPU now". A switch can be wrong; the type of an
# array cannot.
#
# </details>

# %% [markdown]
# ## Build
#
# An op in minimixer is a pair of functions of arrays. They import no array module. They are *given* one, as the first
# argument. This is the forward function of GELU, $y = \frac{1}{2} x (1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\, x^3)))$:


# %%
def gelu_forward(xp, x):
    inside = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))      # (...)  operators: the array knows them
    return 0.5 * x * (1 + xp.tanh(inside))                              # (...)  a function: xp knows it


x = np.linspace(-3, 3, 7)
print(gelu_forward(np, x).round(4))

# %% [markdown]
# With a GPU you would now write `gelu_forward(cupy, cupy.asarray(x))`. You may not have one. So we **build a second
# device**, as minimixer's tests do. Its arrays are NumPy arrays in a box, and the box refuses whatever a GPU cannot do.
# We call it `"far"`: NumPy cannot reach its memory.


# %%
class FarArray:
    """An array in another memory."""

    __array_ufunc__ = None                      # refuse NumPy functions, such as np.exp(x)
    T = property(lambda self: FarArray(self.host.T))

    def __init__(self, host):
        self.host = host                        # only the copies between devices may look here
        self.shape, self.ndim, self.size, self.dtype = host.shape, host.ndim, host.size, host.dtype

    def __array__(self, *_, **__):              # refuse np.asarray(x)
        raise TypeError("a far array is never copied to the CPU silently")


# %% [markdown]
# Now its functions. Each one opens the boxes, computes, and puts the result into a new box. It refuses a NumPy array
# among its operands, but accepts a number.


# %%
def open_box(thing):
    if isinstance(thing, np.ndarray):
        raise TypeError(f"a NumPy array of shape {thing.shape} met a far array")
    return thing.host if isinstance(thing, FarArray) else thing


def far_function(function):
    return lambda *operands, **options: FarArray(np.asarray(function(*map(open_box, operands), **options)))


for name in ("add", "radd", "iadd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "matmul", "neg", "eq",
             "getitem"):
    setattr(FarArray, f"__{name}__", far_function(getattr(np.ndarray, f"__{name}__")))
for name in ("sum", "mean", "max", "reshape", "swapaxes", "astype"):
    setattr(FarArray, name, far_function(getattr(np.ndarray, name)))

# %% [markdown]
# And the module `far`: it has a function under every NumPy name, as CuPy has under most of them. `register` makes the
# device known to minimixer.


# %%
class FarModule(types.ModuleType):
    def __getattr__(self, name):
        return far_function(getattr(np, name))


far = FarModule("far")
backend.register(backend.Device("far", far, FarArray, to_device=lambda host: FarArray(host.copy()),
                                to_numpy=lambda array: array.host.copy(), erf=None))
far_x = backend.to_device(x, "far")
print(type(far_x).__name__, far_x.shape)

# %% [markdown]
# **The same op, two array modules.** Not a line of it changes.

# %%
near_y = gelu_forward(np, x)
far_y = gelu_forward(far, far_x)
print(type(near_y).__name__, "and", type(far_y).__name__)
print("equal:", np.array_equal(near_y, backend.to_numpy(far_y)))

# %% [markdown]
# **Your turn.** Write an op for every device: set `softplus` to a function of `xp` and `x` that returns $\ln(1 + e^x)$.
# It must also be right for 1000, where $e^x$ overflows: use $\max(x, 0) + \ln(1 + e^{-|x|})$.
#
# <details><summary>Solution</summary>
#
# ```python
# def softplus(xp, x):
#     return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))            # (...)
# ```
#
# </details>

# %% tags=["your-turn"]
softplus = ...


# %%
def works_on_both(answer):
    points = np.array([-1000.0, -1.0, 0.0, 2.0, 1000.0])
    near, away = answer(np, points), answer(far, backend.to_device(points, "far"))
    if not isinstance(away, FarArray):
        return f"given a far array it returns {type(away).__name__}, expected FarArray: use xp for every function"
    right = np.logaddexp(0, points)
    return bool(np.allclose(near, right) and np.allclose(backend.to_numpy(away), right))


mm.exercises.turn(softplus, right=works_on_both)

# %% [markdown]
# ## Check
#
# **First check: the library's op.** `gradcheck` copies its points to any device and compares the gradient there with
# finite differences.

# %%
y_of_library, _ = gelu.GELU.forward(far, far_x)
print("as ours:", np.allclose(backend.to_numpy(y_of_library), near_y))
print("gradient on the cpu:", mm.gradcheck(mm.functional.gelu, x).ok)
print("gradient on far:    ", mm.gradcheck(mm.functional.gelu, x, device="far").ok)

# %% [markdown]
# **Second check: the library's files.** Who passes `xp` to an op? `apply`, in `minimixer/tensor.py`. It asks the
# operands, with the line `xp = array_module(*arrays)`. Here is this function, from `minimixer/backend.py`:

# %%
print(inspect.getsource(backend.array_module))
print(inspect.getsource(backend._find_module))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `types = tuple(map(type, operands))` | only the *classes* of the operands matter, for example (ndarray, float) |
# | `if types not in _by_types` | a dictionary remembers the answer: every op asks, thousands of times per run |
# | `for x in operands if not isinstance(x, (int, float))` | Python numbers have no device |
# | `device_of(x)` | looks up the class: `numpy.ndarray` is "cpu", `cupy.ndarray` is "gpu" |
# | `if len(devices) > 1` | two devices: an error that names both, and the cure |
# | `next(iter(devices.values()), CPU).xp` | the one device, or the CPU if there were only numbers |
#
# Ask it the four questions from "Predict":

# %%
print(backend.array_module(x, x).__name__)
print(backend.array_module(far_x, 2.0).__name__)
try:
    backend.array_module(far_x, x)
except backend.DeviceError as refusal:
    print(refusal)
print((mm.Tensor(far_x) * x.mean()).device)

# %% [markdown]
# ## Break it
#
# We write a new op, $y = x\,\sigma(x)$ with $\sigma(x) = 1 / (1 + e^{-x})$. It has one mistake: `np.exp` instead of
# `xp.exp`.


# %%
class Swish(Op):
    @staticmethod
    def forward(xp, x):
        s = 1 / (1 + np.exp(-x))                # (...)  the bug: np, not xp
        return x * s, (x, s)

    @staticmethod
    def backward(xp, gy, x, s):
        return gy * (s + x * s * (1 - s))


print("on the cpu:", mm.gradcheck(lambda x: apply(Swish, x), x).ok)
try:
    mm.gradcheck(lambda x: apply(Swish, x), x, device="far")
except TypeError as refusal:
    print("on far:", refusal)

# %% [markdown]
# **Symptom.** On the CPU everything is right: there, `xp` *is* `np`. All tests pass, and the bug reaches the first user
# with a GPU. CuPy is kinder than our box: it intercepts `np.exp(c)` and calls `cupy.exp`. But it cannot do so when
# NumPy *creates* an array: `np.arange(3)` has no GPU array among its arguments. Its result then meets one:


# %%
def with_positions(xp, x):
    return x + np.arange(x.shape[-1])           # the bug: xp.arange


print("numpy:", with_positions(np, x).round(1))
try:
    with_positions(far, far_x)
except TypeError as refusal:
    print("far:  ", refusal)

# %% [markdown]
# **Your turn.** Repair `with_positions`: set `repaired` to a function of `xp` and `x` that adds 0, 1, 2, ... along the
# last axis, on either device.
#
# <details><summary>Solution</summary>
#
# ```python
# def repaired(xp, x):
#     return x + xp.arange(x.shape[-1])       # (...)
# ```
#
# </details>

# %% tags=["your-turn"]
repaired = ...

# %%
mm.exercises.turn(repaired, right=lambda answer: np.array_equal(
    answer(np, x), backend.to_numpy(answer(far, far_x))) and np.array_equal(answer(np, x), x + np.arange(7)))

# %% [markdown]
# **Cure.** In `forward` and `backward` use only `xp`, operators and array methods. And run every test on a device that
# refuses everything else. In minimixer, every test of an op also runs on a stand-in like ours, only more complete
# (`tests/support/standin.py`), so the bug is found on a machine without a GPU.
#
# The second kind of mix-up is not in an op, but in your own code: the model is on one device, the images on the other.

# %%
layer = mm.nn.Linear(4, 2, mm.nn.lecun_normal(np.random.default_rng(0))).to("far")
batch = mm.Tensor(np.ones((3, 4), np.float32))                  # (B, C) = (3, 4), on the CPU
try:
    layer(batch)
except backend.DeviceError as refusal:
    print(refusal)
print("fixed:", layer(batch.to("far")).shape)

# %% [markdown]
# ## Use it
#
# **A whole Mixer on our far device.** Nobody has prepared `MlpMixer` for it. All its ops take `xp`, so it computes
# there, forward and backward. We compare with the CPU.


# %%
def logits_and_gradient(device):
    model = mm.nn.mixer("pico", seed=0)                         # drawn on the CPU, for every device
    model.head.weight.data = np.random.default_rng(1).standard_normal((64, 10), np.float32)
    images = np.random.default_rng(2).random((2, 32, 32, 3), np.float32)
    model.to(device)
    logits = model(mm.Tensor(images).to(device))                # (B, K) = (2, 10)
    loss = mm.functional.cross_entropy(logits, mm.Tensor(np.array([3, 7])).to(device))
    gradient = mm.grad(loss, [model.stem.weight])[0]
    return logits.numpy(), backend.to_numpy(gradient), type(gradient).__name__


on_cpu, on_far = logits_and_gradient("cpu"), logits_and_gradient("far")
print("the gradient is a", on_cpu[2], "and a", on_far[2])
print("same logits:  ", np.allclose(on_cpu[0], on_far[0], atol=1e-4))
print("same gradient:", np.allclose(on_cpu[1], on_far[1], atol=1e-4))

# %% [markdown]
# The last digits differ, because on the CPU minimixer uses faster forms of its ops (lesson 23), which add in a
# different order. A GPU adds in yet another order. So compare two devices with a tolerance, never with `==`.
#
# **The weights are the same**, because *NumPy draws all random numbers, on the CPU*, and they are then copied. CuPy's
# generators give different numbers for the same seed: a bug would look like bad luck.
#
# **Where NumPy and CuPy really differ.** The same name does not always mean the same thing.
#
# | | NumPy | CuPy | what minimixer does |
# | --- | --- | --- | --- |
# | copy to the CPU | nothing to do | `np.asarray(c)` raises | `to_device`, `to_numpy`, nothing else |
# | index out of range | IndexError | no error: it wraps around | checks class numbers while they are on the CPU |
# | sum of all | a NumPy number | an array without axes, on the GPU | reads a number only to print it |
# | erf | none (SciPy has it) | in `cupyx.scipy.special` | one function in `backend.py` |
# | when is it done? | after the line | later: Python does not wait | `synchronize` before reading a clock |
#
# The third and the fifth row belong together. `float(loss)` makes the CPU wait until the GPU is done. If this happens
# in every step, it costs speed: the GPU has nothing to do while Python prepares the next step.

# %% [markdown]
# **Your turn.** One trap is the same on both devices. `w` has the dtype float32. Which dtypes have `w * 2.0`,
# `w * np.float32(2)` and `w * np.float64(2)`? Set `dtypes` to three texts, such as `("int64", "int64", "int64")`.
#
# <details><summary>Solution</summary>
#
# ```python
# dtypes = ("float32", "float32", "float64")
# ```
#
# </details>

# %% tags=["your-turn"]
dtypes = ...

# %%
w = np.ones(3, np.float32)
mm.exercises.turn(dtypes, right=tuple(str(y.dtype) for y in (w * 2.0, w * np.float32(2), w * np.float64(2))),
                  hint="a Python number adopts the dtype of the array; a NumPy number has one of its own")

# %% [markdown]
# Here is the trap in a formula. Multiply a float32 array by the constant $\sqrt{2}$,
# once as a NumPy number and once as a Python number:

# %%
weights = np.ones(3, np.float32)
print("np.sqrt(2.0):  ", (weights * np.sqrt(2.0)).dtype)
print("math.sqrt(2.0):", (weights * math.sqrt(2.0)).dtype)

# %% [markdown]
# `np.sqrt(2.0)` is a NumPy float64, and it turns the whole result into float64: twice the memory, for every array after
# it. `math.sqrt` returns a Python number, which adopts the type of the array. This is why our `gelu_forward` uses
# `math`.

# %% [markdown]
# ## Exercise
#
# What is your machine, and what could be faster on it? The line `GPU` says which GPU was found, or what is missing.
#
# ```console
# $ minimixer doctor
# ```

# %% [markdown]
# ## Summary
#
# - A device is an array class and its module `xp`. The data decides which one computes.
# - Ops are given `xp`. A line with `np.` in an op is only safe on the CPU.
# - Arrays from two devices in one op are an error. You copy, with `.to(device)` and `.numpy()`.
# - Random numbers come from the CPU, so that two devices start the same training run.
# - You need no GPU to test for one: a box that refuses is enough. It does not tell you about speed.
#
# **What the library does differently:** its stand-in knows which functions CuPy really has, also refuses mixed indices
# and assignments, and records each call that would make the CPU wait. For a real GPU, some ops have another form,
# `cuda.py` in the op's folder, with its CUDA code in `kernel.cu` beside it. `apply` finds it in a registry, and the op
# you read stays as it is.
