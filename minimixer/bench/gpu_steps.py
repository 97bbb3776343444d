"""One training step of each contender of the race on a GPU, on the same pictures and from the same weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import nn, optim
from minimixer.backend import to_device
from minimixer.bench.peers import LR, MAX_NORM, SMOOTHING, WEIGHT_DECAY, training_step
from minimixer.errors import UsageError
from minimixer.parallel import ShardedModel, Workers

Step = Callable[[], Any]                # makes one training step and returns its loss, still on the device


def pictures(config: nn.MixerConfig, batch: int) -> tuple[Any, Any]:
    """Random pictures (B, H, W, channels) of uint8, and labels (B,)."""
    rng = np.random.default_rng(0)
    shape = batch, config.image_size, config.image_size, config.in_channels
    return rng.integers(0, 256, shape, np.uint8), rng.integers(0, config.num_classes, batch)


def minimixer_step(config: nn.MixerConfig, batch: int, device: str = "gpu", graph: bool = True) -> Step:
    """Our training step, as a CUDA graph or kernel by kernel; it raises UsageError if there is no graph."""
    images, labels = (to_device(a, device) for a in pictures(config, batch))
    half = to_device(np.full(config.in_channels, 0.5, np.float32), device)
    model = ShardedModel(nn.MlpMixer(config).to(device), Workers(1), half, half, SMOOTHING, graph=graph)
    optimizer = optim.AdamW(model.params, LR, weight_decay=WEIGHT_DECAY)

    def step() -> Any:
        loss = training_step(model, optimizer, images, labels)
        if model.repeated is not None and model.repeated.graph is None:
            raise UsageError("the step could not be recorded as a CUDA graph")
        return loss

    return step


def is_recorded(config: nn.MixerConfig, batch: int, device: str = "gpu") -> bool:
    """Whether a step becomes a graph; what hinders it is printed."""
    try:
        minimixer_step(config, batch, device)()
    except Exception as error:          # one of CUDA's too: kernel by kernel it may work
        print(f"minimixer runs kernel by kernel: {error}")
        return False
    return True


def torch_step(torch: Any, config: nn.MixerConfig, batch: int, compiled: bool, device: str = "cuda") -> Step:
    """PyTorch's training step, eager or through torch.compile."""
    from minimixer.bench.torch_mixer import Mixer
    images, labels = (torch.from_numpy(a).to(device) for a in pictures(config, batch))
    model = Mixer(nn.MlpMixer(config)).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), LR, weight_decay=WEIGHT_DECAY, fused=device == "cuda")

    def loss_of(images: Any, labels: Any) -> Any:
        logits = model(((images.float() - 127.5) * (1 / 127.5)).permute(0, 3, 1, 2))    # (B, 3, H, W)
        return torch.nn.functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)

    forward = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimizer.step()
        return loss.detach()

    return step
