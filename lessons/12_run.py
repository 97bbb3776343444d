# %% [markdown]
# # 12 The run: a loop that can be stopped
#
# - **Time:** 22 minutes to read, 30 to do, 40 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 10 and 11
# - **Previous:** [11 The optimizer](11_optimizer.ipynb)
# - **Next:** [13 Inside a trained Mixer](13_inside.ipynb)

# %% [markdown]
# ## Goal
#
# A model, a loss, an optimizer, a schedule: now they become a training run. After this lesson you can
#
# 1. write the training loop, and show that `mm.train.fit` does the same,
# 2. say what a run must save so that it can be stopped and resumed without changing one bit,
# 3. read the curves of a run: which loss, on which images, and how low it can get,
# 4. train minimixer's preset for the digits, and use the model.

# %%
import inspect
import signal
import tempfile
from dataclasses import replace
from os import environ
from pathlib import Path

import numpy as np

import minimixer as mm
from minimixer import optim, plots
from minimixer.train.loop import train_step

FAST = environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# One **step** takes one batch: **B** images of **H** x **W** pixels become **S** patches of **C** channels, then **K**
# logits, then one loss. From its gradients, the optimizer computes new weights.

# %%
plots.shapes({"images": {"B": 64, "H": 8, "W": 8}, "patches": {"B": 64, "S": 16, "C": 64},
              "logits": {"B": 64, "K": 10}, "loss": {}}, "→→→")

# %% [markdown]
# One **epoch** is as many steps as it takes to see every training image once, in a new random order each time. If the
# last batch of an epoch is not full, it is left out. A run has **N** steps in all. Here is the rate of every step of
# minimixer's preset for the digits.

