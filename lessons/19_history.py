# %% [markdown]
# # 19 A history in pictures
#
# - **Time:** 26 minutes to read, 20 to do, 25 seconds of computing (measured on 2 cores)
# - **Needs:** lessons 09, 14 and 15
# - **Previous:** [18 Overfitting](18_overfitting.ipynb)
# - **Next:** [20 Your own images](20_your_images.ipynb)

# %% [markdown]
# ## Goal
#
# A Mixer is one answer to an old question: how should the parts of an image talk to each other? Seven answers follow,
# each in fewer than 40 lines, all on the engine that you know. After this lesson you can
#
# 1. write an MLP of 1986, a CNN of 1989 and one of 2012, a ViT, a Mixer, a gMLP and a ConvMixer,
# 2. draw for each of them which pixels reach an output after one layer,
# 3. compare them in one table, and say what such a small table cannot tell.

# %%
import inspect
import os
import time

import numpy as np

import minimixer as mm
from minimixer import functional as F
from minimixer import nn, optim, plots
from minimixer.parallel import Workers

FAST = os.environ.get("MINIMIXER_LESSON_FAST") == "1"

# %% [markdown]
# ## Picture
#
# Our images are the digits: **H** x **W** = 8 x 8 pixels. Cut into patches of 2 x 2, they have **S** = 4 x 4 = 16
# places, each with **C** channels. For one channel, mixing is a matrix with 16 x 16 numbers: row = the place that
# takes, column = the place that gives.

# %%
row, column = np.divmod(np.arange(16), 4)                                       # (S,) each: where a place lies
down, right = row[None] - row[:, None], column[None] - column[:, None]          # (S, S)  steps from taker to giver
near = (np.abs(down) <= 1) & (np.abs(right) <= 1)
rng = np.random.default_rng(0)
filter_3x3 = rng.standard_normal((3, 3))
convolution = np.where(near, filter_3x3[down.clip(-1, 1) + 1, right.clip(-1, 1) + 1], 0)
token_mixing = rng.standard_normal((16, 16))
attention = [F.softmax(mm.Tensor(2 * rng.standard_normal((16, 16)))).data * 4 for _ in range(2)]
plots.weight_maps(np.stack([convolution, token_mixing, *attention]),
                  ["convolution 3 x 3", "token mixing", "attention, image 1", "attention, image 2"])

# %% [markdown]
# - **Convolution:** only neighbors, and the same 9 numbers at every place. That is why the pattern repeats.
# - **Token mixing:** everybody with everybody, by learned numbers. The same matrix for all images.
# - **Attention:** everybody with everybody, by positive numbers that are computed anew for each image.

# %% [markdown]
# ## Predict
#
# 1. Which of these know, before any training, that two pixels are neighbors: an MLP, a CNN, a ViT, a Mixer?
# 2. We train all on 1,437 digits, in the same way, for the same number of steps. Which one will be the best, which one
#    the worst?
# 3. Will the newest be better than the oldest?
#
# <details><summary>Answer</summary>
#
# 1. The CNN knows. The ViT and the Mixer know which pixels belong to one patch, but not which patches are neighbors.
#    The MLP knows nothing: you could shuffle its pixels (lesson 15).
# 2. You will see. Write your guess down.
# 3. Not necessarily. The newer ones were made for millions of images. On few images, knowing about neighbors is worth
#    more than the freedom to learn everything.
#
# </details>

# %% [markdown]
# ## Build
#
# ### 1986: the MLP
#
# Rumelhart, Hinton and Williams, *Learning representations by back-propagating errors*, Nature 1986. A hidden layer of
# sigmoid units, trained by the chain rule (lesson 02). The image is one long row of numbers.


# %%
class Mlp1986(nn.Module):
    def __init__(self, hidden=64):
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.Sigmoid(), nn.Linear(hidden, 10))

    def forward(self, images):                                                  # (B, 8, 8, 1)
        return self.net(images)                                                 # (B, K)


