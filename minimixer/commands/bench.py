"""``minimixer bench [race|learn|ladder|resolution|augmentation|scaling|gpu]``: how fast minimixer is, and its peers."""

import importlib
from collections.abc import Sequence

from minimixer.errors import UsageError, nearest

BENCHMARKS = ("race", "learn", "ladder", "resolution", "augmentation", "scaling", "gpu")     # files in bench/


def main(arguments: Sequence[str]) -> int:
    """Run one benchmark, by default the race, and return the exit code."""
    rest = list(arguments)
    name = rest.pop(0) if rest and not rest[0].startswith("-") else "race"
    if name not in BENCHMARKS:
        raise UsageError(f"there is no benchmark {name!r}; {nearest(name, BENCHMARKS)}")
    return importlib.import_module(f"minimixer.bench.{name}").main(rest)
