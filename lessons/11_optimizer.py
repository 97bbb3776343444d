# %% [markdown]
# # 10 Training: loss, AdamW, learning rate
#
# - **Time:** 14 minutes, 40 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 02 and 09, the logarithm
# - **Previous:** [09 The Mixer](09_mixer.ipynb)
# - **Next:** [11 Devices](11_devices.ipynb)

# %% [markdown]
# ## Goal
#
# You have a model and its gradients. After this lesson you can
#
# 1. write cross-entropy with label smoothing, and explain why it subtracts the largest logit,
# 2. compute one step of AdamW by hand,
# 3. explain what warm-up, cosine and clipping are for,
# 4. read minimixer's training step line by line.

# %%
import inspect
import math
import os
import tempfile
from pathlib import Path

import numpy as np

import minimixer as mm
from minimixer import optim, plots
from minimixer.ops.cross_entropy import CrossEntropy
from minimixer.train.loop import train_step

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# **B** is the number of images in a batch, **K** the number of classes. For each image the model outputs K **logits**,
# numbers of any size. The **targets** say what is right: 1 for the right class, 0 for the others. The loss compares the
# two tables and is a single number.

# %%
plots.shapes({"logits": {"B": 4, "K": 10}, "targets": {"B": 4, "K": 10}, "loss": {}}, ["and", "→"])

# %% [markdown]
# Softmax turns the logits $z_k$ into probabilities $p_k$. With the targets $t_k$, the **cross-entropy** of an image is
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} \qquad L = -\sum_k t_k \ln p_k$$
#
# All $t_k$ but one are 0. So $L$ is $-\ln p$ of the right class: 0 if the model is certain and right, and large if it
# is certain and wrong.
#
# **Label smoothing** takes a share $s$ from the right class and spreads it evenly over all K classes:
#
# $$t_k \leftarrow (1 - s)\, t_k + \frac{s}{K}$$
#
# Why? Without it, the loss reaches 0 only if the right logit is infinitely larger than the others. So the weights keep
# growing, and the model becomes overconfident.

# %% [markdown]
# ## Predict
#
# 1. A new Mixer outputs ten logits that are all 0. What is its loss? And with smoothing $s$ = 0.1?
# 2. With $s$ = 0.1, can the loss become 0?
# 3. AdamW takes its first step. One weight has the gradient 1000, another 0.001. How many times larger is the step of
#    the first?
#
# <details><summary>Answer</summary>
#
# 1. All $p_k$ are 1/10, so $L = \ln 10 = 2.303$. Smoothing does not change it: all $\ln p_k$ are equal, and the targets
#    still add up to 1. A loss far from 2.303 at step 0 means that something is wrong.
# 2. No. The best the model can do is to answer with the smoothed targets: 0.91 for the right class and 0.01 for the
#    others. Then $L = -0.91 \ln 0.91 - 9 \cdot 0.01 \ln 0.01 = 0.500$.
# 3. They are equal. Adam divides the mean of the gradient by the root of the mean of its square. You will compute it.
#
# </details>

# %%
best = np.array([0.91] + [0.01] * 9)
print(f"ln 10 = {math.log(10):.3f}, smallest loss with smoothing 0.1: {-(best * np.log(best)).sum():.3f}")

# %% [markdown]
# ## Build
#
# ### The loss
#
# First, the formula as it stands. One of the logits is 1000, which is unusual, but possible.

# %%
logits = np.array([[2.0, 1.0, 0.0], [1000.0, 1.0, 0.0]])            # (B, K)
with np.errstate(all="ignore"):                                     # silence NumPy's warnings
    print(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))

# %% [markdown]
# $e^{1000}$ is larger than any float, so it becomes infinite, and infinity divided by infinity is `nan`. The cure costs
# nothing: first subtract the largest logit $m$ of each row. The probabilities do not change,
#
# $$\frac{e^{z_k - m}}{\sum_j e^{z_j - m}} = \frac{e^{-m}\, e^{z_k}}{e^{-m} \sum_j e^{z_j}} = p_k$$
#
# but now the largest exponent is 0, and nothing can become infinite. And we take the logarithm on paper, not in the
# computer: $\ln p_k = (z_k - m) - \ln \sum_j e^{z_j - m}$. So a probability that is rounded to 0 does no harm.


