"""``python -m minimixer.train [PRESET] [--FLAGS]``, the same as ``minimixer train``."""

import difflib
import sys
from collections.abc import Sequence

import tyro

from minimixer.backend import DeviceError
from minimixer.data import DataError
from minimixer.kernels.host import choose_blas_kernel
from minimixer.train import DivergedError, RunError, fit
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.config import PRESETS, SUMMARIES, TrainConfig

OK, FAILURE, USAGE, DATA, DIVERGED = 0, 1, 2, 3, 4          # exit codes; 128 + number after a signal


def parse(arguments: Sequence[str]) -> TrainConfig:
    """The configuration that a command line asks for; leaves with exit code 2 if it cannot be read."""
    rest = list(arguments)
    name = rest.pop(0) if rest and not rest[0].startswith("-") else "digits"
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(PRESETS)}"
        print(f"minimixer train: there is no preset {name!r}; {hint}", file=sys.stderr)
        sys.exit(USAGE)
    presets = "\n\n".join(f"{preset}: {summary}" for preset, summary in SUMMARIES.items())
    try:
        return tyro.cli(TrainConfig, default=PRESETS[name], args=rest, prog=f"minimixer train {name}",
                        description=f"Train a Mixer.  Presets:\n\n{presets}\n\nThe defaults below are those of {name}.")
    except ValueError as error:
        print(f"minimixer train: {error}", file=sys.stderr)
        sys.exit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says, and return the exit code."""
    config = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        history = fit(config)
    except (DataError, RunError, CheckpointError, DeviceError, ValueError) as error:
        print(f"minimixer train: {error}", file=sys.stderr)
        return DATA if isinstance(error, DataError) else DIVERGED if isinstance(error, DivergedError) else FAILURE
    return 128 + history.interrupted if history.interrupted else OK


if __name__ == "__main__":
    choose_blas_kernel(sys.argv[1:])
    sys.exit(main())
