"""Optimizers, gradient clipping, moving averages and learning-rate schedules.

The update rules are pure array functions with a reference and faster forms, as the ops are: change all of them
together.  The names in ``Optimizer.state`` are names in every saved run.
"""

import warnings
from typing import Any

from minimixer.optim.adamw import AdamW, adamw_update
from minimixer.optim.clip import clip_by_global_norm, clip_factor
from minimixer.optim.ema import EMA
from minimixer.optim.muon import Muon, orthogonalize
from minimixer.optim.optimizer import Optimizer
from minimixer.optim.schedule import Schedule, ScheduleKind
from minimixer.optim.sgd import SGD


def __getattr__(name: str) -> Any:
    """Names of the last version."""
    if name == "WeightAverage":
        warnings.warn("optim.WeightAverage is now optim.EMA", DeprecationWarning, stacklevel=2)
        return EMA
    raise AttributeError(f"minimixer.optim has no attribute {name!r}")


__all__ = ["EMA", "SGD", "AdamW", "Muon", "Optimizer", "Schedule", "ScheduleKind", "adamw_update",
           "clip_by_global_norm", "clip_factor", "orthogonalize"]