# %% [markdown]
# ### 1989: the CNN
#
# LeCun and others, *Backpropagation Applied to Handwritten Zip Code Recognition*, Neural Computation 1989. One small
# filter looks at every place (lesson 14): far fewer weights, and a stroke is found wherever it is. It read digits of 16
# x 16 pixels by filters of 5 x 5 that move 2 pixels at a time, with tanh between the layers. Ours has half the side.


# %%
class Cnn1989(nn.Module):
    def __init__(self):
        self.net = nn.Sequential(nn.Conv2d(1, 12, 5, stride=2), nn.Tanh(),      # (B, 4, 4, 12)
                                 nn.Conv2d(12, 12, 5, stride=2), nn.Tanh(),     # (B, 2, 2, 12)
                                 nn.Flatten(), nn.Linear(48, 30), nn.Tanh(), nn.Linear(30, 10))

    def forward(self, images):
        return self.net(images)


# %% [markdown]
# **Your turn.** How many parameters does it have? Count by hand: a convolution has one filter of 5 x 5 x (channels in)
# per channel out, and a bias per channel out. Set `parameters_1989`.
#
# <details><summary>Solution</summary>
#
# ```python
# parameters_1989 = (5 * 5 * 1 * 12 + 12) + (5 * 5 * 12 * 12 + 12) + (48 * 30 + 30) + (30 * 10 + 10)
# ```
#
# </details>

# %% tags=["your-turn"]
parameters_1989 = ...

# %%
mm.exercises.turn(parameters_1989, right=Cnn1989().num_parameters(), hint="four layers: two of filters, two Linear")

# %% [markdown]
# ### 2012: the deep CNN
#
# Krizhevsky, Sutskever and Hinton, *ImageNet Classification with Deep Convolutional Neural Networks*, NIPS 2012. The
# same idea with 60 million parameters, on two GPUs. Beside the size it brought together **ReLU** in place of tanh,
# **max pooling** (keep the largest of a window), and **dropout** (set a random half of the numbers to 0 in training).
# Ours is tiny.


# %%
class Cnn2012(nn.Module):
    def __init__(self):
        self.net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),       # (B, 4, 4, 16)
                                 nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),      # (B, 2, 2, 32)
                                 nn.Flatten(), nn.Dropout(0.5), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, images):
        return self.net(images)


# %% [markdown]
# ### 2020: the Vision Transformer
#
# Dosovitskiy and others, *An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale*, arXiv, October
# 2020. Cut the image into patches, and let attention mix them (lesson 15). The three models from here on differ in
#       their blocks only, so the frame around them is written once.


# %%
class OnPatches(nn.Module):
    """Patches, stem, blocks, norm, mean, head: the frame of ViT, Mixer and gMLP."""

    def __init__(self, block, depth=4, channels=32, position=False):
        self.stem = nn.Linear(4, channels)
        start = np.random.default_rng(0).normal(0, 0.02 * position, (16, channels)).astype(np.float32)
        self.position = mm.Tensor(start, requires_grad=True) if position else 0
        self.blocks = [block(channels) for _ in range(depth)]
        self.norm, self.head = nn.LayerNorm(channels), nn.Linear(channels, 10)

    def forward(self, images):
        x = self.stem(F.patches(images, 2)) + self.position                     # (B, S, C)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(axis=1))                             # (B, K)


# %%
class ViTBlock(nn.Module):
    def __init__(self, channels):
        self.norm1, self.attention = nn.LayerNorm(channels), nn.Attention(channels, num_heads=2)
        self.norm2, self.mlp = nn.LayerNorm(channels), nn.MlpBlock(channels, 2 * channels)

    def forward(self, x):                                                       # (B, S, C)
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


# %% [markdown]
# ### 2021: the Mixer
#
# Tolstikhin and others, *MLP-Mixer: An all-MLP Architecture for Vision*, arXiv, May 2021. Replace attention by an MLP
# over the places. One line changes.


