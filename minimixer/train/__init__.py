from minimixer.train.config import PRESETS, TrainConfig
from minimixer.train.loop import fit
from minimixer.train.setup import DivergedError, History, RunError

__all__ = ["PRESETS", "DivergedError", "History", "RunError", "TrainConfig", "fit"]
