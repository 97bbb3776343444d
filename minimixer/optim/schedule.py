"""Learning-rate schedules."""

import math
from dataclasses import dataclass
from typing import Literal

ScheduleKind = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True)
class Schedule:
    """The learning rate at every step: a linear warm-up to ``peak``, then down to ``final`` at the last step.

    The first of W warm-up steps has ``peak`` / W, the last ``peak``.

    ``cosine`` falls along half a cosine wave (Loshchilov & Hutter 2017), ``linear`` along a line, as in the paper;
    ``constant`` stays.

    Raises
    ------
    ValueError
        If the warm-up is longer than the run, or the kind is unknown.
    """

    kind: ScheduleKind
    peak: float
    total_steps: int
    warmup_steps: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("cosine", "linear", "constant"):
            raise ValueError(f"no schedule is called {self.kind!r}: expected 'cosine', 'linear' or 'constant'")
        if not 0 <= self.warmup_steps <= self.total_steps:
            raise ValueError(f"a warm-up of {self.warmup_steps} steps does not fit into {self.total_steps} steps")

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return self.peak
        progress = min(1.0, (step - self.warmup_steps) / max(1, self.total_steps - 1 - self.warmup_steps))
        share = 1 - progress if self.kind == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
        return self.final + (self.peak - self.final) * share