# %%
class MixerBlock(nn.Module):
    def __init__(self, channels):
        self.norm1, self.token_mixing = nn.LayerNorm(channels), nn.MlpBlock(16, 16)
        self.norm2, self.mlp = nn.LayerNorm(channels), nn.MlpBlock(channels, 2 * channels)

    def forward(self, x):
        x = x + self.token_mixing(self.norm1(x).swapaxes(1, 2)).swapaxes(1, 2)  # (B, C, S) and back
        return x + self.mlp(self.norm2(x))


# %% [markdown]
# ### 2021: the gMLP
#
# Liu, Dai, So and Le, *Pay Attention to MLPs*, arXiv, May 2021. One MLP per block instead of two. Its hidden units are
# cut into two halves $u$ and $v$. A matrix $W$ mixes the places of $v$, and the result decides, number by number, how
# much of $u$ may pass. This is the **spatial gating unit**:
#
# $$s(u, v) = u \odot \left(W \, \mathrm{LN}(v) + b\right)$$
#
# $\odot$ multiplies element by element. $W$ starts near 0 and $b$ at 1: at the start, everything passes and nothing
# mixes.


# %% [markdown]
# **Your turn.** Write the gate in NumPy, without the norm. `u` and `v` have the shape (S, F), where **F** is the number
# of hidden units of a half; `W` is (S, S), row = place that takes; `b` is (S,), one number per place.
#
# <details><summary>Solution</summary>
#
# ```python
# def gate(u, v, W, b):
#     return u * (W @ v + b[:, None])             # (S, F)
# ```
#
# </details>


# %% tags=["your-turn"]
def gate(u, v, W, b):
    ...


# %%
def gates(function):
    u, v = np.random.default_rng(1).standard_normal((2, 5, 3))                  # (S, F) each
    W, b = np.random.default_rng(2).standard_normal((5, 5)), np.arange(5.0)
    expected = np.array([[u[s, f] * (sum(W[s, t] * v[t, f] for t in range(5)) + b[s]) for f in range(3)]
                         for s in range(5)])
    found = function(u, v, W, b)
    return np.shape(found) == (5, 3) and np.allclose(found, expected)


mm.exercises.turn(gate, right=gates, hint="b belongs to places, which are the rows: b[:, None]")


# %%
class GatedBlock(nn.Module):
    def __init__(self, channels, half=64):
        self.norm, self.up = nn.LayerNorm(channels), nn.Linear(channels, 2 * half)
        self.gate_norm, self.spatial = nn.LayerNorm(half), nn.Linear(16, 16, init=nn.zeros)
        self.spatial.bias.data = np.ones(16, np.float32)
        self.down = nn.Linear(half, channels)

    def forward(self, x):                                                       # (B, S, C)
        u, v = F.split(F.gelu(self.up(self.norm(x))), 2, axis=-1)               # (B, S, half) each
        v = self.spatial(self.gate_norm(v).swapaxes(1, 2)).swapaxes(1, 2)       # mixes the places
        return x + self.down(u * v)


# %% [markdown]
# ### 2022: the ConvMixer
#
# Trockman and Kolter, *Patches Are All You Need?*, arXiv, January 2022. Patches as in a ViT, but mixed by convolutions
# again: a depth-wise one for places (each channel has its own filter) and a 1 x 1 one for channels. Their question: is
# it attention that makes a ViT good, or cutting into patches?


# %%
class ConvMixerBlock(nn.Module):
    def __init__(self, channels):
        self.places, self.norm1 = nn.Conv2d(channels, channels, 3, groups=channels), nn.BatchNorm(channels)
        self.channels, self.norm2 = nn.Conv2d(channels, channels, 1), nn.BatchNorm(channels)

    def forward(self, x):                                                       # (B, 4, 4, C)
        x = x + self.norm1(F.gelu(self.places(x)))
        return self.norm2(F.gelu(self.channels(x)))


