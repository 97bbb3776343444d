# %% [markdown]
# # 11 One code, two devices
#
# - **Time:** 12 minutes, 5 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 05 and 09; no GPU
# - **Previous:** [10 Training: loss, AdamW, learning rate](10_training.ipynb)
# - **Next:** [12 Making it fast](12_speed.ipynb)

# %% [markdown]
# ## Goal
#
# A GPU has its own memory. Arrays in it are not NumPy arrays. The library **CuPy** has arrays for NVIDIA GPUs, and
# functions with the names of NumPy's: `numpy.tanh` and `cupy.tanh`. After this lesson you can
#
# 1. explain how one file computes on a CPU and on a GPU, without one `if gpu`,
# 2. read `array_module`, the function that chooses between NumPy and CuPy,
# 3. find bugs that only show on a GPU, on a machine that has none.

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
# What is there on your machine? `choose_device` says which device a training takes, and why. `auto` means: the GPU
# where there is one.

# %% tags=["measured"]
print(backend.choose_device("auto"))

# %% [markdown]
# ## Picture
#
# A device is a memory, the class of the arrays in it, and the module that computes with them. By custom this module is
# called **xp**: it is `numpy` or `cupy`, and `xp.tanh(x)` is right in both cases.

# %%
axes = plots.figure(8.4, 2.7).subplots()
axes.set(xlim=(0, 10), ylim=(0, 4))
axes.set_axis_off()
for left, colour, name, text in (
        (0.1, plots.BLUE, '"cpu"', "numpy.ndarray\nxp = numpy\n\npictures from files\nrandom numbers"),
        (6.1, plots.GREEN, '"gpu"', "cupy.ndarray\nxp = cupy\n\nweights, gradients\na batch of pictures")):
    axes.bar(left, 3.2, 3.8, align="edge", color=colour, alpha=0.15)
    axes.text(left + 1.9, 3.4, f"device {name}", ha="center", weight="bold")
    axes.text(left + 1.9, 1.6, text, ha="center", va="center")
for y, start, end, text in ((2.2, 4.0, 6.0, 'x.to("gpu")'), (0.9, 6.0, 4.0, "x.numpy()")):
    axes.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "-|>"})
    axes.text(5, y + 0.18, text, ha="center", family="monospace")
axes.figure

# %% [markdown]
# The two arrows are copies, and so is `x.to("cpu")`, which gives a Tensor where `x.numpy()` gives an array. There is no
# other way between the two memories, and you write it yourself: a hidden copy would be slow, and you would not see why.

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
# 2. CuPy, on the GPU. A Python number belongs to no device: it goes with every array.
# 3. None. It is an error. Which of the two should be copied? The library cannot know what you want, so it asks you.
# 4. CuPy, if you write it with Tensors: a NumPy *number* (a scalar, not an array) becomes a Python number first.
#
# So **the data decide**. There is no switch "we are on the GPU now". A switch can be wrong, the type of an array
# cannot.
#
# </details>

# %% [markdown]
# ## Build
#
# An op of minimixer is a pair of functions of arrays. They import no module for arrays. They are *given* one, as the
# first argument. This is the forward function of GELU, $y = \frac{1}{2} x (1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,
# x^3)))$:


# %%
def gelu_forward(xp, x):
    inside = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))      # (...)  operators: the array knows them
    return 0.5 * x * (1 + xp.tanh(inside))                              # (...)  a function: xp knows it


x = np.linspace(-3, 3, 7)
print(gelu_forward(np, x).round(4))

# %% [markdown]
# With a GPU you would now write `gelu_forward(cupy, cupy.asarray(x))`. You may have none. So we **build a second
# device**, as the tests of minimixer do. Its arrays are NumPy arrays in a box, and the box refuses what a GPU cannot
# do. We call it `"far"`: NumPy cannot reach its memory.


