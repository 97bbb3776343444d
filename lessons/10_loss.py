# %% [markdown]
# # 10 The loss: how wrong is an answer?
#
# - **Time:** 23 minutes to read, 60 to do, 15 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 02 and 09, the logarithm
# - **Previous:** [09 The whole Mixer](09_mixer.ipynb)
# - **Next:** [11 The optimizer](11_optimizer.ipynb)

# %% [markdown]
# ## Goal
#
# Training needs one number that says how wrong the model is: the **loss**. After this lesson you can
#
# 1. turn logits into probabilities without overflow,
# 2. write cross-entropy with label smoothing, and say what a loss of 2.3, 0.5 or 0 means,
# 3. derive its gradient, probability minus target,
# 4. find a loss that is computed twice, although training goes on.

# %%
import inspect
import math
import os

import numpy as np

import minimixer as mm
from minimixer import optim, plots
from minimixer.ops.cross_entropy import CrossEntropy

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
# All $t_k$ but one are 0. So $L$ is $-\ln p$ of the right class. The loss of a batch is the mean over its images. Here
# is $-\ln p$: 0 if the model is certain and right, and without a limit if it is certain and wrong.

# %%
probability = np.linspace(0.001, 1, 400)
plots.lines(probability, {"-ln p": -np.log(probability)}, xlabel="p of the right class", ylabel="loss of the image",
            marks={"one of ten, guessed": 0.1})

# %% [markdown]
# ## Predict
#
# 1. A new Mixer outputs ten logits that are all 0. What is its loss?
# 2. Of 100 images, 99 have the loss 0. For the last one the model gives its right class the probability 0.000001. The
#    accuracy is 99 %. What is the loss?
# 3. A model writes its logits in other units: all are multiplied by 10. Does its accuracy change? Does its loss?
#
# <details><summary>Answer</summary>
#
# 1. All $p_k$ are 1/10, so $L = \ln 10 = 2.303$. A loss far from $\ln K$ at step 0 means that something is wrong.
# 2. $-\ln 0.000001 = 13.8$, and the mean is 0.138. One image that is certain and wrong can make most of the loss.
# 3. The largest logit stays the largest: the accuracy does not change. The loss does. Answers become more certain, and
#    a wrong one costs ten times as much, or nearly.
#
# </details>

# %%
print(f"ln 10 = {math.log(10):.3f}, -ln 0.000001 / 100 = {-math.log(1e-6) / 100:.3f}")

# %% [markdown]
# ## Build
#
# ### Probabilities without overflow
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
# but now the largest exponent is 0, and nothing can become infinite.
#
# One problem is left. The probability of class 1 in the second row is rounded to 0, and $\ln 0$ is infinite. So we take
# the logarithm on paper, not in the computer:
#
# $$\ln p_k = z_k - \ln \sum_j e^{z_j}, \qquad \ln \sum_j e^{z_j} = m + \ln \sum_j e^{z_j - m}$$
#
# The second term is called **log-sum-exp**. It is a soft form of the maximum: at least the largest logit, and hardly
# more if that one is far above the others.

# %% [markdown]
# **Your turn.** Set `log_sum_exp` to a function of `z`, shape (B, K), that returns $\ln \sum_j e^{z_j}$ of each row,
# shape (B,). It must also be right for a logit of 1000.
#
# <details><summary>Solution</summary>
#
# ```python
# def log_sum_exp(z):
#     m = z.max(axis=1)                                               # (B,)
#     return m + np.log(np.exp(z - m[:, None]).sum(axis=1))           # (B,)
# ```
#
# </details>

# %% tags=["your-turn"]
log_sum_exp = ...


# %%
def is_log_sum_exp(answer):
    with np.errstate(all="ignore"):
        values = answer(np.array([[2.0, 1.0, 0.0], [1000.0, 1.0, 0.0], [-1000.0, -1000.0, -1000.0]]))
    if np.shape(values) != (3,):
        return f"the result has shape {np.shape(values)}, expected (3,): one number per row"
    if not np.isfinite(values).all():
        return "a row with logits of 1000 or -1000 gives no finite number: subtract the largest logit before exp"
    return np.allclose(values, [np.log(np.exp([2.0, 1.0, 0.0]).sum()), 1000.0, np.log(3) - 1000.0])


mm.exercises.turn(log_sum_exp, right=is_log_sum_exp)

# %% [markdown]
# ### Label smoothing
#
# The loss reaches 0 only if the right logit is infinitely larger than the others. So training never stops pulling: the
# weights keep growing, and the model becomes more certain than it should be. **Label smoothing** takes a share $s$ from
# the right class and spreads it evenly over all K classes:
#
# $$t_k \leftarrow (1 - s)\, t_k + \frac{s}{K}$$
#
# With $s$ = 0.1 and ten classes, the targets are 0.91 for the right class and 0.01 for each of the others.
# <!-- printed -->

# %%
targets_smoothed = (1 - 0.1) * np.eye(10)[3] + 0.1 / 10                         # (K,)  class 3 is right
print("s = 0.1, targets:", targets_smoothed.round(3).tolist())

