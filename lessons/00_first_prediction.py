# %% [markdown]
# # 00 From an image to a prediction
#
# - **Time:** 18 minutes to read, 20 to do, 20 seconds of computing (measured on 2 cores)
# - **Needs:** Python and a little NumPy
# - **Previous:** none
# - **Next:** [01 Tensors, shapes, broadcasting](01_tensors.ipynb)

# %% [markdown]
# ## Goal
#
# In this lesson you train a small MLP-Mixer and use it to read a digit. You will not understand all of it yet: each
# later lesson explains one part. After this lesson you can
#
# 1. say what goes into the model and what comes out,
# 2. recognize the four steps of every training loop,
# 3. say where the model's 72,714 parameters are. <!-- printed -->

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
# minimixer comes with 1,797 images of handwritten digits. An image has **H** x **W** = 8 x 8 pixels and one channel
# (gray). A pixel is an integer from 0 (black) to 255 (white).
#
# 1,437 images are for training. The other 360 are for testing: the model never learns from them. <!-- printed -->

# %%
dataset = mm.data.load_digits()
print("training:", dataset.train_images.shape, " test:", dataset.test_images.shape, dataset.test_images.dtype)
print("the first labels:", dataset.test_labels[:8])

# %% [markdown]
# The Mixer does not look at individual pixels. It cuts the image into square **patches** of **P** x **P** pixels, here
# P = 2. That gives **S** = (8 / 2) x (8 / 2) = 16 patches. From now on an image is a table with 16 rows.

# %%
chosen = 3                                                              # the test image we look at
plots.patch_grid(dataset.test_images[chosen], 2, f"the label of this image is {dataset.test_labels[chosen]}")

# %% [markdown]
# What happens next fits on one line. **B** is the batch size (how many images at once), and **C** = 64 is the number of
# channels (how many numbers describe one patch).
#
# $$\text{images } (B, 8, 8, 1) \to \text{patches } (B, 16, 4) \to (B, 16, 64) \to \ldots \to (B, 64)
#   \to \text{logits } (B, 10)$$
#
# The ten **logits** are ten numbers, one per class: the larger the number, the more the model believes in that class.
# **Softmax** turns them into probabilities, ten positive numbers that sum to 1:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}$$
#
# Here $z_k$ is the logit of class $k$, and $p_k$ is its probability.

# %% [markdown]
# ## Predict
#
# The model starts with random weights, except for the last layer, the **head**, which starts at zero. What probability
# does the new model give each digit? And roughly how many of the 360 test images does it get right?
#
# <details><summary>Answer</summary>
#
# All logits are 0, and $e^0 = 1$. So each probability is 1 / 10. When ten numbers are equal, NumPy's `argmax` returns
# the first. So the model always answers "0", and it is right for about one image in ten. Starting at zero is a choice
# made in the paper's code: the new model prefers no class.
#
# </details>

# %%
model = mm.nn.mixer("pico", seed=0, image_size=8, patch_size=2, in_channels=1)
mean, std = dataset.channel_statistics()                                # of the training pixels, on a 0..1 scale


def probabilities(images):
    """Integer images, (B, 8, 8, 1) -> probability of each class, (B, 10)."""
    x = mm.Tensor(mm.data.normalize(images, mean, std))                 # (B, 8, 8, 1)  numbers around 0
    with mm.no_grad():                                                  # we are not training: record nothing
        return mm.functional.softmax(model(x)).data                     # (B, 10)


before = probabilities(dataset.test_images)                             # (360, 10)
print("probabilities:", before[chosen].round(2))
print(f"correct answers: {(before.argmax(1) == dataset.test_labels).mean():.1%}")

# %% [markdown]
# ## Build
#
# Training repeats four steps:
#
# 1. **Forward.** Show the model a batch of images and get the logits.
# 2. **Loss.** One number that says how wrong the answers are. Cross-entropy is $-\ln p$, where $p$ is the probability
#    that the model gave the right class. It is 0 if $p = 1$, and it grows as $p$ goes to 0.
# 3. **Backward.** The gradient: for each parameter, how the loss changes if that parameter grows a little.
# 4. **Update.** Move every parameter a little in the direction that lowers the loss.

# %% [markdown]
# **Your turn.** The first loss can be known before the first step: all ten probabilities are still equal. Set
# `first_loss` to the cross-entropy of the new model.
#
# <details><summary>Solution</summary>
#
# ```python
# first_loss = -np.log(0.1)
# ```
#
# </details>

