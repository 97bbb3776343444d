"""The options that experiments share."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from minimixer.console import Computing, Threaded, at_least
from minimixer.data.known import Name
from minimixer.errors import UsageError, flag
from minimixer.options import INCLUDED, Rule
from minimixer.train import TrainConfig

T = TypeVar("T", bound="Options")
# The options of all experiments that change what is measured, not what is shown of it.
MEASURED = ("workers", "data", "data_dir", "download", "model", "steps", "batch_size", "optimizer", "lr", "seeds",
            "run", "blocks", "units", "patch_sizes", "filters", "percents", "pixels", "block", "images", "estimate",
            "depths", "widths", "severities", "kinds", "optimizers")
Size = Literal["pico", "nano", "micro", "tiny", "small"]
OptimizerName = Literal["muon", "adamw"]
# What decides which runs are made, where, and what is shown of them, but not what comes of one.
FREE = {"out", "quick", "redraw", "estimate", "seeds", "workers", "data_dir", "download", "blas_tune", "kinds",
        "optimizers", "units", "filters"}


def several(**options: Sequence[Any]) -> None:
    """Raise UsageError for an option that names fewer than two different values."""
    for name, values in options.items():
        if len(set(values)) < 2:
            raise UsageError(f"{flag(name)} names {', '.join(map(str, values)) or 'nothing'}: expected two or more "
                             "different values, to compare them")


@dataclass(frozen=True, kw_only=True)
class Options(Threaded, Computing):
    """Options of every experiment."""

    out: Path = Path("runs/experiments")
    """Folder for NAME.jsonl, NAME.json and NAME.png; with --quick, for those of NAME-quick."""
    seeds: int = 5
    """Number of seeds, 0 to N-1: every arm is measured with each of them, one seed after the other."""
    quick: bool = False
    """Only check that it runs, in seconds; the results are meaningless."""
    redraw: bool = False
    """Print and draw the results in the folder's JSON file, without measuring."""
    estimate: bool = False
    """Measure a few steps of each model and say how long the experiment would take; nothing is written."""

    COMPARED: ClassVar[tuple[str, ...]] = ()    # options that arms differ in, so that results have no one value of them
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(MEASURED, lambda given: given.redraw, "with --redraw (nothing is measured)", "leave out --redraw"),
        Rule(("seeds", "estimate"), lambda given: given.quick, "with --quick (it takes two seeds)",
             "leave out --quick"))

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, seeds=self.seeds)

    @property
    def small(self: T) -> T:
        """The options, reduced to what takes seconds if --quick is set."""
        return self.shortened(seeds=2)

    def shortened(self: T, **changes: Any) -> T:
        """The options, with these changes if --quick is set."""
        return replace(self, **changes) if self.quick else self

    @property
    def suffix(self) -> str:
        """What the names of the experiment's files end in."""
        return "-quick" * self.quick

    def settings(self) -> dict[str, Any]:
        """The options that results depend on."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in FREE}

    def shown(self) -> dict[str, Any]:
        """What tables and figures say of the options: nothing of the machine, of folders, or of what is compared."""
        said = self.settings() | {name: getattr(self, name) for name in ("seeds", "units", "filters")
                                  if hasattr(self, name)}
        return {name: value for name, value in said.items() if name not in self.COMPARED}


@dataclass(frozen=True, kw_only=True)
class Learning(Options):
    """Options of every experiment that trains models."""

    data: Name = "cifar10"
    """Dataset; digits works offline, but is too easy to show differences between models."""
    data_dir: Path | None = None
    """Folder or .tar.gz that holds its files; by default $MINIMIXER_DATA, ./data, or the cache."""
    download: bool = False
    """Download the dataset if it is not found."""
    model: Size = "pico"
    """Size of the models."""
    steps: int = 1500
    """Steps per training run."""
    batch_size: int = 128
    """Images per step."""
    optimizer: OptimizerName = "muon"
    """Optimizer of all models."""
    lr: float | None = None
    """Peak learning rate of all models; by default each family's own, which learning-rates finds."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("data", "data_dir", "download", "model", "steps", "batch_size", "patch_sizes", "percents", "depths",
              "widths", "severities"),
             lambda given: given.quick, "with --quick (it takes a few steps on the digits)", "leave out --quick"),
        INCLUDED)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, steps=self.steps, batch_size=self.batch_size)

    @property
    def small(self: T) -> T:
        """The options, reduced to a few steps on the digits if --quick is set."""
        return self.shortened(data="digits", steps=8, batch_size=32, seeds=2, model="pico")

    def config(self, model: str, seed: int, lr: float, augment: bool = True, **changes: Any) -> TrainConfig:
        """The training config of one of the models: the recipe of the preset ``cifar10``.

        Parameters
        ----------
        model : str
        seed : int
        lr : float
            Peak learning rate.
        augment : bool
            Whether images are shifted and, unless they are digits, flipped.
        **changes
            Other fields of TrainConfig.
        """
        digits = self.data == "digits"                              # 8 x 8 pixels
        return TrainConfig(**{
            "data": self.data, "data_dir": self.data_dir, "download": self.download, "model": model, "seed": seed,
            "batch_size": self.batch_size, "optimizer": self.optimizer, "lr": lr, "max_steps": self.steps,
            "epochs": self.steps, "label_smoothing": 0.1, "patch_size": 2 if digits else None,
            "crop_padding": augment * (1 if digits else 4), "flip": augment and not digits,
            "workers": self.workers} | changes)


@dataclass(frozen=True, kw_only=True)
class Trained(Learning):
    """Options of experiments on the weights of a Mixer, from a run or a training."""

    run: Path | None = None
    """Run folder or .safetensors file of a Mixer; by default, train one per seed for --steps steps."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("workers", "data", "data_dir", "download", "model", "steps", "batch_size", "optimizer", "lr", "seeds",
              "patch_sizes", "estimate"),
             lambda given: given.run is not None, "with --run (nothing is trained)", "leave out --run"),)