# %%
digits = mm.data.load_digits()
preset = mm.train.PRESETS["digits"]
per_epoch = len(digits.train_images) // preset.batch_size
N = preset.epochs * per_epoch
preset_rate = optim.Schedule(preset.schedule, preset.lr, N, min(preset.warmup_steps, N // 5))
print(f"{len(digits.train_images):,} images, batches of {preset.batch_size}: {per_epoch} steps per epoch; "
      f"{preset.epochs} epochs: N = {N}")
drawing = plots.lines(np.arange(N), {"learning rate": [preset_rate(i) for i in range(N)]}, xlabel="step",
                      ylabel="learning rate", marks={"after 1 epoch": per_epoch, "after half": N // 2})
drawing.axes[0].set_ylim(top=1.2 * preset.lr)
drawing

# %% [markdown]
# ## Predict
#
# 1. You stop a run in the middle and resume it from a file. Are its final weights those of a run without a stop:
#    different, nearly equal, or equal to the last bit?
# 2. The file holds only the weights. What do you see in the curve of the loss after the resumption?
# 3. In many runs, the loss of the *training* images stays above the loss of the *test* images. How can that be?
#
# <details><summary>Answer</summary>
#
# 1. Equal to the last bit, if everything is saved that the run depends on. You will do it.
# 2. A jump: the optimizer has forgotten its means $m$ and $v$. See "Break it".
# 3. They are not the same quantity. The training loss has smoothed targets, and a floor (lesson 10); it may also be
#    computed on images that augmentation made harder. The test loss has neither.
#
# </details>

# %% [markdown]
# ## Build

# %% [markdown]
# **Your turn.** How many steps has a run of 7 epochs over 1,437 images, with batches of 100? Set `steps`.
#
# <details><summary>Solution</summary>
#
# ```python
# # Each epoch has 14 full batches. The order is new in each epoch, so other images are left out next time.
# steps = 7 * (1437 // 100)               # 98
# ```
#
# </details>

# %% tags=["your-turn"]
steps = ...

# %%
hundreds = mm.data.Batches(digits, batch_size=100)
mm.exercises.turn(steps, right=7 * len(hundreds), hint="an epoch has only full batches")

# %% [markdown]
# ### The loop
#
# Everything together, on the digits, with the pico Mixer. What the loop changes are the model and the optimizer. What
# it reads follows from the number of the step: the batch and the rate.


# %%
TOTAL, PEAK, WARMUP = 60 if FAST else 120, 0.015, 20
batches = mm.data.Batches(digits, 64, seed=0)
mean, std = digits.channel_statistics()


def begin():
    model = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
    return model, optim.AdamW(model, weight_decay=0.05, decay_vectors=False)


# %%
def advance(model, optimizer, start, stop, schedule):
    losses = []
    for i in range(start, stop):
        images, labels = batches[i]                                             # (64, 8, 8, 1) and (64,)
        logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))         # (64, 10)
        loss = mm.functional.cross_entropy(logits, labels, label_smoothing=0.1)
        gradients, _ = optim.clip_by_global_norm(mm.grad(loss, model.parameters()), 1.0)
        optimizer.lr = schedule(i)
        optimizer.step(gradients)
        losses.append(loss.item())
    return losses


# %% tags=["measured"]
schedule = optim.Schedule("cosine", PEAK, TOTAL, WARMUP)
model, optimizer = begin()
losses = advance(model, optimizer, 0, TOTAL, schedule)
print(f"loss of the first batch {losses[0]:.3f}, mean of the last ten {np.mean(losses[-10:]):.3f}")
plots.lines(np.arange(TOTAL), {"loss of the batch": losses, "floor": [0.5] * TOTAL}, xlabel="step",
            ylabel="loss, smoothed")

# %% [markdown]
# ### The test
#
# The loss of a training batch says how well the model knows images that it was trained on. What we want to know is how
# often it is right on images that it has never seen. The test needs no graph (`mm.no_grad()`), and no training mode
# (`model.eval()`): layers such as dropout, which draw random numbers in training, do not draw them here.

# %% [markdown]
# **Your turn.** Write `accuracy`, a function of `images` (uint8, (B, 8, 8, 1)) and `labels` (B,), which returns the
# share of right answers of our `model`. `model`, `mean` and `std` are defined above.
#
# <details><summary>Solution</summary>
#
# ```python
# def accuracy(images, labels):
#     model.eval()
#     with mm.no_grad():
#         logits = model(mm.Tensor(mm.data.normalize(images, mean, std))).data        # (B, 10)
#     return (logits.argmax(1) == labels).mean()
# ```
#
# </details>

# %% tags=["your-turn"]
accuracy = ...


# %%
def answers_of(model, images):
    with mm.no_grad():
        return model.eval()(mm.Tensor(mm.data.normalize(images, mean, std))).data.argmax(1)     # (B,)


def is_accuracy(answer):
    for images in (digits.test_images, digits.test_images[:7]):
        right = (answers_of(model, images) == digits.test_labels[:len(images)]).mean()
        found = answer(images, digits.test_labels[:len(images)])
        if not np.isclose(found, right):
            return f"for {len(images)} images it returns {found:.4f}, and the share of right answers is {right:.4f}"
    return True


mm.exercises.turn(accuracy, right=is_accuracy, hint="normalize first; argmax over the classes, which are the last axis")

# %% [markdown]
# ### What a run must remember
#
# Suppose the computer is switched off after step $n$. What must be on the disk so that the run can go on as if nothing
# had happened?
#
# - the **weights** $p$,
# - what the **optimizer** remembers: $m$, $v$, and how many steps it has made (for the bias correction),
# - $n$ itself. The rate and the batch of each step follow from it, if the order of the images is a function of the seed
#   and the epoch. A random generator would be one thing more to save; minimixer has none that lives longer than a step.

# %% [markdown]
# **Your turn.** A Mixer with 72,714 parameters is trained with AdamW. How many numbers of the size of a weight must a
# checkpoint hold? Set `numbers`.
#
# <details><summary>Solution</summary>
#
# ```python
# numbers = 3 * 72_714                    # p, m and v of each parameter
# ```
#
# </details>

# %% tags=["your-turn"]
numbers = ...

# %%
mm.exercises.turn(numbers, right=3 * 72_714, hint="which arrays have the shape of p?")


# %% [markdown]
# Here is a checkpoint of our own, and the proof: we stop after step 45, forget everything, and resume in a new model
# and a new optimizer.


# %%
def save(model, optimizer):
    return {"p": [p.data.copy() for p in model.parameters()], "count": optimizer.step_count,
            "state": {name: [a.copy() for a in arrays] for name, arrays in optimizer.state.items()}}


def load(saved, *, with_optimizer=True):
    model, optimizer = begin()
    for p, number in zip(model.parameters(), saved["p"], strict=True):
        p.data = number.copy()
    if with_optimizer:
        optimizer.step_count = saved["count"]
        optimizer.state = {name: [a.copy() for a in arrays] for name, arrays in saved["state"].items()}
    return model, optimizer


# %%
stopped = begin()
advance(*stopped, 0, 45, schedule)
checkpoint = save(*stopped)
resumed = load(checkpoint)
advance(*resumed, 45, TOTAL, schedule)
print("all weights equal, to the last bit:", all(np.array_equal(a.data, b.data) for a, b in
                                                 zip(model.parameters(), resumed[0].parameters(), strict=True)))

# %% [markdown]
# ## Check
#
# `mm.train.fit` trains any minimixer model on any data set that it knows, or on your own. **First check: it does what
# our loop does.** We let both take 20 steps with the same settings; `log_every=1` makes `fit` write down every loss.

# %% tags=["measured"]
folder = Path(tempfile.mkdtemp())
config = mm.train.TrainConfig(data="digits", patch_size=2, batch_size=64, optimizer="adamw", lr=0.004, max_steps=20,
                              label_smoothing=0.1, warmup_steps=4, log_every=1, out=folder / "without-a-stop")
quiet = mm.train.Callback()                                                     # prints nothing
history = mm.train.fit(config, reporter=quiet)
losses_of_fit = np.array([line["train_loss"] for line in history.metrics if "train_loss" in line])
by_hand = np.array(advance(*begin(), 0, 20, optim.Schedule("cosine", 0.004, 20, 4)))
print("by hand:", by_hand[::5].round(3))
print("by fit: ", losses_of_fit[::5].round(3))
print("largest difference below 0.001:", bool(abs(by_hand - losses_of_fit).max() < 1e-3))

# %% [markdown]
# What is left is the order in which float32 numbers are added.
#
# **Second check: `fit` can be stopped.** A **callback** watches a run. This one does after step 10 what Ctrl-C does.
# Then we resume the run from its folder, and compare with the run that was not stopped.


# %%
class CtrlC(mm.train.Callback):
    def step(self, progress, loss, correct):
        if progress.step == 10:
            progress.receive(signal.SIGINT)


def weights_of(run):
    return mm.train.load_run(run / "last.safetensors").model.parameters()


broken_off = replace(config, out=folder / "with-a-stop")
first_part = mm.train.fit(broken_off, callbacks=[CtrlC()], reporter=quiet)
print(f"stopped after step {first_part.metrics[-1]['step']}, interrupted: {bool(first_part.interrupted)}")
second_part = mm.train.fit(replace(broken_off, resume=True), reporter=quiet)
print(f"resumed, up to step {second_part.metrics[-1]['step']}; the same bits:",
      all(np.array_equal(a.data, b.data) for a, b in
          zip(weights_of(config.out), weights_of(broken_off.out), strict=True)))

# %% [markdown]
# **Third check: the library's file**, `minimixer/train/loop.py`. This is one step:

# %%
print(inspect.getsource(train_step))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `run.sharded.gradients(...)` | forward, loss and backward, split into parts for several threads (lesson 23) |
# | `optim.clip_factor(...)` | only the factor; the optimizer applies it while it reads the gradients |
# | `run.schedule(state.step)` | the rate of this step |
# | `state.optimizer.step(...)` | the update |
# | `state.recent.append(loss)` | the losses since the last line of the log; they are read only then |
# | `state.ema.update(...)` | a moving average of the weights, off unless you ask for it |
#
# `state` is all that a run changes. What is in it is saved, and nothing else is.

# %% [markdown]
# ## Break it
#
# We resume our own run after step 45, but load the weights only. The new optimizer starts with $m = v = 0$.

# %% tags=["measured"]
half = load(checkpoint, with_optimizer=False)
forgetful = losses[:45] + advance(*half, 45, TOTAL, schedule)
print(f"highest loss after the stop: {max(losses[46:]):.2f} with the optimizer, {max(forgetful[46:]):.2f} without")
shown = slice(20, 80)
jump = plots.lines(np.arange(TOTAL)[shown], {"everything saved": losses[shown], "only the weights": forgetful[shown]},
                   xlabel="step", ylabel="loss, smoothed", marks={"stopped and resumed": 45})
jump.axes[0].set_ylim(top=1.2 * max(forgetful[20:]))
jump

# %% [markdown]
# **Symptom.** The loss jumps at the moment of the resumption, and comes down again after a while. There is no error,
# and at the end the model may be nearly as good. With $m = v = 0$ the first step of AdamW moves *every* weight by the
# whole learning rate, in the direction of a single batch: as at the start of a run, but without the warm-up.
#
# **Cure.** Save the state of the optimizer with the weights. Test it as we did: a stopped run and one that was not
# stopped must have the same bits. "Nearly equal" would hide the bug.

# %% [markdown]
# ## Use it
#
# Now the real run: the preset for the digits, as `minimixer train digits` starts it.

# %% tags=["measured"]
settings = replace(preset, epochs=2 if FAST else preset.epochs, out=folder / "digits")
print(f"{settings.model}, {settings.optimizer}, peak {settings.lr}, {settings.epochs} epochs, "
      f"label smoothing {settings.label_smoothing}")
run = mm.train.fit(settings, reporter=quiet)
tests = [line for line in run.metrics if "test_accuracy" in line]
best = max(tests, key=lambda line: line["test_accuracy"])
print(f"{run.wall_seconds:.1f} s; right answers on {len(digits.test_images)} test images after the last epoch: "
      f"{tests[-1]['test_accuracy']:.2%}")
print(f"best: {best['test_accuracy']:.2%}, after epoch {best['epoch']:g}")
print("in the folder:", ", ".join(sorted(path.name for path in run.out.iterdir())))

# %% [markdown]
# **Which of the two accuracies is the result?** The one after the last epoch. The best one was *chosen* by looking at
# the test images, so it is a little too good to be true. Lesson 18 shows how a third part of the images, for
# validation, solves this.
#
# **The curves.** Every line of the log is in `run.metrics` (and on the disk, in `metrics.jsonl`).

# %% tags=["measured"]
s, K = settings.label_smoothing, digits.num_classes
targets = (1 - s) * np.eye(K)[0] + s / K                                        # (K,)  of an image of class 0
lowest = -(targets[targets > 0] * np.log(targets[targets > 0])).sum()           # lesson 10
training = [(line["epoch"], line["train_loss"]) for line in run.metrics if "train_loss" in line]
curves = plots.figure(6.4, 3.4, alt="Training and test loss by epoch, and a dotted line at the lowest training loss "
                          "that smoothed targets allow.")
axes = curves.subplots()
axes.plot(*zip(*training, strict=True), color=plots.BLUE, label="training, smoothed targets")
axes.plot([line["epoch"] for line in tests], [line["test_loss"] for line in tests], "o-", markersize=3,
          color=plots.ORANGE, label="test, targets 1 and 0")
axes.axhline(lowest, color=plots.BLUE, linestyle=":", label=f"floor of the training loss, {lowest:.3f}")
axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
curves

# %% [markdown]
# Read such a figure in this order. Does the training loss begin at $\ln K$? Does it fall from the first epoch on? How
# far above its floor does it end: is there still something to learn? Does the test loss fall with it, or does it turn
# and rise while the training loss goes on falling? Then the model learns the training images by heart (lesson 18).
#
# **The model.** `load_run` reads a run folder: the weights with the best test accuracy (those of the last step are in
# `last.safetensors`), the names of the classes, and the mean and standard deviation of the pixels. So nobody can forget
# to normalize.

# %% tags=["measured"]
trained = mm.train.load_run(run.out)
p = trained.predict(digits.test_images)                                         # (360, 10)
wrong = np.flatnonzero(p.argmax(1) != digits.test_labels)
print(f"the weights after step {trained.metadata['step']}, {trained.model.num_parameters():,} parameters")
print(f"{len(wrong)} wrong answers; the first of them:",
      [f"a {digits.test_labels[i]}, answer {p[i].argmax()} ({p[i].max():.0%})" for i in wrong[:3]])

# %% [markdown]
# The recipe of the paper's pre-training belongs to the same family: Adam with $\beta_1$ = 0.9 and $\beta_2$ = 0.999,
# 10,000 steps of warm-up, a *linear* decay, weight decay, and clipping at 1, with batches of 4,096 images.

# %% [markdown]
# ## Exercise
#
# Train the digits on your machine. Press Ctrl-C after two or three epochs, then run the same command with `--resume`
# behind it. Look at `runs/mine/report.md` and its figures, then draw digits for your model: `minimixer play runs/mine`.
#
# ```console
# $ minimixer train digits --out runs/mine
# ```

# %% [markdown]
# ## Summary
#
# - A step: batch, logits, loss, gradients, clipping, rate, update. An epoch: every training image once.
# - The state of a run is the weights, what the optimizer remembers, and the number of the step. Then a resumed run has
#   the bits of a run without a stop.
# - If the optimizer is forgotten, the loss jumps at the resumption.
# - Training loss and test loss are different quantities if there is smoothing or augmentation. Know the floor.
# - The result of a run is its accuracy after the last epoch. The best one was chosen on the same images.
#
# **What the library does differently:** a checkpoint is written whole or not at all, so a power failure never leaves
# half of one. The next batch is prepared on a thread while the present one is used. `fit` also trains on several
# threads, processes or a GPU, measures how long the run will take (`--estimate`), and refuses a folder that holds
# another run.
