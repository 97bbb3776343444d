# %% [markdown]
# # 11 The optimizer: from a gradient to a step
#
# - **Time:** 32 minutes to read, 65 to do, 40 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 03 and 10
# - **Previous:** [10 The loss](10_loss.ipynb)
# - **Next:** [12 The run](12_run.ipynb)

# %% [markdown]
# ## Goal
#
# You have a loss and its gradients. How far should each weight move? After this lesson you can
#
# 1. say when a learning rate is too high, and recognize it in a training curve,
# 2. compute one step of AdamW by hand,
# 3. explain what warm-up, cosine and clipping are for,
# 4. say what Muon does to the gradient of a matrix.

# %%
import inspect
import math
import os

import numpy as np

import minimixer as mm
from minimixer import optim, plots

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# An optimizer is given the weights $p$ and their gradient $g$, and returns new weights. AdamW remembers two more
# numbers for each weight: $m$, the mean of its recent gradients, and $v$, the mean of their squares. All four have the
# same shape, here that of a Linear from **in** to **out** features.

# %%
sizes = {"in": 4, "out": 6}
plots.shapes({"p": sizes, "g": sizes, "m": sizes, "v": sizes}, ["and", ",", ","])

# %% [markdown]
# The **learning rate** $\eta$ says how far a step goes. With plain gradient descent it is $p \leftarrow p - \eta\, g$.

# %% [markdown]
# ## Predict
#
# 1. One weight $w$ starts at 1. The loss is $50 w^2$, so the gradient is $100 w$. We use plain gradient descent with
#    the rate 0.03. What is $w$ after one, two and three steps?
# 2. AdamW takes its first step. One weight has the gradient 1000, another 0.001. How many times larger is the step of
#    the first?
# 3. A rate is too high for a Mixer. What do you see in its loss: does it fall slowly, does it rise, is it `nan`?
#
# <details><summary>Answer</summary>
#
# 1. -2, 4, -8. Each step is $w \leftarrow w - 0.03 \cdot 100\, w = -2 w$: it jumps over the minimum and lands further
#    away than before.
# 2. They are equal. Adam divides the mean of the gradient by the root of the mean of its square. You will compute it.
# 3. With AdamW, it rises in the first steps, far above $\ln K$, and then falls slowly. You will see it below.
#
# </details>

# %%
w = [1.0]
for _ in range(3):
    w.append(w[-1] - 0.03 * 100 * w[-1])
print("w:", [round(value, 3) for value in w])

# %% [markdown]
# ## Build
#
# ### Plain gradient descent, and its limit
#
# The loss of question 1 is a narrow valley. Here is $w$ for three rates:

# %%
steps = np.arange(13)
plots.lines(steps, {f"rate {rate}": (1 - 100 * rate) ** steps for rate in (0.005, 0.019, 0.021)},
            xlabel="step", ylabel="w")

# %% [markdown]
# The lowest rate goes down smoothly. The second jumps over the minimum in every step, and still comes nearer. The third
# gets further away each time, until the numbers overflow. Between the last two lies a limit.

# %% [markdown]
# **Your turn.** For the loss $\frac{c}{2} w^2$ the step is $w \leftarrow (1 - \eta c)\, w$. From which rate on does $w$
# no longer come nearer to 0, if $c$ = 100? Set `limit`.
#
# <details><summary>Solution</summary>
#
# ```python
# # w comes nearer if |1 - lr c| < 1, so lr c must be below 2.
# limit = 2 / 100
# ```
#
# </details>

# %% tags=["your-turn"]
limit = ...

# %%
mm.exercises.turn(limit, right=0.02, hint="at this rate, w jumps from 1 to -1 and back")

