"""``minimixer bench [race|ladder|resolution|augmentation|scaling|gpu]``: how fast minimixer is, beside its peers."""

import importlib
import sys
from collections.abc import Sequence

from minimixer.errors import UsageError, nearest, run_command

BENCHMARKS = {"race": "minimixer.bench.race", "ladder": "minimixer.bench.ladder",
              "resolution": "minimixer.bench.resolution", "augmentation": "minimixer.bench.augmentation",
              "scaling": "minimixer.bench.scaling", "gpu": "minimixer.bench.gpu"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, by default the race, and return the exit code."""
    def command() -> int:
        given = list(sys.argv[1:] if arguments is None else arguments)
        name = given.pop(0) if given and not given[0].startswith("-") else "race"
        if name not in BENCHMARKS:
            raise UsageError(f"there is no benchmark {name!r}; {nearest(name, BENCHMARKS)}")
        return importlib.import_module(BENCHMARKS[name]).main(given)

    return run_command("bench", command)


if __name__ == "__main__":
    sys.exit(main())
