"""Training and inference steps of minimixer on random images, as its trainer makes them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import nn, optim
from minimixer.backend import Array
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers

LR, WEIGHT_DECAY, SMOOTHING, MAX_NORM = 1e-3, 0.05, 0.1, 1.0


def random_batch(config: nn.ModelConfig, batch: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random images (B, H, W, channels) of uint8 and labels (B,) for a model with this config."""
    rng = np.random.default_rng(seed)
    shape = batch, config.image_size, config.image_size, config.in_channels
    return rng.integers(0, 256, shape, np.uint8), rng.integers(0, config.num_classes, batch)


def statistics(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel, by which images are normalized."""
    return np.full(channels, 0.5, np.float32), np.full(channels, 0.25, np.float32)


def training_step(model: ShardedModel, optimizer: optim.Optimizer, images: Array, labels: Array,
                  batch_size: int | None = None) -> Array:
    """Compute gradients, clip them and update; return the loss, a 0-d array."""
    loss, _, gradients = model.gradients(images, labels, optimizer.step_count, batch_size)
    optimizer.step(gradients, optim.clip_factor(gradients, MAX_NORM)[0])
    return loss


def step_of(model: nn.Model, batch: int, workers: Workers, train: bool) -> Callable[[], Any]:
    """A function that makes one training or inference step on random images of the model's size."""
    images, labels = random_batch(model.config, batch)
    sharded = ShardedModel(model, workers, *statistics(model.config.in_channels), SMOOTHING)
    if not train:
        return lambda: sharded.predict(images)
    optimizer = optim.AdamW(sharded.params, LR, weight_decay=WEIGHT_DECAY)
    return lambda: training_step(sharded, optimizer, images, labels)