# %% [markdown]
# $c$ is the **curvature** of the loss. A network has as many curvatures as weights, from tiny to large, and the largest
# one decides which rate is too high for all of them. At that rate, the weights with a small curvature hardly move. So
# we would like a step that suits each weight.
#
# ### AdamW
#
# Some weights of a Mixer have gradients a thousand times larger than others. Adam keeps two means per weight: $m$ of
# the gradient $g$, and $v$ of its square. They are updated at step $n$ = 1, 2, ...:
#
# $$m \leftarrow m + (1 - \beta_1)(g - m) \qquad v \leftarrow v + (1 - \beta_2)(g^2 - v)$$
#
# with $\beta_1$ = 0.9, $\beta_2$ = 0.999. Both start at 0, so they are too small at first: after $n$ steps with the
# same $g$, $m$ is only $(1 - \beta_1^n)\,g$. Dividing by this factor is the **bias correction**. Then, with learning
# rate $\eta$, decay $\lambda$ and a small $\varepsilon$ that prevents division by zero:
#
# $$p \leftarrow (1 - \eta\lambda)\,p - \eta\, \frac{m / (1 - \beta_1^n)}{\sqrt{v / (1 - \beta_2^n)} + \varepsilon}$$
#
# The first part is **weight decay**: each step makes the weight a little smaller. It is *decoupled*: it does not go
# through $m$ and $v$. That is the W in AdamW.


# %%
def adamw(p, g, m, v, n, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.0, correct=True):
    m = m + (1 - beta1) * (g - m)                       # mean of the gradient
    v = v + (1 - beta2) * (g * g - v)                   # mean of its square
    m_hat = m / (1 - beta1**n) if correct else m        # undo the bias of starting at 0
    v_hat = v / (1 - beta2**n) if correct else v
    p = (1 - lr * decay) * p                            # decoupled decay
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


g = np.array([1000.0, 0.001])
print("first step:", (0 - adamw(np.zeros(2), g, 0, 0, n=1)[0]).round(6), " learning rate: 0.001")

# %% [markdown]
# Both weights move by the learning rate, as you predicted. And without the correction?


# %%
def step_sizes(correct, total=60):
    p, m, v, sizes = 0.0, 0.0, 0.0, []
    for n in range(1, total + 1):
        moved, m, v = adamw(p, 1.0, m, v, n, correct=correct)       # the gradient is always 1
        sizes.append((p - moved) / 1e-3)
        p = moved
    return sizes


print(f"largest step without correction: {max(step_sizes(False)):.1f} learning rates")
plots.lines(np.arange(1, 61), {"with correction": step_sizes(True), "without": step_sizes(False)},
            xlabel="step", ylabel="step / learning rate")

# %% [markdown]
# Without it, the early steps are too long, by up to a factor of 6.6: $v$ forgets its start a hundred times more slowly
# than $m$, so the root in the denominator is too small. <!-- printed -->
#
# ### A rate that is too high
#
# With AdamW no weight moves much further than the rate in one step, whatever its gradient is. So nothing becomes `nan`.
# A rate can still be too high. We train a small Mixer on the digits with three rates that stay the same all the time.


# %%
digits = mm.data.load_digits()
mean, std = digits.channel_statistics()
TOTAL = 30 if FAST else 120


# %%
def train(rate, total=TOTAL, muon=False, smoothing=0.0):
    """Loss of every step; rate is a function of the step."""
    model = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
    batches = mm.data.Batches(digits, 64, seed=0)
    optimizer = (optim.Muon if muon else optim.AdamW)(model, weight_decay=0.05, decay_vectors=False)
    losses = []
    for i in range(total):
        images, labels = batches[i]                                             # (64, 8, 8, 1) and (64,)
        logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))         # (64, 10)
        loss = mm.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        optimizer.lr = rate(i)
        optimizer.step(mm.grad(loss, model.parameters()))
        losses.append(loss.item())
    return losses


# %% tags=["measured"]
constant = {f"rate {peak}": train(lambda i, peak=peak: peak) for peak in (0.0003, 0.004, 0.4)}
for name, losses in constant.items():
    print(f"{name:<12} highest loss {max(losses):5.2f}, mean of the last ten {np.mean(losses[-10:]):.2f}")
plots.lines(np.arange(TOTAL), constant, xlabel="step", ylabel="loss", log="y")

