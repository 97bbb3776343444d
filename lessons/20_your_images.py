# %% [markdown]
# # 20 Your own images
#
# - **Time:** 23 minutes to read, 25 to do, 30 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 07, 12 and 18
# - **Previous:** [19 A history in pictures](19_history.ipynb)
# - **Next:** [21 Build your own token mixer](21_own_mixer.ipynb)

# %% [markdown]
# ## Goal
#
# So far somebody else had prepared the images. After this lesson you can
#
# 1. turn a folder of photographs into a data set, and read what was recognized and left out,
# 2. train a Mixer on it, look at its mistakes, and ask it about a new image,
# 3. export a page in which a phone's camera can talk to your Mixer,
# 4. recognize the most common mistake with one's own images: a shortcut in the background.
#
# We make a folder that stands for yours. Everything works in the same way if `photos` is a folder of your own.

# %%
import inspect
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.image import imread, imsave

import minimixer as mm
from minimixer import plots
from minimixer.data.images import read_image
from minimixer.data.sources.class_folders import find_images

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# Our stand-in for a photograph is a handwritten digit with a colored pen on colored paper, 32 pixels high and 44 wide.
# The digits are enlarged from 8 x 8 pixels by linear interpolation (`finer`).

# %%
digits = mm.data.load_digits()
finer = np.array([np.interp((np.arange(32) - 1.5) / 4, np.arange(8), row) for row in np.eye(8)]).T       # (32, 8)


def photo(digit_image, rng, paper=None):
    """digit_image: (8, 8, 1) -> a color image (32, 44, 3) of uint8; paper: brightness, or random."""
    ink = np.zeros((32, 44, 1))                                                 # 0 paper, 1 pen
    left = rng.integers(4, 9)
    ink[:, left:left + 32, 0] = finer @ (digit_image[..., 0] / 255) @ finer.T
    background = rng.uniform(130, 255, 3) if paper is None else paper + rng.uniform(-20, 20, 3)
    pen = (background + rng.uniform(90, 165, 3)) % 256                          # a color that differs
    pixels = background + (pen - background) * ink + rng.normal(0, 8, ink.shape)            # (32, 44, 3)
    return pixels.clip(0, 255).astype(np.uint8)


# %% [markdown]
# A Mixer sees squares. The reader turns a photo upright, cuts out the square in its middle, and makes it as small as
# the model needs. Then come the patches.

# %%
example = photo(digits.train_images[3], np.random.default_rng(0))
square = example[:, 6:38]                                                       # (32, 32, 3)  the middle
figure = plots.figure(8.4, 2.6, alt="A photo of a digit, the square in its middle, and this square cut into 8 x 8 "
                          "patches.")
panels = figure.subplots(1, 3)
for panel, image, title in zip(panels, (example, square, square), (
        "the file, 32 x 44", "what the model sees, 32 x 32", "S = 8 x 8 patches, P = 4"), strict=True):
    panel.imshow(image)
    panel.set(xticks=[], yticks=[])
    panel.set_title(title, fontsize=10)
panels[0].plot([5.5, 37.5, 37.5, 5.5, 5.5], [-0.5, -0.5, 31.5, 31.5, -0.5], color=plots.ORANGE, clip_on=False)
for cut in range(4, 32, 4):
    panels[2].axhline(cut - 0.5, color=plots.ORANGE, linewidth=0.8)
    panels[2].axvline(cut - 0.5, color=plots.ORANGE, linewidth=0.8)
figure

# %% [markdown]
# Look at this picture for *your* images, too. Is what matters still inside the square? Can *you* still see it at the
# model's size? If you cannot, the model cannot.

# %% [markdown]
# ## Predict
#
# A folder holds three class folders, `eight`, `five` and `three`, with 100 images each. But it is a real folder:
# somebody left a text file in it, one image is damaged, and one image lies in two class folders. <!-- printed -->
#
# 1. What should a reader do with each of the three?
# 2. The augmentation of photographs mirrors half of them. Is this a good idea here?
# 3. The trained model is shown a handwritten 7. It knows only 3, 5 and 8. What will it answer?
#
# <details><summary>Answer</summary>
#
# 1. Never stop in the middle, and never stay silent. Leave out the text file and the damaged image, and say so. The
#    copy is used, but reported: one of its two labels must be wrong.
# 2. No. A mirrored 3 or 5 is no digit. For cats it is.
# 3. "three", "five" or "eight". Its probabilities sum to 1 over three classes; "something else" is not one of them.
#
# </details>

# %% [markdown]
# ## Build
#
# **The folder.** One subfolder per class; its name is the name of the class. Here it lies in a temporary folder, which
# disappears when you close the notebook. To keep it, set `work = Path("my-images")`.

