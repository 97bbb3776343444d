# %% [markdown]
# # 02 Autograd: the tape
#
# - **Time:** 28 minutes to read, 35 to do, 8 seconds of computing (measured on 2 cores)
# - **Needs:** lesson 01, the chain rule of calculus
# - **Previous:** [01 Tensors, shapes, broadcasting](01_tensors.ipynb)
# - **Next:** [03 Finite differences](03_finite_differences.ipynb)

# %% [markdown]
# ## Goal
#
# After this lesson you can
#
# 1. compute the gradient of any formula made of sums and products with a 16-line **tape** that you write yourself,
# 2. train a small neural network with nothing but this tape, and watch it learn,
# 3. explain why we walk the tape **backward**, and in which order,
# 4. read `minimixer/autograd.py`, the library's whole engine.

# %%
import inspect

import numpy as np

import minimixer as mm
from minimixer import autograd, plots

# %% [markdown]
# ## Picture
#
# Two numbers go in, `x` and `w`. Three operations follow. `x` is used twice, and so is `y`.

# %%
x = mm.Tensor(np.array(2.0), requires_grad=True)
w = mm.Tensor(np.array(3.0), requires_grad=True)
y = x * w                   # 6
z = y + x                   # 8
loss = z * y                # 48
plots.graph(loss, {"x": x, "w": w, "y": y, "z": z, "loss": loss})

# %% [markdown]
# This is the **computation graph**. Orange boxes are **leaves**: Tensors that you made. Blue boxes are operations. Each
# arrow means: this number is used here. `()` is the shape of a single number.
#
# Each operation knows one small rule, its **local** derivatives. Let $g$ be the gradient of the loss with respect to
# the *result* of the operation. The rule then gives the gradients of its *arguments*:
#
# | operation | gradient of $a$ | gradient of $b$ |
# | --- | --- | --- |
# | $a + b$ | $g$ | $g$ |
# | $a \cdot b$ | $g \cdot b$ | $g \cdot a$ |
#
# This is one step of the chain rule. A gradient comes in from the right, and gradients go out to the left.

# %% [markdown]
# ## Predict
#
# Start with 1 at `loss` (the gradient of the loss with respect to itself). Walk from right to left with a pencil.
#
# 1. What is the gradient of `z`?
# 2. `y` is used twice, so two gradients arrive. What are they, and what is the gradient of `y`?
# 3. What is the gradient of `x`?
# 4. Which operation must run its rule first: the one that made `y`, or the one that made `z`?
#
# <details><summary>Answer</summary>
#
# 1. `loss = z * y`, so the gradient of `z` is $1 \cdot y = 6$.
# 2. `loss = z * y` sends $1 \cdot z = 8$. `z = y + x` sends the gradient of `z`, 6. Together 14.
# 3. `y = x * w` sends $14 \cdot w = 42$. `z = y + x` sends 6. Together 48.
# 4. The one that made `z`. The gradient of `y` is complete only after `z` has sent its part.
#
# </details>

# %% [markdown]
# ## Build
#
# We record what happens on a **tape**, a list. Every operation computes its result and appends one entry: the result,
# the arguments, and the local rule.


# %%
class Value:
    """A number that remembers its gradient."""

    def __init__(self, data, tape=None):
        self.data, self.grad, self.tape = data, 0.0, tape


def record(tape, data, arguments, rule):
    """Record one operation on the tape and return its result."""
    result = Value(data, tape)
    tape.append((result, arguments, rule))
    return result


def multiply(tape, a, b):
    return record(tape, a.data * b.data, (a, b), lambda g: (g * b.data, g * a.data))


def add(tape, a, b):
    return record(tape, a.data + b.data, (a, b), lambda g: (g, g))


# %% [markdown]
# To get gradients, walk the tape **backward**. Each entry takes the gradient of its result and passes gradients to its
# arguments.


# %%
def walk_back(tape, result):
    result.grad = 1.0
    for made, arguments, rule in reversed(tape):
        for argument, g in zip(arguments, rule(made.grad), strict=True):
            argument.grad = argument.grad + g           # add: an argument may be used several times