# %% [markdown]
# The lowest rate is **too low**: the curve falls smoothly, and is still falling when we stop. The highest is **too
# high**, and this is its symptom: the loss *rises* at once, far above the 2.3 of a model that knows nothing. The first
# steps threw the weights to places from where the way back is long. If you see this in your own run, do not wait: stop,
# and take a tenth of the rate. <!-- printed -->

# %% [markdown]
# **Your turn.** 0.004 was a guess. Find a constant rate with which the first 40 steps go better: the mean of their
# losses must be at least 0.1 smaller. Set `my_rate`, and run the check as often as you like.
#
# <details><summary>Solution</summary>
#
# ```python
# my_rate = 0.01                          # 0.006 and 0.02 are better than 0.004, too
# ```
#
# </details>

# %% tags=["your-turn"]
my_rate = ...


# %%
def is_better(answer):
    theirs, yours = (float(np.mean(train(lambda i, rate=rate: rate, total=40))) for rate in (0.004, answer))
    return yours < theirs - 0.1 or f"the mean of 40 losses is {yours:.2f}; with 0.004 it is {theirs:.2f}"


mm.exercises.turn(my_rate, right=is_better, hint="multiply by 2, then by 2 again")

# %% [markdown]
# ### The schedule
#
# One rate does not suit a whole run. In the first steps $v$ has seen few gradients, and the weights are random. So the
# rate starts low and rises linearly to its peak $\eta_{max}$: the **warm-up**. Later the weights should settle, so the
# rate falls along half a cosine wave. With step $i$ = 0, 1, ..., $W$ steps of warm-up and $N$ steps in all:
#
# $$\eta_i = \eta_{max} \frac{i + 1}{W} \;\text{ for } i < W, \qquad
#   \eta_i = \frac{\eta_{max}}{2} \left(1 + \cos \pi \frac{i - W}{N - 1 - W}\right) \;\text{ otherwise}$$


# %%
def rate(i, peak, total, warmup):
    if i < warmup:
        return peak * (i + 1) / warmup
    return peak / 2 * (1 + math.cos(math.pi * (i - warmup) / (total - 1 - warmup)))


cosine = [rate(i, 1.0, 100, 20) for i in range(100)]
linear = [optim.Schedule("linear", 1.0, 100, 20)(i) for i in range(100)]
drawing = plots.lines(np.arange(100), {"cosine": cosine, "linear, as in the paper": linear},
                      xlabel="step", ylabel="learning rate / peak", marks={"end of the warm-up": 20})
drawing.axes[0].set_ylim(top=1.3)
drawing

# %% [markdown]
# What does it change? We take 0.4 again, as the peak of a schedule.

# %% tags=["measured"]
with_schedule = train(lambda i: rate(i, 0.4, TOTAL, TOTAL // 5))
print(f"highest loss {max(with_schedule):.2f}, mean of the last ten {np.mean(with_schedule[-10:]):.2f}")
plots.lines(np.arange(TOTAL), {"0.4 all the time": constant["rate 0.4"], "warm-up to 0.4, cosine": with_schedule,
                               "0.004 all the time": constant["rate 0.004"]},
            xlabel="step", ylabel="loss", log="y")

# %% [markdown]
# The same peak is now survivable, though still not good. So with a schedule you need not know the best rate exactly:
# the run passes through all rates up to the peak. That makes training safer, and it is the reason why nearly every
# recipe has one.
#
# ### Clipping
#
# Sometimes one batch gives a gradient that is much longer than usual. Its length, over all parameters together, is
# $\lVert g \rVert = \sqrt{\sum g^2}$. If it exceeds a limit $c$, we multiply **all** gradients by
# $c / \lVert g \rVert$. The factor is the same for all, so the direction does not change. The paper uses $c$ = 1.


# %%
def clip(gradients, limit):
    length = np.sqrt(sum((g * g).sum() for g in gradients))
    return [g * min(1.0, limit / length) for g in gradients], length


clipped, length = clip([np.array([3.0, 0.0]), np.array([[4.0]])], 1.0)
print("length before:", length, " after:", [c.round(3).tolist() for c in clipped])

# %% [markdown]
# ### Muon: a step in all directions
#
# AdamW treats a matrix as a list of numbers. But a matrix of weights maps vectors to vectors, and its gradient says in
# which directions this map should change. The singular value decomposition $G = U S V^T$ lists them: each column of $U$
# is a direction, and the **singular values** on the diagonal of $S$ are the sizes of the changes. We train a Mixer for
# 40 steps and take the gradient of a matrix in its second block.


# %%
def gradient_of_a_matrix():
    model = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
    optimizer, batches = optim.AdamW(model, 0.004), mm.data.Batches(digits, 64, seed=0)
    for i in range(41):
        images, labels = batches[i]                                             # (64, 8, 8, 1) and (64,)
        logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))         # (64, 10)
        gradients = mm.grad(mm.functional.cross_entropy(logits, labels), model.parameters())
        optimizer.step(gradients)
    place = [name for name, _ in model.named_parameters()].index("blocks.1.channel_mixing.fc1.weight")
    return gradients[place].astype(np.float64)                                  # (C, D_C) = (64, 128)


