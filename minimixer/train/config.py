"""The configuration of a run: every setting, its help text and its limits."""

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np

from minimixer.data.augment import Augment, Augmentation
from minimixer.data.known import Name as DataName
from minimixer.errors import UsageError, flag, nearest
from minimixer.files import expand
from minimixer.nn.build import MODELS
from minimixer.optim import ScheduleKind
from minimixer.options import INCLUDED, THREADS, Rule, check, rules
from minimixer.parallel.workers import Kernels
from minimixer.text import printable

ModelName = Literal[
    "pico", "nano", "micro", "tiny", "small", "S/32", "S/16", "B/32", "B/16", "L/32", "L/16", "H/14",
    "vit-pico", "vit-nano", "vit-micro", "vit-tiny", "vit-small",
    "convnet-pico", "convnet-nano", "convnet-micro", "convnet-tiny", "convnet-small"]
assert set(get_args(ModelName)) == set(MODELS)


@dataclass(frozen=True)
class Data:
    """The images."""

    data: DataName = "digits"
    """Data set."""
    data_dir: Path | None = None
    """Folder that holds its files, or the .tar.gz; by default $MINIMIXER_DATA, ./data, the cache."""
    download: bool = False
    """Fetch the data set if it is not found."""
    batch_size: int = 128
    """Images per step."""

    RULES: ClassVar[tuple[Rule, ...]] = (INCLUDED,)


@dataclass(frozen=True)
class Model:
    """The model; its classes follow from the data, and so does its image size unless stated."""

    model: ModelName = "pico"
    """A Mixer in a size of the paper or our own, or a ViT or a ConvNet with about as many parameters."""
    patch_size: int | None = None
    """P, in pixels; by default the model's own.  ConvNets have none."""
    image_size: int | None = None
    """Enlarge the images to this side, in pixels; by default only as far as the model of --init-from needs."""
    init_from: Path | None = None
    """Fine-tune the model of this run, or cifar10-micro; it replaces --model and --patch-size."""
    stochastic_depth: float = 0.0
    """Rate in the last block; it grows linearly from 0 in the first."""
    dropout: float = 0.0
    """Rate inside the MLPs."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("model", "patch_size"), lambda given: given.init_from is not None,
             "with --init-from {init_from} (the model is that one)", "leave out --init-from", by_value=False),
        Rule(("patch_size",), lambda given: given.model.startswith("convnet"),
             "with --model {model} (ConvNets have no patches)", "choose a Mixer or a ViT"))


@dataclass(frozen=True)
class Recipe:
    """How the model is trained."""

    epochs: int = 30
    """Passes over the training images."""
    max_steps: int | None = None
    """Stop after this many steps, with the schedule fitted to them."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """SGD uses momentum 0.9."""
    lr: float = 2e-3
    """Peak learning rate."""
    schedule: ScheduleKind = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup_steps: int = 100
    """Steps of linear warm-up, at most a fifth of the run."""
    weight_decay: float = 0.05
    """Decoupled with adamw; on matrices only."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient; 0 for no clipping."""
    label_smoothing: float = 0.0
    """Share of each target that is spread over all classes."""
    ema: float = 0.0
    """Decay of a moving average of the weights, such as 0.999; tests and best.safetensors use it.  0 for none."""
    seed: int = 0
    """The same command with the same seed gives the same bytes."""


@dataclass(frozen=True)
class Machine:
    """Where the run computes; the result does not depend on the number of threads, to the last bit."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Auto uses the GPU if there is one."""
    precision: Literal["float32", "tf32"] = "float32"
    """Precision of matrix products on a GPU; tf32 keeps 10 of 23 bits of the fraction, and is faster."""
    workers: int | None = None
    """Threads per process; by default one per physical core, divided among the processes of the machine."""
    distributed: Literal["auto", "mpi", "off"] = "auto"
    """Share every batch with the processes that mpiexec or srun started; off lets each train by itself."""
    blas_tune: bool = True
    """Make OpenBLAS use AVX-512 kernels if the CPU has AVX-512 and OpenBLAS did not choose them."""
    graph: bool = True
    """On a GPU, record the gradients of a step as a CUDA graph and start it by one call; the same numbers."""
    kernels: Kernels = "fast"
    """Form of every op: the fastest, the fastest without compiled loops, or as written; they round differently."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        THREADS,
        Rule(("precision", "graph"), lambda given: given.device == "cpu", "on a CPU", "choose --device gpu"),
        Rule(("kernels",), lambda given: given.device == "gpu" and given.kernels == "inplace",
             "on a GPU (fast and inplace are one there)", "choose --kernels reference"))


@dataclass(frozen=True)
class Output:
    """What is kept of the run."""

    out: Path | None = None
    """Run folder; by default runs/NAME-NUMBER."""
    resume: bool = False
    """Continue the run in --out, with the configuration saved there."""
    overwrite: bool = False
    """Replace the run in --out; a folder that holds anything else is refused."""
    checkpoint_every: int | None = None
    """Also save every this many steps; by default only at the end of each epoch."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    tensorboard: bool = False
    """Also write events for TensorBoard into the run folder."""


PATHS = ("data_dir", "init_from", "out")
PRESETS: dict[str, "TrainConfig"] = {}      # filled below
KERNELS_OF_COMPILED: Mapping[bool, Kernels] = {True: "fast", False: "inplace"}