def example(walk):
    """The graph above; returns the gradients of x and w."""
    tape, vx, vw = [], Value(2.0), Value(3.0)
    vy = multiply(tape, vx, vw)
    vz = add(tape, vy, vx)
    walk(tape, multiply(tape, vz, vy))
    return vx.grad, vw.grad


print("gradient of x: {}, of w: {}".format(*example(walk_back)))

# %% [markdown]
# That is automatic differentiation. Three questions remain.
#
# **Why do we add?** For the reason given in lesson 01. `x` is used in two places, and it changes the loss through both.
# The effects add up.
#
# **Why backward?** We could also go forward: move `x` a little, and follow the change to the right. But that gives the
# gradient of only *one* input per pass. A Mixer has a million parameters and *one* loss. Going backward, one pass gives
# all million gradients, because every operation passes on gradients of that one number.

# %%
model = mm.nn.mixer("micro")
print(f"forward: {model.num_parameters():,} passes, backward: 1 pass")

# %% [markdown]
# **Why in reverse order of recording?** A rule may run only when its gradient is **complete**. That means: after all
# operations that *use* the result. Those were recorded *later*, so going backward they come *earlier*. An order with
# this property is called a **topological order**.
#
# What if we ignore the order? We could follow every arrow at once and pass on each part of a gradient as soon as it
# arrives. Local rules are linear, so the sum is still right. But count the rules that run. In the chain below, each
# value is used twice, as in a skip connection. Every step doubles the number of paths.


# %%
def calls_without_order(steps):
    """Count the rules that run if a walk follows each arrow at once, through `steps` times x = x + x."""
    return 0 if steps == 0 else 1 + 2 * calls_without_order(steps - 1)


steps = np.arange(1, 17)
plots.lines(steps, {"every path separately": [calls_without_order(n) for n in steps], "topological order": steps},
            xlabel="skip connections in a row", ylabel="rules that run", log="y")

# %% [markdown]
# A Mixer-B has 12 blocks with 2 skip connections each, 24 in all. Without the order, that means 17 million rules
# instead of 24. The order is not just for elegance.

# %% [markdown]
# **Your engine learns.** Can so small a tape train a neural network? It can. First, make it comfortable. For `a + b`,
# Python calls `a.__add__(b)`. So we teach a `Value` to record itself on its own tape:

# %%
Value.__add__ = lambda a, b: add(a.tape, a, b)
Value.__mul__ = lambda a, b: multiply(a.tape, a, b)

tape = []
p, q = Value(2.0, tape), Value(3.0, tape)
walk_back(tape, (p * q + p) * (p * q))                  # the example again; p * q is computed twice
print("gradients:", p.grad, q.grad)

# %% [markdown]
# The network needs three more operations. Its data will be one array per feature, with one number for each of the n
# points: shape (n,).
#
# - `spread` repeats one weight for all n points. Lesson 01: what is repeated forward is summed backward.
# - `mean` turns n errors into one loss. Each error has a share of 1/n in it.
# - `tanh` bends a straight line. Its derivative is $1 - \tanh^2$.

# %% [markdown]
# **Your turn.** Write the local rule of `tanh` before you see it. `g` is the gradient of the result, and `t` is the
# result itself, $\tanh(a)$. Return the gradient of $a$.
#
# <details><summary>Solution</summary>
#
# ```python
# def tanh_rule(g, t):
#     return g * (1 - t * t)
# ```
#
# </details>

# %% tags=["your-turn"]
def tanh_rule(g, t):
    ...


# %%
inputs = np.linspace(-2, 2, 9)
mm.exercises.turn(tanh_rule, right=lambda rule: np.allclose(rule(3.0, np.tanh(inputs)), 3 / np.cosh(inputs) ** 2)
                  or "The rule must return g times the derivative, 1 minus the square of t.")


# %%
def spread(tape, a, n):
    return record(tape, np.full(n, a.data), (a,), lambda g: (g.sum(),))


def mean(tape, a):
    n = len(a.data)
    return record(tape, a.data.mean(), (a,), lambda g: (np.full(n, g / n),))


