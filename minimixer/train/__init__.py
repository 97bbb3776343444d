from minimixer.train.config import PRESETS, TrainConfig
from minimixer.train.loop import DivergedError, fit
from minimixer.train.setup import History, RunError

__all__ = ["PRESETS", "DivergedError", "History", "RunError", "TrainConfig", "fit"]