# %% tags=["measured"]
G = gradient_of_a_matrix()
U, S, Vt = np.linalg.svd(G, full_matrices=False)                                # (C, C), (C,), (C, D_C)
print(f"{G.shape[0]} x {G.shape[1]}; of {len(S)} singular values the largest is {S[0] / np.median(S):,.0f} times the "
      f"median; the first ten hold {(S[:10] ** 2).sum() / (S ** 2).sum():.0%} of the squared length")

# %% [markdown]
# So a plain step goes almost entirely in a few directions, and the others wait. **Muon** keeps all directions and
# makes the changes equally large: it replaces every singular value by 1. (More precisely, it does this to the running
# mean of the gradients.)

# %% [markdown]
# **Your turn.** The decomposition is there: `U` (C, C), `S` (C,) and `Vt` (C, D_C), with `G` equal to `(U * S) @ Vt`.
# Set `ideal` to the matrix with the same directions in which every singular value is 1, shape (C, D_C).
#
# <details><summary>Solution</summary>
#
# ```python
# ideal = U @ Vt                          # (C, D_C)
# ```
#
# </details>

# %% tags=["your-turn"]
ideal = ...

# %%
mm.exercises.turn(ideal, right=U @ Vt, hint="write G as (U * S) @ Vt, and replace S")

# %% [markdown]
# An SVD at every step would take too long. A polynomial does nearly the same with products only: after
# $X \leftarrow G / \lVert G \rVert$, repeat five times
#
# $$X \leftarrow a X + b\,(X X^T) X + c\,(X X^T)^2 X, \qquad a = 3.4445,\; b = -4.7750,\; c = 2.0315$$
#
# Put $X = U S V^T$ in: $U$ and $V$ stay, and each singular value $s$ becomes $a s + b s^3 + c s^5$. The coefficients
# are chosen so that small values grow fast and end near 1.


# %% tags=["measured"]
def orthogonalize(G, repeats=5):
    X = G / np.sqrt((G * G).sum())                                              # all singular values are <= 1 now
    for _ in range(repeats):
        gram = X @ X.T                                                          # (C, C)
        X = 3.4445 * X + (-4.7750 * gram + 2.0315 * gram @ gram) @ X            # (C, D_C)
    return X


after = np.linalg.svd(orthogonalize(G), compute_uv=False)
print(f"after five steps: {after[0]:.2f} to {after[-2]:.2f}, and one of {after[-1]:.2f}")
plots.lines(np.arange(1, len(S) + 1), {"gradient, largest = 1": S / S[0], "after five steps": after},
            xlabel="direction", ylabel="singular value")

