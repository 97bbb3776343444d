# %% [markdown]
# # 18 Overfitting, validation, augmentation
#
# - **Time:** 24 minutes to read, 20 to do, 30 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 09 to 12
# - **Previous:** [17 How weights start](17_initial_weights.ipynb)
# - **Next:** [19 A history in pictures](19_history.ipynb)

# %% [markdown]
# ## Goal
#
# A model is good if it is right on images that it has never seen. After this lesson you can
#
# 1. say what training, validation and test images are for, and recognize overfitting in a curve,
# 2. write an augmentation, and say when it helps and when it harms,
# 3. show with numbers why the best epoch must not be chosen on the test images.

# %%
import inspect
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import minimixer as mm
from minimixer import functional as F
from minimixer import optim, plots
from minimixer.data.parts import cut
from minimixer.parallel import Workers
from minimixer.train.finish import test_best

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# All labeled images are divided once, before anything else. Each part has one job:
#
# - **training** images: the gradient comes from them.
# - **validation** images: *you* learn from them. Which epoch, which learning rate, which model is best?
# - **test** images: they answer one question, once, at the very end: how good is what you have chosen?

# %%
digits = mm.data.load_digits()
with_validation = mm.data.load("digits", validation=0.2, quiet=True)
figure = plots.figure(8.4, 2.0, alt="One bar cut in three: training images set the weights, validation images "
                          "choose, test images judge once.")
axes, start = figure.subplots(), 0
for (part, use), color in zip({"train": "sets the weights", "validation": "chooses", "test": "judges, once"}.items(),
                              (plots.BLUE, plots.ORANGE, plots.GREEN), strict=True):
    count = len(with_validation.arrays[f"{part}_labels"])
    axes.barh(0, count, left=start, color=color, alpha=0.7)
    axes.text(start + count / 2, 0, f"{part}\n{count:,} images\n{use}", ha="center", va="center", in_layout=False)
    start += count
axes.set_axis_off()
figure

# %% [markdown]
# These are the 1,797 digits that come with minimixer, with a fifth of the training images set aside for validation.
# <!-- printed -->

# %%
print("all images:", sum(len(labels) for name, labels in with_validation.arrays.items() if name.endswith("labels")))

# %% [markdown]
# ## Predict
#
# 1. You train a small Mixer on only 200 digits for a long time. What happens to its loss on the 200 digits? And to its
#    loss on other digits: does it fall, stay, or rise again?
# 2. A model is right on 88 % of all digits in the world. You test it on 100 of them. By how many percentage points is
#    your result typically off?
# 3. You test it after each of 30 epochs on the same 100 images, and report the best of the 30 numbers. Is this too
#    high, too low, or right?
#
# <details><summary>Answer</summary>
#
# 1. On the 200 digits it goes to almost 0: the model knows them by heart. On the others it falls, and then rises
#    slowly: this is **overfitting**.
# 2. By about 3 points. Each answer is a coin that falls on "right" with probability p = 0.88. The share of right
#    answers among n coins has the standard deviation $\sqrt{p(1-p)/n}$.
# 3. Too high. Some epochs are lucky on these 100 images, and you have picked the luckiest. You will measure by how
#    much.
#
# </details>

# %%
lucky = np.random.default_rng(0).random((10_000, 100)) < 0.88                   # 10,000 tests with 100 images each
print(f"simulated: {100 * lucky.mean(1).std():.1f} points; formula: {100 * np.sqrt(0.88 * 0.12 / 100):.1f} points")

# %% [markdown]
# ## Build
#
# To see overfitting, we take few images for training and many to judge: 200 digits, drawn at random, and 1,000 others
# as "the rest of the world". Usually you do not have so many to judge. Here it lets us measure the truth.
#
# The model is a Mixer with four blocks of 32 channels. `change` is an augmentation, a function of a batch of images.

# %%
pool = {kind: np.concatenate([digits.arrays[f"{part}_{kind}"] for part in ("train", "test")])
        for kind in ("images", "labels")}                                       # (N, 8, 8, 1), (N,)
statistics = digits.channel_statistics()