@dataclass(frozen=True)
class TrainConfig(Output, Machine, Recipe, Model, Augment, Data):
    """All settings of a run.  Raises UsageError for a value that is not allowed, or has no effect with the others.

    ``compiled`` is the old name of ``kernels``, for one version: False is ``kernels="inplace"``.  ``saved`` says that a
    run was begun with these settings: then values without effect pass.
    """

    compiled: InitVar[bool | None] = None
    saved: InitVar[bool] = False

    def __post_init__(self, compiled: bool | None, saved: bool) -> None:
        if compiled is not None:
            warnings.warn('compiled is now kernels: write kernels="fast" for True, kernels="inplace" for False',
                          DeprecationWarning, stacklevel=3)
            object.__setattr__(self, "kernels", KERNELS_OF_COMPILED[bool(compiled)])
        for name in PATHS:
            value = getattr(self, name)
            _check(value is None or isinstance(value, (str, os.PathLike)), name, value, "a path")
            if value is not None:
                object.__setattr__(self, name, expand(value))       # the dataclass is frozen
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), np.generic):
                object.__setattr__(self, field.name, value.item())
        for name, (choices, kinds) in _kinds().items():
            value = getattr(self, name)
            if name in PATHS:
                continue
            if choices and value not in choices:
                raise UsageError(f"{flag(name)} is {printable(repr(value))}: {nearest(str(value), choices)}")
            expected = next(word for kind, word in EXPECTED.items() if kind in kinds)
            is_finite = not isinstance(value, float) or math.isfinite(value)
            fits = type(value) in kinds or (type(value) is int and float in kinds)
            _check(fits and is_finite, name, value, expected)
        for name in ("epochs", "batch_size", "log_every"):
            _check(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name in ("max_steps", "workers", "checkpoint_every", "patch_size", "image_size"):
            value = getattr(self, name)
            _check(value is None or value >= 1, name, value, "a whole number from 1")
        for name in ("lr", "weight_decay", "clip_norm", "warmup_steps", "seed"):
            _check(getattr(self, name) >= 0, name, getattr(self, name), "a number from 0")
        super().__post_init__()
        for name in ("label_smoothing", "dropout", "stochastic_depth", "ema"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "a number in [0, 1)")
        _check(not (self.resume and self.out is None), "resume", True, "--out with the folder of the run")
        _check(not (self.resume and self.overwrite), "resume", True, "no --overwrite beside it")
        if not (saved or self.resume):
            check(self, [name for name in _kinds() if self._is_unusual(name)], _told_by_value())

    def _is_unusual(self, name: str) -> bool:
        """Whether an option has a value that neither the defaults nor a preset gives it: then the user did."""
        usual = [getattr(TrainConfig, name), *(getattr(preset, name) for preset in PRESETS.values())]
        return getattr(self, name) not in usual

    def augmentation(self) -> Augmentation:
        """The random changes that the configuration sets."""
        return Augmentation(**{field.name: getattr(self, field.name) for field in fields(Augmentation)})


EXPECTED: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


@cache
def _told_by_value() -> list[Rule]:
    return [rule for rule in rules(TrainConfig) if rule.by_value]


@cache
def _kinds() -> dict[str, tuple[tuple[str, ...], tuple[type, ...]]]:
    """The allowed values of each field (empty if any), and its types."""
    hints = {field.name: get_type_hints(TrainConfig)[field.name] for field in fields(TrainConfig)}
    choices = {name: get_args(hint) if get_origin(hint) is Literal else () for name, hint in hints.items()}
    return {name: (choices[name], (str,) if choices[name] else get_args(hint) or (hint,))
            for name, hint in hints.items()}


def _check(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise UsageError(f"{flag(name)} is {printable(value)}: expected {expected}")


CIFAR = TrainConfig(data="cifar10", model="nano", epochs=10, label_smoothing=0.1, crop_padding=4, flip=True)

GROUPS = {"data": Data, "augment": Augment, "model": Model, "recipe": Recipe, "machine": Machine, "output": Output}

PRESETS |= {
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

# What --resume may change: settings that do not affect what is computed.
FREE = {"data_dir", "download", *(field.name for group in (Machine, Output) for field in fields(group))}
ROUNDING = {"precision", "kernels"}         # but these affect the last bits, so a change is reported
# What it may not: the arrays of the checkpoint, or the order of the images, depend on it.
FIXED = {"data", "model", "patch_size", "image_size", "init_from", "optimizer", "batch_size", "seed", "ema"}


def without_old_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their present names: ``compiled`` of older versions becomes ``kernels``, unless that is there."""
    settings = dict(settings)
    if (compiled := settings.pop("compiled", None)) is not None:
        settings.setdefault("kernels", KERNELS_OF_COMPILED[bool(compiled)])
    return settings


def without_old_flags(arguments: Sequence[str]) -> list[str]:
    """The same for the flags of a command line."""
    kernels = {"--compiled": KERNELS_OF_COMPILED[True], "--no-compiled": KERNELS_OF_COMPILED[False]}
    return [word for given in arguments
            for word in (("--kernels", kernels[given]) if given in kernels else (given,))]


def changes(saved: TrainConfig, new: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """The settings that affect a run and differ between two configurations: name, old value, new value."""
    values = {field.name: (getattr(saved, field.name), getattr(new, field.name)) for field in fields(TrainConfig)}
    return {name: (old, now) for name, (old, now) in values.items() if old != now and name not in FREE - ROUNDING}