# %% [markdown]
# Now the best answer is a finite one. Let the wrong logits be 0 and the right one $a$, and draw the loss:

# %%
a = np.linspace(0, 10, 201)
log_total = np.log(np.exp(a) + 9)                                   # (201,)  log-sum-exp of a and nine zeros
smoothed = log_total - 0.91 * a                                     # -0.91 (a - total) - 9 * 0.01 (0 - total)
plots.lines(a, {"targets 1 and 0": log_total - a, "smoothed, s = 0.1": smoothed},
            xlabel="right logit a; the others are 0", ylabel="loss")

# %% [markdown]
# **Your turn.** At which $a$ is the smoothed loss smallest? There the probabilities are equal to the targets. Set `gap`
# to this number.
#
# <details><summary>Solution</summary>
#
# ```python
# # The right probability is 91 times each of the others, and the ratio of two probabilities is exp(a - 0).
# gap = np.log(0.91 / 0.01)               # 4.51
# ```
#
# </details>

# %% tags=["your-turn"]
gap = ...

# %%
mm.exercises.turn(gap, right=np.log(0.91 / 0.01), hint="the ratio of two probabilities is e to the difference of their "
                                                       "logits")

# %% [markdown]
# At this point the loss is not 0: it is what it costs to be as unsure as the targets are. No model can get below this
# **floor**. Keep it in mind when you read the curve of a training run.

# %%
floor = -(targets_smoothed * np.log(targets_smoothed)).sum()
print(f"smallest possible loss with smoothing 0.1 and ten classes: {floor:.3f}")

# %% [markdown]
# ### The function, and its gradient
#
# All together: smooth the targets, shift, take the logarithm on paper, average.


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
# The last line of the function is the gradient. It is surprisingly simple: **probability minus target**. From
# $\ln p_k = z_k - \ln \sum_j e^{z_j}$, the derivative of $\ln p_k$ with respect to $z_i$ is $[i = k] - p_i$, where
# $[i = k]$ is 1 if $i = k$ and 0 otherwise. With $\sum_k t_k = 1$:
#
# $$\frac{\partial L}{\partial z_i} = -\sum_k t_k \left([i = k] - p_i\right) = p_i - t_i$$
#
# Three facts follow. Each number lies between -1 and 1: one image cannot pull harder, however wrong it is. The numbers
# of an image add up to 0: what one logit gains, the others lose. And where $p = t$ the pull ends.

# %%
_, gradient = cross_entropy(np.zeros((1, 10)), [3])
print("ten equal logits, class 3 is right:", gradient[0].round(2).tolist())

# %% [markdown]
# ## Check
#
# **First check: finite differences** for the gradient of minimixer's loss, and our function against it.

# %%
rng = np.random.default_rng(0)
z, right = rng.standard_normal((4, 10)), np.array([3, 1, 4, 1])                 # (B, K) and (B,)
print("gradient right:", mm.gradcheck(lambda z: mm.functional.cross_entropy(z, right, 0.1), z).ok)
z_tensor = mm.Tensor(z, requires_grad=True)
theirs = mm.functional.cross_entropy(z_tensor, right, 0.1)
ours, our_gradient = cross_entropy(z, right, 0.1)
print("same loss:", np.isclose(ours, theirs.item()))
print("same gradient:", np.allclose(our_gradient, mm.grad(theirs, [z_tensor])[0]))

# %% [markdown]
# **Second check: the library's file**, `minimixer/ops/cross_entropy/reference.py`.

# %%
print(inspect.getsource(CrossEntropy.forward))
print(inspect.getsource(CrossEntropy.backward))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `targets[:, None] == xp.arange(classes)` | the table of 0 and 1: our `np.eye(classes)[labels]` |
# | `if label_smoothing` | a little of the target goes to every class |
# | `logits - logits.max(...)` | the shift by $m$ |
# | `xp.where(targets == 0, 0, log_p)` | 0 times minus infinity would be `nan`; a class with target 0 counts nothing |
# | `return -(...).sum()` | the sum over the batch; `functional.cross_entropy` divides it by B |
# | `exp(log_p) * targets.sum(...) - targets` | $p - t$; the targets sum to 1, unless the caller passes others |

# %% [markdown]
# ## Break it
#
# **Softmax, twice.** The loss contains the softmax. But "a classifier outputs probabilities" sounds right, so somebody
# ends the model with a softmax as well. We train a small Mixer on the digits both ways. (The optimizer and its rate are
# the subject of lesson 11.)


# %%
def train(twice, smoothing=0.0, steps=30 if FAST else 120):
    digits = mm.data.load_digits()
    model = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
    batches, (mean, std) = mm.data.Batches(digits, 64, seed=0), digits.channel_statistics()
    optimizer, losses = optim.AdamW(model.parameters(), 4e-3), []
    for step in range(steps):
        images, labels = batches[step]                                          # (64, 8, 8, 1) and (64,)
        logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))         # (64, 10)
        if twice:
            logits = mm.functional.softmax(logits)                              # (64, 10)  the bug
        loss = mm.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        optimizer.step(mm.grad(loss, model.parameters()))
        losses.append(loss.item())
    with mm.no_grad():                                                          # (360, 10)
        return losses, model.eval()(mm.Tensor(mm.data.normalize(digits.test_images, mean, std))).data


