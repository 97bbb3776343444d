"""Import and export weights: the official .npz files, and .safetensors files with timm's names.

Names and shapes follow other people's files: change them only together with the tests against Flax and timm.
"""

from minimixer.weights.adapt import adapt
from minimixer.weights.files import is_export
from minimixer.weights.growth import grow, part_order
from minimixer.weights.kinds import WeightsError
from minimixer.weights.report import Mapped, Report
from minimixer.weights.transfer import config_of, load_official, load_timm, model_from, save_official, save_timm

__all__ = ["Mapped", "Report", "WeightsError", "adapt", "config_of", "grow", "is_export", "load_official", "load_timm",
           "model_from", "part_order", "save_official", "save_timm"]
