"""Training, run folders, and models of finished runs.  ``fit`` in loop.py is the place to start reading.

``state.py`` lists everything that a run changes; what is not listed there is not saved, resumed or broadcast.
"""

from minimixer.errors import DivergedError, RunError
from minimixer.train.callbacks import Callback, Progress
from minimixer.train.config import PRESETS, TrainConfig
from minimixer.train.estimate import Estimate
from minimixer.train.evaluate import evaluate
from minimixer.train.loop import estimate, fit
from minimixer.train.state import History
from minimixer.train.trained import Trained, load_run

__all__ = ["PRESETS", "Callback", "DivergedError", "Estimate", "History", "Progress", "RunError", "TrainConfig",
           "Trained", "estimate", "evaluate", "fit", "load_run"]
