"""What can be chosen for an experiment."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from minimixer.console import Computing, at_least
from minimixer.data.known import Name
from minimixer.train import TrainConfig

T = TypeVar("T", bound="Options")
Size = Literal["pico", "nano", "micro", "tiny", "small"]


@dataclass(frozen=True, kw_only=True)
class Options(Computing):
    """What every experiment is told."""

    out: Path = Path("runs/experiments")
    """Folder for NAME.png and NAME.json, with --quick for NAME-quick.png and NAME-quick.json."""
    quick: bool = False
    """Only to see it run, in seconds; what it says then means nothing."""
    redraw: bool = False
    """Measure nothing: print and draw what the JSON file in the folder holds."""
    workers: int | None = None
    """Threads; by default one a physical core."""

    def __post_init__(self) -> None:
        at_least(1, workers=self.workers)

    def shortened(self: T, **changes: Any) -> T:
        """The options themselves or, with --quick, with these changes."""
        return replace(self, **changes) if self.quick else self


@dataclass(frozen=True, kw_only=True)
class Learning(Options):
    """What every experiment that trains is told, too."""

    data: Name = "cifar10"
    """Data set; digits always works, offline, but is too easy to tell models apart."""
    data_dir: Path | None = None
    """Where its files are: a folder or the .tar.gz; by default $MINIMIXER_DATA, ./data, the cache."""
    download: bool = False
    """Fetch the data set if it is not found."""
    model: Size = "pico"
    """Size of the models."""
    steps: int = 300
    """Of each training."""
    batch_size: int = 64
    """Pictures a step."""
    lr: float = 2e-3
    """Peak learning rate; it falls to 0 by a cosine."""
    seeds: tuple[int, ...] = field(default=(0, 1))
    """Of the trainings; every one is reported."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, steps=self.steps, batch_size=self.batch_size, seeds=len(self.seeds))

    @property
    def small(self: T) -> T:
        """The options themselves or, with --quick, a few steps on the digits."""
        return self.shortened(data="digits", steps=8, batch_size=32, seeds=(0,), quick=False, model="pico")

    def config(self, model: str, seed: int, **changes: Any) -> TrainConfig:
        """How one of the models is trained."""
        patch_size = 2 if self.data == "digits" else None           # 8 x 8 pixels
        return TrainConfig(**{
            "data": self.data, "data_dir": self.data_dir, "download": self.download, "model": model, "seed": seed,
            "batch_size": self.batch_size, "lr": self.lr, "max_steps": self.steps, "epochs": self.steps,
            "warmup_steps": 50, "patch_size": patch_size, "workers": self.workers} | changes)


@dataclass(frozen=True, kw_only=True)
class Trained(Learning):
    """Where the weights come from: a run, or a short training."""

    run: Path | None = None
    """Look at the Mixer of this run folder or .safetensors file; by default one is trained, for --steps steps."""
    steps: int = 1000
    """Of the training."""
    seeds: tuple[int, ...] = (0,)
    """Of the training; only the first is used."""
