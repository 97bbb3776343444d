"""Import and export weights: any Module's as plain .safetensors, a Mixer's in the official layout, timm's, and ONNX.

Names and shapes follow other people's files: change them only together with the tests against Flax and timm.
"""

from minimixer.weights.adapt import adapt
from minimixer.weights.files import is_export
from minimixer.weights.growth import grow, part_order
from minimixer.weights.kinds import WeightsError
from minimixer.weights.onnx_export import save_onnx
from minimixer.weights.plain import load, save
from minimixer.weights.report import Mapped, Report
from minimixer.weights.transfer import config_of, load_official, load_timm, model_from, save_official, save_timm

__all__ = ["Mapped", "Report", "WeightsError", "adapt", "config_of", "grow", "is_export", "load", "load_official",
           "load_timm", "model_from", "part_order", "save", "save_official", "save_onnx", "save_timm"]