# %%
class ConvMixer(nn.Module):
    def __init__(self, channels=32, depth=4):
        self.stem, self.norm = nn.Conv2d(1, channels, 2, stride=2, padding=0), nn.BatchNorm(channels)
        self.blocks = [ConvMixerBlock(channels) for _ in range(depth)]
        self.head = nn.Linear(channels, 10)

    def forward(self, images):
        x = self.norm(F.gelu(self.stem(images)))                                # (B, 4, 4, C)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(1, 2)))                                   # (B, K)


# %%
MODELS = {"MLP, 1986": Mlp1986, "CNN, 1989": Cnn1989, "CNN, 2012": Cnn2012,
          "ViT, 2020": lambda: OnPatches(ViTBlock, position=True), "Mixer, 2021": lambda: OnPatches(MixerBlock),
          "gMLP, 2021": lambda: OnPatches(GatedBlock), "ConvMixer, 2022": ConvMixer}

# %% [markdown]
# ### The same training for all
#
# All seven are trained in the same way: AdamW, the same rate, the same batches, label smoothing, no augmentation. Each
# one with two seeds, because one number alone says nothing about luck (lesson 18). One thread, so that the seconds
# compare.


# %%
digits = mm.data.load_digits()
statistics = digits.channel_statistics()                                        # for normalize, as in training


def train(make, seed, steps=200, peak=4e-3):
    nn.seed(seed)                                                               # the initial weights, and dropout
    model, batches = make(), mm.data.Batches(digits, 64, seed=seed)
    optimizer = optim.AdamW(model, peak, weight_decay=0.05, decay_vectors=False)
    rate, start = optim.Schedule("cosine", peak, steps, 20), time.process_time()
    for step in range(10 if FAST else steps):
        images, labels = batches[step]                                          # (64, 8, 8, 1), (64,)
        logits = model(mm.Tensor(mm.data.normalize(images, *statistics)))       # (64, K)
        loss = F.cross_entropy(logits, labels, label_smoothing=0.1)
        optimizer.lr = rate(step)
        optimizer.step(mm.grad(loss, model.parameters()))
    return model.eval(), time.process_time() - start                            # seconds of the processor


# %%
def accuracy(model, at_once=360):
    parts = [mm.data.normalize(digits.test_images[i:i + at_once], *statistics) for i in range(0, 360, at_once)]
    with mm.no_grad():
        logits = np.concatenate([model(mm.Tensor(part)).data for part in parts])        # (360, K)
    return float((logits.argmax(1) == digits.test_labels).mean())


# %% tags=["measured"]
trained = {}
print("model             parameters   seconds   accuracy, two seeds")
with Workers(1):
    for name, make in MODELS.items():
        runs = [train(make, seed) for seed in (0, 1)]
        trained[name] = [model for model, _ in runs]
        scores = [accuracy(model) for model in trained[name]]
        print(f"{name:<16}{runs[0][0].num_parameters():>12,}{min(s for _, s in runs):>10.1f}{scores[0]:>11.1%}"
              f"{scores[1]:>8.1%}")

# %% [markdown]
# 360 test images: the typical error of one number is about 1 point (lesson 18). So differences of 1 or 2 points mean
# nothing here, but larger ones do.
#
# - The newest is not the best, and the oldest not the worst. With few images, a ViT learns slowly: it has to learn from
#   the data what a CNN knows by construction. In its own paper, it needs millions of images to win.
# - The CNN of 1989 is good and tiny. It was made for exactly this: small images of digits.
# - Mixing places by fixed numbers (Mixer, gMLP, ConvMixer) is enough here. This is what the title "Pay Attention to
#   MLPs" plays with.
#
# Do not read it as "A is better than B". Each has a rate that suits it best, and we gave all the same one; the sigmoid
# MLP was made for plain gradient descent; photographs ask other questions than digits.

