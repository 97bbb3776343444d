"""The ``minimixer`` command: a table; each room owns its command."""

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "train": ("minimixer.train.__main__", "train a Mixer"),
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
    module = importlib.import_module(COMMANDS[given[0]][0])
    return module.main(given[1:])