def tanh(tape, a):
    t = np.tanh(a.data)
    return record(tape, t, (a,), lambda g: (g * (1 - t * t),))


# %% [markdown]
# **The task**: two moons, 200 points in the plane, on two half circles with some noise. Each point has a target: +1 on
# the upper moon and -1 on the lower one. No straight line separates them.


# %%
def two_moons(n):
    rng = np.random.default_rng(0)
    upper, angle = np.arange(n) % 2 == 0, rng.uniform(0, np.pi, n)
    px = np.where(upper, np.cos(angle), 1 - np.cos(angle)) + 0.12 * rng.standard_normal(n)
    py = np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) + 0.12 * rng.standard_normal(n)
    return px, py, np.where(upper, 1.0, -1.0)


px, py, target = two_moons(200)                         # (200,) each

# %% [markdown]
# **The network** has one row of hidden units. Unit $k$ computes $\tanh(a_k p_x + b_k p_y + c_k)$. Their weighted sum is
# $z$, one number per point. The answer is the sign of $z$. The loss is the mean of $(z - \text{target})^2$.


# %%
def net(tape, weights, px, py):
    """z for each point, (n,); four weights for each hidden unit, and one more."""
    x1, x2 = Value(px, tape), Value(py, tape)
    many = [spread(tape, weight, len(px)) for weight in weights]        # (n,) each
    z = many[-1]
    for a, b, c, d in zip(*[iter(many[:-1])] * 4, strict=True):
        z = z + tanh(tape, a * x1 + b * x2 + c) * d
    return z


def slopes(numbers, walk):
    """The gradient of the loss for each weight."""
    tape = []
    weights = [Value(number, tape) for number in numbers]
    error = net(tape, weights, px, py) + Value(-target, tape)
    walk(tape, mean(tape, error * error))
    return np.array([weight.grad for weight in weights])


# %% [markdown]
# **Learning** is one line: move every weight a little against its gradient. We keep the weights of every step.


# %%
def learn(hidden, steps=1000, rate=0.1, walk=walk_back):
    history = [np.random.default_rng(1).standard_normal(4 * hidden + 1)]
    for _ in range(steps):
        history.append(history[-1] - rate * slopes(history[-1], walk))
    return history


def share_right(numbers):
    z = net([], [Value(number) for number in numbers], px, py).data
    return np.mean((z > 0) == (target > 0))


history = learn(hidden=8)
print(f"{len(history[0])} weights; points that are right: {share_right(history[0]):.1%} before training, "
      f"{share_right(history[-1]):.1%} after {len(history) - 1} steps")

# %% [markdown]
# Draw what the network answers at every place of the plane. The line between the two colors is its **boundary**:

# %%
drawing = plots.figure(11, 1.9, alt="Five drawings of the two moons and the network's boundary, after 0, 10, 100, "
                           "300 and 1000 steps. It moves, and bends into the gap between the moons.")
grid = np.meshgrid(np.linspace(-1.5, 2.5, 81), np.linspace(-1.1, 1.6, 55))       # two arrays (55, 81)
for panel, step in zip(drawing.subplots(1, 5), (0, 10, 100, 300, 1000), strict=True):
    z_grid = net([], [Value(number) for number in history[step]], *map(np.ravel, grid)).data.reshape(55, 81)
    panel.contourf(*grid, z_grid, levels=[-1e9, 0, 1e9], colors=[plots.ORANGE, plots.BLUE], alpha=0.25)
    panel.scatter(px, py, s=4, c=np.where(target > 0, plots.BLUE, plots.ORANGE))
    panel.set(title=f"{step} steps: {share_right(history[step]):.1%}", xticks=[], yticks=[], aspect="equal")
drawing

# %% [markdown]
# You have just trained a neural network with an engine of your own. Before training, it gives the same answer
# everywhere, and 50 % of the points are right. Then a boundary appears, moves, and bends into the gap between the
# moons. After 1000 steps, 100 % are right. There are only 33 weights. <!-- printed -->

