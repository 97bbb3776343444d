# %% [markdown]
# # 00 A picture to a prediction
#
# - **Time:** 8 minutes, 20 seconds of computing (measured on 2 cores)
# - **Needs:** Python and a little NumPy
# - **Previous:** none
# - **Next:** [01 Tensors, shapes, broadcasting](01_tensors.ipynb)

# %% [markdown]
# ## Goal
#
# In this lesson you train a small MLP-Mixer and let it read a digit. Much of it you will not understand yet: each later
# lesson explains one part. After this lesson you can
#
# 1. say what goes into the model and what comes out,
# 2. read the four steps of every training loop,
# 3. say where the 72,714 parameters of the model are.

# %%
import inspect
import os
import tempfile
from pathlib import Path

import numpy as np

import minimixer as mm
from minimixer import plots

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# minimixer brings 1,797 pictures of handwritten digits. A picture has **H** x **W** = 8 x 8 pixels and one channel
# (grey). A pixel is a whole number from 0 (black) to 255 (white). 1,437 pictures are for training. The other 360 are
# for the test: the model never learns from them.

# %%
dataset = mm.data.load_digits()
print("training:", dataset.train_images.shape, " test:", dataset.test_images.shape, dataset.test_images.dtype)
print("the first labels:", dataset.test_labels[:8])

# %% [markdown]
# The Mixer does not look at single pixels. It cuts the picture into square **patches** of **P** x **P** pixels, here
# P = 2. So there are **S** = (8 / 2) x (8 / 2) = 16 patches. From now on a picture is a table with 16 rows.

# %%
chosen = 3                                                              # which test picture we look at
plots.patch_grid(dataset.test_images[chosen], 2, f"the label of this picture is {dataset.test_labels[chosen]}")

# %% [markdown]
# What happens then is short enough to say in one line. **B** is the batch (how many pictures at once), **C** = 64 the
# number of channels (how many numbers describe one patch).
#
# $$\text{pictures } (B, 8, 8, 1) \to \text{patches } (B, 16, 4) \to (B, 16, 64) \to \ldots \to (B, 64)
#   \to \text{logits } (B, 10)$$
#
# The ten **logits** are ten numbers, one for each class: the larger the number, the more the model believes in this
# class. **Softmax** makes probabilities of them, ten positive numbers whose sum is 1:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}$$
#
# Here $z_k$ is the logit of class $k$, and $p_k$ its probability.

# %% [markdown]
# ## Predict
#
# The model starts with random weights, but the last layer, the **head**, starts with zeros. Which probability does the
# new model give to each digit? And how many of the 360 test pictures does it get right, about?
#
# <details><summary>Answer</summary>
#
# All logits are 0, and $e^0 = 1$. So each probability is 1 / 10. The largest of ten equal numbers is, for NumPy, the
# first one. So the model always answers "0", and it is right for about one picture in ten. The zeros are a choice of
# the paper's code: the new model does not prefer any class.
#
# </details>

# %%
model = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
mean, std = dataset.channel_statistics()                                # of the training pixels, on the 0..1 scale


def probabilities(images):
    """Pictures of whole numbers, (B, 8, 8, 1) -> probability of each class, (B, 10)."""
    x = mm.Tensor(mm.data.normalize(images, mean, std))                 # (B, 8, 8, 1)  numbers around 0
    with mm.no_grad():                                                  # we do not train here: keep no notes
        return mm.functional.softmax(model(x)).data                     # (B, 10)


before = probabilities(dataset.test_images)                             # (360, 10)
print("probabilities:", before[chosen].round(2))
print(f"right answers: {(before.argmax(1) == dataset.test_labels).mean():.1%}")