# %% [markdown]
# ## Check
#
# **First check: finite differences** of all seven, forward and backward, in float64.

# %%
two = np.random.default_rng(3).standard_normal((2, 8, 8, 1))                    # (B, H, W, 1)
for name, make in MODELS.items():
    nn.seed(0)
    model = make().eval()
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    print(f"{name:<16} {mm.gradcheck(model, two).ok}")

# %% [markdown]
# **Second check: who reaches whom?** We ask for the gradient of one output of the first mixing layer, and count the
# pixels where it is not 0. It must agree with what the paper of each model says.


# %%
def first_layer(name, model):
    """The part of a model up to the end of its first mixing layer: images -> (B, places, channels)."""
    if name.startswith(("MLP", "CNN")):
        count, places = {"MLP, 1986": (2, 1), "CNN, 1989": (2, 16), "CNN, 2012": (3, 16)}[name]
        return lambda x: nn.Sequential(*list(model.net)[:count])(x).reshape(len(x.data), places, -1)
    if name.startswith("ConvMixer"):
        return lambda x: model.blocks[0].places(F.gelu(model.stem(x))).reshape(len(x.data), 16, -1)
    return lambda x: model.blocks[0](model.stem(F.patches(x, 2)) + model.position)


# %%
def reach(name, model, image):
    """|gradient| of one place near the middle with respect to each pixel, (8, 8), the largest number being 1."""
    x = mm.Tensor(mm.data.normalize(image[None], *statistics), requires_grad=True)      # (1, 8, 8, 1)
    y = first_layer(name, model)(x)
    weights = np.random.default_rng(4).standard_normal(y.shape[-1]).astype(np.float32)
    found = np.abs(mm.grad((y[0, min(5, y.shape[1] - 1)] * weights).sum(), [x])[0][0, :, :, 0])
    return found / found.max()


# %%
for name, make in MODELS.items():
    nn.seed(0)
    print(f"{name:<16} {np.count_nonzero(reach(name, make().eval(), digits.test_images[0]) > 1e-7):>3} of 64 pixels")

# %% [markdown]
# 25 = 5 x 5 pixels of a filter. 16 = 4 x 4: a filter of 3 x 3 at the four places that are pooled. (In one channel only
# the largest of the four passes. But channels differ in which one that is, and we look at all of them.) 36 = 3 x 3
# patches of 2 x 2 pixels. And the gMLP begins with 4, one patch: as the paper wants it, a new one mixes nothing.
#
# **Third check: the library's files.** The Mixer and the ViT of minimixer differ in one line, too.

# %%
print(inspect.getsource(nn.ViTBlock.forward))
print(inspect.getsource(nn.MixerBlock.forward))

# %% [markdown]
# | line | meaning |
# | --- | --- |
# | `self.attention(self.attention_norm(x))` | mixes places by numbers that are computed from `x` |
# | `self.token_mixing(y).swapaxes(1, 2)` | mixes places by numbers that are learned |
# | `self.drop_branch(y)` | stochastic depth: off in our small models |

# %% [markdown]
# **Your turn.** A convolution of 3 x 3 reaches one neighbor further with each layer. An output in the middle of a table
# of 14 x 14 patches (the 224 pixels of a Mixer-B/16) shall see *all* patches. How many layers are needed? Count from
# place (7, 7), with places 0 to 13. Set `layers_needed`.
#
# <details><summary>Solution</summary>
#
# ```python
# layers_needed = max(7 - 0, 13 - 7)              # one step per layer; the farthest place is 7 steps away
# ```
#
# </details>

# %% tags=["your-turn"]
layers_needed = ...


# %%
def sees_all(answer):
    seen = np.zeros((14, 14), bool)
    seen[7, 7] = True
    for count in range(1, 15):
        padded = np.pad(seen, 1)
        seen = np.any([padded[i:i + 14, j:j + 14] for i in range(3) for j in range(3)], axis=0)
        if seen.all():
            return answer == count or f"by counting on a real table, {answer} is not the first number that suffices"