# %% [markdown]
# **Your turn.** How many points can a network with a *single* hidden unit get right? What shape does its boundary have?
# Think first. Then train one, and set `single` to its share of right points.
#
# <details><summary>Solution</summary>
#
# ```python
# # tanh only rises, so z changes its sign along one straight line.
# single = share_right(learn(hidden=1)[-1])
# ```
#
# </details>

# %% tags=["your-turn"]
single = ...

# %%
mm.exercises.turn(single, right=174 / 200, hint="learn returns the weights after each step; take the last.")

# %% [markdown]
# ## Check
#
# **First check: finite differences.** The loss is $(xw + x) \cdot xw$. Move `x`, then `w`.


# %%
def formula(a, b):
    return (a * b + a) * (a * b)


step = 1e-5
print("x:", round((formula(2 + step, 3) - formula(2 - step, 3)) / (2 * step), 6))
print("w:", round((formula(2, 3 + step) - formula(2, 3 - step)) / (2 * step), 6))
print("minimixer's own check:", mm.gradcheck(formula, np.array(2.0), np.array(3.0)).ok)

# %% [markdown]
# **Second check: the library.** The same graph gives the same numbers.

# %%
loss.backward()
print("gradient of x:", x.grad, " of w:", w.grad)
assert (x.grad, w.grad) == example(walk_back)

# %% [markdown]
# Now read the engine, `minimixer/autograd.py`. An entry on our tape was `(result, arguments, rule)`. In minimixer it is
# a `Node`:

# %%
print(inspect.getsource(autograd.Node))

# %% [markdown]
# | our tape | `Node` |
# | --- | --- |
# | `rule`, a lambda that remembers `a` and `b` | `run.backward` (`run`: the form that ran), and `saved` |
# | `arguments` | `edges`: the Nodes that made the arguments, or the leaves |
# | `result` | only its `shape` and `dtype` |
#
# **There is no list.** Each Node points to the Nodes *before* it, and the last Tensor, `loss`, holds the graph. When
# you drop `loss`, Python frees the whole graph. Our tape would grow forever, until somebody empties it.
#
# **A Node never points to its result.** If it did, the result and the Node would point at each other, and Python could
# not free them by counting references. On a GPU full of arrays you would notice.
#
# Without a list, where does the order come from? The engine **counts**. First it counts, for each Node, how many arrows
# reach it from the right:

# %%
print(inspect.getsource(autograd._count_consumers))

# %% [markdown]
# Then it walks. A Node becomes `ready` when as many gradients have arrived as were counted. Its gradient is then
# complete, so the order is topological.

# %%
print(inspect.getsource(autograd._walk))

# %% [markdown]
# Read it in four steps:
#
# 1. `node = ready.pop()`: take a Node whose gradient is complete. This is a loop and not recursion, because Python
#    stops recursion after 1000 calls, and graphs can be longer.
# 2. `node.run.backward(...)`: run the local rule. Then `node.saved = None`: these arrays are no longer needed, so their
#    memory is freed long before the walk ends.
# 3. The three cases for `gradients[edge]`: the first gradient to arrive is only stored. The second one allocates a new
#    array for the sum, which now belongs to the engine (`owned`). From the third one on, the engine adds in place. It
#    never writes into an array that an operation still uses.
# 4. `waiting[edge] -= 1`: one arrow fewer. At zero, the gradient is complete.

# %% [markdown]
# ## Break it
#
# The classic bug is one missing `+`. The walk *sets* the gradient instead of *adding* to it.


# %%
def walk_back_wrong(tape, result):
    result.grad = 1.0
    for made, arguments, rule in reversed(tape):
        for argument, g in zip(arguments, rule(made.grad), strict=True):
            argument.grad = g                           # the bug: the first part is lost


print("right: x {}, w {}".format(*example(walk_back)))
print("wrong: x {}, w {}".format(*example(walk_back_wrong)))

# %% [markdown]
# **Symptom.** No error. In a simple chain, where each value is used once, the gradients are right. They go wrong where
# a value is used twice, and stay wrong for everything before it: `w` is used once, but it gets 12 instead of 28,
# because the gradient of `y` has lost a part. In a Mixer this affects every skip connection, `x = x + f(x)`. One of the
# two paths is lost: the network still learns a little, but badly. <!-- printed -->


