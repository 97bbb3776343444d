"""The finished runs of an experiment: one per arm and seed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class Arm(NamedTuple):
    """What an experiment measures with each seed.

    Parameters
    ----------
    name : str
        Says in figures and tables what it is.
    settings : dict
        All that its result depends on beside the options, as JSON holds it; a finished run counts only for an arm with
        the same.
    once : bool
        Whether seed 0 is enough, because nothing is drawn.
    """

    name: str
    settings: Mapping[str, Any] = {}
    once: bool = False


class Runs:
    """The finished runs, in the order in which they ended.

    Parameters
    ----------
    lines : sequence of dict
        Each has ``arm``, ``seed``, ``settings``, ``seconds`` and ``result``, or ``failed`` with a reason in its place.
    settings : dict
        Those of the whole experiment.
    """

    def __init__(self, lines: Sequence[Mapping[str, Any]], settings: Mapping[str, Any] | None = None):
        self.lines, self.settings = lines, settings or {}

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def find(self, arm: str, seed: int) -> Mapping[str, Any] | None:
        """The line of one run; None if it has not ended yet."""
        return next((line for line in self.lines if (line["arm"], line["seed"]) == (arm, seed)), None)

    @property
    def arms(self) -> list[str]:
        """The names of all arms with a finished run, in the order of their first."""
        return list(dict.fromkeys(line["arm"] for line in self.lines))

    def setting(self, arm: str, name: str) -> Any:
        """What an arm was run with."""
        return next(line["settings"][name] for line in self.lines if line["arm"] == arm)

    def results(self, arm: str) -> dict[int, Mapping[str, Any]]:
        """The results of an arm by seed, without those of runs that failed."""
        return {line["seed"]: line["result"] for line in self._of(arm) if "result" in line}

    def values(self, arm: str, what: str = "test_accuracy") -> dict[int, float | None]:
        """One number of each run of an arm by seed, the last of several; None for a run that failed."""
        return {line["seed"]: number(line.get("result", {}).get(what)) for line in self._of(arm)}

    def _of(self, arm: str) -> list[Mapping[str, Any]]:
        return sorted((line for line in self.lines if line["arm"] == arm), key=lambda line: int(line["seed"]))


def number(value: Any) -> float | None:
    """The last of several numbers, or the number itself; None if it is none, or not finite."""
    value = value[-1] if isinstance(value, list | tuple) and value else value
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def paired(one: Mapping[int, float | None], other: Mapping[int, float | None],
           scale: float = 1.0) -> dict[int, float | None]:
    """``one`` minus ``other`` for each seed that both have, times ``scale``; None if one of the two failed."""
    return {seed: None if value is None or subtracted is None else scale * (value - subtracted)
            for seed, value in one.items() if seed in other for subtracted in (other[seed],)}


def ratio(one: Mapping[int, float | None], other: Mapping[int, float | None]) -> dict[int, float | None]:
    """``one`` divided by ``other`` for each seed that both have; None if one failed or the divisor is 0."""
    return {seed: None if value is None or not divisor else value / divisor
            for seed, value in one.items() if seed in other for divisor in (other[seed],)}