# %%
def cross_entropy(logits, labels, smoothing=0.0):
    classes = logits.shape[1]
    targets = np.eye(classes)[labels]                                           # (B, K)  1 for the right class
    targets = (1 - smoothing) * targets + smoothing / classes                   # (B, K)
    shifted = logits - logits.max(axis=1, keepdims=True)                        # (B, K)  z - m
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))        # (B, K)  ln p
    loss = -(targets * log_p).sum(axis=1).mean()                                # ()  mean over the images
    return loss, (np.exp(log_p) - targets) / len(logits)                        # its gradient, (B, K)


print(f"loss {cross_entropy(logits, [0, 0])[0]:.4f}, with smoothing {cross_entropy(logits, [0, 0], 0.1)[0]:.4f}")

# %% [markdown]
# The last line is the gradient. It is surprisingly simple: **probability minus target**. From
# $\ln p_k = z_k - \ln \sum_j e^{z_j}$, the derivative of $\ln p_k$ with respect to $z_i$ is $[i = k] - p_i$, where
# $[i = k]$ is 1 if $i = k$ and 0 otherwise. With $\sum_k t_k = 1$:
#
# $$\frac{\partial L}{\partial z_i} = -\sum_k t_k \left([i = k] - p_i\right) = p_i - t_i$$
#
# ### AdamW
#
# Plain gradient descent moves each weight by its gradient times a fixed rate. But some weights of a Mixer have
# gradients a thousand times larger than others. Adam keeps two means per weight: $m$ of the gradient $g$, and $v$ of
# its square. They are updated at step $n$ = 1, 2, ...:
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
def step_sizes(correct, steps=60):
    p, m, v, sizes = 0.0, 0.0, 0.0, []
    for n in range(1, steps + 1):
        moved, m, v = adamw(p, 1.0, m, v, n, correct=correct)       # the gradient is always 1
        sizes.append((p - moved) / 1e-3)
        p = moved
    return sizes


plots.lines(np.arange(1, 61), {"with correction": step_sizes(True), "without": step_sizes(False)},
            xlabel="step", ylabel="step / learning rate")

# %% [markdown]
# Without it, the early steps are too long, by up to a factor of 6.6: $v$ forgets its start a hundred times more slowly
# than $m$, so the root in the denominator is too small.
#
# ### The learning rate
#
# In the first steps, $v$ has seen few gradients, and the weights are random. So the rate starts low and rises linearly
# to its peak $\eta_{max}$: the **warm-up**. Later the weights should settle, so the rate falls along half a cosine
# wave. With step $i$ = 0, 1, ..., $W$ steps of warm-up and $N$ steps in all:
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
# ### Images
#
# CIFAR-10 has color images of 32 x 32 pixels, but it is a download of 170 MB, and lessons need no network. So we make
# images of the **same size** from the digits. This is real work for the Mixer, but it is **not CIFAR**: it is much
# easier, and our accuracy says nothing about CIFAR. Each digit is enlarged from 8 x 8 to 32 x 32 by linear
# interpolation (a matrix on the left for the rows, and one on the right for the columns), then drawn with a random pen
# on paper of a random color, with noise. The label is the digit, so the model must learn to ignore colors.


# %%
digits = mm.data.load_digits()
finer = np.array([np.interp((np.arange(32) - 1.5) / 4, np.arange(8), row) for row in np.eye(8)]).T      # (32, 8)


def colored(images, seed):
    rng, n = np.random.default_rng(seed), len(images)
    ink = (finer @ (images[..., 0] / 255) @ finer.T)[..., None]                 # (n, 32, 32, 1)  0 paper, 1 pen
    paper, pen = rng.uniform(0, 120, (n, 1, 1, 3)), rng.uniform(135, 255, (n, 1, 1, 3))
    pixels = paper + (pen - paper) * ink + rng.normal(0, 12, (n, 32, 32, 3))    # (n, 32, 32, 3)
    return pixels.clip(0, 255).astype(np.uint8)


dataset = mm.data.Dataset("colored digits", colored(digits.train_images, 0), digits.train_labels,
                          colored(digits.test_images, 1), digits.test_labels, digits.class_names)
plots.patch_grid(dataset.test_images[0], 4)

# %% [markdown]
# ### The loop
#
# Now everything together, with the pico Mixer. Weight decay applies to matrices only: a bias, or the scale of a
# LayerNorm, has no reason to be small (`decay_vectors=False`).


