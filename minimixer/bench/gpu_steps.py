"""One training step of each contender of the race on a GPU, on the same images and from the same weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import nn, optim
from minimixer.backend import to_device
from minimixer.bench.steps import LR, MAX_NORM, SMOOTHING, WEIGHT_DECAY, random_batch, training_step
from minimixer.errors import UsageError
from minimixer.parallel import ShardedModel, Workers

Step = Callable[[], Any]                # makes one training step and returns its loss, on the device


def minimixer_step(config: nn.MixerConfig, batch: int, device: str = "gpu", graph: bool = True) -> Step:
    """The training step of minimixer, with or without a CUDA graph.  Raises UsageError if it was not recorded."""
    images, labels = (to_device(a, device) for a in random_batch(config, batch))
    half = to_device(np.full(config.in_channels, 0.5, np.float32), device)
    model = ShardedModel(nn.MlpMixer(config).to(device), Workers(1), half, half, SMOOTHING, graph=graph)
    optimizer = optim.AdamW(model.params, LR, weight_decay=WEIGHT_DECAY)

    def step() -> Any:
        loss = training_step(model, optimizer, images, labels)
        if model.captured is not None and model.captured.graph is None:
            raise UsageError("the step could not be recorded as a CUDA graph")
        return loss

    return step


def is_recorded(config: nn.MixerConfig, batch: int, device: str = "gpu") -> bool:
    """Whether a step can be recorded as a CUDA graph; the reason is printed if not."""
    try:
        minimixer_step(config, batch, device)()
    except Exception as error:          # from CUDA, too: without a graph it may work
        print(f"minimixer runs kernel by kernel: {error}")
        return False
    return True


def torch_step(torch: Any, config: nn.MixerConfig, batch: int, compiled: bool, device: str = "cuda") -> Step:
    """The training step of PyTorch, eager or with torch.compile."""
    from minimixer.bench.torch_mixer import Mixer
    from minimixer.bench.torch_mixer import training_step as torch_training_step
    images, labels = (torch.from_numpy(a).to(device) for a in random_batch(config, batch))
    model = Mixer(nn.MlpMixer(config)).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), LR, weight_decay=WEIGHT_DECAY, fused=device == "cuda")

    def loss_of(images: Any, labels: Any) -> Any:
        logits = model(((images.float() - 127.5) * (1 / 127.5)).permute(0, 3, 1, 2))    # (B, 3, H, W)
        return torch.nn.functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)

    forward = torch.compile(loss_of, dynamic=False) if compiled else loss_of
    return torch_training_step(lambda: forward(images, labels), model.parameters(), optimizer, MAX_NORM)