# %% [markdown]
# The five steps are not exact, and need not be. One value stays near 0, because that direction does not occur at all:
# the rows that enter `fc1` come from a LayerNorm, so each of them adds up to nearly 0.
#
# Here are both matrices, as they would be subtracted from the weights. In the gradient, a few rows and columns are
# strong: the same few directions everywhere. In Muon's step, every part of the matrix gets its share.

# %% tags=["measured"]
drawing_of_both = plots.figure(8.4, 2.6, alt="Two matrices of 64 x 128 numbers. In the gradient a few rows and "
                                   "columns are strong; in Muon's step every part has its share.")
both = {"gradient": G, "what Muon takes": orthogonalize(G)}
for axes, (name, matrix) in zip(drawing_of_both.subplots(1, 2), both.items(), strict=True):
    top = np.abs(matrix).max()
    axes.imshow(matrix, cmap="PuOr", vmin=-top, vmax=top)
    axes.set(title=name, xlabel="D_C", ylabel="C", xticks=[0, 127], yticks=[0, 63])
drawing_of_both

# %% [markdown]
# ## Check
#
# **First check: our functions against minimixer's**, five steps of AdamW, a schedule, clipping and Muon's polynomial.

# %%
rng = np.random.default_rng(0)
weight = mm.Tensor(rng.standard_normal((3, 2)), requires_grad=True)
p, m, v, optimizer = weight.data.copy(), 0.0, 0.0, optim.AdamW([weight], 1e-2, weight_decay=0.1)
for n in range(1, 6):
    g_now = rng.standard_normal((3, 2))
    p, m, v = adamw(p, g_now, m, v, n, lr=1e-2, decay=0.1)
    optimizer.step([g_now])
print("AdamW agrees:     ", np.allclose(p, weight.data))

schedule = optim.Schedule("cosine", 2e-3, 100, 20)
print("schedule agrees:  ", all(np.isclose(schedule(i), rate(i, 2e-3, 100, 20)) for i in range(100)))
library_clipped, _ = optim.clip_by_global_norm([np.array([3.0, 0.0]), np.array([[4.0]])], 1.0)
print("clipping agrees:  ", all(np.allclose(a, b, atol=1e-5) for a, b in zip(clipped, library_clipped, strict=True)))
print("polynomial agrees:", np.allclose(orthogonalize(G), optim.orthogonalize(G), atol=1e-4))

# %% [markdown]
# **Second check: the library's files**, `minimixer/optim/adamw/reference.py` and `minimixer/optim/muon/reference.py`.

# %%
print(inspect.getsource(optim.adamw_update))
print(inspect.getsource(optim.orthogonalize))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `m +=`, `v +=` | the two means, in place |
# | `m_bias, v_bias` | the two corrections |
# | `p *= 1 - lr * weight_decay` | the decay is not part of the gradient |
# | `x = matrix.T if ...` | the polynomial works on the shorter side: the product `gram` is smaller |
# | `x / (xp.sqrt(...) + EPS)` | no singular value is above 1 then; a gradient of zeros is no problem |

# %% [markdown]
# ## Break it
#
# **Decay in the gradient.** Weight decay is often written as a term of the gradient: $g + \lambda p$. For plain
# gradient descent this is the same. For Adam it is not, because Adam divides by the size of the gradient. We take two
# weights, both 1.0. Their gradients are noise: +10 and -10 alternately for the first, +0.01 and -0.01 for the second.
# Noise should move nothing, so only the decay should be left.


# %%
def decayed(inside, total=1000, decay=0.1, lr=1e-3):
    p, m, v, seen = np.ones(2), np.zeros(2), np.zeros(2), []
    for n in range(1, total + 1):
        noise = np.array([10.0, 0.01]) * (-1) ** n
        g = noise + decay * p if inside else noise
        p, m, v = adamw(p, g, m, v, n, lr=lr, decay=0.0 if inside else decay)
        seen.append(p)
    return np.array(seen)                                                       # (total, 2)