def few_and_rest(seed, few=200):
    order = np.random.default_rng(seed).permutation(len(pool["labels"]))
    (x, rest_x, _), (y, rest_y, _) = (np.split(array[order], [few, few + 1000]) for array in pool.values())
    return mm.data.Dataset("few digits", x, y, rest_x, rest_y, digits.class_names)


def as_input(images):
    return mm.Tensor(mm.data.normalize(images, *statistics))


# %%
def look(model, data):
    """Loss on the training images, loss on the others, and for each of the others whether the answer is right."""
    with mm.no_grad():
        seen, unseen = model(as_input(data.train_images)), model(as_input(data.test_images))        # (images, K) each
    return (F.cross_entropy(seen, data.train_labels).item(), F.cross_entropy(unseen, data.test_labels).item(),
            unseen.data.argmax(1) == data.test_labels)


# %%
def train(seed, epochs, change=None):
    data, rng, log = few_and_rest(seed), np.random.default_rng(seed), []
    model = mm.nn.mixer("pico", seed=seed, image_size=8, patch_size=2, in_channels=1, hidden_dim=32)
    batches = mm.data.Batches(data, 40, seed=seed)
    optimizer, rate = optim.AdamW(model, 3e-3), optim.Schedule("cosine", 3e-3, epochs * len(batches), 10)
    with Workers(1):                                                            # one thread: the matrices are small
        for epoch in range(2 if FAST else epochs):
            for images, labels in batches:                                      # (40, 8, 8, 1), (40,)
                optimizer.lr = rate(epoch * len(batches))
                logits = model(as_input(change(images, rng) if change else images))         # (40, K)
                optimizer.step(mm.grad(F.cross_entropy(logits, labels), model.parameters()))
            log.append(look(model, data))
    return [np.array(column) for column in zip(*log, strict=True)]


# %% tags=["measured"]
seen_loss, unseen_loss, right = train(seed=0, epochs=50)
lowest = unseen_loss.argmin()
print(f"training images: loss {seen_loss[-1]:.3f} after the last epoch")
print(f"other images:    loss {unseen_loss[lowest]:.3f} after epoch {lowest + 1}, {unseen_loss[-1]:.3f} after the last")
plots.lines(np.arange(len(right)) + 1, {"200 training images": seen_loss, "the rest of the world": unseen_loss},
            xlabel="epoch", ylabel="cross-entropy", marks={"lowest": lowest + 1})

# %% [markdown]
# Left of the mark, both curves fall: what the model learns is true of all digits. To the right of it, only the training
# loss falls. The model becomes more and more certain, also where it is wrong, and a certain wrong answer is expensive
# (lesson 10). The *accuracy* often does not fall: a wrong answer that becomes more wrong is still one wrong answer.
#
# **Augmentation.** The best cure is more images. The second best is to change the images that we have, in ways that do
# not change the label. A written digit may be turned a little, moved a little, or larger. For every pixel of the new
# image we compute where it comes from in the old one, and interpolate between the four neighbors there.


# %%
def places(n, rng, degrees=8, move=0.4, grow=0.05):
    """Where the pixels of n changed images come from: rows and columns, (n, 8, 8) each."""
    row, column = np.indices((8, 8)) - 3.5                                      # from the middle of the image
    angle = np.radians(rng.uniform(-degrees, degrees, (n, 1, 1)))
    size = 1 + rng.uniform(-grow, grow, (n, 1, 1))
    shift = rng.uniform(-move, move, (2, n, 1, 1)) + 3.5
    return (size * (np.cos(angle) * row - np.sin(angle) * column) + shift[0],
            size * (np.sin(angle) * row + np.cos(angle) * column) + shift[1])


# %% [markdown]
# Between four neighbors, each gets a share: the nearer it is, the larger its share.


