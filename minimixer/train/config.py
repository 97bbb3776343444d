"""The configuration of a run: its limits, the presets, and what may change when it goes on."""

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from minimixer.data.augment import Augment, Augmentation
from minimixer.data.known import KNOWN
from minimixer.errors import UsageError, flag, nearest
from minimixer.files import expand
from minimixer.options import Rule, check, rules
from minimixer.parallel.workers import Kernels
from minimixer.text import printable
from minimixer.train.settings import Data, Machine, Model, Output, Recipe

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
        if isinstance(self.data, os.PathLike):
            object.__setattr__(self, "data", os.fspath(self.data))
        if isinstance(self.data, str) and self.data not in KNOWN:
            object.__setattr__(self, "data", str(expand(self.data)))
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
            check(self, self.unusual(), _told_by_value())

    def unusual(self) -> list[str]:
        """The options with a value that neither the defaults nor a preset gives them: so the user did."""
        usual = {name: [getattr(TrainConfig, name), *(getattr(preset, name) for preset in PRESETS.values())]
                 for name in _kinds()}
        return [name for name, values in usual.items() if getattr(self, name) not in values]

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


CIFAR = TrainConfig(data="cifar10", model="micro", optimizer="muon", lr=0.01, label_smoothing=0.1, crop_padding=4,
                    flip=True)

GROUPS = {"data": Data, "augment": Augment, "model": Model, "recipe": Recipe, "machine": Machine, "output": Output}

PRESETS |= {
    "digits": TrainConfig(patch_size=2, batch_size=64, epochs=10, optimizer="muon", lr=0.01, label_smoothing=0.1,
                          warmup_steps=20),
    "cifar10": replace(CIFAR, model="pico", epochs=12, lr=0.02, crop_padding=2),
    "cifar10-micro": replace(
        CIFAR, epochs=200, warmup_steps=2000, randaugment=2, magnitude=9, cutmix=1.0, mixing=0.5, ema=0.9995),
    "cifar10-micro-cpu": replace(
        CIFAR, epochs=40, warmup_steps=400, randaugment=1, magnitude=7, cutmix=1.0, mixing=0.33, ema=0.999),
    "cifar100": replace(CIFAR, data="cifar100", model="nano", epochs=12, lr=0.012),
    "photos": TrainConfig(
        data="photos", model="nano", epochs=60, batch_size=32, warmup_steps=60, label_smoothing=0.1, crop_padding=8,
        flip=True, randaugment=2, magnitude=5, ema=0.99),
    # The recipe of the official code, configs/common.py and mixer_base16_cifar10.py; its crops of any area are shifts.
    "finetune": replace(
        CIFAR, data="cifar100", init_from=Path("cifar10-micro"), batch_size=512, epochs=104,
        max_steps=10_000, optimizer="sgd", lr=0.03, warmup_steps=500, weight_decay=0.0, label_smoothing=0.0),
}

SUMMARIES = {
    "digits": "8 x 8 digits, offline, the default: 3 s on two cores, 98 %",
    "cifar10": "0.09 M parameters, for a laptop: 3 min on two cores, 77 %",
    "cifar10-micro": "1.13 M parameters, 200 epochs: for a GPU",
    "cifar10-micro-cpu": "the same in 40 epochs: 90 min on two cores, 85 %",
    "cifar100": "100 classes, 0.49 M parameters, 12 epochs",
    "photos": "photographs of your own, named by --data: a few hundred or thousand",
    "finetune": "the paper's recipe for the weights of --init-from",
}

# What --resume may change: settings that do not affect what is computed.
FREE = {"data_dir", "download", *(field.name for group in (Machine, Output) for field in fields(group))}
ROUNDING = {"precision", "kernels"}         # but these affect the last bits, so a change is reported
# What it may not: the arrays of the checkpoint, or the order of the images, depend on it.
FIXED = {"data", "classes", "validation", "test_share", "model", "patch_size", "image_size", "init_from", "optimizer",
         "batch_size", "seed", "ema"}
# Settings of a later version: a checkpoint states them only where they are not the defaults.
NEW = {"classes", "validation", "test_share"}


def is_unsaid(name: str, value: object) -> bool:
    """Whether a setting goes without saying, as it did before it existed."""
    return name in NEW and value == getattr(TrainConfig, name)


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
    if not {saved.data, new.data} & KNOWN.keys():
        values.pop("data")          # a folder of one's own may have moved: its images are compared
    return {name: (old, now) for name, (old, now) in values.items() if old != now and name not in FREE - ROUNDING}