# %%
def train(total, peak=2e-3, warmup=20, muon=False):
    model = mm.nn.mixer("pico", seed=0)                                         # 32 x 32 x 3, ten classes
    batches, (mean, std) = mm.data.Batches(dataset, 64, seed=0), dataset.channel_statistics()
    optimizer = (optim.Muon(model, peak, weight_decay=0.05) if muon else
                 optim.AdamW(model.parameters(), peak, weight_decay=0.05, decay_vectors=False))
    losses = []
    for i in range(total):
        images, labels = batches[i]                                             # (64, 32, 32, 3) and (64,)
        logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))         # (64, 10)
        loss = mm.functional.cross_entropy(logits, labels, label_smoothing=0.1)
        gradients, _ = clip(mm.grad(loss, model.parameters()), 1.0)
        optimizer.lr = rate(i, peak, total, warmup)
        optimizer.step(gradients)
        losses.append(loss.item())
    return model.eval(), losses


# %% tags=["measured"]
model, losses = train(30 if FAST else 120)
mean_and_std = dataset.channel_statistics()
with mm.no_grad():
    answers = model(mm.Tensor(mm.data.normalize(dataset.test_images, *mean_and_std))).data.argmax(1)
print(f"loss of the first batch: {losses[0]:.3f}")
print(f"right answers after {len(losses)} steps: {(answers == dataset.test_labels).mean():.0%} of 360 test images")
plots.lines(np.arange(len(losses)), {"loss": losses, "smallest possible": [0.5] * len(losses)},
            xlabel="step", ylabel="cross-entropy, smoothed")

# %% [markdown]
# ### Muon: a step in all directions
#
# AdamW treats a matrix as a list of numbers. But a matrix of weights maps vectors to vectors, and its gradient says in
# which directions this map should change. The singular value decomposition $G = U S V^T$ lists them: each column of $U$
# is a direction, and the **singular values** on the diagonal of $S$ are the sizes of the changes. Here are those of the
# gradient of a matrix in the second block of our model.

# %%
images, labels = mm.data.Batches(dataset, 64, seed=0)[0]                        # (64, 32, 32, 3) and (64,)
matrix = model.blocks[1].channel_mixing.fc1.weight                              # (C, D_C)
loss = mm.functional.cross_entropy(model(mm.Tensor(mm.data.normalize(images, *mean_and_std))), labels)
G = mm.grad(loss, [matrix])[0]
U, S, Vt = np.linalg.svd(G, full_matrices=False)
print(f"{G.shape[0]} x {G.shape[1]}; of {len(S)} singular values the largest is {S[0] / S[31]:,.0f} times the median")

# %% [markdown]
# So a plain step goes almost entirely in a few directions, and the others wait. **Muon** keeps all directions and
# makes the changes equally large: it steps by $U V^T$, the gradient with every singular value replaced by 1. (More
# precisely, it does this to the running mean of the gradients.) An SVD at every step would take too long. A polynomial
# does nearly the same with products only: after $X \leftarrow G / \lVert G \rVert$, repeat five times
#
# $$X \leftarrow a X + b\,(X X^T) X + c\,(X X^T)^2 X, \qquad a = 3.4445,\; b = -4.7750,\; c = 2.0315$$
#
# Put $X = U S V^T$ in: $U$ and $V$ stay, and each singular value $s$ becomes $a s + b s^3 + c s^5$. The coefficients
# are chosen so that small values grow fast and end near 1.


# %%
def orthogonalize(G, steps=5):
    X = G / np.sqrt((G * G).sum())                                              # all singular values are <= 1 now
    for _ in range(steps):
        gram = X @ X.T                                                          # (C, C)
        X = 3.4445 * X + (-4.7750 * gram + 2.0315 * gram @ gram) @ X            # (C, D_C)
    return X


found = np.linalg.svd(orthogonalize(G), compute_uv=False)
assert np.allclose(orthogonalize(G), optim.orthogonalize(G), atol=1e-4)         # minimixer/optim/muon/reference.py
plots.lines(np.arange(1, len(S) + 1), {"gradient, largest = 1": S / S[0], "after five steps": found},
            xlabel="direction", ylabel="singular value")

