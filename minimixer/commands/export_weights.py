"""``minimixer export RUN --format official|timm --out FILE``: write a run's weights for other people's code."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minimixer import weights
from minimixer.console import parse
from minimixer.errors import OK, RunError
from minimixer.nn import MlpMixer
from minimixer.train.lock import LOCK
from minimixer.train.resume import BEST, LAST, METRICS
from minimixer.train.run_folder import CONFIG
from minimixer.train.trained import load_run
from minimixer.weights import Report, WeightsError

OF_A_RUN = (BEST, LAST, METRICS, CONFIG, LOCK)


@dataclass(frozen=True)
class ExportConfig:
    """Options of ``minimixer export``."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """A run folder, or one of its .safetensors files."""
    format: Literal["official", "timm"]
    """official writes an .npz for the authors' code, timm a .safetensors file."""
    out: Path
    """File to write; one that an earlier export wrote is replaced, any other is kept."""


def main(arguments: Sequence[str]) -> int:
    """Export the weights, print what became of them, and return the exit code."""
    config = parse(ExportConfig, "export", "Write a run's best weights for the official code or for timm.", arguments)
    print(export_weights(config))
    return OK


def export_weights(config: ExportConfig) -> Report:
    """Write the file.  Raises CheckpointError, RunError or WeightsError."""
    if config.out.is_dir():
        raise WeightsError(f"{config.out} is a folder: name a file with --out")
    if config.out.name in OF_A_RUN and (config.out.parent / CONFIG).exists():
        raise RunError(f"{config.out} is the name of a file of a run, which keeps its own format: name another file "
                       "with --out")
    if os.path.lexists(config.out) and not weights.is_export(config.out):
        raise RunError(f"{config.out} exists, and minimixer export did not write it, so it is kept: name another file "
                       "with --out")
    save = {"official": weights.save_official, "timm": weights.save_timm}[config.format]
    trained = load_run(config.run)
    model = trained.model
    if not isinstance(model, MlpMixer):
        raise WeightsError(f"{config.run} holds a {type(model).__name__}: both formats are for Mixers")
    return save(model, config.out, trained.class_names)