# %%
def chain(walk, skips):
    """Gradient of x after `skips` times x = x + 0.1 x: it should be 1.1 to the power of `skips`."""
    tape, start, tenth = [], Value(1.0), Value(0.1)
    v = start
    for _ in range(skips):
        v = add(tape, v, multiply(tape, v, tenth))
    walk(tape, v)
    return start.grad


for skips in (1, 2, 4, 8):
    print(f"{skips} skips: right {chain(walk_back, skips):.4f}, wrong {chain(walk_back_wrong, skips):.4f}")

# %% [markdown]
# **Your turn.** Suppose you had trained the two moons with `walk_back_wrong`. Look at `slopes` and `net`: which values
# between a weight and the loss are used twice? Each gradient of a weight is multiplied by the same wrong factor. Set
# `factor` to it.
#
# <details><summary>Solution</summary>
#
# ```python
# # Only `error` is used twice, in error * error; one of two equal parts is lost.
# factor = 0.5
# ```
#
# </details>

# %% tags=["your-turn"]
factor = ...

# %%
ratio = slopes(history[0], walk_back_wrong) / slopes(history[0], walk_back)         # one for each weight
mm.exercises.turn(factor, right=ratio.mean(), hint="a weight reaches the loss on one path, until the error is squared.")

# %% [markdown]
# So there the wrong walk would be the right walk with half the rate, and you would never notice. This is what makes the
# bug dangerous: whether it shows depends on the network.

# %% [markdown]
# ## Use it
#
# Here are four facts about gradients in minimixer. Each one surprises many users.
#
# **1. `backward()` adds into `.grad`.** Two calls give the sum. `mm.grad` returns the gradients and leaves `.grad`
# alone; minimixer's trainer uses it.

# %%
a = mm.Tensor(np.array([1.0, 2.0]), requires_grad=True)
(a * a).sum().backward()
print("after one call: ", a.grad)
(a * a).sum().backward()
print("after two calls:", a.grad)
print("mm.grad:        ", mm.grad((a * a).sum(), [a])[0])

# %% [markdown]
# **2. A graph can be walked once.** The saved arrays are freed on the way.

# %%
total = (a * a).sum()
gradient = mm.grad(total, [a])
try:
    total.backward()
except RuntimeError as refusal:
    print(refusal)

# %% [markdown]
# **3. Inside `no_grad()` nothing is recorded.** Use it for evaluation: it saves time and memory.

# %%
with mm.no_grad():
    silent = (a * a).sum()
print("recorded:", silent.node is not None)

# %% [markdown]
# **4. A Tensor cannot be changed in place.** A rule may still need the old numbers.

# %%
try:
    a[0] = 5.0
except TypeError as refusal:
    print(refusal)

# %% [markdown]
# Here is the graph of a real layer with a loss. The names are those in `minimixer/ops`.

# %%
layer = mm.nn.Linear(3, 2, mm.nn.lecun_normal(np.random.default_rng(0)))
image = mm.Tensor(np.ones((4, 3), np.float32))                     # (B, C)
hidden = mm.functional.gelu(layer(image))                          # (B, 2)
plots.graph((hidden * hidden).mean(), {"weight": layer.weight, "bias": layer.bias, "hidden": hidden})

# %% [markdown]
# `image` is not in the graph: nobody asked for its gradient.

# %% [markdown]
# ## Exercise
#
# Write the walk over a graph whose Nodes point to their arguments, with no tape to give you the order.
#
# ```console
# $ minimixer exercises start ex02
# ```

# %% [markdown]
# ## Summary
#
# - Every operation knows one local rule: from the gradient of its result to the gradients of its arguments.
# - Where a value is used several times, its gradients are **added**.
# - We go backward because there is one loss and there are many parameters: one pass gives all gradients.
# - We go in topological order because a rule needs the complete gradient and should run only once.
#
# **What the library does differently:** instead of a tape, it has Nodes that point backward, so the graph is freed with
# the loss; the order comes from counting arrows; sums are added in place only in memory that the engine owns.
