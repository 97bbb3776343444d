"""``python -m minimixer.train [PRESET] [--FLAGS]``, the same as ``minimixer train``."""

import difflib
import sys
from collections.abc import Sequence

import tyro

from minimixer.errors import OK, UsageError, run_command
from minimixer.kernels.host import choose_blas_kernel
from minimixer.train import fit
from minimixer.train.config import PRESETS, SUMMARIES, TrainConfig


def parse(arguments: Sequence[str]) -> TrainConfig:
    """The configuration that a command line asks for; raises UsageError if it cannot be read."""
    rest = list(arguments)
    name = rest.pop(0) if rest and not rest[0].startswith("-") else "digits"
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(PRESETS)}"
        raise UsageError(f"there is no preset {name!r}; {hint}")
    presets = "\n\n".join(f"{preset}: {summary}" for preset, summary in SUMMARIES.items())
    return tyro.cli(TrainConfig, default=PRESETS[name], args=rest, prog=f"minimixer train {name}",
                    description=f"Train a Mixer.  Presets:\n\n{presets}\n\nThe defaults below are those of {name}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says, and return the exit code."""
    def command() -> int:
        history = fit(parse(sys.argv[1:] if arguments is None else arguments))
        return 128 + history.interrupted if history.interrupted else OK

    return run_command("train", command)


if __name__ == "__main__":
    choose_blas_kernel(sys.argv[1:])
    sys.exit(main())