# %% tags=["your-turn"]
first_loss = ...

# %%
mm.exercises.turn(first_loss, right=lambda loss: abs(loss - 2.30) < 0.01,
                  hint="which probability does it give the right class? np.log is the natural logarithm.")

# %% [markdown]
# Now find the four steps in this loop. A batch is 64 images. 22 batches make one **epoch**: one pass over the training
# images. (22 x 64 = 1408: the remaining 29 are skipped, and the next epoch uses a new order.) We run four epochs.

# %% tags=["measured"]
batches = mm.data.Batches(dataset, batch_size=64, seed=0)
optimizer = mm.optim.AdamW(model.parameters(), lr=4e-3)
losses = []
for step in range(22 if FAST else 88):
    images, labels = batches[step]                                      # (64, 8, 8, 1) and (64,)
    logits = model(mm.Tensor(mm.data.normalize(images, mean, std)))     # 1. (64, 10)
    loss = mm.functional.cross_entropy(logits, labels)                  # 2. one number
    gradients = mm.grad(loss, model.parameters())                       # 3. one array per parameter
    optimizer.step(gradients)                                           # 4.
    losses.append(loss.item())
plots.lines(np.arange(len(losses)), {"cross-entropy of the batch": losses}, xlabel="step", ylabel="loss")

# %% [markdown]
# The loss starts at $-\ln 0.1 = 2.30$, the value for ten equal probabilities. Then it falls. Here is our image again:

# %% tags=["measured"]
after = probabilities(dataset.test_images)                              # (360, 10)
print(f"correct answers: {(after.argmax(1) == dataset.test_labels).mean():.1%} of 360 images")
drawing = plots.figure(7.5, 2.6, alt="A handwritten digit, and bars of the ten probabilities for it: nearly equal "
                           "before training, one high bar after it.")
left, right = drawing.subplots(1, 2, width_ratios=[1, 3])
left.imshow(dataset.test_images[chosen, ..., 0], cmap="gray")
left.set_axis_off()
right.bar(np.arange(10) - 0.2, before[chosen], 0.4, color=plots.ORANGE, label="before")
right.bar(np.arange(10) + 0.2, after[chosen], 0.4, color=plots.BLUE, label="after")
right.set(xticks=range(10), xlabel="class", ylabel="probability", ylim=(0, 1))
right.legend(frameon=False)
drawing

# %% [markdown]
# You have trained an MLP-Mixer. Now change `chosen` near the top and run all cells again. Which images are hard?

# %% [markdown]
# **Your turn.** Find them all. `after` holds ten probabilities for each test image, (360, 10). Set `missed` to the
# numbers (indices) of the images that the model gets wrong, in ascending order. Then draw one, as in the section
# "Picture".
#
# <details><summary>Solution</summary>
#
# ```python
# missed = np.flatnonzero(after.argmax(1) != dataset.test_labels)
# plots.patch_grid(dataset.test_images[missed[0]], 2, f"the label of this image is {dataset.test_labels[missed[0]]}")
# ```
#
# </details>

# %% tags=["your-turn"]
missed = ...

# %%
mm.exercises.turn(missed, right=np.arange(360)[after.argmax(1) != dataset.test_labels],
                  hint="after.argmax(1) is the answer for each image; np.flatnonzero gives the places that are True.")

# %% [markdown]
# ## Check
#
# **Where are the parameters?** Every parameter has a name. We add up their sizes by the first part of the name.

# %%
parts = {}
for name, parameter in model.named_parameters():
    part = ".".join(name.split(".")[:2]) if name.startswith("blocks") else name.split(".")[0]
    parts[part] = parts.get(part, 0) + parameter.size
for part, size in parts.items():
    print(f"{part:<10}{size:>8,}")
print(f"{'all':<10}{model.num_parameters():>8,}")

# %% [markdown]
# Now by hand. A `Linear` layer from $I$ to $O$ numbers has $I \times O$ weights and $O$ biases. A `LayerNorm` over $C$
# channels has $2C$ parameters. Each block has two MLPs with two `Linear` layers each: one MLP along the $S$ = 16
# patches (with $D_S$ = 32 hidden units) and one along the $C$ = 64 channels (with $D_C$ = 128).

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
print(f"in the blocks: {4 * block / by_hand:.1%}, in the MLPs that mix channels: {4 * channel_mixing / by_hand:.1%}")