# %%
temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
work = Path(temporary.name)
CLASSES = {"eight": 8, "five": 5, "three": 3}


def fill(folder, papers=None, count=100, seed=0):
    rng = np.random.default_rng(seed)
    for name, digit in CLASSES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        rows = np.flatnonzero(digits.train_labels == digit)[:count]
        for row in rows:
            imsave(folder / name / f"{row:04d}.png", photo(digits.train_images[row], rng, papers and papers[name]))


# %% [markdown]
# Then what happens to real folders: a text file, a damaged image, and a five that was copied to the threes.

# %%
photos = work / "photos"
fill(photos)
(photos / "three" / "notes.txt").write_text("written by my brother")
(photos / "five" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n this is not an image")
first_five = sorted((photos / "five").glob("0*.png"))[0]
(photos / "three" / "copy.png").write_bytes(first_five.read_bytes())
print({folder.name: len(list(folder.iterdir())) for folder in sorted(photos.iterdir())})

# %% [markdown]
# **A reader of our own** is short: walk through the class folders in alphabetical order, number the classes, cut the
# squares.

# %% [markdown]
# **Your turn.** Write `center_square(photo)`: from an array (H, W, 3), the largest square in the middle. If the number
# of pixels to remove is odd, remove the smaller half before. It must work for tall images, too.
#
# <details><summary>Solution</summary>
#
# ```python
# def center_square(photo):
#     height, width, _ = photo.shape
#     side = min(height, width)
#     top, left = (height - side) // 2, (width - side) // 2
#     return photo[top:top + side, left:left + side]
# ```
#
# </details>


# %% tags=["your-turn"]
def center_square(photo):
    ...


# %%
def cuts(function):
    for height, width in ((4, 9), (9, 4), (5, 5), (3, 6)):
        numbered = np.arange(height * width * 3).reshape(height, width, 3)
        side = min(height, width)
        first = numbered[(height - side) // 2, (width - side) // 2, 0]
        found = np.asarray(function(numbered))
        if found.shape != (side, side, 3):
            return f"an image of {height} x {width} becomes {found.shape}, expected ({side}, {side}, 3)"
        if found[0, 0, 0] != first:
            return f"for an image of {height} x {width} the square starts at another pixel"
    return True


mm.exercises.turn(center_square, right=cuts, hint="how many rows and columns are too many, and half of that")

# %% [markdown]
# **The library's reader.** `mm.data.load` takes a known name or a path. What it recognized, changed and left out stands
# in `notes`; on the command line, `minimixer data info photos` prints the same. Read these sentences before you train.

# %% tags=["measured"]
data = mm.data.load(photos, image_size=32, validation=0.2, quiet=True, cache=False)
for note in data.notes:
    print("-", note.replace(f"{work}{os.sep}", ""))

# %%
for name, array in data.arrays.items():
    print(f"{name:<18} {array.shape} {array.dtype}")
print("class names:", data.class_names)

# %% [markdown]
# **See what the model will see.** A few images of each class, as they are in memory. Wrong labels, empty images,
# thumbnails on their side: they all show here, and nowhere else.


# %%
def gallery(images, titles, columns=12):
    rows = -(-len(images) // columns)
    drawing = plots.figure(8.4, 0.95 * rows + 0.2, alt=f"{len(images)} small images in rows of {columns}, each with "
                               f"its title: {', '.join(dict.fromkeys(titles))}.")
    for panel in drawing.subplots(rows, columns, squeeze=False).flat:
        panel.set_axis_off()
    for panel, image, title in zip(drawing.axes, images, titles, strict=False):
        panel.imshow(image)
        panel.set_title(title, fontsize=7)
    return drawing


some = np.concatenate([np.flatnonzero(data.train_labels == label)[:12] for label in range(3)])
gallery(data.train_images[some], [data.class_names[label] for label in data.train_labels[some]])

# %% [markdown]
# **Train.** The preset `photos` is for folders of a few hundred or thousand images. We change what our images need: the
# smallest model, no mirroring, fewer epochs. (`reporter=mm.train.Callback()` shows no progress, so that this page stays
# short.)

# %% tags=["measured"]
config = replace(mm.train.PRESETS["photos"], model="pico", flip=False, crop_padding=3, randaugment=0, ema=0.0,
                 epochs=1 if FAST else 30, out=work / "run", workers=2)
history = mm.train.fit(config, reporter=mm.train.Callback(), dataset=data)
curve = [(line["epoch"], line["validation_accuracy"]) for line in history.metrics if "validation_accuracy" in line]
plots.lines([epoch for epoch, _ in curve], {"validation accuracy": [right for _, right in curve]}, xlabel="epoch",
            ylabel="validation accuracy")

# %% [markdown]
# ## Check
#
# **First check: what was read is what was written.** Our example file is not resized, because its shorter side has 32
# pixels already. So the reader must give the middle of the file, to the bit.

# %%
file = sorted((photos / "three").glob("0*.png"))[0]
written = (imread(file)[:, 6:38, :3] * 255).round().astype(np.uint8)            # (32, 32, 3)
print("the same pixels:", np.array_equal(read_image(file, 32, 3), written))
print("in one part only:", sum((array == written).all((1, 2, 3)).sum() for name, array in data.arrays.items()
                               if name.endswith("images")))

# %% [markdown]
# **Second check: the library's files.** How it finds the images, `minimixer/data/sources/class_folders.py`:

# %%
print(inspect.getsource(find_images).split('"""')[2])

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `_inner(root, notes)` | an archive often unpacks to a folder in a folder; the classes are in the inner one |
# | `_by_table(root, notes)` | a table `labels.csv` may give the labels, as in Kaggle's competitions |
# | `_part_folders(...)` | if there are `train`, `val`, `test`, the parts are yours; otherwise a share is drawn |
# | `_say(...)`, `_checked(...)` | what lies there and is not used becomes a note; one class alone is an error |
#
# And what a trained model does with an image, `minimixer/train/trained.py`:

# %%
print(inspect.getsource(mm.train.Trained.predict))

# %% [markdown]
# It takes pixels as they are, 0..255, and scales them as in training: `mean` and `std` are saved with the weights.

# %% tags=["measured"]
trained = mm.train.load_run(work / "run")
print(trained.class_names, trained.mean.round(2), trained.std.round(2))

# %% [markdown]
# **Your turn.** Do it by hand. Write `by_hand(photo)`: from an image (32, 32, 3) of uint8 to the three probabilities,
# with `trained.model`, `trained.mean` and `trained.std` (both on the scale 0..1), `mm.Tensor` and
# `mm.functional.softmax`.
#
# <details><summary>Solution</summary>
#
# ```python
# def by_hand(photo):
#     x = ((photo / 255 - trained.mean) / trained.std).astype(np.float32)         # (32, 32, 3)
#     return mm.functional.softmax(trained.model(mm.Tensor(x[None]))).data[0]     # (K,)
# ```
#
# </details>


# %% tags=["your-turn"]
def by_hand(photo):
    ...


# %%
def as_predict(function):
    image = data.test_images[0]
    found, expected = np.asarray(function(image)), trained.predict(image[None])[0]          # (K,) each
    if found.shape != expected.shape:
        return f"it returns the shape {found.shape}, expected {expected.shape}"
    return np.allclose(found, expected, atol=1e-4)


mm.exercises.turn(by_hand, right=as_predict, hint="a model takes a batch: x[None] has the shape (1, 32, 32, 3)")

# %% [markdown]
# ## Break it
#
# Now a folder with a **shortcut**. The threes were photographed on dark paper, the fives in the evening on gray paper,
# the eights on white paper. All images are sharp and correctly labeled.

# %% tags=["measured"]
PAPERS = {"three": 30, "five": 110, "eight": 220}
fill(work / "shortcut", PAPERS)
trap = mm.data.load(work / "shortcut", image_size=32, quiet=True, cache=False)
gallery(trap.train_images[::20][:12], [trap.class_names[label] for label in trap.train_labels[::20][:12]])

# %% tags=["measured"]
fooled_run = replace(config, epochs=1 if FAST else 8, out=work / "fooled")
mm.train.fit(fooled_run, reporter=mm.train.Callback(), dataset=trap)
fooled = mm.train.load_run(work / "fooled")
fill(work / "another day", {"three": 220, "five": 30, "eight": 110}, seed=1)
another_day = mm.data.load(work / "another day", image_size=32, quiet=True, cache=False)
for label, there in (("test images of the same folder", trap), ("the same digits on another day", another_day)):
    print(f"{label:<32} {mm.train.evaluate(fooled, there)['accuracy']:.0%}")

# %% [markdown]
# **Symptom.** The test accuracy is suspiciously good after very few epochs. On the next day, with other paper, the
# model is worse than guessing. It has learned the brightness of the paper, because that was the easiest thing to learn.
# The test part could not show it: it came from the same folder.
#
# **Cure.** Photograph every class in every place, light and day. Test on images from a day, a place or a person that is
# in no other part. And look at which patches matter: the button *What matters?* of the play page marks them. If it
# marks the background, you have a shortcut.

# %% [markdown]
# ## Use it
#
# **Evaluate.** The test images have chosen nothing (lesson 18). `minimixer eval` prints the same table.

# %% tags=["measured"]
result = mm.train.evaluate(trained, data)
print(f"{result['correct']} of {result['images']} test images are right: {result['accuracy']:.1%}")
for row in result["classes"]:
    taken_for = row["most_often_taken_for"] or "nothing else"
    print(f"{row['class']:<6} {row['correct']:>3} of {row['images']}, most often taken for {taken_for}")

# %% [markdown]
# Among 60 test images, one more mistake is almost two percentage points. Do not read too much into small differences.
# <!-- printed -->
#
# **Look at the mistakes**, the most certain ones first. They tell more than the number. Are they hard for you, too? Do
# they have something in common: dark, blurred, cut off? Is the *label* wrong?
#
# We need the rows of the wrong answers in this order.

# %% [markdown]
# **Your turn.** Write `mistakes(probabilities, labels)`: from (N, K) and (N,), the row numbers of the images whose most
# probable class is not their label, the most certain mistake first.
#
# <details><summary>Solution</summary>
#
# ```python
# def mistakes(probabilities, labels):
#     wrong = np.flatnonzero(probabilities.argmax(1) != labels)
#     return wrong[np.argsort(-probabilities.max(1)[wrong])]
# ```
#
# </details>


# %% tags=["your-turn"]
def mistakes(probabilities, labels):
    ...


# %%
def finds_mistakes(function):
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.05, 0.95]])            # (N, K)
    found = np.asarray(function(p, np.array([0, 0, 1, 1, 0]))).tolist()
    if sorted(found) != [1, 3, 4]:
        return f"rows 1, 3 and 4 of the example are wrong answers; you found {found}"
    return found == [4, 3, 1] or f"row 4 is the most certain mistake, then 3, then 1; your order is {found}"


