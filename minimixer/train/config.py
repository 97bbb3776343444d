from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from minimixer.data import Augmentation
from minimixer.data.known import Name as DataName
from minimixer.errors import UsageError, flag, nearest
from minimixer.nn.build import MODELS
from minimixer.optim import ScheduleKind

ModelName = Literal[
    "pico", "nano", "micro", "tiny", "small", "S/32", "S/16", "B/32", "B/16", "L/32", "L/16", "H/14",
    "vit-pico", "vit-nano", "vit-micro", "vit-tiny", "vit-small",
    "convnet-pico", "convnet-nano", "convnet-micro", "convnet-tiny", "convnet-small"]
assert set(get_args(ModelName)) == set(MODELS)


@dataclass(frozen=True)
class Data:
    """The pictures."""

    data: DataName = "digits"
    """Data set."""
    data_dir: Path | None = None
    """Where its files are: a folder or the .tar.gz; by default $MINIMIXER_DATA, ./data, the cache."""
    download: bool = False
    """Fetch the data set if it is not found."""
    batch_size: int = 128
    """Pictures a step."""


@dataclass(frozen=True)
class Augment:
    """Random changes to the training pictures, in this order."""

    crop_padding: int = 0
    """Shifts of up to this many pixels."""
    flip: bool = False
    """Mirror half of the pictures."""
    randaugment: int = 0
    """Operations of RandAugment a picture."""
    magnitude: float = 10.0
    """Their strength, 0 to 30."""
    erasing: float = 0.0
    """Share of the pictures in which a rectangle is filled with noise."""
    cutmix: float = 0.0
    """Parameter of the Beta distribution by which rectangles are exchanged; 0 for none."""
    mixup: float = 0.0
    """The same for the mean of two pictures; with both, half of each."""
    mixing: float = 1.0
    """Share of the pictures that are mixed, if cutmix or mixup is on."""


@dataclass(frozen=True)
class Model:
    """The model; its classes follow from the data, and its picture size unless stated."""

    model: ModelName = "pico"
    """A Mixer of the paper or of our own sizes, or a ViT or a ConvNet of about as many parameters."""
    patch_size: int | None = None
    """P, pixels; by default the model's own.  ConvNets have none."""
    image_size: int | None = None
    """Enlarge the pictures to this side, in pixels; by default they stay, or fit the model of --init-from."""
    init_from: Path | None = None
    """Fine-tune the model of this run, or cifar10-micro; it decides for --model and --patch-size."""
    stochastic_depth: float = 0.0
    """Rate of the last block; grows linearly from 0."""
    dropout: float = 0.0
    """Rate inside the MLPs."""


@dataclass(frozen=True)
class Recipe:
    """How it is trained."""

    epochs: int = 30
    """Passes over the training pictures."""
    max_steps: int | None = None
    """Stop after this many steps, with the schedule fitted to them."""
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
    ema: float = 0.0
    """Decay of a moving mean of the weights, such as 0.999; tests and best.safetensors use it.  0 for none."""
    seed: int = 0
    """The same command with the same seed gives the same bytes."""


@dataclass(frozen=True)
class Machine:
    """What computes it; the number of threads changes no bit, that of processes mostly none (scaling.md)."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Auto takes the GPU if there is one."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of matrix products on a GPU; tf32 keeps 10 of 23 bits of the fraction, and is faster."""
    workers: int | None = None
    """Threads of a process; by default one a physical core, shared out among the processes of the machine."""
    distributed: Literal["auto", "mpi", "off"] = "auto"
    """Share every batch with the processes that mpiexec or srun started too; off lets each train for itself."""
    blas_tune: bool = True
    """Let OpenBLAS use AVX-512 kernels where the CPU has them and it would not."""
    graph: bool = True
    """On a GPU, record the gradients of a step as a CUDA graph, and then start them by one call; the same numbers."""
    compiled: bool = True
    """Compile loops over elements where Numba is installed; NumPy's own round a little differently."""


