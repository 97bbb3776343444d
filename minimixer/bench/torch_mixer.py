"""A Mixer as a PyTorch user would write it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from minimixer.nn import MlpMixer


class Mlp(nn.Sequential):
    def __init__(self, dim: int, hidden: int):
        super().__init__(nn.Linear(dim, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, dim))


class Block(nn.Module):
    def __init__(self, c: Any):
        super().__init__()
        self.token_norm, self.channel_norm = nn.LayerNorm(c.hidden_dim, eps=1e-6), nn.LayerNorm(c.hidden_dim, eps=1e-6)
        self.token_mixing = Mlp(c.num_patches, c.tokens_mlp_dim)
        self.channel_mixing = Mlp(c.hidden_dim, c.channels_mlp_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.token_mixing(self.token_norm(x).transpose(1, 2)).transpose(1, 2)       # (B, S, C)
        return x + self.channel_mixing(self.channel_norm(x))


class Mixer(nn.Module):
    """images: (B, 3, H, W) -> logits: (B, num_classes), with the weights of a minimixer Mixer."""

    def __init__(self, twin: MlpMixer):
        super().__init__()
        c = twin.config
        self.stem = nn.Conv2d(c.in_channels, c.hidden_dim, c.patch_size, stride=c.patch_size)
        self.blocks = nn.Sequential(*(Block(c) for _ in range(c.num_blocks)))
        self.norm = nn.LayerNorm(c.hidden_dim, eps=1e-6)
        self.head = nn.Linear(c.hidden_dim, c.num_classes)
        params = dict(self.named_parameters())
        with torch.no_grad():
            for name, p in twin.named_parameters():
                ours = torch.from_numpy(p.data.T.copy())            # (in, out) becomes (out, in)
                if name == "stem.weight":
                    ours = ours.unflatten(1, (c.patch_size, c.patch_size, -1)).permute(0, 3, 1, 2)
                params[name.replace("fc1", "0").replace("fc2", "2")].copy_(ours)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stem(images).flatten(2).transpose(1, 2)            # (B, S, C)
        x = self.norm(self.blocks(x)).mean(1)                       # (B, C)
        return self.head(x)


def training_step(loss_of: Callable[[], torch.Tensor], params: Iterable[torch.Tensor], optimizer: Any, max_norm: float,
                  foreach: bool | None = None) -> Callable[[], torch.Tensor]:
    """A function that makes one step, clipped to ``max_norm``, and returns the loss."""
    params = list(params)

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, max_norm, foreach=foreach)
        optimizer.step()
        return loss.detach()

    return step
