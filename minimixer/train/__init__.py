from minimixer.train.callbacks import Callback
from minimixer.train.config import PRESETS, TrainConfig
from minimixer.train.estimate import Estimate
from minimixer.train.loop import estimate, fit
from minimixer.train.setup import DivergedError, History, RunError

__all__ = ["PRESETS", "Callback", "DivergedError", "Estimate", "History", "RunError", "TrainConfig", "estimate", "fit"]