mm.exercises.turn(mistakes, right=finds_mistakes, hint="argsort sorts upwards; a minus turns it around")

# %% tags=["measured"]
chances = trained.predict(data.test_images)                                     # (N, K)
answers, certainty = chances.argmax(1), chances.max(1)                          # (N,) each
right = answers == data.test_labels
order = np.lexsort((np.where(right, certainty, -certainty), right))[:12]        # mistakes first
gallery(data.test_images[order], [f"{data.class_names[answers[i]]} {certainty[i]:.0%}\n"
                                  f"is {data.class_names[data.test_labels[i]]}" for i in order])

# %% [markdown]
# First come the mistakes, if there are any, and then the images that were right with the least certainty.
#
# **A new image.** `read_image` reads a file of any usual kind and fits it to the model. We show it a 3, and a 7, which
# it has never seen.

# %% tags=["measured"]
for digit in (3, 7):
    new = photo(digits.test_images[digits.test_labels == digit][4], np.random.default_rng(digit))
    imsave(work / f"new-{digit}.png", new)
    chance = trained.predict(read_image(work / f"new-{digit}.png", 32, 3)[None])[0]         # (K,)
    print(f"a {digit}:", ", ".join(f"{name} {c:.0%}" for name, c in zip(trained.class_names, chance, strict=True)))

