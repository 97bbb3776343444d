"""The ``minimixer`` command: a table of commands, one file each in ``commands/``.

This is also where the process is prepared for computing (BLAS kernels, memory): the command line may change its own
process; ``import minimixer`` and calls from Python never do.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from minimixer.errors import OK, UsageError, nearest, open_standard_streams, run_command
from minimixer.parallel.host import prepare_process
from minimixer.version import __version__


class Command(NamedTuple):
    """A file in ``commands/`` with ``main(arguments)``, its one-line help, and whether it computes for long."""

    module: str
    summary: str
    computes: bool = False


COMMANDS = {
    "train": Command("train", "train a Mixer", computes=True),
    "seeds": Command("seeds", "train with several seeds, and report every one", computes=True),
    "eval": Command("eval", "test a trained model, class by class", computes=True),
    "predict": Command("predict", "classify your own images"),
    "play": Command("play", "draw in a page, and watch a trained Mixer answer"),
    "inspect": Command("inspect", "show each step of a Mixer: shapes, parameters, MACs, memory"),
    "import": Command("import_weights", "make a run from an official .npz or timm's .safetensors"),
    "export": Command("export_weights", "write a run's weights for other code, or its model as ONNX"),
    "ship": Command("ship", "make the files of a model that comes with the package", computes=True),
    "data": Command("data", "list, download, verify and find data sets"),
    "bench": Command("bench", "race minimixer against PyTorch and JAX", computes=True),
    "experiments": Command("experiments", "measure the paper's claims again, on a small scale", computes=True),
    "lessons": Command("lessons", "list, copy and open the notebooks"),
    "exercises": Command("exercises", "write the parts yourself; a checker explains mistakes"),
    "doctor": Command("doctor", "describe this machine, and what would make it faster", computes=True),
}


def start(*words: str) -> int:
    """Run this process's own command line, after ``words``, and return the exit code; this may change the process."""
    open_standard_streams()
    arguments = [*words, *sys.argv[1:]]
    if arguments and arguments[0] in COMMANDS and COMMANDS[arguments[0]].computes:
        prepare_process(arguments)
    return main(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without arguments, ``start`` this process's command line."""
    if arguments is None:
        return start()
    name, *rest = arguments or ["--help"]
    return run_command(name if name in COMMANDS else "", lambda: _run(name, rest))


def _run(name: str, rest: Sequence[str]) -> int:
    if name in ("-h", "--help"):
        print("usage: minimixer COMMAND [--help]\n       minimixer --version\n")
        print("\n".join(f"  {name:<13}{command.summary}" for name, command in COMMANDS.items()))
        return OK
    if name == "--version":
        print(f"minimixer {__version__}")
        return OK
    if name not in COMMANDS:
        raise UsageError(f"there is no command {name!r}; {nearest(name, COMMANDS)}")
    module: Any = importlib.import_module(f"minimixer.commands.{COMMANDS[name].module}")
    return int(module.main(rest))


if __name__ == "__main__":
    sys.exit(start())
