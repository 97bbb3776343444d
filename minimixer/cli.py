"""The ``minimixer`` command: a table; each room owns its command."""

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

import minimixer
from minimixer.errors import USAGE, nearest
from minimixer.parallel.host import prepare_process


class Command(NamedTuple):
    """Where a command lives, what it does, and whether it computes long enough to choose BLAS kernels for."""

    module: str
    summary: str
    computes: bool = False


COMMANDS = {
    "train": Command("minimixer.train.__main__", "train a Mixer", computes=True),
    "eval": Command("minimixer.train.evaluate", "test a trained Mixer, class by class", computes=True),
    "predict": Command("minimixer.train.predict", "tell what a trained Mixer sees in pictures"),
    "inspect": Command("minimixer.train.inspect", "show every step of a Mixer: shapes, parameters, MACs, memory"),
    "import": Command("minimixer.convert.import_weights", "make a run from an official .npz or timm's .safetensors"),
    "export": Command("minimixer.convert.export_weights", "write a run's weights for the official code or for timm"),
    "data": Command("minimixer.data.__main__", "list, download, verify and find data sets"),
    "bench": Command("minimixer.bench.__main__", "race minimixer against PyTorch and JAX", computes=True),
    "experiments": Command("minimixer.experiments.__main__", "measure the paper's claims again, small", computes=True),
    "lessons": Command("minimixer.lessons", "list, copy and open the notebooks"),
    "exercises": Command("minimixer.exercises.__main__", "fill in the parts yourself; a checker says what is wrong"),
    "doctor": Command("minimixer.doctor", "tell what this machine is and what would be faster on it", computes=True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print("usage: minimixer COMMAND [--help]\n       minimixer --version\n")
        print("\n".join(f"  {name:<13}{command.summary}" for name, command in COMMANDS.items()))
        return 0
    if given[0] == "--version":
        print(f"minimixer {minimixer.__version__}")
        return 0
    if given[0] not in COMMANDS:
        print(f"minimixer: there is no command {given[0]!r}; {nearest(given[0], COMMANDS)}", file=sys.stderr)
        return USAGE
    command = COMMANDS[given[0]]
    if arguments is None and command.computes:      # a command line of its own, whose process may be started again
        prepare_process(given)
    return importlib.import_module(command.module).main(given[1:])


if __name__ == "__main__":
    sys.exit(main())