# %%
class FarArray:
    """An array in another memory."""

    __array_ufunc__ = None                      # functions of NumPy, np.exp(x), are refused
    T = property(lambda self: FarArray(self.host.T))

    def __init__(self, host):
        self.host = host                        # only the copies between the devices may look here
        self.shape, self.ndim, self.size, self.dtype = host.shape, host.ndim, host.size, host.dtype

    def __array__(self, *_, **__):              # np.asarray(x) is refused
        raise TypeError("a far array is not copied to the CPU silently")


# %% [markdown]
# Now its functions. Each one opens the boxes, computes, and puts the result into a new box. A NumPy array among the
# operands is refused. A number is not.


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
# And the module `far`: it has a function under each name of NumPy's, as CuPy has under most of them. `register` makes
# the device known to minimixer.


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
# **The same op, two array modules.** No line of it changes.

# %%
near_y = gelu_forward(np, x)
far_y = gelu_forward(far, far_x)
print(type(near_y).__name__, "and", type(far_y).__name__)
print("equal:", np.array_equal(near_y, backend.to_numpy(far_y)))

# %% [markdown]
# ## Check
#
# **First check: the op of the library.** `gradcheck` copies its points to any device and compares the gradient there
# with finite differences.

# %%
y_of_library, _ = gelu.Gelu.forward(far, far_x)
print("as ours:", np.allclose(backend.to_numpy(y_of_library), near_y))
print("gradient on the cpu:", mm.gradcheck(mm.functional.gelu, x).ok)
print("gradient on far:    ", mm.gradcheck(mm.functional.gelu, x, device="far").ok)

# %% [markdown]
# **Second check: the files of the library.** Who passes `xp` to an op? `apply`, in `minimixer/tensor.py`. It asks the
# operands, by the line `xp = array_module(*arrays)`. Here is this function, from `minimixer/backend.py`:

# %%
print(inspect.getsource(backend.array_module))
print(inspect.getsource(backend._find_module))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `types = tuple(map(type, operands))` | only the *classes* of the operands matter, for example (ndarray, float) |
# | `if types not in _by_types` | a dictionary remembers the answer: every op asks, thousands of times in a training |
# | `for x in operands if not isinstance(x, (int, float))` | Python numbers have no device |
# | `device_of(x)` | looks up the class: `numpy.ndarray` is "cpu", `cupy.ndarray` is "gpu" |
# | `if len(devices) > 1` | two devices: an error that names both, and the cure |
# | `next(iter(devices.values()), CPU).xp` | the one device, or the CPU if there were numbers only |
#
# Ask it the four questions of "Predict":

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
# We write a new op, $y = x\,\sigma(x)$ with $\sigma(x) = 1 / (1 + e^{-x})$. The one mistake: `np.exp` where `xp.exp`
# must stand.


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
# **Symptom.** On the CPU everything is right: there, `xp` *is* `np`. All tests pass, and the bug travels to the first
# user with a GPU. CuPy is kinder than our box: it catches `np.exp(c)` and calls `cupy.exp`. But it cannot do so when
# NumPy *makes* an array: `np.arange(3)` has no GPU array among its operands. Its result then meets one:


# %%
def with_positions(xp, x):
    return x + np.arange(x.shape[-1])           # the bug: xp.arange


print("numpy:", with_positions(np, x).round(1))
try:
    with_positions(far, far_x)
except TypeError as refusal:
    print("far:  ", refusal)

# %% [markdown]
# **Cure.** In `forward` and `backward` use only `xp`, operators and methods of arrays. And run every test on a device
# that refuses the rest. In minimixer each test of an op runs on a stand-in as ours, only more complete
# (`tests/standin.py`), so the bug is found on a machine without a GPU.
#
# The second mixed pair is not in an op, but in your own code: the model is on one device, the pictures on the other.

# %%
layer = mm.nn.Linear(4, 2, mm.nn.lecun_normal(np.random.default_rng(0))).to("far")
batch = mm.Tensor(np.ones((3, 4), np.float32))                  # (B, C) = (3, 4), on the cpu
try:
    layer(batch)
except backend.DeviceError as refusal:
    print(refusal)
print("cured:", layer(batch.to("far")).shape)

