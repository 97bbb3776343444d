"""``minimixer export RUN --format official|timm --out FILE``: a run's weights for other people's code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minimixer import weights
from minimixer.errors import OK, run_command
from minimixer.nn import MixerConfig, MlpMixer
from minimixer.train import checkpoint
from minimixer.train.checkpoint import CheckpointError
from minimixer.weights import Report, WeightsError


@dataclass(frozen=True)
class ExportConfig:
    """Write a run's best weights for the official code or for timm."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """A run folder, or one of its .safetensors files."""
    format: Literal["official", "timm"]
    """Whose code shall read it: an official .npz, or a .safetensors file."""
    out: Path
    """The file to write; one that is there is replaced."""


def main(arguments: Sequence[str]) -> int:
    """Export as the command line says, and return the exit code."""
    def command() -> int:
        config = tyro.cli(ExportConfig, args=arguments, prog="minimixer export")
        print(export_weights(config))
        return OK

    return run_command("export", command)


def export_weights(config: ExportConfig) -> Report:
    """Write the file.  Raises CheckpointError or WeightsError."""
    if config.out.is_dir():
        raise WeightsError(f"{config.out} is a folder: give --out the name of the file to write")
    model = _model_of(config.run / "best.safetensors" if config.run.is_dir() else config.run)
    save = {"official": weights.save_official, "timm": weights.save_timm}[config.format]
    return save(model, config.out)


def _model_of(path: Path) -> MlpMixer:
    _, metadata = checkpoint.read(path)
    try:
        model = MlpMixer(MixerConfig(**metadata["model"]), seed=None)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not say which Mixer it holds ({error}): give a run of minimixer train or "
                              "minimixer import") from error
    checkpoint.load(path, model)
    return model
