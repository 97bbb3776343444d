"""What a student writes with minimixer alone: each model in less than 40 lines, by a loop of its own, and it learns."""

import inspect

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import minimixer as mm
from minimixer import Tensor, nn
from minimixer import functional as F

LINES = 40


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):         # the products are small
        yield


def two_moons_mlp():
    rng = np.random.default_rng(0)
    nn.seed(0)
    t, labels = rng.uniform(0, np.pi, 200), rng.integers(0, 2, 200)
    moons = np.stack([np.cos(t), np.sin(t)], 1) * np.where(labels, 1, -1)[:, None] + labels[:, None] * [1, 0.5]
    points = (moons + 0.1 * rng.standard_normal((200, 2))).astype(np.float32)
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = mm.optim.AdamW(model, lr=0.02)
    for _ in range(120):
        score = model(Tensor(points))[:, 0]
        loss = (F.softplus(score) - score * labels.astype(np.float32)).mean()       # binary cross-entropy
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((model(Tensor(points))[:, 0] > 0) == labels).mean() > 0.98


def bigram():
    text = "the cat sat on the mat and the rat sat on the cat " * 20
    letters = sorted(set(text))
    ids = np.array([letters.index(letter) for letter in text])
    model = nn.Embedding(len(letters), len(letters))            # a row: the logits of the next letter
    optimizer = mm.optim.SGD(model, lr=20.0, momentum=0.0)
    for _ in range(100):
        loss = F.cross_entropy(model(ids[:-1]), ids[1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pairs = np.zeros((len(letters),) * 2)
    np.add.at(pairs, (ids[:-1], ids[1:]), 1)
    counted = pairs[ids[:-1], ids[1:]] / pairs.sum(1)[ids[:-1]]
    assert loss.item() < -np.log(counted).mean() + 0.05         # as good as counting


class Attention(nn.Module):
    """One causal head; what it looks for is where a number stands, and which it is."""

    def __init__(self, vocabulary, length, dim):
        self.embed = nn.Embedding(vocabulary, dim)
        self.place = Tensor(0.3 * np.random.default_rng(0).standard_normal((length, dim), np.float32), True)
        self.parts = {name: nn.Linear(dim, dim) for name in ("query", "key", "value")}
        self.head = nn.Linear(dim, vocabulary)
        self.mask = np.tri(length, dtype=bool)

    def forward(self, ids):                                                     # (B, T)
        x = self.embed(ids) + self.place                                        # (B, T, C)
        q, k, v = (self.parts[name](x) for name in ("query", "key", "value"))
        scores = F.einsum("bqc,bkc->bqk", q, k) / x.shape[-1] ** 0.5            # (B, T, T)
        scores = F.where(self.mask, scores, -np.inf)
        return self.head(x + F.softmax(scores) @ v)                             # (B, T, K)


def attention():
    rng = np.random.default_rng(1)
    nn.seed(1)
    ids = rng.integers(0, 5, (128, 6))
    first = np.broadcast_to(ids[:, :1], ids.shape)              # every place asks for the first one
    model = Attention(5, 6, 16)
    optimizer = mm.optim.AdamW(model, lr=0.02)
    for _ in range(150):
        loss = F.cross_entropy(model(ids), first)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(ids).argmax(-1) == first).mean() > 0.97


class RNN(nn.Module):
    def __init__(self, dim):
        self.dim = dim
        self.cell, self.head = nn.Linear(1 + dim, dim), nn.Linear(dim, 2)

    def forward(self, x):                                                       # (B, T, 1)
        h = Tensor(np.zeros((x.shape[0], self.dim), np.float32))
        for t in range(x.shape[1]):
            h = F.tanh(self.cell(F.concatenate([x[:, t], h], axis=1)))          # (B, C)
        return self.head(h)


def rnn():
    rng = np.random.default_rng(0)
    nn.seed(0)
    bits = rng.integers(0, 2, (256, 4))
    labels = bits.sum(1) % 2                                    # parity: nothing but a memory will do
    model = RNN(16)
    optimizer = mm.optim.AdamW(model, lr=0.02)
    for _ in range(250):
        loss = F.cross_entropy(model(Tensor((2.0 * bits[..., None] - 1).astype(np.float32))), labels)
        optimizer.zero_grad()
        loss.backward()
        factor, _ = mm.optim.clip_factor([p.grad for p in model.parameters()], 1.0)
        optimizer.step(factor=factor)
    assert loss.item() < 0.1


def digits():
    """The bundled digits, 8 x 8 pixels of 0..1: images (B, 8, 8, 1) and labels, to train and to test."""
    data = mm.data.load_digits()
    return [(images.astype(np.float32) / 255, labels) for images, labels in (
        (data.train_images, data.train_labels), (data.test_images, data.test_labels))]


def learns_digits(model, rate, epochs, at_least):
    (images, labels), (test_images, test_labels) = digits()
    optimizer, rng = mm.optim.AdamW(model, lr=rate), np.random.default_rng(0)
    for _ in range(epochs):
        for batch in np.split(rng.permutation(len(images))[:len(images) // 64 * 64], len(images) // 64):
            loss = F.cross_entropy(model(Tensor(images[batch])), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with mm.no_grad():
        assert (model(Tensor(test_images)).argmax(1) == test_labels).mean() > at_least


def lenet():
    nn.seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 3), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    learns_digits(model, 0.01, 5, 0.9)


class SpatialGate(nn.Module):           # (Liu et al. 2021, Pay Attention to MLPs)
    def __init__(self, tokens, dim):
        self.norm = nn.LayerNorm(dim // 2)
        self.mix = nn.Linear(tokens, tokens, init=nn.zeros)
        self.mix.bias.data += 1

    def forward(self, x):                                                       # (B, S, C)
        u, v = F.split(x, 2, axis=-1)                                           # (B, S, C / 2)
        return u * self.mix(self.norm(v).swapaxes(1, 2)).swapaxes(1, 2)


class GMLP(nn.Module):
    def __init__(self, dim, depth):
        self.stem = nn.Linear(4, dim)
        self.blocks = [nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), SpatialGate(16, 2 * dim),
                                     nn.Linear(dim, dim)) for _ in range(depth)]
        self.head = nn.Linear(dim, 10)

    def forward(self, images):
        x = self.stem(F.patches(images, 2))                                     # (B, 16, C)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x.mean(1))


def gmlp():
    nn.seed(0)
    learns_digits(GMLP(32, 2), 0.01, 4, 0.9)


class ConvMixer(nn.Module):             # (Trockman & Kolter 2022, Patches Are All You Need?)
    def __init__(self, dim, depth, kernel_size):
        def after(layer):
            return nn.Sequential(layer, nn.GELU(), nn.BatchNorm(dim))

        self.stem = after(nn.Conv2d(1, dim, 2, stride=2, padding=0))
        self.blocks = [(after(nn.Conv2d(dim, dim, kernel_size, groups=dim)), after(nn.Conv2d(dim, dim, 1)))
                       for _ in range(depth)]
        self.head = nn.Linear(dim, 10)

    def forward(self, images):
        x = self.stem(images)                                                   # (B, 4, 4, C)
        for depthwise, pointwise in self.blocks:
            x = pointwise(x + depthwise(x))
        return self.head(x.mean((1, 2)))


def convmixer():
    nn.seed(0)
    learns_digits(ConvMixer(32, 1, 3), 0.01, 6, 0.92)


# A task with what it needs beside itself
TASKS = {
    two_moons_mlp: (), bigram: (), attention: (Attention,), rnn: (RNN,), lenet: (learns_digits, digits),
    gmlp: (SpatialGate, GMLP, learns_digits, digits), convmixer: (ConvMixer, learns_digits, digits)}
SLOW = (rnn, lenet, gmlp, convmixer)


@pytest.mark.parametrize("task", [
    pytest.param(task, marks=[pytest.mark.slow] if task in SLOW else [], id=task.__name__) for task in TASKS])
def test_it_learns(task):
    task()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__)
def test_it_is_short(task):
    lines = [line for part in (task, *TASKS[task]) for line in inspect.getsource(part).splitlines() if line.strip()]
    assert len(lines) < LINES