@dataclass(frozen=True)
class Output:
    """What is kept of it."""

    out: Path | None = None
    """Run folder; by default runs/NAME-NUMBER."""
    resume: bool = False
    """Go on with the run in --out, with the configuration saved there."""
    overwrite: bool = False
    """Delete what is in --out."""
    checkpoint_every: int | None = None
    """Also save after every so many steps; by default at each epoch's end."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    tensorboard: bool = False
    """Write events for TensorBoard into the run folder too."""


@dataclass(frozen=True)
class TrainConfig(Output, Machine, Recipe, Model, Augment, Data):
    """Everything that decides a run.  Raises UsageError for a value that cannot be."""

    def __post_init__(self) -> None:
        for name in ("data_dir", "init_from", "out"):
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, Path(value))         # the dataclass is frozen
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), np.generic):
                object.__setattr__(self, field.name, value.item())
        for name, (choices, is_whole) in _kinds().items():
            value = getattr(self, name)
            if choices and value not in choices:
                raise UsageError(f"{flag(name)} is {value!r}: {nearest(str(value), choices)}")
            _check(not is_whole or value is None or type(value) is int, name, value, "a whole number")
        for name in ("epochs", "batch_size", "log_every"):
            _check(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name in ("max_steps", "workers", "checkpoint_every", "patch_size", "image_size"):
            value = getattr(self, name)
            _check(value is None or value >= 1, name, value, "a whole number from 1")
        for name in ("lr", "weight_decay", "clip_norm", "warmup_steps", "seed"):
            _check(getattr(self, name) >= 0, name, getattr(self, name), "a number from 0")
        self.augmentation()
        for name in ("label_smoothing", "dropout", "stochastic_depth", "ema"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "a number in [0, 1)")
        _check(not (self.resume and self.out is None), "resume", True, "--out with the run folder to go on with")
        _check(not (self.resume and self.overwrite), "resume", True, "no --overwrite beside it")

    def augmentation(self) -> Augmentation:
        """The random changes that the configuration asks for."""
        return Augmentation(**{field.name: getattr(self, field.name) for field in fields(Augmentation)})


@cache
def _kinds() -> dict[str, tuple[tuple[str, ...], bool]]:
    """Of every field the words that it may be, if it is one of some, and whether it is a whole number."""
    hints = get_type_hints(TrainConfig)
    return {name: (get_args(hint) if get_origin(hint) is Literal else (), int in (hint, *get_args(hint)))
            for name, hint in hints.items()}


def _check(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise UsageError(f"{flag(name)} is {value}: expected {expected}")


CIFAR = TrainConfig(data="cifar10", model="nano", epochs=10, label_smoothing=0.1, crop_padding=4, flip=True)

GROUPS = {"data": Data, "augment": Augment, "model": Model, "recipe": Recipe, "machine": Machine, "output": Output}

PRESETS: dict[str, TrainConfig] = {
    "digits": TrainConfig(patch_size=2, batch_size=64, lr=4e-3, label_smoothing=0.1, warmup_steps=50),
    "cifar10": CIFAR,
    "cifar10-micro": replace(
        CIFAR, model="micro", epochs=300, lr=1e-3, warmup_steps=2000, randaugment=2, magnitude=9, cutmix=1.0,
        mixing=0.5, ema=0.9995),
    "cifar10-micro-cpu": replace(
        CIFAR, model="micro", epochs=30, batch_size=64, lr=1.5e-3, warmup_steps=800, cutmix=1.0, mixing=0.25,
        ema=0.999),
    "cifar100": replace(CIFAR, data="cifar100", epochs=20),
    # The recipe of the official code, configs/common.py and mixer_base16_cifar10.py; its crops of any area are shifts.
    "finetune": replace(
        CIFAR, data="cifar100", model="micro", init_from=Path("cifar10-micro"), batch_size=512, epochs=104,
        max_steps=10_000, optimizer="sgd", lr=0.03, warmup_steps=500, weight_decay=0.0, label_smoothing=0.0),
}

SUMMARIES = {
    "digits": "8 x 8 digits, offline, the default: 20 s on two cores, 98.6 %",
    "cifar10": "0.49 M parameters, for a laptop: 18 min on two cores, 72 %",
    "cifar10-micro": "1.13 M parameters, 300 epochs: for a GPU",
    "cifar10-micro-cpu": "the same in 30 epochs: 90 min on two cores, 80 %",
    "cifar100": "100 classes, 0.49 M parameters, 20 epochs",
    "finetune": "the paper's recipe for the weights of --init-from",
}

# What --resume may change: nothing of it decides what is computed.
FREE = {"data_dir", "download", *(field.name for group in (Machine, Output) for field in fields(group))}
ROUNDING = {"precision", "compiled"}        # but these decide the last bits, so a change is said
# What it may not: the arrays of the checkpoint, or the order of the pictures, depend on it.
FIXED = {"data", "model", "patch_size", "image_size", "init_from", "optimizer", "batch_size", "seed", "ema"}


def changes(saved: TrainConfig, new: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Name, old and new value of what decides a run and differs between two configurations."""
    values = {field.name: (getattr(saved, field.name), getattr(new, field.name)) for field in fields(TrainConfig)}
    return {name: (old, now) for name, (old, now) in values.items() if old != now and name not in FREE - ROUNDING}
