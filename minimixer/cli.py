"""The ``minimixer`` command: a table; each room owns its command."""

import importlib
import sys
from collections.abc import Sequence

from minimixer.kernels.host import choose_blas_kernel

COMMANDS = {
    "train": ("minimixer.train.__main__", "train a Mixer"),
    "doctor": ("minimixer.doctor", "tell what this machine is and what would be faster on it"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print("usage: minimixer COMMAND [--help]\n")
        print("\n".join(f"  {name:<10}{summary}" for name, (_, summary) in COMMANDS.items()))
        return 0
    if given[0] not in COMMANDS:
        print(f"minimixer: there is no command {given[0]!r}; expected one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    if arguments is None:       # a command line of its own, whose process may be started again
        choose_blas_kernel(given)
    module = importlib.import_module(COMMANDS[given[0]][0])
    return module.main(given[1:])


if __name__ == "__main__":
    sys.exit(main())