# %% [markdown]
# ## Build
#
# Training repeats four steps:
#
# 1. **Forward.** Show a batch of pictures to the model, and get the logits.
# 2. **Loss.** One number that says how wrong the answers are. Cross-entropy is $-\ln p$, where $p$ is the probability
#    that the model gave to the right class. It is 0 if $p = 1$, and it grows as $p$ goes to 0.
# 3. **Backward.** The gradient: for each parameter, how the loss changes if this parameter grows a little.
# 4. **Update.** Move every parameter a little in the direction in which the loss falls.
#
# Find the four steps in this loop. A batch is 64 pictures. 22 batches are one **epoch**: one pass over the training
# pictures. (22 x 64 = 1408: the 29 that are left over are not used, and the next epoch has a new order.) We do four
# epochs.

# %% tags=["measured"]
batches = mm.data.Batches(dataset, batch_size=64, seed=0)
optimizer = mm.optim.AdamW(model.parameters(), lr=4e-3)
losses = []
for step in range(22 if FAST else 88):
    images, labels = batches[step]                                      # (64, 8, 8, 1) and (64,)
    logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))     # 1. (64, 10)
    loss = mm.functional.cross_entropy(logits, labels)                  # 2. one number
    gradients = mm.grad(loss, model.parameters())                       # 3. one array for each parameter
    optimizer.step(gradients)                                           # 4.
    losses.append(loss.item())
plots.lines(np.arange(len(losses)), {"cross-entropy of the batch": losses}, xlabel="step", ylabel="loss")

# %% [markdown]
# The loss starts at $-\ln 0.1 = 2.30$, which is what ten equal probabilities give. Then it falls. Now the picture
# again:

# %% tags=["measured"]
after = probabilities(dataset.test_images)                              # (360, 10)
print(f"right answers: {(after.argmax(1) == dataset.test_labels).mean():.1%} of 360 pictures")
drawing = plots.figure(7.5, 2.6)
left, right = drawing.subplots(1, 2, width_ratios=[1, 3])
left.imshow(dataset.test_images[chosen, ..., 0], cmap="gray")
left.set_axis_off()
right.bar(np.arange(10) - 0.2, before[chosen], 0.4, color=plots.ORANGE, label="before")
right.bar(np.arange(10) + 0.2, after[chosen], 0.4, color=plots.BLUE, label="after")
right.set(xticks=range(10), xlabel="class", ylabel="probability", ylim=(0, 1))
right.legend(frameon=False)
drawing

# %% [markdown]
# You have trained an MLP-Mixer. In the first lines, change `chosen` and run all cells again: which digits are hard?

# %% [markdown]
# ## Check
#
# **Where are the parameters?** Every parameter has a name. We add them up by the first word of the name.

# %%
parts = {}
for name, parameter in model.named_parameters():
    part = ".".join(name.split(".")[:2]) if name.startswith("blocks") else name.split(".")[0]
    parts[part] = parts.get(part, 0) + parameter.size
for part, size in parts.items():
    print(f"{part:<10}{size:>8,}")
print(f"{'all':<10}{model.num_parameters():>8,}")

# %% [markdown]
# The same by hand. A `Linear` layer from $I$ to $O$ numbers has $I \times O$ weights and $O$ biases. A `LayerNorm` over
# $C$ channels has $2C$. Each block has two MLPs of two `Linear` layers: one along the $S$ = 16 patches (with
# $D_S$ = 32 hidden units) and one along the $C$ = 64 channels (with $D_C$ = 128).

# %%
def linear(inputs, outputs):
    return inputs * outputs + outputs


token_mixing = linear(16, 32) + linear(32, 16)
channel_mixing = linear(64, 128) + linear(128, 64)
block = 2 * (2 * 64) + token_mixing + channel_mixing
print(f"one block: {token_mixing:,} + {channel_mixing:,} + two norms = {block:,}")
by_hand = linear(2 * 2 * 1, 64) + 4 * block + 2 * 64 + linear(64, 10)
print(f"stem + 4 blocks + norm + head = {by_hand:,}")
assert by_hand == model.num_parameters()

# %% [markdown]
# 98 % of the parameters are in the blocks, and almost all of these mix channels. Mixing the patches is cheap, because
# all 64 channels share one small MLP.
#
# **The file of the library.** The forward pass of the whole model is seven lines, in `minimixer/nn/mixer.py`:

# %%
print(inspect.getsource(mm.nn.MlpMixer.forward))