inside, decoupled = decayed(True), decayed(False)
plots.lines(np.arange(1000), {"decoupled, large gradient": decoupled[:, 0], "decoupled, small": decoupled[:, 1],
                              "inside, large gradient": inside[:, 0], "inside, small": inside[:, 1]},
            xlabel="step", ylabel="weight")

# %% [markdown]
# **Symptom.** There is no error, and the loss falls. But with the decay inside the gradient, the weight with large
# gradients hardly decays, and the one with small gradients loses three quarters: its decay, too, was divided by the
# small size. In a network, the decay then acts on the wrong weights, and a value of $\lambda$ from a paper means
# something else.
#
# **Cure.** Shrink the weight itself, outside $m$ and $v$. Then both shrink by the same factor,
# $(1 - \eta\lambda)^{1000}$. (The last digit below differs by one step of the noise.) In PyTorch, look at the name:
# `Adam` adds its `weight_decay` to the gradient, `AdamW` does not.

# %%
print(f"(1 - 0.001 * 0.1)^1000 = {(1 - 1e-4)**1000:.3f}")
print("decoupled:", decoupled[-1].round(3), " inside:", inside[-1].round(3))

# %% [markdown]
# ## Use it
#
# **Which weight gets which step?** Weight decay is for matrices only: a bias, or the scale of a LayerNorm, has no
# reason to be small. Muon is for the matrices of the stem and the blocks: the head, the biases and the LayerNorms stay
# with AdamW. A last factor, $0.2 \sqrt{\max(\text{in}, \text{out})}$, gives its steps the size of AdamW's, so one rate
# serves both.

# %%
mixer = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
both_kinds = optim.Muon(mixer, weight_decay=0.05)
for (name, parameter), matrix, decay in zip(mixer.named_parameters(), both_kinds.is_matrix, both_kinds.decays,
                                            strict=True):
    if not name.startswith(("blocks.1", "blocks.2", "blocks.3")):
        print(f"{name:<36}{parameter.shape!s:<11}{'Muon' if matrix else 'AdamW':<7}decay {decay}")

# %% [markdown]
# **Does Muon learn faster?** The same model and the same batches, with label smoothing. We draw how far the loss is
# above its floor, 0.500 (lesson 10). Each optimizer has a good peak; we tried three for each.

# %% tags=["measured"]
with_adamw = train(lambda i: rate(i, 0.008, TOTAL, 10), smoothing=0.1)
with_muon = train(lambda i: rate(i, 0.012, TOTAL, 10), smoothing=0.1, muon=True)
print(f"mean loss of the last ten steps: AdamW {np.mean(with_adamw[-10:]):.3f}, Muon {np.mean(with_muon[-10:]):.3f}")
plots.lines(np.arange(TOTAL), {"AdamW, peak 0.008": np.array(with_adamw) - 0.5, "Muon, peak 0.012":
                               np.array(with_muon) - 0.5}, xlabel="step", ylabel="loss above the floor", log="y")

# %% [markdown]
# This is one seed of one small task: a hint, not a proof. Muon's steps cost more (five times three products for each
# matrix), and it pays only if it needs fewer of them.

# %% [markdown]
# ## Exercise
#
# Write a step of AdamW. Then do `ex12`, warm-up and cosine.
#
# ```console
# $ minimixer exercises start ex11
# ```

# %% [markdown]
# ## Summary
#
# - A rate is too high if a step jumps over the minimum and lands further away. Its symptom with AdamW: the loss rises
#   far above $\ln K$ in the first steps.
# - AdamW divides the mean of the gradient by the root of the mean of its square, so all weights move on the same scale.
#   The correction undoes the start at 0. The decay stays outside.
# - The rate rises during the warm-up, then falls. Clipping keeps the direction of a gradient and limits its length.
# - Muon steps by $U V^T$: all directions of a matrix, equally far.
#
# **What the library does differently:** the norm and the clipping factor stay on the device, so that the CPU does not
# wait for the GPU, and the optimizer applies the factor while it reads the gradients. On the CPU, AdamW runs in blocks
# (lesson 23). Muon looks half a step ahead (Nesterov), and works on several matrices at once.
