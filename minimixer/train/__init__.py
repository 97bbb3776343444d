from minimixer.train.config import PRESETS, TrainConfig
from minimixer.train.loop import DivergedError, History, RunError, fit

__all__ = ["PRESETS", "DivergedError", "History", "RunError", "TrainConfig", "fit"]