# %% [markdown]
# | line | meaning | lesson |
# | --- | --- | --- |
# | `check_images(...)` | refuse pictures of a wrong size, with a sentence that helps | |
# | `F.patches(...)` | cut the pictures into patches, (B, 16, 4) | 07 |
# | `self.stem(x)` | from 4 numbers to 64 for each patch, (B, 16, 64) | 04 |
# | `for block in self.blocks` | four times: mix the patches, then the channels | 08, 09 |
# | `self.norm(x).mean(axis=1)` | normalize, then the mean of the 16 patches, (B, 64) | 06 |
# | `self.head(x)` | ten logits, (B, 10) | 04 |

# %% [markdown]
# ## Break it
#
# In `probabilities` we called `mm.data.normalize`: it subtracts the mean of the training pixels and divides by their
# standard deviation. What if we forget this when we predict? The shapes are the same.

# %% tags=["measured"]
raw = mm.Tensor(dataset.test_images.astype(np.float32))                 # (360, 8, 8, 1)  numbers from 0 to 255
with mm.no_grad():
    answers = model(raw).data.argmax(1)                                 # (360,)
print(f"right answers without normalize: {(answers == dataset.test_labels).mean():.1%}")

# %% [markdown]
# **Symptom.** No error. The same model, the same pictures, but the answers are almost as bad as before the training.
# The numbers are about a hundred times larger than all that the model has seen. This bug is common where training and
# prediction are in two programs.
#
# **Cure.** Keep the mean and the standard deviation together with the weights, and let one function do both. This is
# what minimixer's files do, as you see next.

# %% [markdown]
# ## Use it
#
# You need not write the loop each time. `mm.train.fit` does it. It also measures the accuracy on the test pictures
# after each epoch, and keeps the weights of the best epoch in a folder. (Nothing is learned from these pictures, but
# the epoch is chosen by them: so the best accuracy is a little too high. The one after the last epoch is not chosen.)
# `load_run` reads them back, with the mean, the standard deviation and the names of the classes.

# %% tags=["measured"]
config = mm.train.TrainConfig(data="digits", patch_size=2, batch_size=64, lr=4e-3, epochs=1 if FAST else 3,
                              out=Path(tempfile.mkdtemp(), "first"))
quiet = mm.train.Callback()                                             # shows nothing while it runs
history = mm.train.fit(config, reporter=quiet)
print(f"best test accuracy: {history.best_accuracy:.1%}")
trained = mm.train.load_run(history.out)
answer = trained.predict(dataset.test_images[chosen:chosen + 1])        # uint8 (1, 8, 8, 1) -> (1, 10)
print(f"this is a {trained.class_names[answer.argmax()]}, with probability {answer.max():.2f}")

# %% [markdown]
# **What the next lessons open up.**
#
# | lessons | question |
# | --- | --- |
# | 01 to 03 | How does `mm.grad` find all gradients? How can we trust them? |
# | 04 to 06 | `Linear`, GELU and LayerNorm: the three layers that the Mixer is made of |
# | 07 to 09 | Patches, token mixing, and the whole model of the paper |
# | 10 | The loss, AdamW, and the learning rate |
# | 11 and 12 | The same code on a GPU; how it becomes fast |
# | 13 to 16 | What a model has learned; convolutions and transformers beside it; the paper's own weights |

# %% [markdown]
# ## Exercise
#
# Train the same model for 30 epochs, on your terminal. Then read the last lines: where is the run folder, and what is
# in it?
#
# ```console
# $ minimixer train digits
# ```

# %% [markdown]
# ## Summary
#
# - Pictures go in, ten logits come out, and softmax makes probabilities of them.
# - A training step is: forward, loss, backward, update.
# - The small Mixer has 72,714 parameters. 98 % of them are in its four blocks.
# - Predict with the same normalization as in training, or the answers are worthless, without an error.
#
# **What the library does differently:** `fit` also warms the learning rate up and lowers it again, limits the gradients
# (lesson 10), cuts the batch into parts for several threads (lesson 12), and can be stopped and resumed.
