from minimixer.train.callbacks import Callback
from minimixer.train.config import PRESETS, TrainConfig
from minimixer.train.loop import estimate, fit
from minimixer.train.rehearsal import Estimate
from minimixer.train.setup import DivergedError, History, RunError
from minimixer.train.trained import Trained, load_run

__all__ = ["PRESETS", "Callback", "DivergedError", "Estimate", "History", "RunError", "TrainConfig", "Trained",
           "estimate", "fit", "load_run"]