mm.exercises.turn(layers_needed, right=sees_all, hint="after n layers, it sees the places up to n steps away")

# %% [markdown]
# A Mixer and a ViT need one layer. This is what they buy with their S x S numbers.

# %% [markdown]
# ## Break it
#
# Two of the seven behave differently in training: dropout draws random numbers, and BatchNorm uses the mean of the
# batch. `model.eval()` switches both to their other mode. Forget it, and ask for the accuracy with batches of 360, 20,
# and 2 images.

# %% tags=["measured"]
print("                 in eval()   forgotten: 360, 20, 2 images at once")
for name in ("CNN, 2012", "Mixer, 2021", "ConvMixer, 2022"):
    model = trained[name][0]
    careful = accuracy(model)
    state = model.state_dict()
    nn.seed(5)
    forgotten = []
    for at_once in (360, 20, 2):
        forgotten.append(accuracy(model.train(), at_once))
        model.load_state_dict(state)                                            # BatchNorm has moved its averages
    model.eval()
    print(f"{name:<16}{careful:>10.1%}{'':>12}{'  '.join(f'{score:.1%}' for score in forgotten)}")

# %% [markdown]
# **Symptom.** The accuracy is lower than it should be, it changes from call to call (dropout), or it depends on how
# many images are asked about at once (BatchNorm). A single image gets a wrong answer, and nobody can repeat it. The
# Mixer of the paper has neither layer, and does not care.
#
# **Cure.** `model.eval()` before every test, `model.train()` before training. minimixer's trainer does both; it refuses
# BatchNorm, because it trains on parts of a batch, and their means would differ.

# %% [markdown]
# ## Use it
#
# **What they look at.** The picture of "who reaches whom" again, now after training, for two digits. Yellow: strong.
# Dark: weak or nothing.

# %% tags=["measured"]
gallery = plots.figure(8.4, 3.0, alt="Two test digits, and beside each the seven maps of how far one place sees, "
                           "one for each kind of model.")
grid = gallery.subplots(2, 8)
for panels, image in zip(grid, (digits.test_images[0], digits.test_images[5]), strict=True):
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    panels[0].imshow(image[..., 0], cmap="gray")
    for panel, (name, models) in zip(panels[1:], trained.items(), strict=True):
        panel.imshow(reach(name, models[0], image), cmap="cividis", vmin=0, vmax=1)
        panel.set_title(name.replace(", ", "\n"), fontsize=8)
gallery

# %% [markdown]
# Compare the two rows. The MLP and the three convolutions look at the same region, whatever the image. The others *can*
# look at the whole image. How strongly they do depends on the image, and most of the strength stays at their own patch:
# the skip connection sees to that. For the ViT, the difference between the rows is the idea; in a Mixer and a gMLP it
# comes from GELU, the norms and the gate.

# %% [markdown]
# ## Exercise
#
# Train three of them on the digits in their larger forms, by minimixer's own trainer: `--model vit-pico`, then
# `--model convnet-pico`, then without `--model`, the Mixer. Does the order of the table hold?
#
# ```console
# $ minimixer train digits --model vit-pico
# ```

# %% [markdown]
# ## Summary
#
# - All seven mix places and channels. They differ in *who* may talk to whom, and in who decides it: the architecture
#   (convolution), the training (token mixing), or the image (attention).
# - What a model knows by construction, it need not learn. With few images, this counts; with many, freedom counts.
# - One table on one small data set with one recipe says little about the others.
# - Dropout and BatchNorm have two modes. Switch them.
#
# **What the library does differently:** `nn.build("vit-micro")` and `nn.build("convnet-micro")` have about as many
# parameters as the Mixer of the same name, so that they can be compared. Its ConvNet normalizes by GroupNorm, which
# does not look at the batch. `docs/claims.md` compares them on photographs, with more seeds.