# %% [markdown]
# ## Use it
#
# **A whole Mixer on our far device.** Nobody has prepared `MlpMixer` for it. All its ops take `xp`, so it computes
# there, forward and backward. We compare with the CPU.


# %%
def logits_and_gradient(device):
    model = mm.nn.mixer("pico", seed=0)                         # drawn on the cpu, for every device
    model.head.weight.data = np.random.default_rng(1).standard_normal((64, 10), np.float32)
    pictures = np.random.default_rng(2).random((2, 32, 32, 3), np.float32)
    model.to(device)
    logits = model(mm.Tensor(pictures).to(device))              # (B, K) = (2, 10)
    loss = mm.functional.cross_entropy(logits, mm.Tensor(np.array([3, 7])).to(device))
    gradient = mm.grad(loss, [model.stem.weight])[0]
    return logits.numpy(), backend.to_numpy(gradient), type(gradient).__name__


on_cpu, on_far = logits_and_gradient("cpu"), logits_and_gradient("far")
print("the gradient is a", on_cpu[2], "and a", on_far[2])
print("same logits:  ", np.allclose(on_cpu[0], on_far[0], atol=1e-4))
print("same gradient:", np.allclose(on_cpu[1], on_far[1], atol=1e-4))

# %% [markdown]
# The last digits differ, because on the CPU minimixer takes faster pairs (lesson 12), which add in another order. A GPU
# adds in yet another order. So compare two devices with a tolerance, never with `==`.
#
# **The weights are the same**, because *all random numbers are drawn by NumPy, on the CPU*, and then copied. The
# generators of CuPy give other numbers for the same seed: a bug would look like bad luck.
#
# **Where NumPy and CuPy really differ.** The same name does not always mean the same thing.
#
# | | NumPy | CuPy | what minimixer does |
# | --- | --- | --- | --- |
# | copy to the CPU | nothing to do | `np.asarray(c)` raises | `to_device`, `to_numpy`, nothing else |
# | index out of range | IndexError | no error: it wraps around | looks at class numbers while they are on the CPU |
# | sum of all | a NumPy number | an array without axes, on the GPU | reads no number before it prints one |
# | erf | none (SciPy has it) | in `cupyx.scipy.special` | one function in `backend.py` |
# | when is it done? | after the line | later: Python does not wait | `synchronize` before a clock is read |
#
# The third and the fifth row belong together. `float(loss)` makes the CPU wait until the GPU is ready. Once a step,
# this wait costs speed: the GPU has nothing to do while Python prepares the next step.
#
# **One trap is the same on both, and shows without a GPU.** The constant $\sqrt{2}$ as a number of NumPy and as a
# number of Python, times a float32 array:

# %%
weights = np.ones(3, np.float32)
print("np.sqrt(2.0):  ", (weights * np.sqrt(2.0)).dtype)
print("math.sqrt(2.0):", (weights * math.sqrt(2.0)).dtype)

# %% [markdown]
# `np.sqrt(2.0)` is a float64 of NumPy, and it turns the whole result into float64: twice the memory, for every array
# after it. `math.sqrt` gives a Python number, which takes the type of the array. This is why our `gelu_forward` uses
# `math`.

# %% [markdown]
# ## Exercise
#
# What is your machine, and what would be faster on it? The line `GPU` says which GPU is there, or what is missing.
#
# ```console
# $ minimixer doctor
# ```

# %% [markdown]
# ## Summary
#
# - A device is an array class and its module `xp`. The data decide which one computes.
# - Ops are given `xp`. A line with `np.` in an op is only safe on the CPU.
# - Arrays of two devices in one op are an error. You copy, with `.to(device)` and `.numpy()`.
# - Random numbers come from the CPU, so that two devices start the same training.
# - You need no GPU to test for a GPU: a box that refuses is enough. It does not show speed.
#
# **What the library does differently:** its stand-in knows which functions CuPy really has, refuses mixed indices and
# assignments too, and notes each call for which the CPU would have to wait. For a real GPU, some ops have a second
# pair in `minimixer/kernels/cuda.py`. `apply` finds it in a dictionary, and the op itself stays as it is.
