"""The options that experiments share."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from minimixer.console import Computing, Threaded, at_least
from minimixer.data.known import Name
from minimixer.options import INCLUDED, Rule
from minimixer.train import TrainConfig

T = TypeVar("T", bound="Options")
# The options of all experiments that change what is measured, not what is shown of it.
MEASURED = ("workers", "data", "data_dir", "download", "model", "steps", "batch_size", "lr", "seeds", "seed", "run",
            "blocks", "units", "patch_sizes", "filters", "percents", "pixels", "rounds", "block", "images")
Size = Literal["pico", "nano", "micro", "tiny", "small"]


@dataclass(frozen=True, kw_only=True)
class Options(Threaded, Computing):
    """Options of every experiment."""

    out: Path = Path("runs/experiments")
    """Folder for NAME.png and NAME.json; with --quick, for NAME-quick.png and NAME-quick.json."""
    quick: bool = False
    """Only check that it runs, in seconds; the results are meaningless."""
    redraw: bool = False
    """Print and draw the results in the folder's JSON file, without measuring."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(MEASURED, lambda given: given.redraw, "with --redraw (nothing is measured)", "leave out --redraw"),)

    def shortened(self: T, **changes: Any) -> T:
        """The options, with these changes if --quick is set."""
        return replace(self, **changes) if self.quick else self


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
    steps: int = 300
    """Steps per training run."""
    batch_size: int = 64
    """Images per step."""
    lr: float = 2e-3
    """Peak learning rate; it decays to 0 along a cosine."""
    seeds: tuple[int, ...] = field(default=(0, 1))
    """Seeds of the training runs; each is reported."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("data", "data_dir", "download", "model", "steps", "batch_size", "seeds", "patch_sizes", "percents"),
             lambda given: given.quick, "with --quick (it takes a few steps on the digits)", "leave out --quick"),
        INCLUDED)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, steps=self.steps, batch_size=self.batch_size, seeds=len(self.seeds))

    @property
    def small(self: T) -> T:
        """The options, reduced to a few steps on the digits if --quick is set."""
        return self.shortened(data="digits", steps=8, batch_size=32, seeds=(0,), quick=False, model="pico")

    def config(self, model: str, seed: int, **changes: Any) -> TrainConfig:
        """The training config of one of the models."""
        patch_size = 2 if self.data == "digits" else None           # 8 x 8 pixels
        return TrainConfig(**{
            "data": self.data, "data_dir": self.data_dir, "download": self.download, "model": model, "seed": seed,
            "batch_size": self.batch_size, "lr": self.lr, "max_steps": self.steps, "epochs": self.steps,
            "warmup_steps": 50, "patch_size": patch_size, "workers": self.workers} | changes)


@dataclass(frozen=True, kw_only=True)
class Trained(Learning):
    """Options of experiments on the weights of a Mixer, from a run or a short training."""

    run: Path | None = None
    """Run folder or .safetensors file of a Mixer; by default, train one for --steps steps."""
    steps: int = 1000
    """Steps of the training run."""
    seeds: tuple[int, ...] = (0,)
    """Seed of the training run; only the first is used."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("workers", "data", "data_dir", "download", "model", "steps", "batch_size", "lr", "patch_sizes"),
             lambda given: given.run is not None, "with --run (nothing is trained)", "leave out --run"),
        Rule(("seeds",), lambda given: len(given.seeds) > 1, "beyond its first number (one Mixer is trained)",
             "give one number"))
