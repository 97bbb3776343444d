"""``minimixer export RUN FILE``: write a run's weights for other people's code, or the whole model as ONNX."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, cast

import numpy as np
import tyro

from minimixer import weights
from minimixer.console import parse
from minimixer.errors import OK, RunError, UsageError
from minimixer.files import check_replaceable
from minimixer.nn import MlpMixer
from minimixer.text import printable
from minimixer.train.lock import LOCK
from minimixer.train.resume import BEST, LAST, METRICS
from minimixer.train.run_folder import CONFIG
from minimixer.train.trained import Trained, load_run
from minimixer.weights import Report, WeightsError
from minimixer.weights.onnx_export import check_onnx, is_onnx_export, save_onnx

Format: TypeAlias = Literal["official", "timm", "onnx"]
FORMATS: dict[str, Format] = {".npz": "official", ".safetensors": "timm", ".onnx": "onnx"}
OF_A_RUN = (BEST, LAST, METRICS, CONFIG, LOCK)


@dataclass(frozen=True)
class ExportConfig:
    """Options of ``minimixer export``."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """A run folder, or one of its .safetensors files."""
    file: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="FILE")]] = None
    """File to write; one that an earlier export wrote is replaced, any other is kept."""
    format: Annotated[Format | None, tyro.conf.arg(metavar="FORMAT")] = None
    """official (.npz) for the authors' code, timm (.safetensors), onnx (.onnx); by default as FILE ends."""
    out: Path | None = None
    """Another way to name the file."""


def main(arguments: Sequence[str]) -> int:
    """Export the weights, print what became of them, and return the exit code."""
    description = "Write a run's best weights for the official code or timm, or its model as ONNX."
    config = parse(ExportConfig, "export", description, arguments)
    print(export_weights(config))
    return OK


def target(config: ExportConfig) -> tuple[Path, Format]:
    """The file to write, and its format.  Raises UsageError, WeightsError or RunError."""
    if (config.file is None) == (config.out is None):
        raise UsageError(f"{'no' if config.file is None else 'more than one'} file to write is named: expected "
                         "minimixer export RUN FILE")
    out = config.file or config.out
    assert out is not None
    if out.is_dir():
        raise WeightsError(f"{out} is a folder: name a file{_how(config)}")
    known = FORMATS.get(out.suffix.lower())
    if config.format is None and known is None:
        raise UsageError(f"{out} does not say its format: expected a name that ends in {', '.join(FORMATS)}, or "
                         "--format")
    if out.name in OF_A_RUN and (out.parent / CONFIG).exists():
        raise RunError(f"{out} is the name of a file of a run, which keeps its own format: name another file"
                       f"{_how(config)}")
    check_replaceable(out, lambda path: weights.is_export(path) or is_onnx_export(path), "export",
                      "FILE" if config.file else "--out")
    return out, cast(Format, config.format or known)


def _how(config: ExportConfig) -> str:
    return "" if config.out is None else " with --out"


def export_weights(config: ExportConfig) -> Report | str:
    """Write the file.  Raises CheckpointError, RunError, WeightsError or UsageError."""
    out, format = target(config)
    trained = load_run(config.run)
    model = trained.model
    if format == "onnx":
        return _export_onnx(trained, out)
    if not isinstance(model, MlpMixer):
        raise WeightsError(f"{config.run} holds a {type(model).__name__}: both layouts are for Mixers; ONNX is for all")
    save = {"official": weights.save_official, "timm": weights.save_timm}[format]
    return save(model, out, class_names=trained.class_names, mean=trained.mean.tolist(), std=trained.std.tolist())


def _export_onnx(trained: Trained, out: Path) -> str:
    """Write the model as ONNX, compare it with this one, and return what was done."""
    written = save_onnx(trained.model, out, mean=trained.mean, std=trained.std, class_names=trained.class_names)
    sizes = trained.sizes
    noise = np.random.default_rng(0).integers(0, 256, (2, sizes.image_size, sizes.image_size, sizes.in_channels))
    images = noise.astype(np.uint8)
    return f"{printable(out, None)}: {written}\n  {check_onnx(out, images, trained.logits(images))}"