# %% [markdown]
# It has an answer for the 7. If this matters in your application, add a class `other` with all kinds of other images.
#
# **The play page.** One HTML file with the Mixer inside. It needs no server and no network: send it to a phone, and the
# phone's camera shows its images to your Mixer. On the command line it is `minimixer play runs/NAME`.

# %% tags=["measured"]
page = plots.play(trained, "My photos", images=data.test_images, labels=data.test_labels)
page.save(work / "play.html")
print(page, "saved as", (work / "play.html").name, "beside", photos.name)

# %% [markdown]
# To see it here, write `page` as the last line of a cell of your own.

# %% [markdown]
# ## Exercise
#
# Now yours. Make a folder with two or three classes and 50 images each (cups and plates, two of your plants, your
# handwriting), and look at it with `minimixer data info`. Then train, and open the page with `minimixer play`.
#
# ```console
# $ minimixer train --data photos
# ```

# %% [markdown]
# ## Summary
#
# - A folder per class is a data set. Read the notes; look at the images as the model sees them.
# - Choose augmentations that your images could have: no mirroring for writing.
# - Look at the mistakes, the most certain ones first.
# - A model answers with one of its classes, whatever it is shown.
# - Test on another day. A test part from the same folder shares its shortcuts.
#
# **What the library does differently:** it decodes with several threads, turns photos upright by their EXIF entry,
# keeps what it decoded for the next time, and reports the same image in two parts or two classes. `docs/your-images.md`
# lists every format, and how to use arrays in place of files.
