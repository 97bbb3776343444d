"""``minimixer export RUN --format official|timm --out FILE``: a run's weights for other people's code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minimixer import weights
from minimixer.console import parse
from minimixer.errors import OK, run_command
from minimixer.nn import MlpMixer
from minimixer.train.trained import load_run
from minimixer.weights import Report, WeightsError


@dataclass(frozen=True)
class ExportConfig:
    """What ``minimixer export`` reads and writes."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """A run folder, or one of its .safetensors files."""
    format: Literal["official", "timm"]
    """Whose code shall read it: an official .npz, or a .safetensors file."""
    out: Path
    """The file to write; one that is there is replaced."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Export as the command line says, and return the exit code."""
    def command() -> int:
        config = parse(ExportConfig, "export", "Write a run's best weights for the official code or for timm.",
                       arguments)
        print(export_weights(config))
        return OK

    return run_command("export", command)


def export_weights(config: ExportConfig) -> Report:
    """Write the file.  Raises CheckpointError or WeightsError."""
    if config.out.is_dir():
        raise WeightsError(f"{config.out} is a folder: give --out the name of the file to write")
    save = {"official": weights.save_official, "timm": weights.save_timm}[config.format]
    model = load_run(config.run).model
    if not isinstance(model, MlpMixer):
        raise WeightsError(f"{config.run} holds a {type(model).__name__}: both formats are of Mixers")
    return save(model, config.out)
