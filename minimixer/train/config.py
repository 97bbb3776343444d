from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from minimixer.errors import UsageError
from minimixer.nn.mixer import VARIANTS
from minimixer.optim import ScheduleKind

ModelName = Literal["pico", "nano", "micro", "tiny", "small", "S/32", "S/16", "B/32", "B/16", "L/32", "L/16", "H/14"]
assert set(get_args(ModelName)) == set(VARIANTS)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run."""

    data: Literal["digits", "cifar10", "cifar100"] = "digits"
    """Data set."""
    data_dir: Path | None = None
    """Where its files are: a folder or the .tar.gz; by default $MINIMIXER_DATA, ./data, the cache."""
    download: bool = False
    """Fetch the data set if it is not found."""

    model: ModelName = "pico"
    """A size of the paper, or one of pico, nano, micro, tiny, small."""
    patch_size: int | None = None
    """P, pixels; by default the model's own."""
    stochastic_depth: float = 0.0
    """Rate of the last block; grows linearly from 0."""
    dropout: float = 0.0
    """Rate inside the MLPs."""

    epochs: int = 30
    """Passes over the training pictures."""
    max_steps: int | None = None
    """Stop after this many steps, with the schedule fitted to them."""
    batch_size: int = 128
    """Pictures a step."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """SGD uses momentum 0.9."""
    lr: float = 2e-3
    """Peak learning rate."""
    schedule: ScheduleKind = "cosine"
    """How it falls after the warm-up."""
    warmup_steps: int = 100
    """Steps of linear warm-up, at most a fifth of the run."""
    weight_decay: float = 0.05
    """Decoupled with adamw; on matrices only."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient; 0 for no clipping."""
    label_smoothing: float = 0.0
    """Share of each target spread over all classes."""
    crop_padding: int = 0
    """Training pictures are shifted by up to this many pixels."""
    flip: bool = False
    """Training pictures are mirrored at random."""

    seed: int = 0
    """The same command with the same seed gives the same bytes."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Auto takes the GPU if there is one."""
    workers: int | None = None
    """Threads; by default one a physical core."""
    blas_tune: bool = True
    """Let OpenBLAS use AVX-512 kernels where the CPU has them and it would not."""

    out: Path | None = None
    """Run folder; by default runs/NAME-NUMBER."""
    resume: bool = False
    """Go on with the run in --out."""
    overwrite: bool = False
    """Delete what is in --out."""
    checkpoint_every: int | None = None
    """Also save after every so many steps; by default at each epoch's end."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "log_every"):
            _check(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name in ("max_steps", "workers", "checkpoint_every", "patch_size"):
            value = getattr(self, name)
            _check(value is None or value >= 1, name, value, "a whole number from 1")
        for name in ("lr", "weight_decay", "clip_norm", "warmup_steps", "crop_padding", "seed"):
            _check(getattr(self, name) >= 0, name, getattr(self, name), "a number from 0")
        for name in ("label_smoothing", "dropout", "stochastic_depth"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "a number in [0, 1)")
        _check(not (self.resume and self.out is None), "resume", True, "--out with the run folder to go on with")


def _check(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise UsageError(f"--{name.replace('_', '-')} is {value}: expected {expected}")


CIFAR = TrainConfig(data="cifar10", model="nano", epochs=10, label_smoothing=0.1, crop_padding=4, flip=True)

PRESETS: dict[str, TrainConfig] = {
    "digits": TrainConfig(patch_size=2, batch_size=64, lr=4e-3, label_smoothing=0.1, warmup_steps=50),
    "cifar10": CIFAR,
    "cifar10-micro": replace(CIFAR, model="micro", epochs=300, warmup_steps=2000),
    "cifar100": replace(CIFAR, data="cifar100", epochs=20),
}

SUMMARIES = {
    "digits": "8 x 8 handwritten digits, offline (the default)",
    "cifar10": "a 0.49 M parameter Mixer, the one for a laptop",
    "cifar10-micro": "a 1.13 M parameter Mixer, 300 epochs",
    "cifar100": "100 classes",
}
