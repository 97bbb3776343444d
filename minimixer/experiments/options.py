"""Options of the experiments."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from minimixer.console import Computing, Threaded, at_least
from minimixer.data.known import Name
from minimixer.train import TrainConfig

T = TypeVar("T", bound="Options")
Size = Literal["pico", "nano", "micro", "tiny", "small"]


@dataclass(frozen=True, kw_only=True)
class Options(Threaded, Computing):
    """Options of every experiment."""

    out: Path = Path("runs/experiments")
    """Folder for NAME.png and NAME.json (with --quick, NAME-quick.png and NAME-quick.json)."""
    quick: bool = False
    """Only see it run, in seconds; the results mean nothing."""
    redraw: bool = False
    """Measure nothing: print and plot what the JSON file in the folder holds."""

    def shortened(self: T, **changes: Any) -> T:
        """These options or, with --quick, a copy with these changes."""
        return replace(self, **changes) if self.quick else self


@dataclass(frozen=True, kw_only=True)
class Learning(Options):
    """Options of the experiments that train."""

    data: Name = "cifar10"
    """Data set; digits is included, but too easy to tell models apart."""
    data_dir: Path | None = None
    """Folder that holds its files, or the .tar.gz; by default $MINIMIXER_DATA, ./data, the cache."""
    download: bool = False
    """Download the data set if it is not found."""
    model: Size = "pico"
    """Size of the models."""
    steps: int = 300
    """Steps per training."""
    batch_size: int = 64
    """Images per step."""
    lr: float = 2e-3
    """Peak learning rate, with cosine decay to 0."""
    seeds: tuple[int, ...] = field(default=(0, 1))
    """One training per seed; all are reported."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, steps=self.steps, batch_size=self.batch_size, seeds=len(self.seeds))

    @property
    def small(self: T) -> T:
        """These options or, with --quick, a few steps on the digits."""
        return self.shortened(data="digits", steps=8, batch_size=32, seeds=(0,), quick=False, model="pico")

    def config(self, model: str, seed: int, **changes: Any) -> TrainConfig:
        """The training configuration of one model."""
        patch_size = 2 if self.data == "digits" else None           # 8 x 8 pixels
        return TrainConfig(**{
            "data": self.data, "data_dir": self.data_dir, "download": self.download, "model": model, "seed": seed,
            "batch_size": self.batch_size, "lr": self.lr, "max_steps": self.steps, "epochs": self.steps,
            "warmup_steps": 50, "patch_size": patch_size, "workers": self.workers} | changes)


@dataclass(frozen=True, kw_only=True)
class Trained(Learning):
    """Options of the experiments that look at weights, from a run or a short training."""

    run: Path | None = None
    """Use the Mixer of this run folder or .safetensors file; by default, train one for --steps steps."""
    steps: int = 1000
    """Steps of that training."""
    seeds: tuple[int, ...] = (0,)
    """Seed of that training; only the first is used."""
