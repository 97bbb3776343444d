"""``minimixer import FILE --out RUN``: turn a weights file into a run folder, as if the model had been trained here."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from minimixer import weights
from minimixer.console import at_least, parse
from minimixer.errors import OK, RunError, UsageError
from minimixer.files import FileRefusedError, json_text, read_json, read_text, write_atomically
from minimixer.nn import MlpMixer
from minimixer.owned import leftovers, remove_leftovers
from minimixer.text import printable
from minimixer.train import checkpoint
from minimixer.train.lock import LOCK
from minimixer.train.resume import BEST
from minimixer.train.run_folder import CONFIG, is_empty
from minimixer.version import __version__
from minimixer.weights import Report

WRITTEN = (CONFIG, BEST)
USUAL_SCALE = 0.5       # mean and standard deviation of pixels in -1..1


@dataclass(frozen=True)
class ImportConfig:
    """Options of ``minimixer import``."""

    file: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="FILE")]]
    """An official .npz, or a .safetensors file with timm's names."""
    out: Path
    """Run folder to create."""
    num_classes: int | None = None
    """Replace the head by a new one, of zeros, for this many classes."""
    image_size: int | None = None
    """Grow the token mixing to images of this size: 2, 3, ... times that of the file."""
    labels: Path | None = None
    """Text file with one class name per line; by default the file's, or else numbers."""
    mean: Annotated[float | None, tyro.conf.arg(metavar="0..1")] = None
    """Subtracted from pixels on the 0..1 scale; by default what the file says, or else 0.5, as the official ones."""
    std: Annotated[float | None, tyro.conf.arg(metavar="0..1")] = None
    """Divides them afterwards; by default likewise: 0.5 and 0.5 scale pixels to -1..1."""
    allow_nonfinite: bool = False
    """Import weights that are NaN or infinite too; the model then answers NaN."""

    def __post_init__(self) -> None:
        at_least(1, num_classes=self.num_classes, image_size=self.image_size)
        if self.std is not None and not 0 < self.std < math.inf:
            raise UsageError(f"--std is {self.std}: expected a number above 0")
        if self.mean is not None and not math.isfinite(self.mean):
            raise UsageError(f"--mean is {self.mean}: expected a number")


def main(arguments: Sequence[str]) -> int:
    """Import the file, print what became of its arrays, and return the exit code."""
    config = parse(ImportConfig, "import", "Turn a weights file into a run folder.", arguments)
    model, report = import_weights(config)
    print(report)
    print(f"\n{model.num_parameters():,} parameters, images of {model.config.image_size} x "
          f"{model.config.image_size} pixels, {model.config.num_classes:,} classes: into {printable(config.out, None)}")
    return OK


def import_weights(config: ImportConfig) -> tuple[MlpMixer, Report]:
    """Create the run folder.  Raises WeightsError, RunError or UsageError, and then leaves no folder behind."""
    if os.path.lexists(config.out) and not (config.out.is_dir() and (is_empty(config.out) or _is_begun(config.out))):
        raise RunError(f"{config.out} exists and is not an empty folder: name another one with --out")
    model, report = weights.model_from(config.file, image_size=config.image_size, num_classes=config.num_classes,
                                       allow_nonfinite=config.allow_nonfinite)
    names = _class_names(config.labels, model.config.num_classes, report.about.get("class_names", ()))
    mean, std = (_per_channel(config, report.about, name, model.config.in_channels) for name in ("mean", "std"))
    config.out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(config.out, WRITTEN)
    content = {"config": {}, "import": {**asdict(config), "layout": report.layout}, "model": asdict(model.config),
               "environment": {"minimixer": __version__, "python": platform.python_version()}}
    write_atomically(config.out / CONFIG, (json_text(content, indent=2, default=str) + "\n").encode())
    checkpoint.save(config.out / BEST, model, None, {
        "model": asdict(model.config), "class_names": names, "mean": mean, "std": std, "step": 0})
    return model, report


def _per_channel(config: ImportConfig, about: Mapping[str, Any], name: str, channels: int) -> list[float]:
    """Mean or standard deviation of every channel: as asked, as the file says, or that of the official files."""
    asked, said = getattr(config, name), about.get(name, [])
    known = len(said) == channels and all(map(math.isfinite, said)) and (name == "mean" or min(said) > 0)
    return list(said) if asked is None and known else [USUAL_SCALE if asked is None else asked] * channels


def _is_begun(folder: Path) -> bool:
    """Whether a folder holds nothing but what an import leaves that was killed before it had written the weights."""
    names = {path.name for path in folder.iterdir()} - {LOCK} - {path.name for path in leftovers(folder, WRITTEN)}
    if names - {CONFIG}:
        return False
    try:
        return CONFIG not in names or "import" in read_json(folder / CONFIG)
    except (OSError, FileRefusedError, TypeError):
        return False


def _class_names(labels: Path | None, num_classes: int, stated: Sequence[str]) -> list[str]:
    """The names in the file of labels, or those that the file of weights states; by default the classes' numbers."""
    if labels is None:
        return list(stated) if len(stated) == num_classes else [str(number) for number in range(num_classes)]
    try:
        names = [line.strip() for line in read_text(labels).rstrip().splitlines()]
    except FileNotFoundError:
        raise UsageError(f"there is no file {labels}: name a text file with one class name per line") from None
    except (OSError, FileRefusedError) as error:
        raise UsageError(f"--labels cannot be read ({error}): name a text file with one class name per line") from error
    if len(names) != num_classes:
        raise UsageError(f"{labels} names {len(names):,} classes, the model has {num_classes:,}: expected one name "
                         "per line, in the order of the class numbers")
    return names