# %% tags=["measured"]
losses_once, logits_once = train(twice=False)
losses_twice, logits_twice = train(twice=True)
labels = mm.data.load_digits().test_labels                                      # (360,)
print(f"right answers: once {(logits_once.argmax(1) == labels).mean():.1%}, "
      f"twice {(logits_twice.argmax(1) == labels).mean():.1%}")
plots.lines(np.arange(len(losses_once)), {"softmax once": losses_once, "softmax twice": losses_twice},
            xlabel="step", ylabel="loss of the batch")

# %% [markdown]
# **Symptom.** There is no error. The first loss is $\ln 10$ both ways: ten probabilities of 0.1 are ten equal logits
# too. The loss falls, and the answers are useful. But the loss ends far above 0 and stays there. The "logits" of the
# outer softmax lie between 0 and 1, so it can never be certain.

# %% [markdown]
# **Your turn.** How small can the loss become? The best possible answer of the model is 1 for the right class and 0 for
# the nine others, and the loss applies softmax to it. Set `least` to this loss.
#
# <details><summary>Solution</summary>
#
# ```python
# least = -np.log(np.e / (np.e + 9))      # 1.461
# ```
#
# </details>

# %% tags=["your-turn"]
least = ...

# %%
mm.exercises.turn(least, right=np.log(1 + 9 / np.e), hint="softmax of (1, 0, ..., 0), then -ln of its first number")

# %% [markdown]
# **Cure.** A model ends with logits, and the loss takes logits. Test what the loss is for a model that is certain and
# right: it must be nearly 0. The loss at step 0 does not show this bug; this line does.

# %%
certain = mm.Tensor(20 * np.eye(10))                                            # (10, 10)  image k is of class k
print(f"once:  {mm.functional.cross_entropy(certain, np.arange(10)).item():.3f}")
print(f"twice: {mm.functional.cross_entropy(mm.functional.softmax(certain), np.arange(10)).item():.3f}")

# %% [markdown]
# ## Use it
#
# **Which images cost most?** The loss of each test image, `reduction="none"`, is a list of what the model finds hard,
# and of labels that may be wrong. These are the five most expensive of 360.

# %% tags=["measured"]
each = mm.functional.cross_entropy(mm.Tensor(logits_once), labels, reduction="none").data       # (360,)
hardest = np.argsort(-each)[:5]
print(f"mean loss {each.mean():.3f}; these five alone make {each[hardest].sum() / each.sum():.0%} of it")
drawing = plots.figure(8.4, 2.1, alt="The five test digits with the largest loss, each with its label, the model's "
                           "answer and its loss.")
for axes, i in zip(drawing.subplots(1, 5), hardest, strict=True):
    axes.imshow(mm.data.load_digits().test_images[i, :, :, 0], cmap="gray")
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"a {labels[i]}, answer {logits_once[i].argmax()}\nloss {each[i]:.2f}", fontsize=9)
drawing

# %% [markdown]
# **How certain should an answer be?** A model that says 99 % should be right in 99 of 100 cases. We train again, with
# smoothing, and compare the probability of the chosen class with how often this class is right.


# %% tags=["measured"]
def certainty(logits):
    p = np.exp(logits - logits.max(1, keepdims=True))                           # (360, 10)
    return (p / p.sum(1, keepdims=True)).max(1).mean()


_, logits_smoothed = train(twice=False, smoothing=0.1)
for name, found in (("without smoothing", logits_once), ("with smoothing 0.1", logits_smoothed)):
    print(f"{name:<20}says {certainty(found):.1%}, is right in {(found.argmax(1) == labels).mean():.1%}")

# %% [markdown]
# With smoothing, the model says less than it could: its targets were 91 %. Here that costs no accuracy, and it keeps
# the weights from growing. Most of minimixer's presets train with smoothing; the test loss that it reports is computed
# without, so the two losses of a run are not the same quantity. Lesson 12 comes back to this.

# %% [markdown]
# ## Exercise
#
# Write cross-entropy, without label smoothing, and its gradient.
#
# ```console
# $ minimixer exercises start ex10
# ```

# %% [markdown]
# ## Summary
#
# - Cross-entropy is $-\ln p$ of the right class. A new model with K classes has the loss $\ln K$.
# - Subtract the largest logit first, and take the logarithm on paper: log-sum-exp.
# - The gradient is $p - t$: between -1 and 1, and 0 in sum.
# - Label smoothing makes the best answer a finite one. Then the loss has a floor above 0.
# - A model ends with logits. A softmax too many still trains, but its loss cannot fall.
#
# **What the library does differently:** labels may also be probabilities, for mixed images. Class numbers are checked,
# because NumPy would take -1 for the last class. On a GPU the loss stays there, so that the CPU does not wait for it.