# %%
def warp(images, rng):
    row, column = places(len(images), rng)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)         # (B, 8, 8)
    down, right = row - top, column - left                                      # between 0 and 1
    padded, n = np.pad(images[..., 0], ((0, 0), (3, 3), (3, 3))).astype(float), np.arange(len(images))[:, None, None]
    corners = [padded[n, (top + i + 3).clip(0, 13), (left + j + 3).clip(0, 13)] for i in (0, 1) for j in (0, 1)]
    shares = (1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right
    return sum(s * c for s, c in zip(shares, corners, strict=True)).round().astype(np.uint8)[..., None]


# %%
def shift(images, rng):
    return mm.data.pad_crop(images, 1, rng.integers(0, 3, (len(images), 2)))    # by a whole pixel: --crop-padding 1


two = digits.train_images[[int(np.argmax(digits.train_labels == digit)) for digit in (3, 5)]]
several = np.repeat(two, 6, axis=0)                                             # (12, 8, 8, 1)
changed = np.concatenate([warp(several, np.random.default_rng(2)), shift(several, np.random.default_rng(3))])
gallery = plots.figure(8.4, 1.9, alt="Two digits, each warped six times in the upper row and shifted six times in "
                           "the lower row.")
for panel, image in zip(gallery.subplots(2, 12, squeeze=False).flat, changed, strict=True):
    panel.imshow(image[..., 0], cmap="gray")
    panel.set_axis_off()
gallery

# %% [markdown]
# Above: two digits, warped six times each. Below: the same two, shifted by up to a whole pixel. Each epoch the model
# sees other versions, so it cannot know them by heart.

# %% tags=["measured"]
augmented = {"as they are": (seen_loss, unseen_loss, right), "warped": train(0, 50, warp),
             "shifted": train(0, 50, shift)}
for label, (seen, unseen, hits) in augmented.items():
    print(f"{label:<12} loss: training images {seen[-1]:.2f}, others {unseen[-1]:.2f}; right {hits[-1].mean():.1%}")
plots.lines(np.arange(len(right)) + 1, {label: hits.mean(1) for label, (_, _, hits) in augmented.items()},
            xlabel="epoch", ylabel="accuracy on the rest")

# %% [markdown]
# Warping helps, and shifting by a whole pixel *harms*, although it is in every recipe for photographs. On 8 x 8 pixels
# a shift by one pixel pushes strokes out of the image, and no digit in the rest of the world looks like this. An
# augmentation helps if it makes images that the world could have sent you.

# %% [markdown]
# **Your turn.** Write `noisy(images, rng)`: it adds normal noise with standard deviation 25 to each pixel and returns
# uint8 images, as the others do. Pixels are whole numbers in 0..255: what happens to 250 + 30?
#
# <details><summary>Solution</summary>
#
# ```python
# def noisy(images, rng):
#     return (images + rng.normal(0, 25, images.shape)).clip(0, 255).astype(np.uint8)
# ```
#
# </details>

# %% tags=["your-turn"]
def noisy(images, rng):
    ...


# %%
def adds_noise(function):
    images = np.repeat(digits.train_images[:1], 500, axis=0)                    # (500, 8, 8, 1)
    found = function(images.copy(), np.random.default_rng(4))
    if found.dtype != np.uint8 or found.shape != images.shape:
        return f"it returns {found.dtype} of shape {found.shape}, expected uint8 of shape {images.shape}"
    middle = (images > 90) & (images < 165)                                     # far from 0 and from 255
    size, far = (found - images.astype(float))[middle].std(), np.abs(found - images.astype(float)).max()
    if far > 180:
        return "some white pixels became black: uint8 starts again at 0 after 255; clip before you convert"
    return 24 < size < 26 or f"the noise has the standard deviation {size:.1f}, expected 25"


mm.exercises.turn(noisy, right=adds_noise, hint="add floats, clip to 0..255, then .astype(np.uint8)")

# %% [markdown]
# **Your turn.** How many test images are needed so that the typical error at 88 % is only half a percentage point? Set
# `enough` to a number of images. (The check tosses the coins.)
#
# <details><summary>Solution</summary>
#
# ```python
# enough = round(0.88 * 0.12 / 0.005**2)          # solve sqrt(p (1 - p) / n) = 0.005 for n
# ```
#
# </details>

# %% tags=["your-turn"]
enough = ...


# %%
def half_a_point(n):
    found = 100 * np.random.default_rng(1).binomial(int(n), 0.88, 20_000).std() / n
    return abs(found - 0.5) < 0.02 or f"with {n:,} images the typical error is {found:.2f} points"


mm.exercises.turn(enough, right=half_a_point, hint="four times as many images halve the error")

# %% [markdown]
# ### Who may choose the epoch?
#
# The curves go up and down a little. It is tempting to report the best epoch. We now measure what this does, honestly,
# with four seeds. Each seed draws other training images and other weights, and trains for 30 epochs. For each of the
# other images we have noted, after every epoch, whether the answer was right.
#
# Then we play this game, many times: draw a small test set at random from the rest of the world. Choose the epoch that
# is best *on it*, and report that accuracy. All images that are left tell the truth about the chosen epoch.


# %% tags=["measured"]
answers = [train(seed, 30)[2] for seed in range(2 if FAST else 4)]              # (epochs, images) of right or wrong


def game(answers, size, rng, times=200):
    """Mean accuracy: reported on the small set, true for the same epoch, true for the last epoch."""
    rows = []
    for right_or_wrong in answers:
        for _ in range(times):
            order = rng.permutation(right_or_wrong.shape[1])
            small, large = right_or_wrong[:, order[:size]], right_or_wrong[:, order[size:]]
            chosen = small.mean(1).argmax()
            rows.append((small[chosen].mean(), large[chosen].mean(), large[-1].mean()))
    return np.mean(rows, axis=0)


# %% tags=["measured"]
print("images   reported   true, chosen epoch   true, last epoch")
sizes = (25, 50, 100, 200, 400)
results = np.array([game(answers, size, np.random.default_rng(5)) for size in sizes])      # (sizes, 3)
for size, (reported, truth, last) in zip(sizes, results, strict=True):
    print(f"{size:>6}{reported:>11.1%}{truth:>21.1%}{last:>19.1%}")
plots.lines(sizes, {"reported, on the images that chose": results[:, 0], "true, of the chosen epoch": results[:, 1],
                    "true, of the last epoch": results[:, 2]}, xlabel="images that chose", ylabel="accuracy")

# %% [markdown]
# The gap between the first two columns is the **optimism**: the reported number is too high, and the fewer images
# choose, the more. And look at the last column: with few images, the chosen epoch is not even better than simply taking
# the last one. The choice followed luck.
#
# The cure is a second set of images. *Choose* on validation images; *report* on test images that have chosen nothing.
# The second column is what such a report gives, on average.

# %% [markdown]
# **Your turn.** Epochs of one run resemble each other, so the luck of 30 epochs is limited. 30 *independent* models are
# worse. Suppose all 30 have a true accuracy of exactly 88 %, and each is tested on 100 images of its own. What does the
# best of the 30 report, on average? Set `best_of_30`, a number between 0 and 1.
#
# <details><summary>Solution</summary>
#
# ```python
# tests = np.random.default_rng(6).binomial(100, 0.88, (20_000, 30)) / 100        # 20,000 times 30 tests
# best_of_30 = tests.max(axis=1).mean()                                           # about 0.94
# ```
#
# </details>

# %% tags=["your-turn"]
best_of_30 = ...


# %%
def luckiest(answer):
    simulated = np.random.default_rng(7).binomial(100, 0.88, (20_000, 30)).max(1).mean() / 100
    return abs(answer - simulated) < 0.006 or f"{answer:.1%} is not what a simulation of 20,000 rounds gives"


mm.exercises.turn(best_of_30, right=luckiest, hint="rng.binomial(100, 0.88, (20_000, 30)) counts right answers")

# %% [markdown]
# ## Check
#
# **First check: the parts share no image.** For each image we take its bytes, and look for them in the other parts.

# %%
prints = {part: {image.tobytes() for image in with_validation.arrays[f"{part}_images"]}
          for part in ("train", "validation", "test")}
for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
    print(f"{one} and {other}: {len(prints[one] & prints[other])} images in both")

# %% [markdown]
# **Second check: the library's files.** How a part is cut off, `minimixer/data/parts.py`:

# %%
print(inspect.getsource(cut).split('"""')[2])

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `for number, name in enumerate(class_names)` | class by class, so that each part has its share of every class |
# | `default_rng((seed, PARTS, ..., crc32(name)))` | seed, part and class name decide: the same on every machine |
# | `rng.permutation(places)[:count]` | drawn at random; the first ones may all come from the same writer |
#
# And the only place where a run with a validation part looks at the test images, `minimixer/train/finish.py`:

# %%
print(inspect.getsource(test_best))

# %% [markdown]
# It runs once, after the last step, with the weights that the validation images have chosen.

# %% [markdown]
# ## Break it
#
# Somebody has few images and makes many: five warped copies of each. *Then* the images are divided. No training is
# needed to see what goes wrong: our "model" looks for the most similar training image (the **nearest neighbor**) and
# repeats its label.


# %%
def nearest_neighbor(images, labels, new_images):
    known, new = (array.reshape(len(array), -1).astype(float) for array in (images, new_images))
    distances = (new**2).sum(1)[:, None] - 2 * new @ known.T + (known**2).sum(1)               # (new, known)
    return labels[distances.argmin(1)]


data = few_and_rest(seed=0)
copies = np.concatenate([warp(data.train_images, np.random.default_rng(k)) for k in range(5)])      # (1000, 8, 8, 1)
labels_of_copies = np.tile(data.train_labels, 5)                                                    # (1000,)
validation_part = np.random.default_rng(8).random(len(copies)) < 0.2            # the bug: divided after copying
seen_copies, seen_labels = copies[~validation_part], labels_of_copies[~validation_part]
for label, x, y in (("validation", copies[validation_part], labels_of_copies[validation_part]),
                    ("the rest of the world", data.test_images, data.test_labels)):
    print(f"{label:<22} {(nearest_neighbor(seen_copies, seen_labels, x) == y).mean():.1%}")

# %% [markdown]
# **Symptom.** The validation accuracy is almost perfect, and better than anything afterwards. Almost every validation
# image has a copy of itself among the training images. In practice the copies are less obvious: frames of one video,
# photos of one person, the same image downloaded twice.
#
# **Cure.** Divide first, then copy. And divide by what will be new later: by person, by day, by camera. (minimixer
# reports files that are equal, but it cannot know that two photos show the same cat.)

# %% [markdown]
# ## Use it
#
# If a data set has a validation part, `mm.train.fit` chooses the best weights by it. On the command line,
# `--validation 0.2` sets a fifth of the training images aside.

# %% tags=["measured"]
folder = tempfile.TemporaryDirectory()
config = replace(mm.train.PRESETS["digits"], epochs=1 if FAST else 6, workers=1, out=Path(folder.name) / "run")
history = mm.train.fit(config, reporter=mm.train.Callback(), dataset=with_validation)
for line in history.metrics:
    if "validation_accuracy" in line:
        print(f"epoch {line['epoch']:.0f}: validation accuracy {line['validation_accuracy']:.1%}")
print(f"test accuracy, looked at once: {history.metrics[-1]['test_accuracy']:.1%} of {len(digits.test_labels)} images")
folder.cleanup()

# %% [markdown]
# Each epoch has a validation accuracy; only one line has a test accuracy. Without a validation part, the test images
# choose the best weights, as in many published scripts. Then the honest headline is the accuracy after the *last*
# epoch, which nobody has chosen.

# %% [markdown]
# ## Exercise
#
# Train with a validation part, and with whole-pixel shifts. Before that, write down whether the test accuracy will be
# higher or lower than without shifts, and why.
#
# ```console
# $ minimixer train digits --validation 0.2 --crop-padding 1
# ```

# %% [markdown]
# ## Summary
#
# - Overfitting: the loss on training images falls on, the loss on others rises.
# - Training images set the weights, validation images choose, test images judge, once.
# - An accuracy on n images has an error of about $\sqrt{p(1-p)/n}$. Smaller differences mean nothing.
# - Choosing on the images that report makes the report too good; the fewer images, the more.
# - Augmentation helps if it makes images that could really occur.
# - Divide first, then copy and augment.
#
# **What the library does differently:** it draws crops, flips and RandAugment in whole numbers, so that a GPU and a CPU
# make the same images. Random numbers belong to the step and to the place in the batch, so a resumed run sees the same
# changes. How images are divided does not depend on `--seed`: runs with different seeds are judged on the same images.