# %% [markdown]
# The five steps are not exact: the values end between about 0.7 and 1.2, and that is good enough. One value stays at 0,
# because that direction does not occur at all: the rows that enter `fc1` come from a LayerNorm, so each of them adds up
# to nearly 0.
#
# Muon is for the matrices of the blocks. The stem, the head, the biases and the LayerNorms stay with AdamW. A last
# factor, $0.2 \sqrt{\max(\text{in}, \text{out})}$, gives the step the size of AdamW's. Does it learn faster? The same
# model and the same batches, each optimizer at the best of a few learning rates that we tried:

# %% tags=["measured"]
_, with_adamw = train(30 if FAST else 120, peak=0.006)
_, with_muon = train(30 if FAST else 120, peak=0.012, muon=True)
plots.lines(np.arange(len(with_muon)), {"AdamW, rate 0.006": with_adamw, "Muon, rate 0.012": with_muon,
                                        "smallest possible": [0.5] * len(with_muon)},
            xlabel="step", ylabel="cross-entropy, smoothed")

# %% [markdown]
# ## Check
#
# **First check: finite differences** for the gradient of the loss, and our functions against minimixer's.

# %%
rng = np.random.default_rng(0)
z, right = rng.standard_normal((4, 10)), np.array([3, 1, 4, 1])                 # (B, K) and (B,)
print("gradient right:", mm.gradcheck(lambda z: mm.functional.cross_entropy(z, right, 0.1), z).ok)
z_tensor = mm.Tensor(z, requires_grad=True)
theirs = mm.functional.cross_entropy(z_tensor, right, 0.1)
ours, gradient = cross_entropy(z, right, 0.1)
assert np.isclose(ours, theirs.item())
assert np.allclose(gradient, mm.grad(theirs, [z_tensor])[0])

weight = mm.Tensor(rng.standard_normal((3, 2)), requires_grad=True)
p, m, v, optimizer = weight.data.copy(), 0.0, 0.0, optim.AdamW([weight], 1e-2, weight_decay=0.1)
for n in range(1, 6):
    g_now = rng.standard_normal((3, 2))
    p, m, v = adamw(p, g_now, m, v, n, lr=1e-2, decay=0.1)
    optimizer.step([g_now])
print("AdamW agrees:", np.allclose(p, weight.data))

# %%
schedule = optim.Schedule("cosine", 2e-3, 100, 20)
assert all(np.isclose(schedule(i), rate(i, 2e-3, 100, 20)) for i in range(100))
library_clipped, _ = optim.clip_by_global_norm([np.array([3.0, 0.0]), np.array([[4.0]])], 1.0)
assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(clipped, library_clipped, strict=True))
print("schedule and clipping agree")

# %% [markdown]
# **Second check: the library's files**, `minimixer/ops/cross_entropy/reference.py` and
# `minimixer/optim/adamw/reference.py`.

# %%
print(inspect.getsource(CrossEntropy.forward))
print(inspect.getsource(CrossEntropy.backward))
print(inspect.getsource(optim.adamw_update))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `targets[:, None] == xp.arange(classes)` | the table of 0 and 1: our `np.eye(classes)[labels]` |
# | `if label_smoothing` | a little of the target goes to every class |
# | `logits - logits.max(...)` | the shift by $m$ |
# | `return -(...).sum()` | the sum over the batch; `functional.cross_entropy` divides it by B |
# | `exp(log_p) * targets.sum(...) - targets` | $p - t$; the targets sum to 1, unless the caller passes others |
# | `m +=`, `v +=` | the two means, in place |
# | `m_bias, v_bias` | the two corrections |
# | `p *= 1 - lr * weight_decay` | the decay is not part of the gradient |
#
# The small training loop is familiar now too. This is the step of `mm.train.fit`:

# %%
print(inspect.getsource(train_step))

# %% [markdown]
# `sharded.gradients` is forward, loss and backward, split into parts for several threads (lesson 12). `clip_factor`
# returns only the factor, and the optimizer applies it while it reads the gradients, which saves a pass over all of
# them. `ema` is a moving average of the weights, off unless you ask for it.

# %% [markdown]
# ## Break it
#
# **Decay in the gradient.** Weight decay is often written as a term of the gradient: $g + \lambda p$. For plain
# gradient descent this is the same. For Adam it is not, because Adam divides by the size of the gradient. We take two
# weights, both 1.0. Their gradients are noise: +10 and -10 alternately for the first, +0.01 and -0.01 for the second.
# Noise should move nothing, so only the decay should be left.


