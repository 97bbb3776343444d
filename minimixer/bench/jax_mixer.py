"""A Mixer and AdamW in plain jax.numpy; the parameters are a dict with minimixer's names and shapes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from minimixer.nn import MixerConfig

Params = dict[str, jax.Array]
B1, B2, EPS = 0.9, 0.999, 1e-8


def linear(params: Params, name: str, x: jax.Array) -> jax.Array:
    """x: (..., in) -> (..., out)."""
    return x @ params[f"{name}.weight"] + params[f"{name}.bias"]


def layer_norm(params: Params, name: str, x: jax.Array) -> jax.Array:
    """x: (..., C) -> the same shape."""
    x = x - x.mean(-1, keepdims=True)
    x = x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    return x * params[f"{name}.weight"] + params[f"{name}.bias"]


def mlp(params: Params, name: str, x: jax.Array) -> jax.Array:
    """x: (..., dim) -> the same shape."""
    return linear(params, f"{name}.fc2", jax.nn.gelu(linear(params, f"{name}.fc1", x), approximate=True))


def forward(params: Params, images: jax.Array, c: MixerConfig) -> jax.Array:
    """images: (B, H, W, 3) -> logits: (B, num_classes)."""
    side, p = c.image_size // c.patch_size, c.patch_size
    x = images.reshape(-1, side, p, side, p, c.in_channels).swapaxes(2, 3).reshape(-1, side * side, p * p * 3)
    x = linear(params, "stem", x)                                                           # (B, S, C)
    for i in range(c.num_blocks):
        y = layer_norm(params, f"blocks.{i}.token_norm", x).swapaxes(1, 2)                  # (B, C, S)
        x = x + mlp(params, f"blocks.{i}.token_mixing", y).swapaxes(1, 2)
        x = x + mlp(params, f"blocks.{i}.channel_mixing", layer_norm(params, f"blocks.{i}.channel_norm", x))
    return linear(params, "head", layer_norm(params, "norm", x).mean(1))


def training_step(c: MixerConfig, lr: float, weight_decay: float, smoothing: float,
                  max_norm: float) -> Callable[..., Any]:
    """A compiled function of (params, m, v, count, images, labels); it returns the updated first four, and the loss."""
    def loss_of(params: Params, images: jax.Array, labels: jax.Array) -> jax.Array:
        target = (1 - smoothing) * jax.nn.one_hot(labels, c.num_classes) + smoothing / c.num_classes
        return -(target * jax.nn.log_softmax(forward(params, images, c))).sum(1).mean()

    def step(params: Params, m: Params, v: Params, count: jax.Array, images: jax.Array, labels: jax.Array) -> Any:
        loss, g = jax.value_and_grad(loss_of)(params, images, labels)
        norm = jnp.sqrt(sum((a * a).sum() for a in g.values()))
        factor = jnp.minimum(1, max_norm / (norm + 1e-6))
        count = count + 1
        new: tuple[Params, Params, Params] = {}, {}, {}
        for name, p in params.items():
            a = g[name] * factor
            mean = B1 * m[name] + (1 - B1) * a
            square = B2 * v[name] + (1 - B2) * a * a
            change = mean / (1 - B1**count) / (jnp.sqrt(square / (1 - B2**count)) + EPS)
            for values, value in zip(new, (p - lr * (change + weight_decay * p), mean, square), strict=True):
                values[name] = value
        return (*new, count), loss

    return jax.jit(step, donate_argnums=(0, 1, 2, 3))