# %% [markdown]
# So 98.5 % of the parameters are in the blocks, and 91.2 % of all mix channels. <!-- printed -->
#
# Mixing patches is cheap, because all channels share one small MLP.

# %% [markdown]
# **Your turn.** Suppose we cut the same images into larger patches, P = 4. Then there are S = 4 patches of 16 pixels,
# and all else stays. Does the model get larger or smaller? Decide first, then set `coarse` to its number of
# parameters.
#
# <details><summary>Solution</summary>
#
# ```python
# # The stem gets more inputs, and token mixing gets shorter columns.
# coarse_block = 2 * (2 * 64) + linear(4, 32) + linear(32, 4) + channel_mixing
# coarse = linear(4 * 4 * 1, 64) + 4 * coarse_block + 2 * 64 + linear(64, 10)
# ```
#
# </details>

# %% tags=["your-turn"]
coarse = ...

# %%
larger_patches = mm.nn.mixer("pico", image_size=8, patch_size=4, in_channels=1)
mm.exercises.turn(coarse, right=larger_patches.num_parameters(), hint="two parts of the sum depend on P and S.")

# %% [markdown]
# **The library's file.** The forward pass of the whole model is seven lines in `minimixer/nn/mixer.py`:

# %%
print(inspect.getsource(mm.nn.MlpMixer.forward))

# %% [markdown]
# | line | meaning | lesson |
# | --- | --- | --- |
# | `check_images(...)` | reject images of the wrong size, with a helpful message | |
# | `F.patches(...)` | cut the images into patches, (B, 16, 4) | 07 |
# | `self.stem(x)` | from 4 numbers per patch to 64, (B, 16, 64) | 04 |
# | `for block in self.blocks` | four times: mix the patches, then the channels | 08, 09 |
# | `self.norm(x).mean(axis=1)` | normalize, then average the 16 patches, (B, 64) | 06 |
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
print(f"correct answers without normalize: {(answers == dataset.test_labels).mean():.1%}")

# %% [markdown]
# **Symptom.** No error. The model and the images are the same, but the answers are almost as bad as before training.
# The inputs are about a hundred times larger than anything the model has seen. This bug is common where training and
# prediction are separate programs.
#
# **Cure.** Keep the mean and the standard deviation with the weights, and let one function do both. minimixer's files
# do this, as you will see next.

# %% [markdown]
# ## Use it
#
# You do not have to write the loop each time: `mm.train.fit` does it. It also measures the accuracy on the test images
# after each epoch and keeps the weights of the best epoch in a folder. (The model learns nothing from these images, but
# they choose the epoch, so the best accuracy is slightly too high. The accuracy after the last epoch is not chosen.)
# `load_run` loads the weights, together with the mean, the standard deviation and the class names.

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
# **What the next lessons cover.**
#
# | lessons | question |
# | --- | --- |
# | 01 to 03 | How does `mm.grad` find all gradients? How can we trust them? |
# | 04 to 06 | `Linear`, GELU and LayerNorm: the three layers that make up the Mixer |
# | 07 to 09 | Patches, token mixing, and the whole model of the paper |
# | 10 to 12 | The loss, the optimizer, and a whole run |
# | 13 to 16 | What a model has learned; convolutions and transformers for comparison; the paper's own weights |
# | 17 to 21 | How weights start; overfitting; forty years in small models; your images; a token mixer of your own |
# | 22 and 23 | If you like: the same model on a GPU; what makes it fast |

# %% [markdown]
# ## Exercise
#
# Train the same model for 10 epochs in your terminal. Then read the last lines: where is the run folder, and what is in
# it?
#
# ```console
# $ minimixer train digits
# ```
#
# Then see it think: `minimixer play` opens your newest run in a browser. Draw a digit with the mouse, and it answers.

# %% [markdown]
# ## Summary
#
# - Images go in, ten logits come out, and softmax turns them into probabilities.
# - A training step is: forward, loss, backward, update.
# - The small Mixer has 72,714 parameters. Almost all of them are in its four blocks.
# - Predict with the same normalization as in training. Otherwise the answers are worthless, and no error tells you.
#   <!-- printed -->
#
# **What the library does differently:** `fit` also warms the learning rate up and lowers it again, clips the gradients
# (lesson 11), splits the batch among several threads (lesson 23), and can be stopped and resumed.