# %%
def decayed(inside, steps=1000, decay=0.1, lr=1e-3):
    p, m, v, seen = np.ones(2), np.zeros(2), np.zeros(2), []
    for n in range(1, steps + 1):
        noise = np.array([10.0, 0.01]) * (-1) ** n
        g = noise + decay * p if inside else noise
        p, m, v = adamw(p, g, m, v, n, lr=lr, decay=0.0 if inside else decay)
        seen.append(p)
    return np.array(seen)                                                       # (steps, 2)


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
# $(1 - \eta\lambda)^{1000}$ = 0.905. (The last digit below differs by one step of the noise.) In PyTorch, look at the
# name: `Adam` adds its `weight_decay` to the gradient, `AdamW` does not.

# %%
print(f"(1 - 0.001 * 0.1)^1000 = {(1 - 1e-4)**1000:.3f}")
print("decoupled:", decoupled[-1].round(3), " inside:", inside[-1].round(3))

# %% [markdown]
# ## Use it
#
# `mm.train.fit` trains any minimixer model on any data set that it knows. Does it do the same as our loop? We let both
# take 20 steps on the digits, with the same settings, and compare the losses. `log_every=1` makes `fit` record every
# one of them.


# %%
def by_hand(total, peak, warmup):
    model = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
    batches, (mean, std) = mm.data.Batches(digits, 64, seed=0), digits.channel_statistics()
    optimizer = optim.AdamW(model.parameters(), peak, weight_decay=0.05, decay_vectors=False)
    for i in range(total):
        images, labels = batches[i]
        logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))         # (64, 10)
        loss = mm.functional.cross_entropy(logits, labels, label_smoothing=0.1)
        gradients, _ = clip(mm.grad(loss, model.parameters()), 1.0)
        optimizer.lr = rate(i, peak, total, warmup)
        optimizer.step(gradients)
        yield loss.item()


# %% tags=["measured"]
config = mm.train.TrainConfig(data="digits", patch_size=2, batch_size=64, lr=4e-3, label_smoothing=0.1, max_steps=20,
                              warmup_steps=4, log_every=1, out=Path(tempfile.mkdtemp(), "twenty-steps"))
quiet = mm.train.Callback()                                                     # prints nothing
history = mm.train.fit(config, reporter=quiet)
library_losses = np.array([line["train_loss"] for line in history.metrics if "train_loss" in line])
hand_losses = np.array(list(by_hand(20, 4e-3, 4)))
print("by hand:", hand_losses[::5].round(3))
print("by fit: ", library_losses[::5].round(3))
print("largest difference below 0.001:", bool(abs(hand_losses - library_losses).max() < 1e-3))

# %% [markdown]
# What is left is the order in which float32 numbers are added. `fit` adds what a long training run needs: threads, a
# test after each epoch, keeping the best weights, stopping and resuming, and augmentation.
#
# The recipe of the paper's pre-training belongs to the same family: Adam with $\beta_1$ = 0.9 and $\beta_2$ = 0.999,
# 10,000 steps of warm-up, a *linear* decay, weight decay, and clipping at 1, with batches of 4,096 images.

# %% [markdown]
# ## Exercise
#
# Write cross-entropy, without label smoothing, and its gradient. Then do `ex11`, AdamW, and `ex12`, warm-up and cosine.
#
# ```console
# $ minimixer exercises start ex10
# ```

# %% [markdown]
# ## Summary
#
# - Cross-entropy is $-\ln p$ of the right class. Subtract the largest logit first. Its gradient is $p - t$.
# - A new model with K classes has the loss $\ln K$. With smoothing, the loss cannot reach 0.
# - AdamW divides the mean of the gradient by the root of the mean of its square, so all weights move on the same scale.
#   The correction undoes the start at 0. The decay stays outside.
# - The learning rate rises during the warm-up, then falls. Clipping keeps the direction of a gradient and limits its
#   length.
#
# **What the library does differently:** labels may also be probabilities, for mixed images. The norm and the clipping
# factor stay on the device, so that the CPU does not wait for the GPU. On the CPU, AdamW runs in blocks (lesson 12).
